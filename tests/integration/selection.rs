//! The fast path selects what a full parse selects, whatever the bytes look like, and a record that
//! cannot be read costs only itself.

use std::path::Path;
use std::sync::LazyLock;

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::lake::schema::Table;
use keytrail::lake::tables::usage::{Row, Usage};
use keytrail::model::object::{ObjectName, ObjectRef};
use keytrail::model::r#yield::Yield;
use keytrail::rules::settings::Settings;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustc_hash::FxHashSet;

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
    let mut analyzer = Analyzer::new(plan, 1 << 26).expect("memory for a decompressor");
    analyzer.analyze(&object, file, &FxHashSet::default())
}

/// Usage rows as they are written, in an order of their own.
fn usage(drawn: &Yield) -> Vec<String> {
    let rows = drawn.usage.rows().map(|(key, count)| Row { counts: &drawn.usage, key, count });
    let mut rows: Vec<String> = rows
        .map(|row| Usage::COLUMNS.iter().map(|column| format!("{:?} ", (column.value)(&row))).collect())
        .collect();
    rows.sort();
    rows
}

/// What differs between the yields of the two selections, if anything that may not.
fn difference(fast: &Yield, strict: &Yield) -> Option<String> {
    let (f, s) = (&fast.records, &strict.records);
    let outcome = |drawn: &Yield| (drawn.status, drawn.records.analysed, drawn.records.duplicate, drawn.records.total());
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

// ---- JSON that may be written in any way

#[derive(Debug, Clone)]
enum Json {
    /// As it stands: numbers, `null`, ….
    Raw(&'static str),
    Text(String),
    List(Vec<Json>),
    Object(Members),
}

/// Members in order; a name may come twice.
type Members = Vec<(String, Json)>;

/// How JSON is written; all zeros is as CloudTrail writes it.
#[derive(Debug, Clone, Copy, Default)]
struct Style {
    seed: u64,
    /// Of 256 places for white space, how many have some.
    space: u8,
    /// Of 256 characters, how many are written as `\u` escapes.
    escapes: u8,
}

struct Writer {
    style: Style,
    state: u64,
    out: String,
}

impl Writer {
    fn new(style: Style) -> Self {
        Self { style, state: style.seed | 1, out: String::new() }
    }

    /// Says yes in `share` of 256 cases.
    fn chance(&mut self, share: u8) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 24) as u8 <= share && share > 0
    }

    fn space(&mut self) {
        const SPACES: [&str; 5] = [" ", "\n  ", "\t", "\r\n", "          "];
        if self.chance(self.style.space) {
            self.out.push_str(SPACES[self.state as usize % SPACES.len()]);
        }
    }

    fn json(&mut self, json: &Json) {
        self.space();
        match json {
            Json::Raw(raw) => self.out.push_str(raw),
            Json::Text(text) => self.text(text),
            Json::List(items) => self.group(['[', ']'], items, Self::json),
            Json::Object(members) => self.group(['{', '}'], members, |writer, (name, value)| {
                writer.space();
                writer.text(name);
                writer.space();
                writer.out.push(':');
                writer.json(value);
            }),
        }
        self.space();
    }

    fn group<T>(&mut self, [open, close]: [char; 2], items: &[T], write: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            write(self, item);
        }
        self.space();
        self.out.push(close);
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                _ if self.chance(self.style.escapes) => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| self.out.push_str(&format!("\\u{unit:04X}")));
                }
                '/' if self.chance(self.style.escapes) => self.out.push_str("\\/"),
                '"' | '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                c if c < ' ' => self.out.push_str(&format!("\\u{:04x}", c as u32)),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn written(json: &Json, style: Style) -> String {
    let mut writer = Writer::new(style);
    writer.json(json);
    writer.out
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}

fn keys(arn: &str) -> Json {
    Json::List(vec![object([("ARN", text(arn)), ("type", text("AWS::KMS::Key"))])])
}

fn set(members: &mut Members, name: &str, value: Json) {
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => members.push((name.to_owned(), value)),
    }
}

// ---- Records

