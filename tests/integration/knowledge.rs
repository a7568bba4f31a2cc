//! Tables that stand in the code, held against the machine-readable knowledge beside the project
//! where that is there.

use std::fs;
use std::path::Path;

use keytrail::kms::context_names::known_pair;
use keytrail::kms::operations::{OperationClass, class_of};
use keytrail::kms::policy::actions::Actions;
use keytrail::rules::{self, Check, Events, Rule};
use serde_json::Value;

/// The table of KMS in a file of the knowledge; `None` where the project stands alone.
fn knowledge(name: &str) -> Option<Vec<Value>> {
    table(name, "kms")
}

/// A table in a file of the knowledge, or the file if it is a table.
fn table(name: &str, member: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/domain").join(name);
    let Ok(text) = fs::read_to_string(path) else {
        eprintln!("skipped: there is no {name} beside the project");
        return None;
    };
    match serde_json::from_str(&text).expect("JSON") {
        Value::Array(rows) => Some(rows),
        Value::Object(mut tables) => tables.remove(member).and_then(|table| table.as_array().cloned()),
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
        let Some(rule) = rules::find(&kebab(text(row, "event"))) else {
            // Ordinary by itself; across accounts `reencrypt-to-foreign-key` sees it.
            let is_ordinary = text(row, "severity") == "info" || text(row, "event") == "ReEncrypt";
            assert!(is_ordinary, "no rule for {}", text(row, "event"));
            continue;
        };
        found += 1;
        // What only many of them make worth a finding has no severity of its own.
        if !matches!(rule.check, Check::Event { .. }) {
            continue;
        }
        assert_eq!(rule.severity.as_str(), text(row, "severity"), "{}", rule.id);
        assert_eq!(rule.mitre.to_vec(), texts(row, "mitre"), "{}", rule.id);
    }
    // One is about who acts.
    assert_eq!(found, rules::critical_action::RULES.iter().filter(|rule| rule.id != "root-user-act").count());
}

/// The rules of families that look at an event of another service.
fn rules_on(families: &[&str], source: &str, event: &str) -> Vec<&'static Rule> {
    let looks = |rule: &&Rule| match &rule.check {
        Check::Event { events: Events::Table(events), .. } => events().contains(&(source, event)),
        _ => false,
    };
    rules::all().filter(|rule| families.contains(&rule.family)).filter(looks).collect()
}

#[test]
fn acts_of_other_services_are_those_of_the_catalogue() {
    let Some(rows) = table("critical_actions.json", "non_kms") else { return };
    let mut found = 0;
    for row in &rows {
        let source = text(row, "event_source");
        if !["cloudtrail.amazonaws.com", "ram.amazonaws.com"].contains(&source) {
            continue;
        }
        for event in text(row, "event").split(" / ") {
            found += 1;
            let rules = rules_on(&["trail", "cross-account"], source, event);
            // `critical/high`, `high (critical if …)`: one event may have several rules.
            let mut severities = text(row, "severity").split(|c: char| !c.is_ascii_lowercase());
            assert!(severities.any(|word| rules.iter().any(|rule| rule.severity.as_str() == word)), "{event}");
            for rule in rules {
                assert_eq!(rule.mitre.to_vec(), texts(row, "mitre"), "{}", rule.id);
            }
        }
    }
    assert_eq!(found, 8);
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
    for row in &rows {
        // `service` is a name that anybody may choose: its value tells.
        let name = known_pair(text(row, "key"), "elastictranscoder.amazonaws.com")
            .unwrap_or_else(|| panic!("{} is not known", text(row, "key")));
        assert_eq!(name.service, text(row, "service"), "{}", name.name);
        assert_eq!(name.accepted_via.to_vec(), texts(row, "accepted_via"), "{}", name.name);
        assert_eq!(name.region, text(row, "region_check") == "yes", "{}", name.name);
    }
    assert!(rows.len() > 50);
}

#[test]
fn policies_can_name_every_operation() {
    let Some(rows) = knowledge("kms_ops.json") else { return };
    for row in &rows {
        let named = match text(row, "op") {
            "ReEncrypt" => "ReEncryptFrom",
            operation => operation,
        };
        assert_ne!(Actions::one(named), Actions::NONE, "{named}");
    }
}
