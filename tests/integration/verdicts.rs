//! What a run says in the end, and its exit code, also where something went wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{
    assert_holds, backfill, backfill_args, command, files_below, gzip, key, keytrail, kms_record, log, log_path, on,
    temp_dir, write,
};

const ACCOUNT: &str = "111122223333";

/// A folder with a good file and one that is damaged, and a place for the output.
struct Logs {
    folder: tempfile::TempDir,
    root: PathBuf,
    out: PathBuf,
}

impl Logs {
    fn new() -> Self {
        let folder = temp_dir();
        let (root, out) = (folder.path().join("logs"), folder.path().join("out"));
        write(&log_path(&root, ACCOUNT, 2, 10, 5, "good"), &gzip(&one_call("good")));
        let root = root.canonicalize().expect("the logs");
        Self { folder, root, out }
    }

    fn with_a_damaged_one(self) -> Self {
        write(&self.root.join("damaged.json.gz"), &gzip(&one_call("damaged"))[..40]);
        self
    }
}

fn one_call(id: &str) -> Vec<u8> {
    log(&[kms_record("Decrypt", &key(ACCOUNT, 1), ACCOUNT, ACCOUNT, "2026-03-02T10:00:00Z", id)])
}

/// The exit code of a command whose standard output nobody reads.
fn unheard(args: &[impl AsRef<std::ffi::OsStr>]) -> Option<i32> {
    let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    drop(child.stdout.take());
    child.wait().expect("ends").code()
}

#[test]
fn the_exit_code_does_not_depend_on_who_reads_the_output() {
    let logs = Logs::new();
    assert_eq!(unheard(&backfill_args(&[&logs.root], &logs.out, &[])), Some(0));
    let verify = ["verify".into(), logs.out.clone()];
    assert_eq!(unheard(&verify), Some(0));
    let usage = files_below(&logs.out.join("usage"));
    fs::remove_file(&usage[0]).expect("a file of usage");
    assert_eq!(unheard(&verify), Some(1));
    let logs = Logs::new().with_a_damaged_one();
    assert_eq!(unheard(&backfill_args(&[&logs.root], &logs.out, &[])), Some(1));
}

#[test]
fn what_failed_is_named_also_where_the_fold_fails() {
    let logs = Logs::new().with_a_damaged_one();
    // A folder where the fold's file is to be.
    write(&logs.out.join("keys/keys.parquet/in_the_way"), b"");
    let run = keytrail(backfill_args(&[&logs.root], &logs.out, &[])).ends_with(1);
    assert!(run.stderr.contains("keys.parquet"), "{}", run.stderr);
    let summary = run.json();
    assert_eq!((&summary["objects"]["done"], &summary["objects"]["left"]), (&1.into(), &0.into()), "{summary}");
    assert!(summary["failures"].to_string().contains("damaged.json.gz"), "{summary}");
}

#[test]
fn what_failed_is_named_also_where_a_commit_fails() {
    let logs = Logs::new().with_a_damaged_one();
    // A file where the table's folder is to be.
    write(&logs.out.join("usage"), b"");
    let args = ["backfill".into(), logs.root.clone(), "--output".into(), logs.out.clone()];
    let run = keytrail(args).ends_with(1);
    let first = "2 found: 0 done, 0 already done, 0 skipped, 1 failed, 1 left for the next run\n";
    assert!(run.stdout.contains(first) && !run.stdout.contains("do not add up"), "{}", run.stdout);
    assert!(run.stdout.contains("FAILED    file://") && run.stdout.contains("damaged.json.gz"), "{}", run.stdout);
    assert!(run.stderr.contains("keytrail: "), "{}", run.stderr);
}

#[test]
#[cfg(unix)]
fn a_name_that_is_no_text_is_said_and_each_is_counted() {
    use std::os::unix::ffi::OsStrExt;
    let logs = Logs::new();
    for name in [&b"one\xff.json"[..], b"one\xfe.json"] {
        let path = logs.root.join(std::ffi::OsStr::from_bytes(name));
        if fs::write(&path, one_call("odd")).is_err() {
            eprintln!("skipped: this file system has no such names");
            return;
        }
    }
    let summary = backfill(&[&logs.root], &logs.out, &[]).ends_with(1).json();
    assert_eq!((&summary["objects"]["found"], &summary["objects"]["failed"]), (&3.into(), &2.into()), "{summary}");
    let failures = summary["failures"].as_array().expect("failures");
    assert!(failures.iter().all(|failure| failure["reason"] == "its name is not UTF-8: rename it"), "{summary}");
}

