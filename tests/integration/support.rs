//! What the integration tests share: running the binary, writing log files, reading tables back.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keytrail::lake::local::LocalFolder;
use keytrail::lake::read;
use keytrail::lake::schema::Table;
use keytrail::lake::tables::configurations::Configurations;
use keytrail::lake::tables::findings::Findings;
use keytrail::lake::tables::key_changes::KeyChanges;
use keytrail::lake::tables::key_use::KeyUses;
use keytrail::lake::tables::keys::Keys;
use keytrail::lake::tables::objects::Objects;
use keytrail::lake::tables::rejects::Rejects;
use keytrail::lake::tables::usage::Usage;
use serde_json::{Map, Value, json};

/// A row of a table.
pub type Row = Map<String, Value>;

/// How a run of the binary ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The exit code must be this one.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The only line of standard output, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// Every line of standard output, as JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Both streams, for what must be said wherever.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// The binary under test, with arguments.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keytrail"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn keytrail<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let output = command(args).output().expect("the binary runs");
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Arguments of a backfill with a JSON summary.
pub fn backfill_args(sources: &[&Path], out: &Path, more: &[&str]) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["backfill".into()];
    args.extend(sources.iter().map(|source| source.as_os_str().to_owned()));
    args.extend(["--output".into(), out.as_os_str().to_owned(), "--format".into(), "json".into()]);
    args.extend(more.iter().map(OsString::from));
    args
}

/// Runs a backfill with a JSON summary.
pub fn backfill(sources: &[&Path], out: &Path, more: &[&str]) -> Run {
    keytrail(backfill_args(sources, out, more))
}

/// Runs another command on an output.
pub fn on(command: &str, out: &Path, more: &[&str]) -> Run {
    let args = [command.into(), out.as_os_str().to_owned()];
    keytrail(args.into_iter().chain(more.iter().map(OsString::from)))
}

/// `verify` must find nothing, in an output that holds something.
#[track_caller]
pub fn assert_holds(out: &Path) -> Value {
    let run = on("verify", out, &["--format", "json"]);
    let found = run.json();
    assert_eq!(found["problems"], json!([]), "{}", out.display());
    assert_eq!(run.code, Some(0), "{}", run.said());
    assert!(found["objects"].as_u64() > Some(0) && found["files"].as_u64() > Some(0), "verified nothing: {found}");
    found
}

pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/AWSLogs")
}

pub fn temp_dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A folder that is not there holds no files.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().expect("a file type");
            if kind.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    files
}

/// All rows of a table, sorted, as JSON.
pub fn rows<T: Table>(out: &Path) -> Vec<Row> {
    let folder = LocalFolder::existing(out).expect("the output is there");
    let mut rows = read::records::<T>(&folder, |_| true).expect("the table can be read");
    rows.sort_by_cached_key(|row| Value::Object(row.clone()).to_string());
    rows
}

/// Text of a column; empty if null.
pub fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// Integer of a column; 0 if null.
pub fn number(row: &Row, column: &str) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_default()
}

/// `usage` with one row for each combination of its dimensions: how its partial counts are meant.
pub fn usage(out: &Path) -> Vec<Row> {
    let mut groups: BTreeMap<String, Row> = BTreeMap::new();
    for row in rows::<Usage>(out) {
        let mut dimensions = row.clone();
        for count in ["requests", "first_event_time", "last_event_time", "sample_event_id"] {
            assert!(dimensions.remove(count).is_some(), "a usage row without {count}");
        }
        let key = Value::Object(dimensions).to_string();
        match groups.get_mut(&key) {
            None => _ = groups.insert(key, row),
            Some(known) => add_usage(known, &row),
        }
    }
    groups.into_values().collect()
}

fn add_usage(known: &mut Row, row: &Row) {
    let requests = number(known, "requests") + number(row, "requests");
    let last = text(known, "last_event_time").max(text(row, "last_event_time")).to_owned();
    let first = |row: &Row| (text(row, "first_event_time").to_owned(), text(row, "sample_event_id").to_owned());
    if first(row) < first(known) {
        known.clone_from(row);
    }
    known.insert("requests".to_owned(), requests.into());
    known.insert("last_event_time".to_owned(), last.into());
}

