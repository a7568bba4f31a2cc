//! Bad files beside good ones: each is named with its reason, and costs nothing but itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use keytrail::lake::tables::objects::Objects;
use keytrail::lake::tables::rejects::Rejects;

use crate::support::{
    Row, Run, assert_holds, backfill, files_below, gzip, key, keytrail, kms_record, log, log_path, number, on,
    other_record, rows, samples, small_trail, tables, temp_dir, text, write,
};

const ACCOUNT: &str = "111122223333";
/// Calls of KMS in each good file.
const GOOD_CALLS: u64 = 3;
/// Good files on either side of the bad ones.
const GOOD_FILES: u64 = 2;

/// A folder with good files and some others.
struct Mixed {
    folder: tempfile::TempDir,
    root: PathBuf,
    out: PathBuf,
}

impl Mixed {
    fn new() -> Self {
        let folder = temp_dir();
        let root = folder.path().join("logs");
        for number in 0..GOOD_FILES {
            write(
                &log_path(&root, ACCOUNT, 2, 23 * number, 5, "good"),
                &gzip(&log(&calls(&format!("good{number}"), GOOD_CALLS))),
            );
        }
        let out = folder.path().join("out");
        Self { folder, root: root.canonicalize().expect("the logs"), out }
    }

    /// Adds a file that is delivered between the good ones.
    fn with(self, name: &str, content: &[u8]) -> Self {
        write(&self.path(name), content);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        let folder = log_path(&self.root, ACCOUNT, 2, 12, 0, "x").parent().expect("a folder").to_owned();
        folder.join(name)
    }

    fn run(&self, more: &[&str]) -> Run {
        backfill(&[&self.root], &self.out, more)
    }

    /// The row of a file in `objects`.
    #[track_caller]
    fn object(&self, name: &str) -> Row {
        let path = self.path(name).to_string_lossy().into_owned();
        let mut found: Vec<_> = rows::<Objects>(&self.out).into_iter().filter(|row| text(row, "key") == path).collect();
        assert_eq!(found.len(), 1, "rows of {path}: {found:?}");
        found.remove(0)
    }

    /// The good files were analysed, and all holds.
    #[track_caller]
    fn assert_good_ones_are_counted(&self) {
        assert_holds(&self.out);
        let good: Vec<_> =
            rows::<Objects>(&self.out).into_iter().filter(|row| text(row, "key").contains("_good.json")).collect();
        assert_eq!(good.len() as u64, GOOD_FILES);
        for row in good {
            assert_eq!((text(&row, "status"), number(&row, "records_analysed")), ("done", 3), "{row:?}");
        }
    }

    /// The file failed, which is said with the reason, and in the table; nothing of it is counted.
    #[track_caller]
    fn assert_fails(&self, name: &str, more: &[&str], reason: &str) {
        let run = self.run(more).ends_with(1);
        let summary = run.json();
        let failures = summary["failures"].as_array().expect("failures");
        assert_eq!(failures.len(), 1, "{summary}");
        let said = failures[0].to_string();
        assert!(said.contains(name) && said.contains(reason), "no {name}, {reason} in {said}");
        assert_eq!(summary["objects"]["failed"], 1);
        assert_eq!(summary["records"]["analysed"], GOOD_FILES * GOOD_CALLS, "{summary}");
        let row = self.object(name);
        assert!(text(&row, "status") == "failed" && text(&row, "reason").contains(reason), "{row:?}");
        self.assert_good_ones_are_counted();
        self.assert_fails_as_text(name, more, reason);
    }

    /// Again, for people: a failed file is tried again, and said again.
    #[track_caller]
    fn assert_fails_as_text(&self, name: &str, more: &[&str], reason: &str) {
        let args = ["backfill".into(), self.root.clone(), "--output".into(), self.out.clone()];
        let run = keytrail(args.into_iter().chain(more.iter().map(PathBuf::from))).ends_with(1);
        let line = run.stdout.lines().find(|line| line.starts_with("FAILED")).expect("a line on what failed");
        assert!(line.contains(name) && line.contains(reason), "{line}");
        let failed = rows::<Objects>(&self.out).iter().filter(|row| text(row, "status") == "failed").count();
        assert_eq!(failed, 1, "the same failure of the same content is one row");
        assert_holds(&self.out);
    }
}

