//! The fast path selects what a full parse selects, whatever the bytes look like.

mod beside;
mod damage;
mod files;

use std::path::Path;
use std::sync::LazyLock;

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::lake::schema::{Cell, Table};
use keytrail::lake::tables::usage::{Row, Usage};
use keytrail::model::object::{ObjectName, ObjectRef};
use keytrail::model::usage::UsageRows;
use keytrail::model::r#yield::Yield;
use keytrail::rules::settings::Settings;
use proptest::prelude::*;
use rustc_hash::FxHashSet;

use files::{Framing, Json, Style, a_record, framed, framing, object, set, template, text, written};

static FAST: LazyLock<Plan> = LazyLock::new(|| Plan::new(Settings::default(), Selection::Fast));
static STRICT: LazyLock<Plan> = LazyLock::new(|| Plan::new(Settings::default(), Selection::Strict));

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

// ---- What both selections must agree on

fn analyse(plan: &Plan, file: &[u8]) -> Yield {
    let object = ObjectRef {
        bucket: String::new(),
        key: "/file.json".to_owned(),
        etag: "1".to_owned(),
        size: file.len() as u64,
        name: ObjectName::default(),
    };
    let mut analyzer = Analyzer::new(1 << 26).expect("memory for a decompressor");
    analyzer.analyze(plan, &object, file, &FxHashSet::default())
}

/// Usage rows as they are written.
fn usage(drawn: &Yield) -> Vec<String> {
    let counts = UsageRows::of(std::iter::once(&drawn.usage));
    let rows = counts.rows().iter().map(|counted| Row { strings: counts.strings(), counted });
    rows.map(|row| Usage::COLUMNS.iter().map(|column| shown(&(column.value)(&row)) + " ").collect()).collect()
}

/// A cell, wherever its text stands.
fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Symbol(strings, symbol) => format!("{:?}", strings.get(*symbol)),
        cell => format!("{cell:?}"),
    }
}

/// Requests to KMS that were counted.
fn kms_requests(drawn: &Yield) -> i64 {
    let cell = |row: &Row<'_>, name: &str| {
        let column = Usage::COLUMNS.iter().find(|column| column.name == name).expect("a column of usage");
        shown(&(column.value)(row))
    };
    let counts = UsageRows::of(std::iter::once(&drawn.usage));
    let rows = counts.rows().iter().map(|counted| Row { strings: counts.strings(), counted });
    rows.filter(|row| cell(row, "event_source").contains("\"kms.amazonaws.com\"")).map(|row| row.counted.requests).sum()
}

/// How many of the records are requests to KMS, by another parser's account.
fn kms_records(records: &[String]) -> i64 {
    let is_kms = |record: &&String| {
        let record: serde_json::Value = serde_json::from_str(record).expect("records are JSON");
        let is_some_text = |name: &str| record[name].as_str().is_some_and(|text| !text.is_empty());
        record["eventSource"] == "kms.amazonaws.com"
            && record["eventCategory"] == "Management"
            && is_some_text("eventName")
            && is_some_text("eventTime")
    };
    i64::try_from(records.iter().filter(is_kms).count()).expect("a few")
}

/// What differs between the yields of the two selections, if anything that may not.
fn difference(fast: &Yield, strict: &Yield) -> Option<String> {
    let (f, s) = (&fast.records, &strict.records);
    let outcome =
        |drawn: &Yield| (drawn.status, drawn.records.analysed, drawn.records.duplicate, drawn.records.total());
    let surplus = fast.rejects.iter().find(|reject| !strict.rejects.contains(reject));
    let passed_over = f.not_relevant.checked_sub(s.not_relevant);
    let explained = (s.malformed + s.other_kind).checked_sub(f.malformed + f.other_kind);
    let differs = [
        (outcome(fast) != outcome(strict), format!("outcomes {f:?} and {s:?}")),
        (passed_over.is_none() || passed_over != explained, format!("records passed over {f:?} and {s:?}")),
        (surplus.is_some(), format!("fast alone rejects {:?}", surplus.map(|reject| &reject.reason))),
        (usage(fast) != usage(strict), format!("usage {:#?}\nand {:#?}", usage(fast), usage(strict))),
        (fast.findings != strict.findings, format!("findings {:#?}\nand {:#?}", fast.findings, strict.findings)),
        (fast.key_changes != strict.key_changes, "key changes".to_owned()),
        (fast.seen != strict.seen, "identities".to_owned()),
    ];
    differs.into_iter().find(|(differs, _)| *differs).map(|(_, what)| what)
}

