//! What a run says in the end, and its exit code, also where something went wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{
    assert_holds, backfill, backfill_args, command, files_below, gzip, key, keytrail, kms_record, log, log_path,
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
