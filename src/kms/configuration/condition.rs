//! When a row of the table applies: conditions on the record, and which list elements fulfil them.

use serde::Deserialize;

use super::binding::Bindings;
use super::path::Path;
use crate::model::event::Event;
use crate::model::json::Json;

/// The conditions of a row.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<Vec<Condition>>")]
pub(super) enum Conditions {
    /// The row has none.
    #[default]
    Always,
    /// Alternatives, each a list of conditions that must all hold.
    AnyOf(Vec<Vec<Condition>>),
}

/// One condition: a path, an operator, and what to compare with.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Row")]
pub(super) struct Condition {
    path: Path,
    operator: Operator,
}

#[derive(Debug)]
enum Operator {
    /// Of some value at the path; it holds for the list elements where that value stands.
    Some(Test),
    /// Of no value at the path; it holds for the record as a whole.
    None(Test),
}

#[derive(Debug)]
enum Test {
    IsTrue,
    IsFalse,
    /// One of these, in any case.
    OneOf(Vec<String>),
    StartsWith(String),
    Present,
    NonEmpty,
}

/// As the table writes it: `[path, operator]` or `[path, operator, argument]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Plain(Path, String),
    WithText(Path, String, String),
    WithTexts(Path, String, Vec<String>),
}

impl From<Vec<Vec<Condition>>> for Conditions {
    fn from(alternatives: Vec<Vec<Condition>>) -> Self {
        Self::AnyOf(alternatives)
    }
}

impl TryFrom<Row> for Condition {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let (path, operator) = match row {
            Row::Plain(path, name) => (path, without_argument(&name).ok_or(name)),
            Row::WithText(path, name, text) => (path, with_text(&name, text).ok_or(name)),
            Row::WithTexts(path, name, texts) if name == "in" => (path, Ok(Operator::Some(Test::OneOf(texts)))),
            Row::WithTexts(path, name, _) => (path, Err(name)),
        };
        let operator = operator.map_err(|name| format!("{name} is no operator, or not with this argument"))?;
        Ok(Self { path, operator })
    }
}

fn without_argument(name: &str) -> Option<Operator> {
    Some(match name {
        "is_true" => Operator::Some(Test::IsTrue),
        "is_false" => Operator::Some(Test::IsFalse),
        "present" => Operator::Some(Test::Present),
        "absent" => Operator::None(Test::Present),
        "non_empty" => Operator::Some(Test::NonEmpty),
        _ => return None,
    })
}

fn with_text(name: &str, text: String) -> Option<Operator> {
    Some(match name {
        "eq" => Operator::Some(Test::OneOf(vec![text])),
        "prefix" => Operator::Some(Test::StartsWith(text)),
        "not_prefix" => Operator::None(Test::StartsWith(text)),
        _ => return None,
    })
}

impl Conditions {
    /// Where in the record the conditions hold; nowhere, if the row does not apply.
    pub(super) fn bindings(&self, event: &Event<'_>) -> Bindings {
        match self {
            Self::Always => Bindings::whole(),
            Self::AnyOf(alternatives) => {
                let each = alternatives.iter().map(|all| all_of(all, event));
                each.fold(Bindings::default(), Bindings::or)
            }
        }
    }
}

fn all_of(conditions: &[Condition], event: &Event<'_>) -> Bindings {
    conditions.iter().fold(Bindings::whole(), |bound, condition| bound.and(condition.bindings(event)))
}

impl Condition {
    fn bindings(&self, event: &Event<'_>) -> Bindings {
        let (Operator::Some(test) | Operator::None(test)) = &self.operator;
        let mut fulfilled = Bindings::default();
        self.path.each(event, &mut |place, value| {
            if test.holds(value) {
                fulfilled.add(place);
            }
        });
        match self.operator {
            Operator::Some(_) => fulfilled,
            Operator::None(_) if fulfilled.is_empty() => Bindings::whole(),
            Operator::None(_) => Bindings::default(),
        }
    }
}

impl Test {
    fn holds(&self, value: Json<'_>) -> bool {
        match self {
            Self::IsTrue => value.bool() == Some(true),
            Self::IsFalse => value.bool() == Some(false),
            Self::OneOf(wanted) => {
                word(value).is_some_and(|word| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(word)))
            }
            Self::StartsWith(prefix) => word(value).is_some_and(|word| word.starts_with(prefix.as_str())),
            Self::Present => !value.is_null(),
            Self::NonEmpty => value.non_empty().is_some(),
        }
    }
}

/// A text, or a boolean as one: attributes come as either. No row compares with a number.
fn word(value: Json<'_>) -> Option<&str> {
    value.str().or_else(|| value.bool().map(|is| if is { "true" } else { "false" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Conditions, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for wrong in [
            r#"[[["a", "like"]]]"#,
            r#"[[["a", "eq"]]]"#,
            r#"[[["a", "is_true", "x"]]]"#,
            r#"[[["a", "prefix", ["x"]]]]"#,
            r#"[[["a", "in", "x"]]]"#,
            r#"[[["a..b", "present"]]]"#,
            r#"[[["a[].", "present"]]]"#,
            r#"[[["a[]b", "present"]]]"#,
            r#"[[["a{json}[]", "present"]]]"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(matches!(parse(r#"[[["a", "in", ["x", "y"]]]]"#), Ok(Conditions::AnyOf(_))));
    }
}
