//! `keytrail tail`: follows a queue until it is told to end.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Verdict;
use super::backfill::{BATCH_BYTES, SEEN_EVENTS, cores, note_fold};
use super::network::{self, Network};
use crate::analyze::{Plan, Selection};
use crate::cli::{SummaryFormat, Tail};
use crate::config;
use crate::folding::{self, Folded};
use crate::lake::{Lake, LakeError};
use crate::pipeline::Settings;
use crate::pipeline::follow::{Follow, FollowSettings, Plans};
use crate::report;
use crate::source::lease::{self, Leases};
use crate::source::s3::S3Store;
use crate::source::s3::fetch::Limits;
use crate::telemetry::summary::Summary;

/// Objects after which a batch is committed; mostly it is its age.
const BATCH_OBJECTS: usize = 1_000;
/// Messages held at a time: those of a batch, and those that are in work beside it.
const MESSAGES: usize = 2_000;

pub(super) fn run(args: &Tail, out: &mut dyn Write) -> Result<Verdict> {
    let started = Instant::now();
    let config = config::load(args.config.as_deref())?;
    let network = Network::for_queue(&args.aws, &args.queue_url)?;
    let mut lake = Lake::open(network::writable(&args.output, Some(&network))?)?;
    let plans = Plans::new(Plan::new(config.rules, Selection::Fast));
    let (stop, stopped) = watch::channel(false);
    let observer = Arc::new(observer::Told);
    let leases = network.handle().block_on(async {
        let settings = lease::Settings { visibility: args.visibility_timeout, most: MESSAGES };
        Leases::start(Arc::new(network.queue(&args.queue_url)), settings, Box::new(observer::lease_trouble))
    });
    let follow = Follow {
        leases: leases.clone(),
        store: S3Store::new(
            network.aws().s3(),
            network.handle().clone(),
            Limits::with_cap(args.max_object_size as u64),
        ),
        plans: &plans,
        settings: Settings {
            threads: args.threads.unwrap_or_else(cores).max(1),
            max_object_size: args.max_object_size,
            batch_objects: BATCH_OBJECTS,
            batch_bytes: BATCH_BYTES,
            seen_events: SEEN_EVENTS,
        },
        follow: FollowSettings {
            flush_interval: args.flush_interval,
            fetches: args.fetches,
            until_empty: args.until_empty,
            // As if it had not been received: the queue's owner has chosen this time for that.
            try_again_after: args.visibility_timeout,
            grace: args.grace,
        },
        stop: stopped.clone(),
        observer,
        runtime: network.handle().clone(),
    };
    let mut summary = Summary::default();
    let followed = std::thread::scope(|scope| {
        let signals = network.handle().spawn(listen(stop.clone()));
        let hangups = scope.spawn(|| on_hangup(&network, stopped.clone(), || reload(args, &plans)));
        let folding = (!args.no_fold).then(|| scope.spawn(|| fold_now_and_then(args, &network, &plans, &stopped)));
        let followed = follow.run(&mut lake, &mut summary);
        // Whatever ended it: the others end too.
        stop.send_replace(true);
        signals.abort();
        let _ = (hangups.join(), folding.map(std::thread::ScopedJoinHandle::join));
        followed
    });
    followed?;
    if args.until_empty
        && !args.no_fold
        && let Some(folded) = fold(&mut lake, args, &plans)?
    {
        note_fold(&mut summary, folded, plans.current().settings());
    }
    summary.objects.found =
        summary.objects.done + summary.objects.skipped + summary.objects.failed + summary.objects.already_done;
    let counts = leases.counts();
    match args.format {
        SummaryFormat::Text => {
            writeln!(
                out,
                "messages  {} received: {} acknowledged, {} given back",
                counts.received, counts.acknowledged, counts.given_back
            )?;
            report::summary::write(out, &summary, started.elapsed().as_secs_f64())?;
        }
        SummaryFormat::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
    }
    Ok(if summary.objects.failed == 0 { Verdict::Good } else { Verdict::Bad })
}