/// A record of a service, with the members that all have.
fn record(source: &str, name: &str, id: usize) -> Members {
    let session = object([("sessionIssuer", object([("arn", text("arn:aws:iam::111122223333:role/App"))]))]);
    let Json::Object(members) = object([
        ("eventVersion", text("1.11")),
        ("userIdentity", object([
            ("type", text("AssumedRole")),
            ("arn", text("arn:aws:sts::111122223333:assumed-role/App/i-0")),
            ("accountId", text("111122223333")),
            ("sessionContext", session),
        ])),
        ("eventTime", text("2026-03-02T09:00:00Z")),
        ("eventSource", text(source)),
        ("eventName", text(name)),
        ("awsRegion", text("us-east-1")),
        ("sourceIPAddress", text("198.51.100.7")),
        ("userAgent", text("aws-cli/2.17.32")),
        ("requestParameters", Json::Raw("null")),
        ("responseElements", Json::Raw("null")),
        ("eventID", text(&format!("00000000-0000-4000-8000-{id:012}"))),
        ("eventType", text("AwsApiCall")),
        ("recipientAccountId", text("111122223333")),
        ("eventCategory", text("Management")),
    ]) else {
        unreachable!("an object has members");
    };
    members
}

/// How many kinds of [`template`] there are.
const TEMPLATES: usize = 12;

fn template(kind: usize, id: usize) -> Members {
    const KMS: &str = "kms.amazonaws.com";
    let call = |source, name, member: &str, value| {
        let mut made = record(source, name, id);
        set(&mut made, member, value);
        made
    };
    let named = |name, value| object([(name, text(value))]);
    match kind {
        0 => call(KMS, "Decrypt", "resources", keys(KEY)),
        // Nothing in it says :kms: but the source.
        1 => call(KMS, "Decrypt", "errorCode", text("AccessDenied")),
        2 => call(KMS, "ScheduleKeyDeletion", "requestParameters", named("keyId", KEY)),
        3 => call(KMS, "DisableKey", "requestParameters", named("keyId", "1234abcd-12ab-34cd-56ef-1234567890ab")),
        4 => call("ec2.amazonaws.com", "CreateVolume", "requestParameters", named("kmsKeyId", "alias/aws/ebs")),
        5 => call("ec2.amazonaws.com", "DescribeVolumes", "requestParameters", object([])),
        6 => call("s3.amazonaws.com", "GetObject", "responseElements", named("x-amz-key-id", KEY)),
        7 => call("s3.amazonaws.com", "GetObject", "requestParameters", named("bucketName", "b")),
        8 => call("sts.amazonaws.com", "AssumeRole", "requestParameters", named("policy", "{\"Statement\":[{}]}")),
        9 => call(KMS, "RotateKey", "eventType", text("AwsServiceEvent")),
        10 => call("ec2.amazonaws.com", "RunInstances", "eventCategory", text("Insight")),
        _ => call("lambda.amazonaws.com", "Invoke", "additionalEventData", named("k", KEY)),
    }
}

/// A value where a string is expected.
fn odd_value() -> impl Strategy<Value = Json> {
    const NAMES: [&str; 7] = [
        "kms.amazonaws.com", "kms.amazonaws.co", "KMS.amazonaws.com", "ec2.amazonaws.com", "Decrypt", "CreateVolume", "",
    ];
    prop_oneof![
        select(&NAMES[..]).prop_map(text),
        select(&["null", "5", "true", "{}", "[]"][..]).prop_map(Json::Raw),
        Just(object([("eventSource", text("kms.amazonaws.com"))])),
        Just(Json::List(vec![text("kms.amazonaws.com")])),
    ]
}

/// Text that looks like structure.
fn tricky_text() -> impl Strategy<Value = String> {
    const LOOKS: [&str; 18] = [
        "\"eventSource\":\"kms.amazonaws.com\"", "},{\"eventVersion\":\"1.11\",\"eventSource\":\"kms.amazonaws.com\"",
        "\\", "\\\"", "\"", "]}", "[{", "\"}]}", "eventSource", "eventName", "\"eventSource", "eventSource\"",
        "été — 鍵 🔑", "\u{0}\u{1f}\n\t", ":kms:", ":kmX:", KEY, "arn:aws:kms:us-east-1:111122223333:alias/mine",
    ];
    prop_oneof![
        4 => select(&LOOKS[..]).prop_map(str::to_owned),
        2 => (0..140_usize).prop_map(|n| "\\".repeat(n)),
        1 => (0..70_usize, select(&LOOKS[..])).prop_map(|(n, look)| "x".repeat(n) + look),
    ]
}

