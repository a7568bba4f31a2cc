//! Folds and compacts at intervals while a tail runs.

use std::time::Instant;

use anyhow::Result;

use super::watch::Watch;
use crate::cli::Tail;
use crate::commands::network::{self, Network};
use crate::commands::signals::Stop;
use crate::commands::upkeep::{self, Round};
use crate::config;
use crate::folding::{self, Folded};
use crate::lake::Lake;
use crate::pipeline::follow::Plans;
use crate::telemetry::log::{Happening, Reason};

/// Folds as a writer of its own, until it is stopped. A fold that takes long is done less often: at most a
/// tenth of the time goes to it.
pub(super) fn now_and_then(args: &Tail, network: &Network, plans: &Plans, stop: &Stop, watch: &Watch) {
    let mut pause = args.fold_interval;
    while !stop.within(pause) {
        let started = Instant::now();
        match as_another_writer(args, network, plans, stop) {
            Ok(round) => {
                if let Some(folded) = round.folded {
                    watch.metrics.fold_time.observe(round.fold_time);
                    watch.log.say(&Happening::Folded {
                        keys: folded.keys as u64,
                        key_uses: folded.key_uses as u64,
                        findings: folded.findings.iter().sum(),
                        seconds: round.fold_time,
                    });
                }
                let (compacted, pruned) = (round.compacted.unwrap_or_default(), round.pruned.unwrap_or_default());
                if compacted.folders + pruned.files > 0 {
                    watch.log.say(&Happening::Upkeep {
                        files_before: compacted.files_before,
                        files_after: compacted.files_after,
                        rows_removed: pruned.rows,
                    });
                }
            }
            // The next one takes everything that this one would have.
            Err(error) => watch.log.say(&Happening::FoldFailed { reason: Reason::Error(&*error) }),
        }
        pause = args.fold_interval.max(started.elapsed() * 10);
    }
}

fn as_another_writer(args: &Tail, network: &Network, plans: &Plans, stop: &Stop) -> Result<Round> {
    let mut lake = Lake::open(network::writable(&args.output, Some(network))?)?;
    // The inventory is read each time: it is made anew by whoever lists keys.
    let config = config::load(args.config.as_deref())?;
    let mut go_on = || !stop.is_asked();
    Ok(upkeep::round(&mut lake, plans.current().settings(), &config, &args.upkeep, &mut go_on)?)
}

/// Folds once.
pub(super) fn fold(lake: &mut Lake, args: &Tail, plans: &Plans) -> Result<Option<Folded>> {
    let inventory = config::load(args.config.as_deref())?.inventory;
    Ok(folding::fold(lake, plans.current().settings(), &inventory)?)
}
