//! Log files to try: records by template, edited, written in any way that JSON allows, and framed.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::KEY;

// ---- JSON that may be written in any way

#[derive(Debug, Clone)]
pub(super) enum Json {
    /// As it stands: numbers, `null`, ….
    Raw(&'static str),
    /// JSON that was written before, in a way of its own.
    Written(String),
    Text(String),
    List(Vec<Json>),
    Object(Members),
}

/// Members in order; a name may come twice.
pub(super) type Members = Vec<(String, Json)>;

/// How JSON is written; all zeros is as CloudTrail writes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style {
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
            Json::Written(json) => self.out.push_str(json),
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

pub(super) fn written(json: &Json, style: Style) -> String {
    let mut writer = Writer::new(style);
    writer.json(json);
    writer.out
}

pub(super) fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

pub(super) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}

pub(super) fn keys(arn: &str) -> Json {
    Json::List(vec![object([("ARN", text(arn)), ("type", text("AWS::KMS::Key"))])])
}

pub(super) fn set(members: &mut Members, name: &str, value: Json) {
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
        (
            "userIdentity",
            object([
                ("type", text("AssumedRole")),
                ("arn", text("arn:aws:sts::111122223333:assumed-role/App/i-0")),
                ("accountId", text("111122223333")),
                ("sessionContext", session),
            ]),
        ),
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

pub(super) fn template(kind: usize, id: usize) -> Members {
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
        4 => call("ec2.amazonaws.com", "CreateVolume", "requestParameters", volume()),
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
        "kms.amazonaws.com",
        "kms.amazonaws.co",
        "KMS.amazonaws.com",
        "ec2.amazonaws.com",
        "Decrypt",
        "CreateVolume",
        "",
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
        "\"eventSource\":\"kms.amazonaws.com\"",
        "},{\"eventVersion\":\"1.11\",\"eventSource\":\"kms.amazonaws.com\"",
        "\\",
        "\\\"",
        "\"",
        "]}",
        "[{",
        "\"}]}",
        "eventSource",
        "eventName",
        "\"eventSource",
        "eventSource\"",
        "été — 鍵 🔑",
        "\u{0}\u{1f}\n\t",
        ":kms:",
        ":kmX:",
        KEY,
        "arn:aws:kms:us-east-1:111122223333:alias/mine",
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

/// A payload that names a key, or looks as if.
fn some_payload() -> impl Strategy<Value = Json> {
    prop_oneof![Just(keys(KEY)), Just(object([("a", Json::List(vec![keys(KEY)]))])), tricky_payload()]
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
        2 => select(&[("eventSource", "kms.amazonaws.com"), ("eventName", "CreateVolume")][..])
            .prop_map(|(name, value)| Edit::Again(name, text(value))),
        1 => select(&["eventSource", "eventName", "eventTime"][..]).prop_map(Edit::Remove),
        6 => (payload(), tricky_payload()).prop_map(|(name, value)| Edit::Set(name, value)),
        2 => (select(&["userAgent", "errorMessage"][..]), tricky_text())
            .prop_map(|(name, value)| Edit::Set(name, Json::Text(value))),
        1 => payload().prop_map(move |name| Edit::Set(name, alias.clone())),
        1 => payload().prop_map(|name| Edit::Set(name, keys(KEY))),
        3 => (payload(), some_payload(), style())
            .prop_map(|(name, value, style)| Edit::Set(name, Json::Written(written(&value, style)))),
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
pub(super) struct Record {
    kind: usize,
    edits: Vec<Edit>,
    style: Style,
}

impl Record {
    pub(super) fn written(&self, id: usize) -> String {
        let mut members = template(self.kind, id);
        self.edits.iter().for_each(|edit| apply(edit, &mut members));
        written(&Json::Object(members), self.style)
    }
}

pub(super) fn a_record() -> impl Strategy<Value = Record> {
    (0..TEMPLATES, prop::collection::vec(edit(), 0..4), style()).prop_map(|(kind, edits, style)| Record {
        kind,
        edits,
        style,
    })
}

// ---- Files

#[derive(Debug, Clone, Copy)]
pub(super) enum Framing {
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

pub(super) fn framed(framing: Framing, records: &[String]) -> String {
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

pub(super) fn framing() -> impl Strategy<Value = Framing> {
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

/// A request that switches encryption on, with the default key.
fn volume() -> Json {
    object([("encrypted", Json::Raw("true")), ("kmsKeyId", text("alias/aws/ebs"))])
}