#[test]
#[cfg(unix)]
fn a_link_is_the_file_that_it_leads_to() {
    let logs = Logs::new();
    let file = files_below(&logs.root).remove(0);
    let elsewhere = logs.folder.path().join("elsewhere");
    write(&elsewhere.join("other/other.json"), &one_call("other"));
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, logs.root.join(name)).expect("a link");
    link(&file, "link.json.gz");
    link(&elsewhere, "folder");
    link(&elsewhere.join("other"), "inner");
    link(&elsewhere.join("other/other.json"), "other.json");
    let summary = backfill(&[&logs.root], &logs.out, &[]).ends_with(0).json();
    assert_eq!((&summary["objects"]["done"], &summary["records"]["duplicate"]), (&2.into(), &0.into()), "{summary}");
    assert_holds(&logs.out);
    let summary = backfill(&[&elsewhere], &logs.out, &[]).ends_with(0).json();
    assert_eq!(summary["objects"]["already_done"], 1, "{summary}");
}

#[test]
fn filters_that_nothing_can_meet_are_wrong_usage() {
    let logs = Logs::new();
    for (flags, hint) in [
        (&["--from", "2026-03-02", "--to", "2026-03-01"][..], "--from is later than --to"),
        (&["--account", "12"], "12 digits"),
        (&["--account", "11112222333x"], "12 digits"),
    ] {
        let said = backfill(&[&logs.root], &logs.out, flags).ends_with(2).stderr;
        assert!(said.contains(hint), "{said}");
    }
    assert!(!logs.out.exists());
    backfill(&[&logs.root], &logs.out, &["--from", "2026-03-02", "--to", "2026-03-02", "--account", ACCOUNT])
        .ends_with(0);
}

#[test]
fn tables_whose_ledger_was_lost_are_not_counted_again() {
    let logs = Logs::new();
    backfill(&[&logs.root], &logs.out, &[]).ends_with(0);
    fs::remove_dir_all(logs.out.join("_ledger")).expect("the ledger");
    let said = backfill(&[&logs.root], &logs.out, &[]).ends_with(1).said();
    assert!(said.contains("tables, but no ledger"), "{said}");
    assert_eq!(files_below(&logs.out.join("objects")).len(), 1);
}

#[test]
fn snapshots_that_were_lost_are_made_again() {
    let logs = Logs::new();
    backfill(&[&logs.root], &logs.out, &[]).ends_with(0);
    for table in ["keys", "key_use"] {
        let [file] = &files_below(&logs.out.join(table))[..] else { panic!("one file") };
        fs::remove_file(file).expect("a snapshot");
        backfill(&[&logs.root], &logs.out, &[]).ends_with(0);
        assert_holds(&logs.out);
    }
}

#[test]
fn a_damaged_file_does_not_hide_what_else_is_wrong() {
    let logs = Logs::new();
    backfill(&[&logs.root], &logs.out, &[]).ends_with(0);
    fs::write(&files_below(&logs.out.join("usage"))[0], "no Parquet").expect("writes");
    fs::remove_file(&files_below(&logs.out.join("keys"))[0]).expect("a snapshot");
    let found = keytrail(["verify".as_ref(), logs.out.as_os_str(), "--format".as_ref(), "json".as_ref()]).ends_with(1);
    let problems = found.json()["problems"].to_string();
    assert!(problems.contains("keys/keys.parquet") && problems.contains("Parquet file usage/"), "{problems}");
}

#[test]
fn what_is_empty_or_is_the_source_is_wrong_usage() {
    let logs = Logs::new();
    for out in [Path::new(""), &logs.root] {
        backfill(&[&logs.root], out, &[]).ends_with(2);
    }
    backfill(&[&logs.root], &logs.out, &["--threads", "0"]).ends_with(2);
    backfill(&[&logs.root], &logs.out, &[]).ends_with(0);
    for args in [["--key", ""], ["--principal", ""], ["--account", ""]] {
        on("findings", &logs.out, &args).ends_with(2);
    }
    on("findings", &logs.out, &["--since", "2026-03-03", "--until", "2026-03-02"]).ends_with(2);
}

#[test]
fn accounts_that_the_configuration_forgot_are_named() {
    let logs = Logs::new();
    let config = logs.folder.path().join("keytrail.toml");
    fs::write(&config, "[accounts]\nown = [\"444455556666\"]\n").expect("writes");
    let config = config.to_str().expect("a path");
    let told = backfill(&[&logs.root], &logs.out, &["--config", config]).ends_with(0).json();
    assert_eq!(told["own_accounts"]["unlisted"], serde_json::json!([ACCOUNT]));
}
