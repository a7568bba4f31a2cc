//! What services' records say of keys, held against the reference evaluator, its table and its vectors
//! beside the project, where they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keytrail::decode::event::{Decoder, RecordError};
use keytrail::kms::configuration::{self, Choice, Configured, Kind, Manager, resolve};
use serde_json::{Map, Value, json};

use crate::python;

/// Records generated for each row and event.
const EACH: usize = 200;

/// What is known of keys.
struct Known {
    /// `AWS` or `CUSTOMER`, by ARN or id.
    keys: Map<String, Value>,
    /// The account's default key for EBS, by Region.
    defaults: Map<String, Value>,
}

/// What is said of a record: rule, kind, key.
type Said = Vec<(String, String, Option<String>)>;

/// A file or folder of the project's knowledge; `None` where the project stands alone.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if !path.exists() {
        eprintln!("skipped: there is no {name} beside the project");
        return None;
    }
    Some(path)
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a readable file")).expect("JSON")
}

impl Known {
    fn manager(&self, key: &str) -> Option<Manager> {
        match self.keys.get(key)?.as_str()? {
            "AWS" => Some(Manager::Aws),
            "CUSTOMER" => Some(Manager::Customer),
            _ => None,
        }
    }

    /// What our interpreter says of a record, in order; an error if it cannot be read.
    fn say(&self, decoder: &mut Decoder, record: &str) -> Result<Said, RecordError> {
        decoder.decode(record.as_bytes(), |event| {
            let event = event?;
            let default = self.defaults.get(event.region).and_then(Value::as_str);
            let read = configuration::read(&event);
            // The ways out of KMS are our own rows.
            let of_table = read.iter().filter(|one| !is_ours(&one.row.id));
            let mut said: Said = of_table.map(|one| self.tuple(one, default)).collect();
            said.sort();
            Ok(said)
        })
    }

    fn tuple(&self, configured: &Configured, default: Option<&str>) -> (String, String, Option<String>) {
        let Configured { row, choice, key, from_response, .. } = configured;
        let kind = resolve(*choice, key.as_deref(), |key| self.manager(key), default);
        // The reference does not look at the key that becomes the account's default.
        let state = *choice == Choice::State;
        let suffix = if *from_response && !state { "/resp" } else { "" };
        (row.id.clone(), format!("{}{suffix}", kind.as_str()), key.clone().filter(|_| !state))
    }
}

