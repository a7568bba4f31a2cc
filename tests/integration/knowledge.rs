//! Tables that stand in the code, held against the machine-readable knowledge beside the project
//! where that is there.

use std::fs;
use std::path::Path;

use keytrail::kms::context_names::known;
use keytrail::kms::operations::{OperationClass, class_of};
use keytrail::rules;
use serde_json::Value;

/// A file of the knowledge; `None` where the project stands alone.
fn knowledge(name: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/domain").join(name);
    let Ok(text) = fs::read_to_string(path) else {
        eprintln!("skipped: there is no {name} beside the project");
        return None;
    };
    match serde_json::from_str(&text).expect("JSON") {
        Value::Array(rows) => Some(rows),
        Value::Object(mut tables) => tables.remove("kms").and_then(|table| table.as_array().cloned()),
        _ => None,
    }
}

fn text<'r>(row: &'r Value, member: &str) -> &'r str {
    row[member].as_str().expect("a string")
}

fn texts(row: &Value, member: &str) -> Vec<String> {
    row[member].as_array().expect("a list").iter().map(|item| item.as_str().expect("a string").to_owned()).collect()
}

/// `ScheduleKeyDeletion` as `schedule-key-deletion`.
fn kebab(event: &str) -> String {
    event.char_indices().fold(String::new(), |mut id, (at, c)| {
        if at > 0 && c.is_ascii_uppercase() {
            id.push('-');
        }
        id.push(c.to_ascii_lowercase());
        id
    })
}

#[test]
fn critical_acts_are_those_of_the_catalogue() {
    let Some(rows) = knowledge("critical_actions.json") else { return };
    let mut found = 0;
    for row in &rows {
        let Some(rule) = rules::find(&kebab(text(row, "event"))) else { continue };
        found += 1;
        assert_eq!(rule.severity.as_str(), text(row, "severity"), "{}", rule.id);
        assert_eq!(rule.mitre.to_vec(), texts(row, "mitre"), "{}", rule.id);
    }
    assert_eq!(found, rules::critical_action::RULES.len());
}

#[test]
fn every_operation_has_its_class() {
    let Some(rows) = knowledge("kms_ops.json") else { return };
    for row in &rows {
        let class = class_of(text(row, "op"));
        assert_eq!(class.as_str(), text(row, "cls"), "{}", text(row, "op"));
        assert_ne!(class, OperationClass::Unknown);
    }
    assert!(rows.len() > 50);
}

#[test]
fn every_context_name_is_known() {
    let Some(rows) = knowledge("encryption_context.json") else { return };
    // `service` is a name that anybody may choose; only its value would tell.
    for row in rows.iter().filter(|row| text(row, "key") != "service") {
        let name = known(text(row, "key")).unwrap_or_else(|| panic!("{} is not known", text(row, "key")));
        assert_eq!(name.service, text(row, "service"), "{}", name.name);
        assert_eq!(name.accepted_via.to_vec(), texts(row, "accepted_via"), "{}", name.name);
        assert_eq!(name.region, text(row, "region_check") == "yes", "{}", name.name);
    }
    assert!(rows.len() > 50);
}
