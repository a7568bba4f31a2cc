//! `keytrail maintain`: folds and compacts what a fleet commits, one at a time.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Verdict;
use super::network::{self, Network};
use super::upkeep::{self, Round};
use crate::cli::Maintain;
use crate::config;
use crate::lake::Lake;
use crate::lake::storage::Lock;
use crate::report::table::grouped;

/// Held by the one that works.
const LOCK: &str = "_ledger/maintain.lock";
/// Time between two looks at whether the other one is gone.
const STANDING_BY: Duration = Duration::from_secs(5);

pub(super) fn run(args: &Maintain, out: &mut dyn Write) -> Result<Verdict> {
    let network = Network::for_places(&args.aws, [&args.output])?;
    // It must be an output already: a mistyped one is not made.
    drop(network::existing(&args.output, network.as_ref())?);
    let mut lake = Lake::open(network::writable(&args.output, network.as_ref())?)?;
    let _turn = my_turn(&lake, out)?;
    loop {
        let started = Instant::now();
        let config = config::load(args.config.as_deref())?;
        let round = upkeep::round(&mut lake, &config.rules, &config, &args.upkeep, &mut || true)?;
        write(out, &round)?;
        if args.once {
            return Ok(Verdict::Good);
        }
        thread::sleep(args.interval.max(started.elapsed()));
    }
}

fn write(out: &mut dyn Write, round: &Round) -> Result<()> {
    match &round.folded {
        Some(folded) => writeln!(
            out,
            "folded    {} keys, {} uses, {} findings of usage rules, in {:.1} s",
            grouped(folded.keys as u64),
            grouped(folded.key_uses as u64),
            grouped(folded.findings.iter().sum()),
            round.fold_time.as_secs_f64()
        )?,
        None => writeln!(out, "nothing new since the last fold")?,
    }
    if let Some(done) = round.compacted.filter(|done| done.folders > 0) {
        writeln!(
            out,
            "compacted {} days of tables: {} files into {}, {} rows into {}",
            grouped(done.folders),
            grouped(done.files_before),
            grouped(done.files_after),
            grouped(done.rows_before),
            grouped(done.rows_after)
        )?;
    }
    if let Some(done) = round.pruned.filter(|done| done.files > 0) {
        writeln!(out, "removed   {} rows in {} files", grouped(done.rows), grouped(done.files))?;
    }
    Ok(out.flush()?)
}

/// Waits until nobody else maintains the output.
fn my_turn(lake: &Lake, out: &mut dyn Write) -> Result<Lock> {
    let mut told = false;
    loop {
        if let Some(lock) = lake.storage().lock(LOCK)? {
            return Ok(lock);
        }
        if !told {
            writeln!(out, "another process maintains this output: standing by")?;
            out.flush()?;
            told = true;
        }
        thread::sleep(STANDING_BY);
    }
}