/// Analyses with both selections, checks that they agree and that there are so many records.
fn agree(file: &[u8], records: usize) -> Result<Yield, String> {
    let (fast, strict) = (analyse(&FAST, file), analyse(&STRICT, file));
    match difference(&fast, &strict) {
        Some(what) => Err(format!("fast and strict differ: {what}")),
        None if fast.records.total() != records as u64 => {
            Err(format!("{records} records were read as {:?} ({})", fast.records, fast.reason))
        }
        None => Ok(fast),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fast_selects_what_a_full_parse_selects(
        records in prop::collection::vec(a_record(), 1..12),
        framing in framing(),
        // So that the first record starts anywhere in a block.
        lead in 0..260_usize,
    ) {
        let records: Vec<String> = records.iter().enumerate().map(|(id, record)| record.written(id)).collect();
        let file = " ".repeat(lead) + &framed(framing, &records);
        match agree(file.as_bytes(), records.len()) {
            Ok(drawn) => prop_assert_eq!(kms_requests(&drawn), kms_records(&records), "{}", file),
            Err(why) => prop_assert!(false, "{}\n{}", why, file),
        }
    }
}

// ---- Files of known shape

fn written_plainly(kind: usize, id: usize) -> String {
    written(&Json::Object(template(kind, id)), Style::default())
}

#[test]
fn block_boundaries_change_nothing() {
    let mut counts = FxHashSet::default();
    for length in 0..=320 {
        let filler =
            format!("{{\"eventVersion\":\"1.11\",\"eventSource\":\"x\",\"eventName\":\"{}\"}}", "y".repeat(length));
        let tricky = "\\\"}]},{\"eventSource\":\"kms.amazonaws.com\"";
        let mut quiet = template(7, 1);
        set(&mut quiet, "userAgent", text(tricky));
        let records = [
            filler,
            written_plainly(1, 2),
            written(&Json::Object(quiet), Style::default()),
            written_plainly(6, 3),
            written_plainly(4, 4),
            written_plainly(7, 5),
        ];
        let drawn = agree(framed(Framing::Records, &records).as_bytes(), records.len());
        let drawn = drawn.unwrap_or_else(|why| panic!("filler of {length} bytes: {why}"));
        counts.insert((drawn.records.analysed, drawn.configurations.len(), drawn.records.malformed));
    }
    // The filler has no eventTime, but only a parser that is asked to read it would know.
    assert_eq!(counts, FxHashSet::from_iter([(3, 1, 0)]));
}

#[test]
fn a_file_of_many_chunks_is_read_whole() {
    // More than a scan selects at once, of two kinds, so that scans end inside of records too.
    let records: Vec<String> = (0..9_000).map(|id| written_plainly(if id % 9 == 0 { 7 } else { 1 }, id)).collect();
    let drawn = agree(framed(Framing::Records, &records).as_bytes(), 9_000).expect("both selections agree");
    assert_eq!((drawn.records.analysed, drawn.records.not_relevant), (8_000, 1_000));
}

#[test]
fn a_default_alias_in_any_record_counts_in_both() {
    let mut members = template(7, 1);
    set(&mut members, "requestParameters", object([("kmsKeyId", text("alias/aws/s3"))]));
    let record = written(&Json::Object(members), Style::default());
    agree(framed(Framing::Records, &[record]).as_bytes(), 1).expect("both selections agree");
}

// ---- Real records, where there are any beside the project

#[test]
fn both_selections_agree_on_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("no corpus in {}: nothing was compared", folder.display());
        return;
    };
    let paths = files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "ndjson"));
    let failures: Vec<String> = paths.filter_map(|path| corpus_file(&path).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// As a log file, and line by line.
fn corpus_file(path: &Path) -> Result<(), String> {
    let content = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines: Vec<String> = content.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for framing in [Framing::Records, Framing::Lines] {
        agree(framed(framing, &lines).as_bytes(), lines.len())
            .map_err(|why| format!("{name} as {framing:?}: {why}"))?;
    }
    Ok(())
}