/// Waits for SIGTERM or SIGINT, and has everything end.
async fn listen(stop: watch::Sender<bool>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.send_replace(true);
    Ok(())
}

/// Does something at each SIGHUP, until it is stopped.
fn on_hangup(network: &Network, mut stopped: watch::Receiver<bool>, mut act: impl FnMut()) {
    network.handle().block_on(async {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                Some(()) = hangup.recv() => act(),
            }
        }
    });
}

/// Reads the configuration again. One that makes no sense changes nothing.
fn reload(args: &Tail, plans: &Plans) {
    match config::load(args.config.as_deref()) {
        Ok(config) => {
            plans.replace(Plan::new(config.rules, Selection::Fast));
            observer::say("configuration read again");
        }
        Err(error) => observer::say(&format!("the configuration stays as it was: {error}")),
    }
}

/// Folds at intervals, as a writer of its own, until it is stopped. A fold that takes long is done less
/// often: at most a tenth of the time goes to it.
fn fold_now_and_then(args: &Tail, network: &Network, plans: &Plans, stopped: &watch::Receiver<bool>) {
    let mut pause = args.fold_interval;
    while !stops_within(network, stopped, pause) {
        let started = Instant::now();
        let folded = network::writable(&args.output, Some(network))
            .and_then(|storage| Ok(Lake::open(storage)?))
            .and_then(|mut lake| Ok(fold(&mut lake, args, plans)?));
        match folded {
            Ok(Some(folded)) => observer::say(&format!(
                "folded: {} keys, {} uses, in {:.1} s",
                folded.keys,
                folded.key_uses,
                started.elapsed().as_secs_f64()
            )),
            Ok(None) => {}
            // The next one takes everything that this one would have.
            Err(error) => observer::say(&format!("cannot fold now: {error:#}")),
        }
        pause = args.fold_interval.max(started.elapsed() * 10);
    }
}

fn stops_within(network: &Network, stopped: &watch::Receiver<bool>, pause: Duration) -> bool {
    let mut stopped = stopped.clone();
    let waiting = async move { tokio::time::timeout(pause, stopped.wait_for(|stop| *stop)).await.is_ok() };
    network.handle().block_on(waiting)
}

fn fold(lake: &mut Lake, args: &Tail, plans: &Plans) -> Result<Option<Folded>, LakeError> {
    // The inventory is read each time: it is made anew by whoever lists keys.
    let inventory = config::load(args.config.as_deref()).map(|config| config.inventory).unwrap_or_default();
    folding::fold(lake, plans.current().settings(), &inventory)
}

/// What is told while it runs.
mod observer {
    use std::io::Write;
    use std::time::Duration;

    use crate::model::object::ObjectRef;
    use crate::model::r#yield::Yield;
    use crate::pipeline::follow::Observer;
    use crate::report::escape::terminal;
    use crate::source::lease::Trouble;
    use crate::source::notification::{PassedOver, Unreadable};
    use crate::source::queue::QueueError;
    use crate::source::{FetchError, Verdict};

    pub(super) struct Told;

    pub(super) fn say(text: &str) {
        // Standard error is the last place there is.
        let _ = writeln!(std::io::stderr(), "keytrail: {}", terminal(text));
    }

    pub(super) fn lease_trouble(trouble: &Trouble) {
        say(&trouble.to_string());
    }

    impl Observer for Told {
        fn unreadable(&self, message: &str, why: &Unreadable) {
            say(&format!("message {message} is left to the dead-letter queue: {why}"));
        }

        fn passed_over(&self, _: PassedOver, _: u32) {}

        fn queue_trouble(&self, error: &QueueError) {
            say(&error.to_string());
        }

        fn fetch_trouble(&self, _: &ObjectRef, error: &FetchError, _: Verdict) {
            say(&error.to_string());
        }

        fn fetched(&self, _: usize, _: Duration) {}

        fn drawn(&self, _: &Yield) {}

        fn committed(&self, _: usize, _: Duration) {}
    }
}