fn calls(name: &str, number: u64) -> Vec<Value> {
    let call =
        |at| kms_record("Decrypt", &key(ACCOUNT, 1), ACCOUNT, ACCOUNT, "2026-03-02T10:00:00Z", &format!("{name}-{at}"));
    (0..number).map(call).collect()
}

/// A log of about this many bytes of JSON.
fn large_log(bytes: usize) -> Vec<u8> {
    let mut records = calls("large", 5);
    let one = other_record(ACCOUNT, "2026-03-02T10:00:00Z", "filler-00000000");
    let size = one.to_string().len() + 1;
    records
        .extend((0..bytes / size).map(|at| other_record(ACCOUNT, "2026-03-02T10:00:00Z", &format!("filler-{at:08}"))));
    log(&records)
}

/// Bytes that do not compress, so that damage is in data, not in a table of codes.
fn noisy_log() -> Vec<u8> {
    let mut chance = crate::support::Lcg(5);
    let mut records = calls("noisy", 20);
    for record in &mut records {
        let noise: String = (0..400).map(|_| format!("{:08x}", chance.next())).collect();
        record["userAgent"] = noise.into();
    }
    log(&records)
}

#[test]
fn a_truncated_gzip() {
    let whole = gzip(&noisy_log());
    for keep in [whole.len() / 2, whole.len() - 1, whole.len() - 8, 12] {
        let mixed = Mixed::new().with("cut.json.gz", &whole[..keep]);
        mixed.assert_fails("cut.json.gz", &[], "truncated or corrupt");
    }
}

#[test]
fn a_flipped_bit() {
    let whole = gzip(&noisy_log());
    for at in [whole.len() / 3, whole.len() - 6, whole.len() - 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        Mixed::new().with("flipped.json.gz", &damaged).assert_fails("flipped.json.gz", &[], "truncated or corrupt");
    }
}

#[test]
fn a_failed_file_that_was_mended_is_read() {
    let whole = gzip(&log(&calls("mended", 4)));
    let mixed = Mixed::new().with("mended.json.gz", &whole[..whole.len() / 2]);
    mixed.run(&[]).ends_with(1);
    let mixed = mixed.with("mended.json.gz", &whole);
    let summary = mixed.run(&[]).ends_with(0).json();
    assert_eq!(summary["objects"]["done"], 1, "{summary}");
    assert_eq!(summary["records"]["analysed"], 4, "{summary}");
    mixed.assert_good_ones_are_counted();
}

#[test]
fn a_bomb() {
    let zeros = gzip(&vec![0; 5_000_000]);
    assert!(zeros.len() < 100_000, "a bomb is small");
    let mixed = Mixed::new().with("bomb.json.gz", &zeros);
    mixed.assert_fails("bomb.json.gz", &["--max-object-size", "1MiB"], "--max-object-size");
    let mixed = Mixed::new().with("large.json.gz", &gzip(&large_log(5_000_000)));
    mixed.assert_fails("large.json.gz", &["--max-object-size", "1MiB"], "1048576");
    let summary = mixed.run(&["--max-object-size", "8MiB"]).ends_with(0).json();
    assert_eq!(summary["records"]["analysed"], 5, "{summary}");
}

#[test]
fn the_cap_is_exact() {
    let content = large_log(100_000);
    let (exact, less) = (content.len().to_string(), (content.len() - 1).to_string());
    for (name, stored) in [("cap.json.gz", gzip(&content)), ("cap.json", content.clone())] {
        Mixed::new().with(name, &stored).assert_fails(name, &["--max-object-size", &less], &less);
        let mixed = Mixed::new().with(name, &stored);
        mixed.run(&["--max-object-size", &exact]).ends_with(0);
        assert_eq!(number(&mixed.object(name), "records_analysed"), 5);
        assert_eq!(number(&mixed.object(name), "json_bytes").to_string(), exact);
        mixed.assert_good_ones_are_counted();
    }
}

#[test]
fn one_line_of_twenty_megabytes() {
    let content = large_log(20_000_000);
    assert!(!content.contains(&b'\n'));
    let expected = i64::try_from(
        serde_json::from_slice::<Value>(&content).expect("JSON")["Records"].as_array().expect("records").len(),
    )
    .expect("small");
    let mixed = Mixed::new().with("line.json", &content);
    mixed.run(&[]).ends_with(0);
    let row = mixed.object("line.json");
    assert_eq!((number(&row, "records_analysed"), number(&row, "records_not_relevant")), (5, expected - 5), "{row:?}");
    mixed.assert_good_ones_are_counted();
}

