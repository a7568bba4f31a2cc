//! `keytrail findings`: what the rules found, each thing once, worst first.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::Verdict;
use super::network::{self, Network};
use crate::cli::{FindingsArgs, RowFormat};
use crate::lake::read;
use crate::lake::schema::describe;
use crate::lake::tables::findings::Findings;
use crate::model::time::Seconds;
use crate::report::escape::{json_line, terminal};
use crate::report::{csv, table};
use crate::rules;

/// A finding as the table holds it.
pub(super) type Row = Map<String, Value>;

pub(super) fn run(args: &FindingsArgs, out: &mut dyn Write) -> Result<Verdict> {
    let filter = Filter::new(args)?;
    let network = Network::for_places(&args.aws, [&args.output])?;
    let lake = network::existing(&args.output, network.as_ref())?;
    let lake = lake.as_ref();
    let mut rows = merged(read::records::<Findings>(lake, |row| filter.wants(row))?);
    let found = rows.len();
    if args.limit > 0 {
        rows.truncate(args.limit);
    }
    match args.format {
        RowFormat::Text => write_text(out, &rows, found)?,
        RowFormat::Json => rows.iter().try_for_each(|row| writeln!(out, "{}", json_line(row)))?,
        RowFormat::Csv => {
            let columns: Vec<_> = describe::<Findings>().columns.iter().map(|(name, ..)| *name).collect();
            csv::write(out, &columns, &rows)?;
        }
    }
    Ok(Verdict::Good)
}

/// Text of a column; empty if null.
pub(super) fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

fn number(row: &Row, column: &str) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_default()
}

/// Rows of one finding become one: the copies of a call that several accounts logged, the parts of
/// a group that several files held. Worst first, then latest.
pub(super) fn merged(rows: Vec<Row>) -> Vec<Row> {
    let mut by_id: BTreeMap<String, Row> = BTreeMap::new();
    for row in rows {
        match by_id.get_mut(text(&row, "finding_id")) {
            None => _ = by_id.insert(text(&row, "finding_id").to_owned(), row),
            Some(known) => merge(known, row),
        }
    }
    let mut rows: Vec<_> = by_id.into_values().collect();
    rows.sort_by(|a, b| {
        let worst = number(b, "severity_rank").cmp(&number(a, "severity_rank"));
        worst
            .then_with(|| text(b, "event_time").cmp(text(a, "event_time")))
            .then_with(|| text(a, "finding_id").cmp(text(b, "finding_id")))
    });
    rows
}

fn merge(known: &mut Row, row: Row) {
    // Copies of one call are one act; parts of a group add up.
    let copies =
        !text(&row, "shared_event_id").is_empty() && text(&row, "shared_event_id") == text(known, "shared_event_id");
    let (a, b) = (number(known, "event_count"), number(&row, "event_count"));
    let count = if copies { a.max(b) } else { a + b };
    let last = text(known, "last_event_time").max(text(&row, "last_event_time")).to_owned();
    // The caller's copy knows the principal by name; of a group, the earliest act speaks.
    let rank = |row: &Row| {
        let anonymous = text(row, "principal_type") == "AWSAccount";
        (anonymous, text(row, "event_time").to_owned(), text(row, "event_id").to_owned())
    };
    if rank(&row) < rank(known) {
        *known = row;
    }
    known.insert("event_count".to_owned(), count.into());
    known.insert("last_event_time".to_owned(), last.into());
}

fn write_text(out: &mut dyn Write, rows: &[Row], found: usize) -> Result<()> {
    for row in rows {
        let count = number(row, "event_count");
        let times =
            if count > 1 { format!(" ×{count}, last {}", text(row, "last_event_time")) } else { String::new() };
        writeln!(
            out,
            "{:<8}  {}  {}  {} {}{times}",
            text(row, "severity").to_uppercase(),
            text(row, "event_time"),
            text(row, "rule_id"),
            terminal(text(row, "account_id")),
            terminal(text(row, "region"))
        )?;
        writeln!(out, "          {}", terminal(text(row, "message")))?;
    }
    let shown = if rows.len() < found {
        format!(
            "{} of {} findings shown; --limit 0 shows all",
            table::grouped(rows.len() as u64),
            table::grouped(found as u64)
        )
    } else {
        table::counted(found as u64, "finding")
    };
    writeln!(out, "{shown}; keytrail rules ID tells what to do about one")?;
    Ok(())
}

struct Filter<'a> {
    rank: i64,
    args: &'a FindingsArgs,
    since: Option<String>,
}

impl<'a> Filter<'a> {
    fn new(args: &'a FindingsArgs) -> Result<Self> {
        if let Some(rule) = &args.rule
            && !rules::all().any(|known| known.id == rule || known.family == rule)
        {
            bail!("there is no rule or family {rule:?}; keytrail rules lists them");
        }
        Ok(Self { rank: i64::from(args.severity.rank()), args, since: args.since.map(Seconds::rfc3339) })
    }

    fn wants(&self, row: &Row) -> bool {
        let any = |wanted: &Option<String>, columns: &[&str]| {
            wanted.as_ref().is_none_or(|wanted| columns.iter().any(|column| text(row, column) == wanted))
        };
        number(row, "severity_rank") >= self.rank
            && any(&self.args.rule, &["rule_id", "family"])
            && any(&self.args.key, &["key_arn", "key_id", "key_alias"])
            && any(&self.args.account, &["account_id", "key_account_id", "principal_account_id"])
            && self.since.as_deref().is_none_or(|since| text(row, "last_event_time") >= since)
    }
}
