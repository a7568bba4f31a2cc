//! `keytrail maintain`: folds what a fleet commits, one at a time.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Verdict;
use super::network::{self, Network};
use crate::cli::Maintain;
use crate::config;
use crate::folding;
use crate::lake::Lake;
use crate::lake::storage::Lock;

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
        lake.refresh()?;
        match folding::fold(&mut lake, &config.rules, &config.inventory)? {
            Some(folded) => writeln!(
                out,
                "folded    {} keys, {} uses, {} findings of usage rules, in {:.1} s",
                folded.keys,
                folded.key_uses,
                folded.findings.iter().sum::<u64>(),
                started.elapsed().as_secs_f64()
            )?,
            None => writeln!(out, "nothing new since the last fold")?,
        }
        out.flush()?;
        if args.once {
            return Ok(Verdict::Good);
        }
        thread::sleep(args.interval.max(started.elapsed()));
    }
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
