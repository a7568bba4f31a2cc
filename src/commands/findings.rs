//! `keytrail findings`: what the rules found, each thing once, worst first.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::key_names::KeyNames;
use super::network::{self, Network};
use super::{Verdict, WrongUsage};
use super::{keys, unfolded};
use crate::cli::{FindingsArgs, RowFormat};
use crate::lake::read;
use crate::lake::schema::describe;
use crate::lake::tables::findings::Findings;
use crate::lake::tables::keys::Keys;
use crate::model::time::Seconds;
use crate::report::escape::{json_line, terminal};
use crate::report::{csv, table};
use crate::rules;

/// Findings that text has, if not told otherwise.
const SHOWN: usize = 200;

/// A finding as the table holds it.
pub(super) type Row = Map<String, Value>;

pub(super) fn run(args: &FindingsArgs, out: &mut dyn Write) -> Result<Verdict> {
    let mut filter = Filter::new(args)?;
    let network = Network::for_places(&args.aws, [&args.output])?;
    let lake = network::existing(&args.output, network.as_ref())?;
    let lake = lake.as_ref();
    if let Some(key) = args.key.as_deref() {
        filter.keys = KeyNames::of(&read::records::<Keys>(lake, |row| keys::is_named(row, key))?);
    }
    let mut rows = merged(read::records::<Findings>(lake, |row| filter.wants(row))?);
    let found = rows.len();
    if let Some(key) = args.key.as_deref().filter(|_| rows.is_empty() && filter.keys.are_none()) {
        bail!("no key {} in this output; keytrail keys OUT lists them", terminal(key));
    }
    let limit = args.limit.unwrap_or(if args.format == RowFormat::Text { SHOWN } else { 0 });
    if limit > 0 {
        rows.truncate(limit);
    }
    match args.format {
        RowFormat::Text => {
            write_text(out, &rows, found)?;
            unfolded::note(out, lake)?;
        }
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
    let mut by_id: BTreeMap<String, (Row, Acts)> = BTreeMap::new();
    for row in rows {
        let acts = Acts::of(&row);
        match by_id.get_mut(text(&row, "finding_id")) {
            None => _ = by_id.insert(text(&row, "finding_id").to_owned(), (row, acts)),
            Some((known, so_far)) => {
                merge(known, row);
                so_far.add(&acts);
            }
        }
    }
    let mut rows: Vec<_> = by_id.into_values().map(|(row, acts)| acts.told_in(row)).collect();
    rows.sort_by(|a, b| {
        let worst = number(b, "severity_rank").cmp(&number(a, "severity_rank"));
        worst
            .then_with(|| text(b, "event_time").cmp(text(a, "event_time")))
            .then_with(|| text(a, "finding_id").cmp(text(b, "finding_id")))
    });
    rows
}

/// Acts by whose trail told them: the key owner's has what others did with the key too.
#[derive(Default)]
struct Acts {
    by_owner: i64,
    by_others: i64,
}

impl Acts {
    fn of(row: &Row) -> Self {
        let (count, owner) = (number(row, "event_count"), text(row, "key_account_id"));
        if owner.is_empty() || owner == text(row, "account_id") {
            Self { by_owner: count, by_others: 0 }
        } else {
            Self { by_owner: 0, by_others: count }
        }
    }

    fn add(&mut self, part: &Self) {
        self.by_owner += part.by_owner;
        self.by_others += part.by_others;
    }

    /// Copies of one call are one act; parts of a group add up.
    fn told_in(self, mut row: Row) -> Row {
        row.insert("event_count".to_owned(), self.by_owner.max(self.by_others).into());
        row
    }
}

fn merge(known: &mut Row, row: Row) {
    let last = text(known, "last_event_time").max(text(&row, "last_event_time")).to_owned();
    // The caller's copy knows the principal by name; of a group, the earliest act speaks.
    let rank = |row: &Row| {
        let anonymous = text(row, "principal_type") == "AWSAccount";
        (anonymous, text(row, "event_time").to_owned(), text(row, "event_id").to_owned())
    };
    if rank(&row) < rank(known) {
        *known = row;
    }
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
    until: Option<String>,
    /// The keys that go by the name that is asked for.
    keys: KeyNames,
}

impl<'a> Filter<'a> {
    fn new(args: &'a FindingsArgs) -> Result<Self> {
        if let Some(rule) = &args.rule
            && !rules::all().any(|known| known.id == rule || known.family == rule)
        {
            bail!("there is no rule or family {rule:?}; keytrail rules lists them");
        }
        if args.since.zip(args.until).is_some_and(|(since, until)| since >= until) {
            return Err(WrongUsage("--since is not before --until: no act lies between them").into());
        }
        let [since, until] = [args.since, args.until].map(|time| time.map(Seconds::rfc3339));
        Ok(Self { rank: i64::from(args.severity.rank()), args, since, until, keys: KeyNames::default() })
    }

    fn wants(&self, row: &Row) -> bool {
        let any = |wanted: &Option<String>, columns: &[&str]| {
            wanted.as_ref().is_none_or(|wanted| columns.iter().any(|column| text(row, column) == wanted))
        };
        number(row, "severity_rank") >= self.rank
            && any(&self.args.rule, &["rule_id", "family"])
            && self.args.key.as_deref().is_none_or(|key| self.is_about(row, key))
            && (any(&self.args.account, &["account_id", "key_account_id", "principal_account_id"])
                || names(row, self.args.account.as_deref()))
            && self.args.principal.as_deref().is_none_or(|wanted| is_by(row, wanted))
            && self.until.as_deref().is_none_or(|until| text(row, "event_time") < until)
            && self.since.as_deref().is_none_or(|since| text(row, "last_event_time") >= since)
    }
}

impl Filter<'_> {
    /// Whether a finding is about the key, or names it: as it was asked for, or as the tables call it.
    fn is_about(&self, row: &Row, name: &str) -> bool {
        ["key_arn", "key_id", "key_alias"].iter().any(|column| text(row, column) == name)
            || names(row, Some(name))
            || self.keys.are_in(row)
    }
}