#[test]
fn what_is_no_log_file() {
    Mixed::new().with("words.json", b"these are words, not JSON").assert_fails("words.json", &[], "not JSON");
    Mixed::new().with("binary.json.gz", &[0x89, b'P', b'N', b'G', 0, 255, 254]).assert_fails(
        "binary.json.gz",
        &[],
        "not JSON",
    );
    Mixed::new().with("other.json", br#"{"name":"package","version":"1.0","dependencies":{}}"#).assert_fails(
        "other.json",
        &[],
        "not CloudTrail",
    );
    Mixed::new().with("cut.json", br#"{"name":"package","depend"#).assert_fails("cut.json", &[], "JSON ends early");
    Mixed::new().with("number.json", b"42").assert_fails("number.json", &[], "not JSON");
}

#[test]
fn elements_that_are_no_records_are_rejects() {
    let good = calls("beside", 2);
    let content = format!(
        r#"{{"Records":[{},{{"name":"x"}},17,{},{{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventTime":"soon"}}]}}"#,
        good[0], good[1]
    );
    let mixed = Mixed::new().with("odd.json", content.as_bytes());
    mixed.run(&["--strict"]);
    assert_outcomes(&mixed, "odd.json", 5, 2);
    let rejects = raw_rejects(&mixed, "odd.json");
    assert_eq!(rejects.len(), 3, "{rejects:?}");
    for raw in [
        &br#"{"name":"x"}"#[..],
        b"17",
        br#"{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventTime":"soon"}"#,
    ] {
        assert_rejected(&rejects, content.as_bytes(), raw);
    }
    mixed.assert_good_ones_are_counted();
}

#[test]
fn nesting_of_a_hundred_thousand_brackets() {
    const DEEP: usize = 100_000;
    let deep = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let mixed = Mixed::new().with("deep.json", deep.as_bytes());
    let run = mixed.run(&[]);
    assert!(run.code.is_some_and(|code| code < 2), "it did not die: {}", run.said());
    mixed.assert_good_ones_are_counted();
    let objects = "{\"a\":".repeat(DEEP);
    let mixed = Mixed::new().with("open.json", objects.as_bytes());
    mixed.assert_fails("open.json", &[], "JSON ends early");
    // Inside of a record of KMS, beside whole ones.
    let good = calls("beside", 2);
    let bad = format!(r#"{{"eventVersion":"1.11","eventSource":"kms.amazonaws.com","requestParameters":{deep}}}"#);
    let content = format!(r#"{{"Records":[{},{bad},{}]}}"#, good[0], good[1]);
    let mixed = Mixed::new().with("record.json", content.as_bytes());
    mixed.run(&[]);
    assert_outcomes(&mixed, "record.json", 3, 2);
    assert_rejected(&raw_rejects(&mixed, "record.json"), content.as_bytes(), bad.as_bytes());
    mixed.assert_good_ones_are_counted();
}

#[test]
fn bytes_that_are_no_utf8() {
    let good = calls("beside", 2);
    let bad_kms = bytes_of(&calls("broken", 1)[0], b"aws-sdk-rust", b"aws\xff\xfe-rust");
    let mut other = other_record(ACCOUNT, "2026-03-02T10:00:00Z", "other");
    other["userAgent"] = "aws-cli-marker".into();
    let bad_other = bytes_of(&other, b"aws-cli-marker", b"aws\xff\xfe-marker");
    let content = [
        br#"{"Records":["#,
        good[0].to_string().as_bytes(),
        b",",
        &bad_kms,
        b",",
        &bad_other,
        b",",
        good[1].to_string().as_bytes(),
        b"]}",
    ]
    .concat();
    // A record that nobody wants is passed over unread, unless asked to be strict.
    for (more, malformed) in [(&[][..], 1), (&["--strict"][..], 2)] {
        let mixed = Mixed::new().with("utf8.json.gz", &gzip(&content));
        mixed.run(more);
        assert_outcomes(&mixed, "utf8.json.gz", 4, 2);
        let rejects = raw_rejects(&mixed, "utf8.json.gz");
        assert_eq!(rejects.len(), malformed);
        assert_rejected(&rejects, &content, &bad_kms);
        mixed.assert_good_ones_are_counted();
    }
}

#[test]
fn a_log_that_ends_in_the_middle_of_a_record() {
    let content = log(&calls("cut", 6));
    let cut = &content[..content.len() - 400];
    let mixed = Mixed::new().with("cut.json", cut);
    mixed.run(&[]);
    let rejects = raw_rejects(&mixed, "cut.json");
    assert_eq!(rejects.iter().filter(|(_, raw)| !raw.is_empty()).count(), 1, "{rejects:?}");
    assert_outcomes(&mixed, "cut.json", 6, 5);
    let (offset, raw) = &rejects[0];
    assert_eq!(&cut[*offset..], &raw[..], "what is left is kept to the last byte");
    mixed.assert_good_ones_are_counted();
}

#[test]
fn an_empty_file() {
    for (name, content) in [
        ("empty.json", Vec::new()),
        ("empty.json.gz", gzip(b"")),
        ("blank.json", b" \n\n".to_vec()),
        ("none.json", br#"{"Records":[]}"#.to_vec()),
    ] {
        let mixed = Mixed::new().with(name, &content);
        mixed.run(&[]).ends_with(0);
        assert!(["skipped", "done"].contains(&text(&mixed.object(name), "status")));
        mixed.assert_good_ones_are_counted();
    }
}

/// Links that lead nowhere or in a circle: what cannot be looked into whoever one is.
#[test]
#[cfg(unix)]
fn what_cannot_be_opened() {
    let mixed = Mixed::new();
    std::os::unix::fs::symlink("/no/such/log.json.gz", mixed.path("dangling.json.gz")).expect("a link");
    std::os::unix::fs::symlink(&mixed.root, mixed.path("circle")).expect("a link");
    let run = mixed.run(&[]).ends_with(1);
    let summary = run.json();
    assert_eq!(summary["objects"]["failed"], 2, "{summary}");
    for name in ["dangling.json.gz", "circle"] {
        assert!(summary["failures"].to_string().contains(name), "no {name} in {summary}");
    }
    let objects = &summary["objects"];
    assert_eq!(objects["found"].as_u64(), Some(GOOD_FILES + 2), "{objects}");
    mixed.assert_good_ones_are_counted();
    fs::remove_file(mixed.path("dangling.json.gz")).expect("removes");
    fs::remove_file(mixed.path("circle")).expect("removes");
    mixed.run(&[]).ends_with(0);
}

#[test]
#[cfg(unix)]
fn what_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let mixed = Mixed::new()
        .with("secret.json", &log(&calls("secret", 1)))
        .with("folder/inside.json", &log(&calls("inside", 1)));
    let (file, folder) = (mixed.path("secret.json"), mixed.path("folder"));
    for path in [&file, &folder] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("permissions");
    }
    if fs::read(&file).is_ok() {
        eprintln!("skipped: this user can read everything");
        return;
    }
    let summary = mixed.run(&[]).ends_with(1).json();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("permissions");
    assert_eq!(summary["objects"]["failed"], 2, "{summary}");
    for name in ["secret.json", "folder"] {
        assert!(summary["failures"].to_string().contains(name), "no {name} in {summary}");
    }
    mixed.assert_good_ones_are_counted();
}

#[test]
fn an_output_that_is_a_file() {
    let mixed = Mixed::new();
    write(&mixed.out, b"precious");
    let said = mixed.run(&[]).ends_with(1).stderr;
    assert!(said.contains("out"), "{said}");
    assert_eq!(fs::read(&mixed.out).expect("still a file"), b"precious");
    for command in ["findings", "keys", "verify"] {
        assert!(on(command, &mixed.out, &[]).ends_with(1).stderr.contains("out"));
        let nowhere = mixed.folder.path().join("nowhere");
        assert!(on(command, &nowhere, &[]).ends_with(1).stderr.contains("nowhere"));
        assert!(!nowhere.exists(), "{command} makes no folder");
    }
}

#[test]
fn a_source_that_is_not_there() {
    let mixed = Mixed::new();
    let missing = mixed.folder.path().join("no-such-folder");
    let run = backfill(&[&mixed.root, &missing], &mixed.out, &[]).ends_with(1);
    assert!(run.stderr.contains("no-such-folder") && run.stderr.contains("No such file"), "{}", run.stderr);
}

/// The one that is missing should be named, not only the list it stands in.
#[test]
fn the_missing_one_of_several_sources_is_named() {
    let mixed = Mixed::new();
    let missing = mixed.folder.path().join("no-such-folder");
    let said = backfill(&[&mixed.root, &missing], &mixed.out, &[]).ends_with(1).stderr;
    assert!(!said.contains(mixed.root.to_str().expect("a path")), "which of them is missing? {said}");
}

#[test]
fn wrong_usage() {
    for (args, hint) in [
        (&["backfill"][..], "SOURCE"),
        (&["backfill", "logs"], "--output"),
        (&["backfill", "logs", "--output", "o", "--threads", "many"], "--threads"),
        (&["backfill", "logs", "--output", "o", "--max-object-size", "5 apples"], "KiB"),
        (&["backfill", "logs", "--output", "o", "--no-such-flag"], "--no-such-flag"),
        (&["findings"], "OUT"),
        (&["dance"], "dance"),
    ] {
        let said = keytrail(args).ends_with(2).stderr;
        assert!(said.contains(hint), "{args:?}: no {hint} in {said}");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_names_the_place() {
    let mixed = Mixed::new();
    let config = mixed.folder.path().join("keytrail.toml");
    for (text, hints) in [
        ("[accounts]\nown = [\"111122223333\"]\nowned = []\n", &["keytrail.toml", "line 3", "owned"][..]),
        ("[accounts]\n\n[[suppression]]\nrule = \"x\"\n", &["keytrail.toml", "line 3", "suppression"]),
        ("[accounts\n", &["keytrail.toml", "line 1"]),
        ("[accounts]\nown = [\"1111\"]\n", &["keytrail.toml", "accounts.own", "1111"]),
        ("[[suppressions]]\nresource = \"*\"\nreason = \"r\"\n", &["keytrail.toml", "would hide everything"]),
        ("[[suppressions]]\nresource = \"\"\nreason = \"r\"\n", &["keytrail.toml", "would hide everything"]),
        ("[[suppressions]]\nresource = \"a*b\"\nreason = \"r\"\n", &["keytrail.toml", "\"a*b\"", "at its end"]),
        ("[[suppressions]]\nalias = \"alias/aws/*\"\nreason = \"r\"\n", &["keytrail.toml", "written out"]),
        (
            "[[suppressions]]\nprincipal = \"arn:aws:iam::111122223333:role/T*\"\nreason = \"r\"\n",
            &["keytrail.toml", "written out"],
        ),
        ("[[suppressions]]\nkey = \"1234abcd\"\nreason = \"r\"\n", &["keytrail.toml", "1234abcd", "ARN of a key"]),
        ("[[suppressions]]\nprincipal = \"priya\"\nreason = \"r\"\n", &["keytrail.toml", "priya", "principal_arn"]),
        ("[[suppressions]]\nalias = \"app\"\nreason = \"r\"\n", &["keytrail.toml", "alias/"]),
        ("[[suppressions]]\nrule = \"no-such-rule\"\nreason = \"r\"\n", &["keytrail.toml", "no-such-rule"]),
        ("[inventory]\nfiles = [\"absent.json\"]\n", &["absent.json"]),
    ] {
        write(&config, text.as_bytes());
        let said = mixed.run(&["--config", config.to_str().expect("a path")]).ends_with(2).stderr;
        for hint in hints {
            assert!(said.contains(hint), "no {hint} in {said}");
        }
    }
    assert!(!mixed.out.exists(), "nothing is written with a configuration that makes no sense");
}

/// Every record has exactly one outcome.
#[track_caller]
fn assert_outcomes(mixed: &Mixed, name: &str, records: i64, analysed: i64) {
    let row = mixed.object(name);
    let outcomes =
        ["records_analysed", "records_not_relevant", "records_other_kind", "records_duplicate", "records_malformed"];
    let counted: i64 = outcomes.iter().map(|column| number(&row, column)).sum();
    assert_eq!((counted, number(&row, "records_analysed")), (records, analysed), "{row:?}");
    let rejects =
        rows::<Rejects>(&mixed.out).iter().filter(|reject| text(reject, "source_object").ends_with(name)).count();
    assert_eq!(i64::try_from(rejects).expect("small"), number(&row, "records_malformed"), "{row:?}");
}

/// What was rejected must be there byte by byte, with its place in the file; long ones are cut.
#[track_caller]
fn assert_rejected(rejects: &[(usize, Vec<u8>)], content: &[u8], raw: &[u8]) {
    let kept = &raw[..raw.len().min(256 * 1024)];
    let (offset, _) = rejects
        .iter()
        .find(|(_, bytes)| bytes == kept)
        .unwrap_or_else(|| panic!("{} is not in rejects", raw.escape_ascii()));
    assert_eq!(&content[*offset..*offset + kept.len()], kept);
}

/// Offset and bytes of the rejects of a file.
fn raw_rejects(mixed: &Mixed, name: &str) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    for file in files_below(&mixed.out.join("rejects")) {
        let content = Bytes::from(fs::read(file).expect("a file"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(content)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .expect("Parquet");
        for batch in reader {
            let batch = batch.expect("a batch");
            let column = |name: &str| batch.column_by_name(name).expect("a column");
            let (sources, offsets) =
                (column("source_object").as_string::<i32>(), column("byte_offset").as_primitive::<Int64Type>());
            let raw = column("raw").as_binary::<i32>();
            for row in (0..batch.num_rows()).filter(|row| sources.value(*row).ends_with(name)) {
                found.push((usize::try_from(offsets.value(row)).expect("an offset"), raw.value(row).to_vec()));
            }
        }
    }
    found
}

fn bytes_of(record: &Value, from: &[u8], to: &[u8]) -> Vec<u8> {
    let text = record.to_string().into_bytes();
    let at = memchr::memmem::find(&text, from).expect("the text is there");
    [&text[..at], to, &text[at + from.len()..]].concat()
}

// ---- a full disk ---------------------------------------------------------------------------------

/// A small file system, for as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(grown.is_ok_and(|status| status.success()), "the disk can be made larger");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk() {
    let folder = temp_dir();
    let trail = folder.path().join("trail");
    small_trail(&trail, 8);
    let trail = trail.canonicalize().expect("the trail");
    let whole = folder.path().join("whole");
    backfill(&[&trail], &whole, &[]).ends_with(0);
    let reference = tables(&whole);
    let mut sizes = BTreeMap::new();
    // Where the disk is full is another place each time: staging, ledger, publication, fold.
    for size in ["96k", "256k", "512k", "800k"] {
        let Some(disk) = SmallDisk::new(&folder.path().join("disk"), size) else {
            eprintln!("skipped: no file system can be mounted here");
            return;
        };
        let out = disk.0.join("out");
        let run = backfill(&[&trail], &out, &["--batch-objects", "3"]).ends_with(1);
        assert!(run.stderr.contains("free some space") && run.stderr.contains("disk/out"), "{}", run.stderr);
        let entries = crate::support::ledger(&out).len();
        sizes.insert(size, entries);
        if entries > 0 {
            assert_holds(&out);
        }
        disk.grow("64m");
        backfill(&[&trail], &out, &["--batch-objects", "3"]).ends_with(0);
        assert_holds(&out);
        reference.assert_same(&tables(&out), "after space was made");
    }
    println!("commits before each disk was full: {sizes:?}");
    assert!(sizes.values().any(|entries| *entries > 2), "some disk must be full after some commits: {sizes:?}");
}

/// Samples and bad files together: what the samples give is not changed by them.
#[test]
fn bad_files_change_nothing_of_the_good_ones() {
    let folder = temp_dir();
    let (bad, clean, mixed) = (folder.path().join("bad"), folder.path().join("clean"), folder.path().join("mixed"));
    write(&bad.join("a.json"), b"{");
    write(&bad.join("b.json.gz"), &gzip(&noisy_log())[..300]);
    write(&bad.join("c.json"), json!({ "Records": [1, 2, 3] }).to_string().as_bytes());
    backfill(&[&samples()], &clean, &[]).ends_with(0);
    backfill(&[&samples(), &bad], &mixed, &[]).ends_with(1);
    assert_holds(&mixed);
    let (clean, mut mixed) = (tables(&clean), tables(&mixed));
    clean.assert_full();
    for (table, column) in [("objects", "key"), ("rejects", "source_object")] {
        let rows = mixed.0.get_mut(table).expect("a table");
        let before = rows.len();
        rows.retain(|row| !text(row, column).contains("/bad/"));
        assert!(rows.len() < before, "the bad files left no trace in {table}");
    }
    clean.assert_same(&mixed, "with bad files");
}