/// What an output holds, table by table, such that equal results are equal whatever the files.
#[derive(PartialEq, Eq)]
pub struct Tables(pub BTreeMap<&'static str, Vec<Row>>);

/// Reads an output whole.
pub fn tables(out: &Path) -> Tables {
    Tables(BTreeMap::from([
        ("findings", rows::<Findings>(out)),
        ("usage", usage(out)),
        ("key_changes", rows::<KeyChanges>(out)),
        ("configurations", rows::<Configurations>(out)),
        ("objects", rows::<Objects>(out)),
        ("rejects", rows::<Rejects>(out)),
        ("keys", rows::<Keys>(out)),
        ("key_use", rows::<KeyUses>(out)),
    ]))
}

impl Tables {
    /// The same without some columns.
    pub fn without(mut self, columns: &[&str]) -> Self {
        for rows in self.0.values_mut() {
            rows.iter_mut().for_each(|row| columns.iter().for_each(|column| _ = row.remove(*column)));
            rows.sort_by_cached_key(|row| Value::Object(row.clone()).to_string());
        }
        self
    }

    /// The tables must be equal; of the first difference both rows are shown.
    #[track_caller]
    pub fn assert_same(&self, other: &Self, what: &str) {
        for (table, rows) in &self.0 {
            let others = &other.0[table];
            let text = |row: Option<&Row>| row.map(|row| Value::Object(row.clone()).to_string()).unwrap_or_default();
            let only = |a: &[Row], b: &[Row]| text(a.iter().find(|row| !b.contains(row)));
            assert!(
                rows == others,
                "{what}: {table} differs, {} rows and {}; only in the first: {}\nonly in the second: {}",
                rows.len(),
                others.len(),
                only(rows, others),
                only(others, rows)
            );
        }
    }

    /// A comparison of empty tables proves nothing.
    #[track_caller]
    pub fn assert_full(&self) {
        for table in ["findings", "usage", "key_changes", "objects", "keys", "key_use"] {
            assert!(!self.0[table].is_empty(), "{table} is empty");
        }
    }
}

/// The ledger's entries, in order.
pub fn ledger(out: &Path) -> Vec<Value> {
    let entries = files_below(&out.join("_ledger")).into_iter().filter(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        path.extension().is_some_and(|e| e == "json") && name.bytes().all(|b| b.is_ascii_digit())
    });
    let parse = |path: PathBuf| serde_json::from_slice(&fs::read(path).expect("an entry")).expect("an entry is JSON");
    entries.map(parse).collect()
}

/// Writes a file, with its folders.
pub fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, content).expect("a file");
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("compresses in memory")
}

/// A log file's text.
pub fn log(records: &[Value]) -> Vec<u8> {
    json!({ "Records": records }).to_string().into_bytes()
}

/// Numbers that look like chance, and are the same each time.
pub struct Lcg(pub u64);

impl Lcg {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[usize::try_from(self.below(list.len() as u64)).expect("small")]
    }

    fn event_id(&mut self) -> String {
        format!("{:08x}-0000-4000-8000-{:012x}", self.next() & 0xffff_ffff, self.next())
    }
}

const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "123456789012"];
const ROLES: [&str; 3] = ["CatalogApi", "CheckoutFn", "ReportsEtl"];

/// ARN of an invented key.
pub fn key(account: &str, number: u64) -> String {
    format!("arn:aws:kms:us-east-1:{account}:key/0000000{number}-1111-4222-8333-444444444444")
}

/// A call of KMS by a role of `caller` on a key of `owner`, as `recipient`'s trail has it.
pub fn kms_record(name: &str, key_arn: &str, caller: &str, recipient: &str, time: &str, event_id: &str) -> Value {
    let owner = key_arn.split(':').nth(4).expect("an ARN");
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:session", "accountId": caller,
            "arn": format!("arn:aws:sts::{caller}:assumed-role/CatalogApi/session"),
            "sessionContext": {
                "sessionIssuer": { "type": "Role", "arn": format!("arn:aws:iam::{caller}:role/CatalogApi"), "accountId": caller, "userName": "CatalogApi" },
                "attributes": { "creationDate": "2026-03-01T00:00:00Z", "mfaAuthenticated": "false" },
            },
        },
        "eventTime": time, "eventSource": "kms.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
        "sourceIPAddress": "10.0.0.7", "userAgent": "aws-sdk-rust/1.0",
        "requestParameters": { "keyId": key_arn, "encryptionContext": { "purpose": "invoice" } },
        "responseElements": null, "requestID": "r", "eventID": event_id, "readOnly": true,
        "resources": [{ "accountId": owner, "type": "AWS::KMS::Key", "ARN": key_arn }],
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": recipient, "eventCategory": "Management",
    })
}

