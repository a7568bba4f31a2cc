//! When a row of `services.json` applies: conditions on the request, alternatives of lists.

use serde::Deserialize;

use super::path::Path;
use crate::model::event::Event;

/// One condition: a path, an operator, and what to compare with.
#[derive(Debug, Deserialize)]
#[serde(from = "Row")]
pub(super) struct Condition {
    path: Path,
    operator: Operator,
}

#[derive(Debug)]
enum Operator {
    IsTrue,
    IsFalse,
    /// One of these, in any case.
    In(Vec<String>),
    Prefix(String),
    NotPrefix(String),
    Present,
    Absent,
    NonEmpty,
    /// An operator that this version does not know: never holds.
    Unknown,
}

/// As the table writes it: `[path, operator]` or `[path, operator, argument]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Plain(Path, String),
    WithText(Path, String, String),
    WithTexts(Path, String, Vec<String>),
}

impl From<Row> for Condition {
    fn from(row: Row) -> Self {
        let (path, name, texts) = match row {
            Row::Plain(path, name) => (path, name, Vec::new()),
            Row::WithText(path, name, text) => (path, name, vec![text]),
            Row::WithTexts(path, name, texts) => (path, name, texts),
        };
        let first = texts.first().cloned().unwrap_or_default();
        let operator = match name.as_str() {
            "is_true" => Operator::IsTrue,
            "is_false" => Operator::IsFalse,
            "eq" | "in" => Operator::In(texts),
            "prefix" => Operator::Prefix(first),
            "not_prefix" => Operator::NotPrefix(first),
            "present" => Operator::Present,
            "absent" => Operator::Absent,
            "non_empty" => Operator::NonEmpty,
            _ => Operator::Unknown,
        };
        Self { path, operator }
    }
}

impl Condition {
    /// Whether some value at the path fulfils the condition, or, of negations, none breaks it.
    pub(super) fn holds(&self, event: &Event<'_>) -> bool {
        let (mut any, mut none) = (false, true);
        self.path.each_value(event, &mut |value| {
            let text = value.text().unwrap_or_default();
            match &self.operator {
                Operator::IsTrue => any |= value.bool() == Some(true),
                Operator::IsFalse => any |= value.bool() == Some(false),
                Operator::In(texts) => any |= texts.iter().any(|wanted| wanted.eq_ignore_ascii_case(&text)),
                Operator::Prefix(prefix) => any |= text.starts_with(prefix.as_str()),
                Operator::NotPrefix(prefix) => none &= !text.starts_with(prefix.as_str()),
                Operator::Present => any |= !value.is_null(),
                Operator::Absent => none &= value.is_null(),
                Operator::NonEmpty => any |= !text.is_empty(),
                Operator::Unknown => {}
            }
        });
        match self.operator {
            Operator::NotPrefix(_) | Operator::Absent => none,
            _ => any,
        }
    }
}
