//! Records that are not as they should be: members missing, null, of another type, as JSON in a string.
//! None is lost, none stops the others, and the raw bytes select what a full parse selects.

use std::sync::LazyLock;

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::model::object::{ObjectName, ObjectRef};
use keytrail::model::r#yield::Yield;
use keytrail::rules;
use keytrail::rules::page::Page;
use keytrail::rules::settings::Settings;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use crate::support::Lcg;

static FAST: LazyLock<Plan> = LazyLock::new(|| Plan::new(Settings::default(), Selection::Fast));
static STRICT: LazyLock<Plan> = LazyLock::new(|| Plan::new(Settings::default(), Selection::Strict));

/// Members without which a record cannot be read at all.
const VITAL: [&str; 3] = ["eventName", "eventSource", "eventTime"];

/// Members that AWS sometimes writes as JSON in a string.
const PAYLOADS: [&str; 4] = ["additionalEventData", "requestParameters", "resources", "responseElements"];

/// The records of all pages: of every event that a rule looks at, in full shape.
fn records() -> Vec<Value> {
    let examples = rules::all().flat_map(|rule| Page::parse(rule.page).examples);
    let values = examples.filter_map(|example| serde_json::from_str::<Value>(&example.json).ok());
    values
        .flat_map(|value| match value {
            Value::Array(records) => records,
            record => vec![record],
        })
        .collect()
}

fn analyse(plan: &Plan, record: &Value) -> Yield {
    let file = json!({ "Records": [record] }).to_string();
    let (key, etag, name) = ("/drift.json".to_owned(), "1".to_owned(), ObjectName::default());
    let object = ObjectRef { bucket: String::new(), key, etag, size: file.len() as u64, name };
    let mut analyzer = Analyzer::new(1 << 24).expect("an analyzer");
    analyzer.analyze(plan, &object, file.as_bytes(), &FxHashSet::default())
}

/// Places of a record's members, down to some depth.
fn places(value: &Value, at: &mut Vec<String>, depth: usize, out: &mut Vec<Vec<String>>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => return,
    };
    for (name, value) in members {
        at.push(name);
        out.push(at.clone());
        if depth > 1 {
            places(value, at, depth - 1, out);
        }
        at.pop();
    }
}

/// A record with something else at a place; without anything there, for `None`.
fn changed(record: &Value, place: &[String], to: Option<Value>) -> Value {
    let mut record = record.clone();
    let (last, parents) = place.split_last().expect("a place");
    let parent = parents.iter().fold(&mut record, |value, step| match value {
        Value::Array(items) => &mut items[step.parse::<usize>().expect("an index")],
        value => &mut value[step.as_str()],
    });
    match (parent, to) {
        (Value::Object(members), Some(to)) => _ = members.insert(last.clone(), to),
        (Value::Object(members), None) => _ = members.remove(last),
        (Value::Array(items), Some(to)) => items[last.parse::<usize>().expect("an index")] = to,
        (Value::Array(items), None) => _ = items.remove(last.parse().expect("an index")),
        _ => {}
    }
    record
}

#[test]
fn a_record_with_any_member_changed_is_counted_once_and_selected_alike() {
    let others = [
        None,
        Some(Value::Null),
        Some(json!(7)),
        Some(json!("\u{202e}x")),
        Some(json!(true)),
        Some(json!([])),
        Some(json!({})),
        Some(json!([{"arn": ["alias/aws/s3", 1.5]}])),
    ];
    let (mut chance, mut tried) = (Lcg(11), 0);
    for record in records() {
        let (mut all, analysed) = (Vec::new(), analyse(&FAST, &record).records.analysed);
        places(&record, &mut Vec::new(), 5, &mut all);
        for place in all {
            // Each place of each record with one of the others: thousands of records, all kinds of places.
            let to = others[usize::try_from(chance.next() % others.len() as u64).expect("small")].clone();
            let drifted = changed(&record, &place, to);
            let (fast, strict) = (analyse(&FAST, &drifted), analyse(&STRICT, &drifted));
            let told = |drawn: &Yield| {
                let findings: Vec<_> = drawn.findings.iter().map(|f| (f.finding_id.clone(), f.severity)).collect();
                (drawn.records.analysed, findings, drawn.key_changes.clone(), drawn.configurations.len())
            };
            assert_eq!(told(&fast), told(&strict), "{place:?} of {drifted}");
            assert_eq!(fast.records.total(), 1, "{place:?} of {drifted}: {}", fast.reason);
            let vital = place.len() == 1 && VITAL.contains(&place[0].as_str());
            if !vital {
                assert_eq!(fast.records.malformed, 0, "{place:?} of {drifted}");
            }
            let other_kind = place.len() == 1 && matches!(place[0].as_str(), "eventType" | "eventCategory");
            if record["eventSource"] == "kms.amazonaws.com" && !vital && !other_kind {
                assert_eq!(fast.records.analysed, analysed, "{place:?} of {drifted}");
            }
            tried += 1;
        }
    }
    assert!(tried > 10_000, "only {tried} records");
}

#[test]
fn payloads_that_are_json_in_a_string_are_read() {
    let mut told = 0;
    for record in records() {
        let plain = analyse(&FAST, &record);
        for payload in PAYLOADS {
            let inner = &record[payload];
            if !inner.is_object() && !inner.is_array() {
                continue;
            }
            let text = Value::from(inner.to_string());
            let folded = analyse(&FAST, &changed(&record, &[payload.to_owned()], Some(text)));
            let findings = |drawn: &Yield| {
                let of = |f: &keytrail::model::finding::Finding| (f.finding_id.clone(), f.severity, f.message.clone());
                drawn.findings.iter().map(of).collect::<Vec<_>>()
            };
            assert_eq!(findings(&folded), findings(&plain), "{payload} of {record}");
            assert_eq!(folded.key_changes, plain.key_changes, "{payload} of {record}");
            assert_eq!(folded.configurations, plain.configurations, "{payload} of {record}");
            told += folded.findings.len() + folded.configurations.len();
        }
    }
    assert!(told > 300, "only {told} findings and configurations");
}
