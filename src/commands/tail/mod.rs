//! `keytrail tail`: follows a queue until it is told to end.

mod alerts;
mod fold;
mod watch;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::watch::Receiver;

use self::watch::Watch;
use super::Verdict;
use super::network::{self, Network};
use super::running::{BATCH_BYTES, SEEN_EVENTS, cores, note_fold};
use super::signals::Stop;
use crate::alerts::Alerts;
use crate::analyze::{Plan, Selection};
use crate::cli::{LogFormat, Place, SummaryFormat, Tail};
use crate::config;
use crate::lake::Lake;
use crate::pipeline::Settings;
use crate::pipeline::follow::{Follow, FollowSettings, Plans};
use crate::report;
use crate::rules;
use crate::source::lease::{self, Leases};
use crate::source::queue::Queue;
use crate::source::s3::S3Store;
use crate::source::s3::fetch::Limits;
use crate::telemetry::health::{self, Health};
use crate::telemetry::log::{Format, Happening, Level, Log, Reason};
use crate::telemetry::metrics::{MessageOutcome, Metrics, QueueState};
use crate::telemetry::serve::Server;
use crate::telemetry::summary::Summary;

/// Objects after which a batch is committed; mostly it is its age.
const BATCH_OBJECTS: usize = 1_000;
/// Messages held at a time: those of a batch, and those that are in work beside it.
const MESSAGES: usize = 2_000;
/// Time between two looks at how many messages there are.
const LOOK_EVERY: Duration = Duration::from_secs(30);

pub(super) fn run(args: &Tail, out: &mut dyn Write) -> Result<Verdict> {
    let started = Instant::now();
    let config = config::load(args.config.as_deref())?;
    let network = Network::for_queue(&args.aws, &args.queue_url)?;
    let watch = Arc::new(watch(args, &network)?);
    let server = args.metrics_address.map(|_| serve(args, &network, &watch)).transpose()?;
    let mut lake = Lake::open(network::writable(&args.output, Some(&network))?)?;
    let plans = Arc::new(Plans::new(Plan::new(config.rules, Selection::Fast).skipping_foreign()));
    let leases = leases(args, &network, &watch);
    let stop = stop(args, &network, &watch, &leases, &plans)?;
    let output = match &args.output {
        Place::Path(path) => path.display().to_string(),
        Place::S3(location) => location.to_string(),
    };
    let settings = settings(args);
    watch.log.say(&Happening::Started {
        version: env!("CARGO_PKG_VERSION"),
        queue: &args.queue_url,
        output: &output,
        workers: settings.threads,
    });
    warn_without_dead_letters(args, &network, &watch);
    let follow = Follow {
        leases: leases.clone(),
        store: S3Store::new(
            network.aws().s3(),
            network.handle().clone(),
            Limits::with_cap(args.max_object_size as u64),
        ),
        plans: &plans,
        settings,
        follow: FollowSettings {
            flush_interval: args.flush_interval,
            fetches: args.fetches,
            until_empty: args.until_empty,
            // As if it had not been received: the queue's owner has chosen this time for that.
            try_again_after: args.visibility_timeout,
            grace: args.grace,
        },
        stop: stop.receiver(),
        observer: Arc::clone(&watch) as _,
        runtime: network.handle().clone(),
    };
    let mut summary = Summary::default();
    let followed = std::thread::scope(|scope| {
        let looking = network.handle().spawn(look(
            Arc::new(network.queue(&args.queue_url)),
            leases.clone(),
            stop.receiver(),
            Arc::clone(&watch),
        ));
        let folding =
            (!args.no_fold).then(|| scope.spawn(|| fold::now_and_then(args, &network, &plans, &stop, &watch)));
        // Whatever ends it, a panic too: the others end as well.
        let ends = Ends(&stop);
        let followed = follow.run(&mut lake, &mut summary);
        drop(ends);
        looking.abort();
        let _ = folding.map(std::thread::ScopedJoinHandle::join);
        followed
    });
    if let Err(error) = &followed {
        watch.health.dead("the run failed: see the log");
        watch.log.say(&Happening::Fatal { reason: Reason::Error(error) });
    }
    network.handle().block_on(watch.alerts.close(args.grace));
    drop(server);
    followed?;
    if args.until_empty
        && !args.no_fold
        && let Some(folded) = fold::fold(&mut lake, args, &plans)?
    {
        note_fold(&mut summary, folded, plans.current().settings());
    }
    let objects = &mut summary.objects;
    objects.found = objects.done + objects.skipped + objects.failed + objects.already_done;
    let counts = leases.counts();
    watch.log.say(&Happening::Stopped {
        done: summary.objects.done,
        skipped: summary.objects.skipped,
        failed: summary.objects.failed,
        commits: summary.commits,
        given_back: counts.given_back,
        seconds: started.elapsed(),
    });
    // Alerts have standard output for themselves, where they were sent there.
    let mut aside = std::io::stderr();
    let out: &mut dyn Write = if args.alerts.as_deref() == Some("stdout") { &mut aside } else { out };
    match args.format {
        SummaryFormat::Text => {
            writeln!(
                out,
                "messages  {} received: {} acknowledged, {} given back, {} unreadable",
                counts.received,
                counts.acknowledged,
                counts.given_back,
                watch.unreadable()
            )?;
            report::summary::write(out, &summary, started.elapsed().as_secs_f64())?;
        }
        SummaryFormat::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
    }
    // Objects that failed are told of, and their messages are where the queue's owner wants them: a
    // service that was asked to end has ended well.
    let failed = summary.objects.failed > 0 || watch.unreadable() > 0;
    Ok(if args.until_empty && failed { Verdict::Bad } else { Verdict::Good })
}

