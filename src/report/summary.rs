//! The summary that a run ends with, as text.

use std::io::{self, Write};

use super::escape::terminal;
use super::table::{grouped, size};
use crate::telemetry::summary::Summary;

/// Writes the summary; `seconds` is how long the run took.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(out: &mut dyn Write, summary: &Summary, seconds: f64) -> io::Result<()> {
    let Summary { objects: o, records: r, findings: f, .. } = summary;
    writeln!(
        out,
        "objects   {} found: {} done, {} already done, {} skipped, {} failed",
        grouped(o.found), grouped(o.done), grouped(o.already_done), grouped(o.skipped), grouped(o.failed)
    )?;
    writeln!(
        out,
        "records   {} read: {} analysed, {} not relevant, {} duplicate, {} of another kind, {} malformed",
        grouped(r.total()), grouped(r.analysed), grouped(r.not_relevant), grouped(r.duplicate),
        grouped(r.other_kind), grouped(r.malformed)
    )?;
    writeln!(
        out,
        "findings  {}: {} critical, {} high, {} medium, {} low, {} info",
        grouped(f.total()), grouped(f.critical), grouped(f.high), grouped(f.medium), grouped(f.low), grouped(f.info)
    )?;
    if let Some(keys) = summary.keys {
        writeln!(out, "keys      {} known", grouped(keys as u64))?;
    }
    writeln!(
        out,
        "written   {} rows, {} of Parquet in {} commits, from {} ({} of JSON)",
        grouped(summary.rows_written), size(summary.bytes_written), grouped(summary.commits),
        size(summary.bytes_read), size(summary.json_bytes)
    )?;
    writeln!(out, "took      {seconds:.1} s{}", rate(summary.json_bytes, seconds))?;
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

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "shown only")]
fn rate(json_bytes: u64, seconds: f64) -> String {
    if seconds < 0.1 || json_bytes == 0 {
        return String::new();
    }
    format!(", {} of JSON a second", size((json_bytes as f64 / seconds) as u64))
}
