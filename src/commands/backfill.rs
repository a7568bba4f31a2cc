//! `keytrail backfill`: lists the sources, leaves out what is committed, analyses the rest, folds.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verdict;
use crate::analyze::{Plan, Selection};
use crate::cli::{Backfill, SummaryFormat};
use crate::config;
use crate::folding;
use crate::lake::Lake;
use crate::lake::local::LocalFolder;
use crate::model::object::ObjectRef;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::pipeline::{self, Progress};
use crate::report;
use crate::source::local::{self, LocalStore};
use crate::telemetry::summary::{OwnAccounts, Summary};

/// Bytes of rows after which a batch is committed: bounds what an open batch holds.
const BATCH_BYTES: usize = 8 << 20;
/// Event identities kept to notice a second copy: about 30 MiB.
const SEEN_EVENTS: usize = 1 << 20;

pub(super) fn run(args: &Backfill, out: &mut dyn Write) -> Result<Verdict> {
    let started = Instant::now();
    let config = config::load(args.config.as_deref())?;
    let filter = Filter::new(args);
    let mut summary = Summary::default();
    // The sources first: a mistyped one leaves no output behind.
    let output = args.output.canonicalize().ok();
    let listing = local::list(&args.sources, output.as_deref()).context("cannot read a source")?;
    let mut objects: Vec<_> = listing.objects.into_iter().filter(|object| filter.wants(object)).collect();
    summary.objects.found = (objects.len() + listing.unreadable.len()) as u64;
    for (place, reason) in listing.unreadable {
        summary.fail(place, reason);
    }
    if summary.objects.found == 0 {
        bail!("the sources hold no log files{}", filter.hint());
    }
    let mut lake = Lake::open(Arc::new(LocalFolder::create(&args.output)?))?;
    objects.retain(|object| !lake.ledger().holds(object));
    summary.objects.already_done = summary.objects.found - summary.objects.failed - objects.len() as u64;
    let plan = Plan::new(config.rules, if args.strict { Selection::Strict } else { Selection::Fast });
    let settings = pipeline::Settings {
        threads: args.threads.unwrap_or_else(cores).max(1),
        max_object_size: args.max_object_size,
        batch_objects: args.batch_objects.max(1),
        batch_bytes: BATCH_BYTES,
        seen_events: SEEN_EVENTS,
    };
    let store = LocalStore { cap: args.max_object_size as u64 };
    let bar = Bar::new(&objects);
    pipeline::run(&objects, &store, &plan, &mut lake, &settings, &bar, &mut summary)?;
    bar.fold();
    let fold = folding::fold(&mut lake, plan.settings(), &config.inventory)?;
    bar.end();
    if let Some(folded) = fold {
        summary.keys = Some(folded.keys);
        let configured = !plan.settings().accounts.own.is_empty();
        summary.own_accounts = Some(OwnAccounts { configured, accounts: folded.own_accounts });
        for severity in Severity::ALL {
            summary.findings.add(severity, folded.findings[severity as usize]);
        }
    }
    match args.format {
        SummaryFormat::Text => report::summary::write(out, &summary, started.elapsed().as_secs_f64())?,
        SummaryFormat::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
    }
    Ok(if summary.objects.failed == 0 { Verdict::Good } else { Verdict::Bad })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What `--from`, `--to`, `--account` and `--region` ask for, read off the path.
struct Filter<'a> {
    from: Option<Seconds>,
    to: Option<Seconds>,
    accounts: &'a [String],
    regions: &'a [String],
}

impl<'a> Filter<'a> {
    fn new(args: &'a Backfill) -> Self {
        Self { from: args.from, to: args.to, accounts: &args.account, regions: &args.region }
    }

    fn hint(&self) -> &'static str {
        let asks = self.from.is_some() || self.to.is_some() || !self.accounts.is_empty() || !self.regions.is_empty();
        if asks { " that the filters want: see --from, --to, --account, --region" } else { "" }
    }

    /// A file whose path does not tell is not wanted by a filter that asks.
    fn wants(&self, object: &ObjectRef) -> bool {
        let name = &object.name;
        let listed = |list: &[String], value: &Option<String>| {
            list.is_empty() || value.as_ref().is_some_and(|value| list.contains(value))
        };
        self.from.is_none_or(|from| name.date.is_some_and(|date| date >= from))
            && self.to.is_none_or(|to| name.date.is_some_and(|date| date <= to))
            && listed(self.accounts, &name.account)
            && listed(self.regions, &name.region)
    }
}

/// A bar on standard error, if that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new(objects: &[ObjectRef]) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(objects.iter().map(|object| object.size).sum()),
            ProgressDrawTarget::stderr_with_hz(5),
        );
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} {msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    fn fold(&self) {
        self.0.set_message("folding");
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn object(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}