/// A payload that holds what a record's own members look like.
fn tricky_payload() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![tricky_text().prop_map(Json::Text), odd_value()];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let name = prop_oneof![
            3 => select(&["eventSource", "eventName", "keyId", "a"][..]).prop_map(str::to_owned),
            1 => tricky_text(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::List),
            prop::collection::vec((name, inner), 0..3).prop_map(Json::Object),
        ]
    })
}

#[derive(Debug, Clone)]
enum Edit {
    /// Gives a member a value, whatever it had.
    Set(&'static str, Json),
    /// Writes a member a second time.
    Again(&'static str, Json),
    Remove(&'static str),
    /// A payload as a string that holds JSON, as some services log it.
    Folded(Json, Style),
    /// Moves a member to another place.
    Move(Index, Index),
    /// Makes the record longer.
    Pad(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let telling = || select(&["eventSource", "eventName"][..]);
    let payload = || select(&["requestParameters", "responseElements", "additionalEventData", "resources"][..]);
    let alias = object([("kmsKeyId", text("alias/aws/s3"))]);
    prop_oneof![
        2 => (telling(), odd_value()).prop_map(|(name, value)| Edit::Set(name, value)),
        2 => (telling(), odd_value()).prop_map(|(name, value)| Edit::Again(name, value)),
        1 => select(&["eventSource", "eventName", "eventTime"][..]).prop_map(Edit::Remove),
        6 => (payload(), tricky_payload()).prop_map(|(name, value)| Edit::Set(name, value)),
        2 => (select(&["userAgent", "errorMessage"][..]), tricky_text())
            .prop_map(|(name, value)| Edit::Set(name, Json::Text(value))),
        1 => payload().prop_map(move |name| Edit::Set(name, alias.clone())),
        1 => payload().prop_map(|name| Edit::Set(name, keys(KEY))),
        1 => (tricky_payload(), style()).prop_map(|(value, style)| Edit::Folded(value, style)),
        3 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Move(from, to)),
        3 => (0..300_usize).prop_map(Edit::Pad),
    ]
}

fn apply(edit: &Edit, members: &mut Members) {
    match edit {
        Edit::Set(name, value) => set(members, name, value.clone()),
        Edit::Again(name, value) => members.push(((*name).to_owned(), value.clone())),
        Edit::Remove(name) => members.retain(|(known, _)| known != name),
        Edit::Folded(value, style) => set(members, "requestParameters", Json::Text(written(value, *style))),
        Edit::Move(from, to) => {
            let moved = members.remove(from.index(members.len()));
            members.insert(to.index(members.len()), moved);
        }
        Edit::Pad(n) => members.insert(0, ("apiVersion".to_owned(), Json::Text("p".repeat(*n)))),
    }
}

fn style() -> impl Strategy<Value = Style> {
    let share = || prop_oneof![3 => Just(0_u8), 1 => 1..5_u8, 1 => 5..100_u8];
    (any::<u64>(), share(), share()).prop_map(|(seed, space, escapes)| Style { seed, space, escapes })
}

#[derive(Debug, Clone)]
struct Record {
    kind: usize,
    edits: Vec<Edit>,
    style: Style,
}

impl Record {
    fn written(&self, id: usize) -> String {
        let mut members = template(self.kind, id);
        self.edits.iter().for_each(|edit| apply(edit, &mut members));
        written(&Json::Object(members), self.style)
    }
}

fn a_record() -> impl Strategy<Value = Record> {
    (0..TEMPLATES, prop::collection::vec(edit(), 0..4), style())
        .prop_map(|(kind, edits, style)| Record { kind, edits, style })
}

// ---- Files

#[derive(Debug, Clone, Copy)]
enum Framing {
    Records,
    /// `Records` between other members, some of which look like a record's.
    RecordsAmongMembers,
    Array,
    Lines,
    /// One behind the other, without anything in between.
    Glued,
    /// A JSON text sequence.
    Sequence,
    /// Each record in a document of its own.
    Documents,
    /// An array, and a `Records` object behind it.
    ArrayAndRecords,
}

fn framed(framing: Framing, records: &[String]) -> String {
    let list = |records: &[String]| format!("[{}]", records.join(","));
    match framing {
        Framing::Records => format!("{{\"Records\":{}}}", list(records)),
        Framing::RecordsAmongMembers => format!(
            "\n{{ \"a\" : {{\"eventSource\":\"kms.amazonaws.com\"}}, \"b\":\"\\\"Records\\\":[\" ,\"R\\u0065cords\" : {} , \"c\":[{{}}]}}\n",
            list(records)
        ),
        Framing::Array => list(records),
        Framing::Lines => records.join("\n"),
        Framing::Glued => records.concat(),
        Framing::Sequence => records.iter().map(|record| format!("\x1e{record}\n")).collect(),
        Framing::Documents => records.iter().map(|record| format!("{{\"Records\":[{record}]}}\n")).collect(),
        Framing::ArrayAndRecords => {
            let (first, second) = records.split_at(records.len() / 2);
            format!("{} {{\"Records\":{}}}", list(first), list(second))
        }
    }
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        3 => Just(Framing::Records),
        1 => Just(Framing::RecordsAmongMembers),
        1 => Just(Framing::Array),
        1 => Just(Framing::Lines),
        1 => Just(Framing::Glued),
        1 => Just(Framing::Sequence),
        1 => Just(Framing::Documents),
        1 => Just(Framing::ArrayAndRecords),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fast_selects_what_a_full_parse_selects(
        records in prop::collection::vec(a_record(), 1..12),
        framing in framing(),
        // So that the first record starts anywhere in a block.
        lead in 0..260_usize,
    ) {
        let records: Vec<String> = records.iter().enumerate().map(|(id, record)| record.written(id)).collect();
        let file = " ".repeat(lead) + &framed(framing, &records);
        if let Err(why) = agree(file.as_bytes(), records.len()) {
            prop_assert!(false, "{}\n{}", why, file);
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
        let filler = format!("{{\"eventVersion\":\"1.11\",\"eventSource\":\"x\",\"eventName\":\"{}\"}}", "y".repeat(length));
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
        counts.insert((drawn.records.analysed, drawn.findings.len(), drawn.records.malformed));
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
        agree(framed(framing, &lines).as_bytes(), lines.len()).map_err(|why| format!("{name} as {framing:?}: {why}"))?;
    }
    Ok(())
}

// ---- Records that cannot be read

/// Ways to spoil a record: each takes its text apart at one place.
const DAMAGES: [(&str, fn(&str) -> String); 9] = [
    ("a quote is missing", |record| record.replacen("\"us-east-1\"", "\"us-east-1", 1)),
    ("the opening quote of a name is missing", |record| record.replacen("\"awsRegion\"", "awsRegion\"", 1)),
    ("its last brace is missing", |record| record[..record.len() - 1].to_owned()),
    ("an inner brace is missing", |record| record.replacen("}}},", "}},", 1)),
    ("there is a brace too many", |record| format!("{record}}}")),
    ("there is a bracket too many", |record| format!("{record}]")),
    ("it is cut off in a string", |record| record[..record.len() / 2].to_owned()),
    ("a value is missing", |record| record.replacen("\"us-east-1\"", "", 1)),
    ("a line break stands in a string", |record| record.replacen("us-east-1", "us-\neast-1", 1)),
];

#[test]
fn a_spoilt_record_costs_only_itself() {
    let failures: Vec<String> = DAMAGES
        .iter()
        .flat_map(|(what, spoil)| [0, 1, 7].map(|kind| (*what, spoil(&written_plainly(kind, 99)), kind)))
        .filter_map(|(what, spoilt, kind)| around(&spoilt, kind).err().map(|why| format!("{what}, kind {kind}: {why}")))
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), DAMAGES.len() * 3, failures.join("\n"));
}

/// Puts good records around a spoilt one, and counts what of them is still read.
fn around(spoilt: &str, kind: usize) -> Result<(), String> {
    let good = [0, 1, 7, 1, 0, 7].iter().enumerate().map(|(id, kind)| written_plainly(*kind, id));
    let mut records: Vec<String> = good.collect();
    records.insert(3, spoilt.to_owned());
    let file = framed(Framing::Records, &records);
    let check = |plan: &Plan, which: &str, least: u64| {
        let counts = analyse(plan, file.as_bytes()).records;
        let fine = counts.analysed == 4 && (least..=1).contains(&counts.malformed) && counts.total() == 7;
        if fine { Ok(()) } else { Err(format!("{which} gives {counts:?}")) }
    };
    // What nobody wants, the fast path may pass over without seeing that it is spoilt.
    check(&STRICT, "strict", 1).and_then(|()| check(&FAST, "fast", u64::from(kind != 7)))
}
