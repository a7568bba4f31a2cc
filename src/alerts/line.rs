//! An alert: a finding as one line of JSON, and what places that sort alerts want to know of it.

use serde_json::{Map, Value};

use crate::lake::schema::{Cell, Table};
use crate::lake::tables::findings::Findings;
use crate::model::escape::json_line;
use crate::model::finding::Finding;
use crate::model::severity::Severity;

/// Most bytes of a line: SNS takes 256 KiB, with attributes and subject.
pub const LARGEST_LINE: usize = 250 * 1_024;

/// What is left of a text that makes a line too large, in characters. Each is 12 bytes of JSON at
/// most, and there are 30 columns.
const CUT_TO: usize = 400;

/// A finding, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Tells a repetition.
    pub finding_id: String,
    /// Id of the rule.
    pub rule_id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// A few words of our own.
    pub title: &'static str,
    /// Account whose trail had the record.
    pub account_id: String,
    /// All columns as JSON, as `keytrail findings --format json` writes them; without an end of line.
    pub line: String,
}

impl Alert {
    /// Of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        Self {
            finding_id: finding.finding_id.clone(),
            rule_id: finding.rule_id,
            severity: finding.severity,
            title: finding.title,
            account_id: finding.subject.account_id.clone(),
            line: line(finding),
        }
    }
}

fn line(finding: &Finding) -> String {
    let columns = Findings::COLUMNS.iter();
    let mut row: Map<_, _> =
        columns.filter_map(|column| Some((column.name.to_owned(), json((column.value)(&finding))?))).collect();
    let line = json_line(&row);
    if line.len() <= LARGEST_LINE {
        return line;
    }
    // A request may hold a policy of any size; the finding itself is in the tables, whole.
    let mut cut = Vec::new();
    for (name, value) in &mut row {
        if let Value::String(text) = value
            && let Some((end, _)) = text.char_indices().nth(CUT_TO)
        {
            text.truncate(end);
            text.push('…');
            cut.push(Value::from(name.clone()));
        }
    }
    row.insert("shortened".to_owned(), Value::Array(cut));
    json_line(&row)
}

/// A value as the tables' reader gives it; nothing for null.
fn json(cell: Cell<'_>) -> Option<Value> {
    match cell {
        Cell::Text(text) | Cell::Id(text) => Some(text).filter(|text| !text.is_empty()).map(Value::from),
        Cell::Symbol(strings, symbol) => json(Cell::Text(strings.get(symbol))),
        Cell::Integer(number) => number.map(Value::from),
        Cell::Boolean(yes) => yes.map(Value::from),
        Cell::Timestamp(time) => time.map(|time| time.rfc3339().into()),
        Cell::TextList(list) => Some(list.into()),
        Cell::Bytes(_) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::finding::{Outcome, Subject};
    use crate::model::time::Seconds;

    /// A finding about nothing.
    pub(in crate::alerts) fn finding(id: &str, severity: Severity) -> Finding {
        Finding {
            finding_id: id.to_owned(),
            rule_id: "key-deletion-scheduled",
            family: "critical-action",
            severity,
            outcome: Outcome::Success,
            title: "A key is scheduled for deletion",
            message: "m".to_owned(),
            event_time: Seconds(1_767_225_600),
            last_event_time: Seconds(1_767_225_600),
            event_count: 1,
            evidence: "{}".to_owned(),
            mitre: &["T1485"],
            subject: Subject { account_id: "111122223333".to_owned(), ..Subject::default() },
            source_object: String::new(),
        }
    }

    #[test]
    fn nothing_in_a_finding_ends_the_line_or_moves_the_cursor() {
        let mut hostile = finding("f", Severity::Critical);
        hostile.subject.user_agent = "a\n{\"finding_id\":\"x\"}\u{1b}[2J\u{9b}\u{202e}".to_owned();
        let alert = Alert::of(&hostile);
        assert!(!alert.line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{:?}", alert.line);
        let read: Value = serde_json::from_str(&alert.line).expect("JSON");
        assert_eq!(read["user_agent"], hostile.subject.user_agent);
        assert_eq!(read["event_time"], "2026-01-01T00:00:00Z");
        assert!(read.get("source_object").is_none(), "null is left out");
    }

    #[test]
    fn a_line_fits_whatever_a_finding_holds() {
        let mut large = finding("f", Severity::Critical);
        large.evidence = "\u{1}".repeat(300_000);
        large.message = "\u{1f511}".repeat(300_000);
        let Subject { user_agent, resource_arn, .. } = &mut large.subject;
        (*user_agent, *resource_arn) = ("\u{202e}".repeat(9_000), "short".to_owned());
        let line = Alert::of(&large).line;
        assert!(line.len() <= LARGEST_LINE, "{}", line.len());
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["shortened"], serde_json::json!(["evidence", "message", "user_agent"]));
        assert_eq!((&read["resource_arn"], &read["finding_id"]), (&"short".into(), &"f".into()));
    }
}
