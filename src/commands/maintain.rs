//! `keytrail maintain`: folds and compacts what a fleet commits, one at a time.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Builder;

use super::Verdict;
use super::network::{self, Network};
use super::signals::Stop;
use super::upkeep::{self, Round};
use crate::cli::Maintain;
use crate::config;
use crate::lake::storage::Lock;
use crate::lake::{Lake, LakeError};
use crate::report::escape::terminal;
use crate::report::table::{counted, grouped};

/// Held by the one that works.
const LOCK: &str = "_ledger/maintain.lock";
/// Time between two looks at whether the other one is gone.
const STANDING_BY: Duration = Duration::from_secs(5);

/// How long ending may take when a round is in work. It is safe to be killed in.
const GRACE: Duration = Duration::from_secs(20);

pub(super) fn run(args: &Maintain, out: &mut dyn Write) -> Result<Verdict> {
    let network = Network::for_places(&args.aws, [&args.output])?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().context("cannot start threads")?;
    let stop = Stop::listen(runtime.handle(), |_| {})?;
    // The configuration is read at each round.
    stop.at_hangup(|| {})?;
    stop.no_later_than(GRACE, async {});
    // It must be an output already: a mistyped one is not made. The first commit of a new one may take a while.
    while let Err(error) = network::existing(&args.output, network.as_ref()) {
        if args.once || !is_no_output(&error) {
            return Err(error);
        }
        tell(out, &format!("waiting: {error:#}"))?;
        if stop.within(args.interval) {
            return Ok(Verdict::Good);
        }
    }
    let open = || -> Result<Lake> { Ok(Lake::open(network::writable(&args.output, network.as_ref())?)?) };
    let mut lake = open()?;
    loop {
        let Err(error) = rounds(&mut lake, args, &stop, out) else { return Ok(Verdict::Good) };
        if args.once || is_lost(&error) {
            return Err(error);
        }
        // What passes is tried again, and what does not is told again: as another writer, so that what was
        // staged and came to nothing goes with this one, and does not pile up.
        drop(lake);
        let mut failed = error;
        lake = loop {
            tell(out, &format!("FAILED    {failed:#}"))?;
            if stop.within(args.interval) {
                return Ok(Verdict::Good);
            }
            match open() {
                Ok(lake) => break lake,
                Err(error) => failed = error,
            }
        };
    }
}

/// Does rounds when it is its turn, until it is told to end, or one fails.
fn rounds(lake: &mut Lake, args: &Maintain, stop: &Stop, out: &mut dyn Write) -> Result<()> {
    let Some(_turn) = my_turn(lake, args, stop, out)? else { return Ok(()) };
    loop {
        let started = Instant::now();
        let config = config::load(args.config.as_deref())?;
        write(out, &upkeep::round(lake, &config.rules, &config, &args.upkeep, &mut || !stop.is_asked())?)?;
        if args.once || stop.within(args.interval.max(started.elapsed())) {
            return Ok(());
        }
    }
}

fn is_no_output(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LakeError::NoOutput(_) | LakeError::Io { .. }))
}

/// Somebody else may be at work by now.
fn is_lost(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LakeError::LeaseLost(_)))
}

fn tell(out: &mut dyn Write, text: &str) -> Result<()> {
    writeln!(out, "{}", terminal(text))?;
    Ok(out.flush()?)
}

fn write(out: &mut dyn Write, round: &Round) -> Result<()> {
    match &round.folded {
        Some(folded) => writeln!(
            out,
            "folded    {}, {}, {} of usage and posture rules, in {:.1} s",
            counted(folded.keys as u64, "key"),
            counted(folded.key_uses as u64, "use"),
            counted(folded.findings.iter().sum(), "finding"),
            round.fold_time.as_secs_f64()
        )?,
        None => writeln!(out, "nothing new since the last fold")?,
    }
    if let Some(done) = round.compacted.filter(|done| done.folders > 0) {
        writeln!(
            out,
            "compacted {} of tables: {} into {}, {} into {}",
            counted(done.folders, "day"),
            counted(done.files_before, "file"),
            grouped(done.files_after),
            counted(done.rows_before, "row"),
            grouped(done.rows_after)
        )?;
    }
    if let Some(done) = round.pruned.filter(|done| done.files > 0) {
        writeln!(out, "removed   {} in {}", counted(done.rows, "row"), counted(done.files, "file"))?;
    }
    Ok(out.flush()?)
}

/// Waits until nobody else maintains the output; `None` if it is not worth waiting any more.
fn my_turn(lake: &Lake, args: &Maintain, stop: &Stop, out: &mut dyn Write) -> Result<Option<Lock>> {
    let mut told = false;
    loop {
        if let Some(lock) = lake.storage().lock(LOCK)? {
            return Ok(Some(lock));
        }
        if args.once {
            tell(out, "another process maintains this output: nothing done")?;
            return Ok(None);
        }
        if !told {
            tell(out, "another process maintains this output: standing by")?;
            told = true;
        }
        if stop.within(STANDING_BY) {
            return Ok(None);
        }
    }
}
