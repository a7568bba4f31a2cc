//! What is said of an output whose last commits no fold has seen: a run that was killed, or `--no-fold`.

use std::io::Write;

use anyhow::Result;

use crate::lake::ledger::Ledger;
use crate::lake::storage::Storage;

/// Says so, if keys and findings of usage rules lag behind what is committed.
pub(super) fn note(out: &mut dyn Write, lake: &dyn Storage) -> Result<()> {
    if Ledger::open(lake)?.awaits_fold() {
        writeln!(
            out,
            "NOTE      not folded since the last commit: keys and findings of usage rules are of before, or missing; \
             the next backfill or maintain makes them"
        )?;
    }
    Ok(())
}