/// Rows that the reference does not have.
fn is_ours(id: &str) -> bool {
    let beside = [".off", ".owned", ".by_answer", ".by_default"];
    beside.iter().any(|end| id.ends_with(end)) || ["mgn", "scheduler"].contains(&id)
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn every_vector_is_read_as_it_should_be() {
    let Some(path) = shared("domain/fixtures/default_key_vectors.json") else { return };
    let vectors = read_json(&path);
    let mut decoder = Decoder::default();
    for vector in vectors.as_array().expect("a list") {
        let mut record = vector["record"].clone();
        record["eventTime"] = json!("2026-03-02T09:00:00Z");
        let region = record["awsRegion"].as_str().expect("a Region").to_owned();
        let known = Known {
            keys: object(&vector["keymap"]),
            defaults: Map::from_iter([(region, vector["ebs_default_key"].clone())]),
        };
        let said = known.say(&mut decoder, &record.to_string()).expect("a record");
        let said: Vec<_> = said.into_iter().map(|(rule, kind, _)| (rule, kind)).collect();
        let expect: Vec<(String, String)> = serde_json::from_value(vector["expect"].clone()).expect("pairs");
        let mut expect: Vec<_> = expect.into_iter().filter(|(_, kind)| kind != "UNCHANGED").collect();
        expect.sort();
        assert_eq!(said, expect, "{}", vector["name"]);
    }
    assert_eq!(vectors.as_array().map(Vec::len), Some(40));
}

#[test]
fn the_table_is_that_of_the_reference() {
    let Some(path) = shared("domain/default_key_rules.json") else { return };
    let ours = read_json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kms/configuration/table.json"));
    let expected: Vec<Value> = read_json(&path).as_array().expect("a list").iter().map(as_our_row).collect();
    for (ours, expected) in ours.as_array().expect("a list").iter().zip(&expected) {
        // Which rows speak of the same resources is ours to say, and what the reference says in its notes only.
        let mut ours = ours.clone();
        for own in ["setting", "unless"] {
            ours.as_object_mut().expect("a row").remove(own);
        }
        // And where else a resource is named, if not where the reference looks first.
        if let Some(paths) = ours.get_mut("resource_paths").and_then(Value::as_array_mut) {
            paths.truncate(expected["resource_paths"].as_array().map_or(0, Vec::len));
        }
        assert_eq!(ours, *expected);
    }
    assert_eq!(ours.as_array().map(Vec::len), Some(expected.len()));
}

/// A row of the reference as we write it: an event with what it means that no key is named, every path
/// from its payload, nothing that is empty.
fn as_our_row(row: &Value) -> Value {
    let mut ours = object(row);
    for unused in ["enabled_when", "note", "confidence", "absent"] {
        ours.remove(unused);
    }
    let events = ours.remove("absent_by_event").expect("events");
    ours.insert("events".to_owned(), events);
    for path in ours["response_key_paths"].as_array_mut().expect("paths") {
        *path = json!(format!("responseElements.{}", path.as_str().expect("a path")));
    }
    // What the reference has in its code.
    if ["secrets.update", "sqs.queue"].contains(&row["id"].as_str().expect("an id")) {
        ours.insert("empty_resets".to_owned(), json!(true));
    }
    ours.retain(|_, value| !(*value == json!([]) || *value == json!([[]]) || *value == json!("")));
    Value::Object(ours)
}

#[test]
fn records_are_read_as_by_the_reference() {
    let (Some(domain), Some(corpus)) = (shared("domain"), shared("corpus")) else { return };
    let Some(lines) = python::or_skip(reference(&domain, &corpus), "the agreement with the reference") else { return };
    let mut lines = lines.lines();
    let known: Value = serde_json::from_str(lines.next().expect("a first line")).expect("JSON");
    let known = Known { keys: object(&known["keys"]), defaults: object(&known["defaults"]) };
    let (mut decoder, mut tally) = (Decoder::default(), Tally::default());
    for line in lines {
        let (expected, record) = line.split_once('\t').expect("two columns");
        let mut expected: Said = serde_json::from_str(expected).expect("tuples");
        expected.sort();
        match known.say(&mut decoder, record) {
            Ok(said) => tally.compare(&said, &expected, record),
            // A few of the real ones are excerpts.
            Err(_) => tally.unread += 1,
        }
    }
    tally.is_enough();
}

/// The reference's word on every record.
fn reference(domain: &Path, corpus: &Path) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/configuration/agreement.py");
    let mut python = Command::new("python3");
    let output = python.args([&script, domain, corpus]).arg(EACH.to_string()).output();
    let output = output.map_err(|error| format!("this test needs python3: {error}"))?;
    // What is wrong with the script is wrong with the test.
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// What was compared, so that agreeing on nothing does not pass.
#[derive(Default)]
struct Tally {
    records: usize,
    unread: usize,
    tuples: usize,
    differences: Vec<String>,
    rules: BTreeSet<String>,
    kinds: BTreeMap<String, usize>,
}

impl Tally {
    fn compare(&mut self, said: &Said, expected: &Said, record: &str) {
        self.records += 1;
        self.tuples += expected.len();
        for (rule, kind, _) in expected {
            self.rules.insert(rule.clone());
            *self.kinds.entry(kind.clone()).or_default() += 1;
        }
        if said != expected {
            self.differences.push(format!("ours      {said:?}\nreference {expected:?}\n{record}"));
        }
    }

    #[track_caller]
    fn is_enough(&self) {
        let Self { records, unread, tuples, differences, rules, kinds } = self;
        eprintln!("{records} records, {tuples} tuples, {unread} not read: {kinds:?}");
        let shown = differences.iter().take(5).cloned().collect::<Vec<_>>().join("\n\n");
        assert!(differences.is_empty(), "{} of {records} records:\n{shown}", differences.len());
        assert!(*records > 40_000 && *tuples > 20_000 && *unread < 50, "{records}, {tuples}, {unread}");
        assert_eq!(rules.len(), 104);
        for kind in ALL_KINDS {
            assert!(kinds.get(kind.as_str()).is_some_and(|count| *count > 50), "hardly any {kind:?}");
        }
    }
}

const ALL_KINDS: [Kind; 13] = [
    Kind::DkExplicit,
    Kind::DkResolved,
    Kind::DkImplicit,
    Kind::DkPossible,
    Kind::DkOwned,
    Kind::SseS3,
    Kind::BucketDefault,
    Kind::Inherited,
    Kind::NoKms,
    Kind::Cleared,
    Kind::Cmk,
    Kind::Pending,
    Kind::State,
];