/// Whether a principal acted that goes by this name: an ARN, also that of a session, as records have it, the
/// end of one, or a session.
fn is_by(row: &Row, wanted: &str) -> bool {
    let (principal, session) = (text(row, "principal_arn"), text(row, "session_name"));
    let is_end = |arn: &str, end: &str| arn.strip_suffix(end).is_some_and(|rest| rest.ends_with(['/', ':']));
    let of_session = || {
        let (account, role) = wanted.strip_prefix("arn:").and_then(|arn| arn.split_once(":assumed-role/"))?;
        let (role, wanted) = role.split_once('/')?;
        let account = account.rsplit(':').next()?;
        Some(wanted == session && is_end(principal, role) && principal.contains(&format!(":{account}:")))
    };
    principal == wanted || session == wanted || is_end(principal, wanted) || of_session().unwrap_or_default()
}

/// Whether a finding names an account, a key or an alias beside its own: the other resource, or in evidence.
fn names(row: &Row, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return false };
    ["resource_arn", "evidence"].iter().any(|column| holds(text(row, column), wanted))
}

/// Whether a text holds a name, and not as a part of a longer one.
fn holds(text: &str, name: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(goes_on) && !behind.starts_with(goes_on) && !behind.starts_with('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: &Value) -> Row {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn a_name_is_found_whole_or_not_at_all() {
        let found =
            row(&json!({"evidence": r#"{"principals":["arn:aws:iam::555555555555:root"],"alias":"alias/app2"}"#}));
        assert!(names(&found, Some("555555555555")) && names(&found, Some("alias/app2")));
        assert!(!names(&found, Some("55555555555")) && !names(&found, Some("alias/app")) && !names(&found, None));
    }

    #[test]
    fn a_principal_goes_by_several_names() {
        let found = row(&json!({"principal_arn": "arn:aws:iam::111122223333:role/ci/Deploy", "session_name": "run-7"}));
        for (name, is) in [
            ("arn:aws:iam::111122223333:role/ci/Deploy", true),
            ("arn:aws:sts::111122223333:assumed-role/Deploy/run-7", true),
            ("arn:aws:sts::111122223333:assumed-role/Deploy/run-8", false),
            ("arn:aws:sts::444455556666:assumed-role/Deploy/run-7", false),
            ("Deploy", true),
            ("role/ci/Deploy", true),
            ("eploy", false),
            ("run-7", true),
        ] {
            assert_eq!(is_by(&found, name), is, "{name}");
        }
    }

    #[test]
    fn copies_of_acts_count_once_and_parts_add_up() {
        let part = |account: &str, kind: &str, count: i64| {
            row(&json!({
                "finding_id": "f", "severity_rank": 2, "event_time": format!("2026-03-02T09:00:0{count}Z"),
                "account_id": account, "key_account_id": "111122223333", "principal_type": kind, "event_count": count,
            }))
        };
        let owner = |count| part("111122223333", "AWSAccount", count);
        let caller = |count| part("444455556666", "AssumedRole", count);
        for (rows, count) in [
            (vec![caller(2), caller(1), owner(2), owner(1)], 3),
            (vec![owner(3), caller(2), caller(1)], 3),
            (vec![owner(2), owner(3)], 5),
            (vec![caller(2), caller(3)], 5),
        ] {
            let merged = merged(rows.clone());
            assert_eq!(merged.len(), 1);
            assert_eq!(number(&merged[0], "event_count"), count, "{rows:?}");
            assert!(
                rows.iter().all(|row| text(row, "principal_type") == "AWSAccount")
                    || text(&merged[0], "principal_type") == "AssumedRole"
            );
        }
    }
}