/// Asks for the end when dropped.
struct Ends<'s>(&'s Stop);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ask();
    }
}

/// Listens to signals, and makes sure that the end comes in time.
fn stop(args: &Tail, network: &Network, watch: &Arc<Watch>, leases: &Leases, plans: &Arc<Plans>) -> Result<Stop> {
    let (told, held) = (Arc::clone(watch), leases.clone());
    let stop = Stop::listen(network.handle(), move |cause| {
        told.log.say(&Happening::Stopping { cause, held: held.held() as u64 });
    })?;
    let (config, of_reload, plans) = (args.config.clone(), Arc::clone(watch), Arc::clone(plans));
    stop.at_hangup(move || reload(config.as_deref(), &plans, &of_reload))?;
    let (late, leases) = (Arc::clone(watch), leases.clone());
    stop.no_later_than(args.grace, async move {
        late.log
            .say(&Happening::Fatal { reason: Reason::Words("the grace period is over: what is in work comes again") });
        let _ = tokio::time::timeout(Duration::from_secs(2), leases.close()).await;
    });
    Ok(stop)
}

fn settings(args: &Tail) -> Settings {
    Settings {
        threads: args.threads.unwrap_or_else(cores).max(1),
        max_object_size: args.max_object_size,
        batch_objects: BATCH_OBJECTS,
        batch_bytes: BATCH_BYTES,
        seen_events: SEEN_EVENTS,
    }
}

/// Sets up whoever is told.
fn watch(args: &Tail, network: &Network) -> Result<Watch> {
    let format = match args.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let log = Log::new(format, Level::Info);
    let metrics = Arc::new(Metrics::new(rules::all().map(|rule| rule.id)));
    let limits = health::Limits::default();
    let limits = health::Limits { uncommitted: limits.uncommitted + args.flush_interval, ..limits };
    let settings = crate::alerts::Settings { least: args.alert_severity, ..crate::alerts::Settings::default() };
    let sinks = alerts::sinks(args, network)?;
    let alerts =
        network.handle().block_on(async { Alerts::start(&settings, sinks, Arc::clone(&metrics), log.clone()) });
    Ok(Watch::new(log, metrics, Arc::new(Health::new(limits)), alerts))
}

fn serve(args: &Tail, network: &Network, watch: &Watch) -> Result<Option<Server>> {
    let Some(address) = args.metrics_address else { return Ok(None) };
    let starting = Server::start(address, Arc::clone(&watch.metrics), Arc::clone(&watch.health));
    let server = network.handle().block_on(starting).with_context(|| format!("cannot listen on {address}"))?;
    watch.log.say(&Happening::Listening { address: server.address() });
    Ok(Some(server))
}

/// Without a dead-letter queue, what cannot be read comes again and again, until it expires and is lost.
fn warn_without_dead_letters(args: &Tail, network: &Network, watch: &Watch) {
    let queue = network.queue(&args.queue_url);
    // Who may not ask is not told.
    if let Ok(false) = network.handle().block_on(queue.has_dead_letters()) {
        watch.log.say(&Happening::NoDeadLetterQueue { queue: &args.queue_url });
    }
}

fn leases(args: &Tail, network: &Network, watch: &Arc<Watch>) -> Leases {
    let settings = lease::Settings { visibility: args.visibility_timeout, most: MESSAGES };
    let (queue, watch) = (Arc::new(network.queue(&args.queue_url)), Arc::clone(watch));
    network
        .handle()
        .block_on(async { Leases::start(queue, settings, Box::new(move |trouble| watch.lease_trouble(trouble))) })
}

/// Looks at the queue now and then, for the metrics.
async fn look(queue: Arc<dyn Queue>, leases: Leases, mut stopped: Receiver<bool>, watch: Arc<Watch>) {
    loop {
        let (metrics, counts) = (&watch.metrics, leases.counts());
        for (outcome, total) in [
            (MessageOutcome::Acknowledged, counts.acknowledged),
            (MessageOutcome::GivenBack, counts.given_back),
            (MessageOutcome::NotAcknowledged, counts.not_acknowledged),
            (MessageOutcome::LeaseLost, counts.lost),
        ] {
            metrics.messages.reached(outcome, total);
        }
        metrics.queue.set(QueueState::Held, f64::from(u32::try_from(leases.held()).unwrap_or(u32::MAX)));
        // Without the permission for it, the other numbers are still there.
        if let Ok(depth) = queue.depth().await {
            let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            metrics.queue.set(QueueState::Visible, number(depth.visible));
            metrics.queue.set(QueueState::InFlight, number(depth.in_flight));
            metrics.queue.set(QueueState::Delayed, number(depth.delayed));
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Reads the configuration again. One that makes no sense changes nothing.
fn reload(config: Option<&Path>, plans: &Plans, watch: &Watch) {
    let name = config.map_or_else(|| "no configuration file".to_owned(), |path| path.display().to_string());
    match config::load(config) {
        Ok(config) => {
            plans.replace(Plan::new(config.rules, Selection::Fast).skipping_foreign());
            watch.log.say(&Happening::Reloaded { config: &name });
        }
        Err(error) => {
            watch.log.say(&Happening::ReloadRefused { config: &name, reason: Reason::Error(&error) });
        }
    }
}
