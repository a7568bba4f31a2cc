//! Lists as IAM writes them: a single value stands for a list of one.

use serde_json::Value;

/// A list, or a single value that stands for a list of one.
pub(super) fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(single) => vec![single],
    }
}

/// The texts among listed values.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    listed(value).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
