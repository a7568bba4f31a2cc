//! The summary that a run ends with, as text.

use std::io::{self, Write};

use super::escape::terminal;
use super::table::{counted, grouped, size};
use crate::telemetry::summary::Summary;

/// Writes the summary; `seconds` is how long the run took.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(out: &mut dyn Write, summary: &Summary, seconds: f64) -> io::Result<()> {
    let Summary { objects: o, records: r, findings: f, .. } = summary;
    writeln!(
        out,
        "objects   {} found: {} done, {} already done, {} skipped, {} failed{}",
        grouped(o.found),
        grouped(o.done),
        grouped(o.already_done),
        grouped(o.skipped),
        grouped(o.failed),
        left(o.left)
    )?;
    writeln!(
        out,
        "records   {} read: {} analysed, {} not relevant, {} duplicate, {} of another kind, {} malformed",
        grouped(r.total()),
        grouped(r.analysed),
        grouped(r.not_relevant),
        grouped(r.duplicate),
        grouped(r.other_kind),
        grouped(r.malformed)
    )?;
    if o.done + o.skipped + o.failed + o.left == 0 && summary.keys.is_none() {
        writeln!(out, "nothing new: the output is as it was")?;
        return Ok(());
    }
    writeln!(
        out,
        "findings  {}{}: {} critical, {} high, {} medium, {} low, {} info",
        grouped(f.total()),
        // What earlier runs found of single acts is in the table too.
        if o.already_done > 0 { " of new objects and of the fold" } else { "" },
        grouped(f.critical),
        grouped(f.high),
        grouped(f.medium),
        grouped(f.low),
        grouped(f.info)
    )?;
    if let Some(keys) = summary.keys {
        writeln!(out, "keys      {} known", grouped(keys as u64))?;
    }
    if let Some(own) = &summary.own_accounts {
        let number = own.accounts.len() as u64;
        let count = if number == 1 { "1 counts".to_owned() } else { format!("{} count", grouped(number)) };
        let by = if own.configured {
            "the configuration"
        } else {
            "their trails: name yours and your partners' in --config"
        };
        writeln!(out, "accounts  {count} as own, by {by}")?;
        if !own.unlisted.is_empty() {
            writeln!(
                out,
                "NOTE      {} with trails here in no list of the configuration, so foreign: {}",
                counted(own.unlisted.len() as u64, "account"),
                first(own.unlisted.iter().map(|account| terminal(account)))
            )?;
        }
    }
    writeln!(
        out,
        "written   {}, {} of Parquet in {}, from {} ({} of JSON)",
        counted(summary.rows_written, "row"),
        size(summary.bytes_written),
        counted(summary.commits, "commit"),
        size(summary.bytes_read),
        size(summary.json_bytes)
    )?;
    writeln!(out, "took      {seconds:.1} s{}", rate(summary.json_bytes, seconds))?;
    if !summary.unknown_operations.is_empty() || summary.more_unknown_operations > 0 {
        writeln!(
            out,
            "NOTE      operations of KMS that this version does not know, counted in the table usage as class unknown: {}",
            unknown(summary)
        )?;
    }
    if r.malformed > 0 {
        writeln!(out, "WARNING   {} could not be read; they are in the table rejects", counted(r.malformed, "record"))?;
    }
    if !summary.adds_up() {
        writeln!(out, "WARNING   the counts of objects do not add up: please report this")?;
    }
    for failure in &summary.failures {
        writeln!(out, "FAILED    {}: {}", terminal(&failure.object), terminal(&failure.reason))?;
    }
    let unnamed = o.failed.saturating_sub(summary.failures.len() as u64);
    if unnamed > 0 {
        writeln!(out, "FAILED    and {} more; all are in the table objects", grouped(unnamed))?;
    }
    Ok(())
}

fn left(objects: u64) -> String {
    if objects > 0 { format!(", {} left for the next run", grouped(objects)) } else { String::new() }
}

fn unknown(summary: &Summary) -> String {
    let named =
        summary.unknown_operations.iter().map(|(name, count)| format!("{} ({})", terminal(name), grouped(*count)));
    let others = summary.more_unknown_operations;
    let others = (others > 0).then(|| format!("{} of others", counted(others, "call")));
    [first(named)].into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

/// Things that are named in text; JSON has all.
const NAMED: usize = 10;

fn first(mut things: impl Iterator<Item = String>) -> String {
    let mut named: Vec<String> = things.by_ref().take(NAMED).collect();
    let more = things.count();
    named.extend((more > 0).then(|| format!("and {more} more")));
    named.join(", ")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "shown only")]
fn rate(json_bytes: u64, seconds: f64) -> String {
    if seconds < 0.1 || json_bytes == 0 {
        return String::new();
    }
    format!(", {} of JSON a second", size((json_bytes as f64 / seconds) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::summary::OwnAccounts;

    #[test]
    fn one_of_a_thing_is_said_as_one() {
        let mut summary = Summary::default();
        (summary.keys, summary.rows_written, summary.commits) = (Some(1), 1, 1);
        let accounts = vec!["111122223333".to_owned()];
        summary.own_accounts =
            Some(OwnAccounts { configured: true, accounts, unlisted: vec!["444455556666".to_owned()] });
        let mut out = Vec::new();
        write(&mut out, &summary, 1.0).expect("writes");
        let text = String::from_utf8(out).expect("text");
        assert!(
            text.contains("  1 row,")
                && text
                    .contains("1 account with trails here in no list of the configuration, so foreign: 444455556666")
                && text.contains("in 1 commit,")
                && text.contains("  1 counts as own"),
            "{text}"
        );
    }
}