/// A record that has nothing to do with KMS.
pub fn other_record(account: &str, time: &str, event_id: &str) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::{account}:user/noor"), "accountId": account },
        "eventTime": time, "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances", "awsRegion": "us-east-1",
        "sourceIPAddress": "10.0.0.8", "userAgent": "aws-cli/2", "requestParameters": {}, "responseElements": null,
        "eventID": event_id, "eventType": "AwsApiCall", "recipientAccountId": account, "eventCategory": "Management",
    })
}

/// Path of a log file that `account` got at `HH:MM` of a day in March 2026.
pub fn log_path(root: &Path, account: &str, day: u64, hour: u64, minute: u64, name: &str) -> PathBuf {
    root.join(format!(
        "o-exampleorgid/{account}/CloudTrail/us-east-1/2026/03/{day:02}/\
         {account}_CloudTrail_us-east-1_202603{day:02}T{hour:02}{minute:02}Z_{name}.json.gz"
    ))
}

/// A trail: every second sample file, and `synthetic` invented ones with calls across accounts and
/// copies of whole files in a second trail.
pub fn small_trail(root: &Path, synthetic: u64) {
    let samples = samples();
    for path in files_below(&samples).iter().step_by(2) {
        let relative = path.strip_prefix(&samples).expect("below the samples");
        write(&root.join(relative), &fs::read(path).expect("a sample"));
    }
    let mut chance = Lcg(7);
    for number in 0..synthetic {
        synthetic_file(root, number, &mut chance);
    }
}

fn synthetic_file(root: &Path, number: u64, chance: &mut Lcg) {
    // Some stand a week behind the samples: beyond the hours in which copies are noticed.
    let (day, hour) = (if number % 8 == 5 { 10 } else { 2 + number % 2 }, number % 24);
    let account = ACCOUNTS[usize::try_from(number % 3).expect("small")];
    let (mut own, mut partners) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let time = format!("2026-03-{day:02}T{hour:02}:{:02}:{:02}Z", chance.below(55), chance.below(60));
        match chance.below(10) {
            0..4 => own.push(other_record(account, &time, &chance.event_id())),
            4 => {
                let (shared, owner) = (chance.event_id(), ACCOUNTS[usize::try_from((number + 1) % 3).expect("small")]);
                let key = key(owner, chance.below(3));
                for (recipient, list) in [(account, &mut own), (owner, &mut partners)] {
                    let mut record = kms_record("Decrypt", &key, account, recipient, &time, &chance.event_id());
                    record["sharedEventID"] = shared.clone().into();
                    list.push(record);
                }
            }
            5 => own.push(kms_record("DisableKey", &key(account, 3), account, account, &time, &chance.event_id())),
            _ => {
                let name = chance.of(&["Decrypt", "Encrypt", "GenerateDataKey"]);
                let mut record =
                    kms_record(name, &key(account, chance.below(3)), account, account, &time, &chance.event_id());
                let issuer = &mut record["userIdentity"]["sessionContext"]["sessionIssuer"];
                issuer["arn"] = format!("arn:aws:iam::{account}:role/{}", chance.of(&ROLES)).into();
                own.push(record);
            }
        }
    }
    let name = format!("synthetic{number:07}");
    write(&log_path(root, account, day, hour, 56, &name), &gzip(&log(&own)));
    if !partners.is_empty() {
        let owner = partners[0]["recipientAccountId"].as_str().expect("an account").to_owned();
        write(&log_path(root, &owner, day, hour, 58, &name), &gzip(&log(&partners)));
    }
    if number.is_multiple_of(5) {
        // A second trail delivers the same records a little later, plain.
        let second =
            root.join(format!("second/{account}_CloudTrail_us-east-1_202603{day:02}T{hour:02}59Z_{name}.json"));
        write(&second, &log(&own));
    }
}
