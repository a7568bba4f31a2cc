//! Folds at intervals while a tail runs.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::watch;

use super::watch::Watch;
use crate::cli::Tail;
use crate::commands::network::{self, Network};
use crate::config;
use crate::folding::{self, Folded};
use crate::lake::{Lake, LakeError};
use crate::pipeline::follow::Plans;
use crate::telemetry::log::{Happening, Reason};

/// Folds as a writer of its own, until it is stopped. A fold that takes long is done less often: at most a
/// tenth of the time goes to it.
pub(super) fn now_and_then(
    args: &Tail,
    network: &Network,
    plans: &Plans,
    stopped: &watch::Receiver<bool>,
    watch: &Watch,
) {
    let mut pause = args.fold_interval;
    while !stops_within(network, stopped, pause) {
        let started = Instant::now();
        match as_another_writer(args, network, plans) {
            Ok(Some(folded)) => {
                let took = started.elapsed();
                watch.metrics.fold_time.observe(took);
                watch.log.say(&Happening::Folded {
                    keys: folded.keys as u64,
                    key_uses: folded.key_uses as u64,
                    findings: folded.findings.iter().sum(),
                    seconds: took,
                });
            }
            Ok(None) => {}
            // The next one takes everything that this one would have.
            Err(error) => watch.log.say(&Happening::FoldFailed { reason: Reason::Error(&*error) }),
        }
        pause = args.fold_interval.max(started.elapsed() * 10);
    }
}

fn as_another_writer(args: &Tail, network: &Network, plans: &Plans) -> Result<Option<Folded>> {
    let mut lake = Lake::open(network::writable(&args.output, Some(network))?)?;
    Ok(fold(&mut lake, args, plans)?)
}

/// Folds once. The inventory is read each time: it is made anew by whoever lists keys.
pub(super) fn fold(lake: &mut Lake, args: &Tail, plans: &Plans) -> Result<Option<Folded>, LakeError> {
    let inventory = config::load(args.config.as_deref()).map(|config| config.inventory).unwrap_or_default();
    folding::fold(lake, plans.current().settings(), &inventory)
}

fn stops_within(network: &Network, stopped: &watch::Receiver<bool>, pause: Duration) -> bool {
    let mut stopped = stopped.clone();
    network.handle().block_on(async move { tokio::time::timeout(pause, stopped.wait_for(|stop| *stop)).await.is_ok() })
}
