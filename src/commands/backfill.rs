//! `keytrail backfill`: lists the sources, leaves out what is committed, analyses the rest, folds.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verdict;
use super::network::{self, Network};
use super::running::{BATCH_BYTES, SEEN_EVENTS, cores, note_fold};
use super::sources::{self, Sources, Stores};
use crate::analyze::{Plan, Selection};
use crate::cli::{Backfill, SummaryFormat};
use crate::config;
use crate::folding;
use crate::lake::Lake;
use crate::model::object::ObjectRef;
use crate::pipeline::{self, Progress};
use crate::report;
use crate::telemetry::summary::Summary;

pub(super) fn run(args: &Backfill, out: &mut dyn Write) -> Result<Verdict> {
    let started = Instant::now();
    let wanted = args.filter.wanted()?;
    let config = config::load(args.config.as_deref())?;
    let network = Network::for_places(&args.aws, args.sources.iter().chain([&args.output]))?;
    let mut summary = Summary::default();
    // The sources first: a mistyped one leaves no output behind.
    let Sources { mut objects, unreadable } = sources::list(&args.sources, &args.output, &wanted, network.as_ref())?;
    summary.objects.found = (objects.len() + unreadable.len()) as u64;
    for (place, reason) in unreadable {
        summary.fail(place, reason);
    }
    if summary.objects.found == 0 {
        bail!("the sources hold no log files{}", args.filter.hint());
    }
    let mut lake = Lake::open(network::writable(&args.output, network.as_ref())?)?;
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
    let store = Stores::new(&objects, args.max_object_size as u64, network.as_ref());
    let bar = Bar::new(&objects);
    let ended = pipeline::run(&objects, &store, &plan, &mut lake, &settings, &bar, &mut summary);
    let ended = ended.map_err(anyhow::Error::from).and_then(|()| {
        bar.fold();
        Ok(folding::fold(&mut lake, plan.settings(), &config.inventory)?)
    });
    bar.end();
    // Whatever stopped the run: what was read before, and what failed, is said.
    let ended =
        ended.map(|folded| folded.into_iter().for_each(|folded| note_fold(&mut summary, folded, plan.settings())));
    if ended.is_err() {
        summary.stop();
    }
    match args.format {
        SummaryFormat::Text => report::summary::write(out, &summary, started.elapsed().as_secs_f64())?,
        SummaryFormat::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
    }
    ended.map(|()| if summary.objects.failed == 0 { Verdict::Good } else { Verdict::Bad })
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
