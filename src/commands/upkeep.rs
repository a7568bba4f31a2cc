//! What an output needs now and then: a fold, closed days put together, what is too old removed.

use std::time::{Duration, Instant};

use crate::cli::Upkeep;
use crate::config::Config;
use crate::folding::{self, Folded};
use crate::lake::compact::{self, Compacted};
use crate::lake::prune::{Pruned, Retention};
use crate::lake::{Lake, LakeError};
use crate::model::time::Seconds;
use crate::rules::settings::Settings;
use crate::telemetry::clock;

/// What a round came to; nothing, where there was nothing to do or another process does it.
pub(super) struct Round {
    pub(super) folded: Option<Folded>,
    pub(super) fold_time: Duration,
    pub(super) compacted: Option<Compacted>,
    pub(super) pruned: Option<Pruned>,
}

/// Does a round. `go_on` is asked between days of compaction.
pub(super) fn round(
    lake: &mut Lake,
    rules: &Settings,
    config: &Config,
    upkeep: &Upkeep,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Round, LakeError> {
    let started = Instant::now();
    lake.refresh()?;
    let folded = folding::fold(lake, rules, &config.inventory)?;
    let fold_time = started.elapsed();
    let today = clock::seconds().day();
    let before = |days: u32| Seconds((today - i64::from(days)) * Seconds::DAY);
    let compacted = match upkeep.compact_after {
        0 => None,
        days => lake.compact(&compact::Settings::new(before(days - 1)), go_on)?,
    };
    let retention = Retention {
        findings: upkeep.keep_findings.map(before),
        objects: upkeep.keep_objects.map(before),
        rejects: upkeep.keep_rejects.map(before),
    };
    let pruned = if retention == Retention::default() { None } else { lake.prune(&retention, go_on)? };
    Ok(Round { folded, fold_time, compacted, pruned })
}
