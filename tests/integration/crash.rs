//! Kills, races and half-done commits: the result is the one of an uninterrupted run.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use keytrail::rules::Check;
use serde_json::Value;

use crate::support::{
    Lcg, Tables, assert_holds, backfill, backfill_args, command, files_below, gzip, key, kms_record, ledger, log,
    log_path, on, small_trail, tables, temp_dir, write,
};

/// Many commits, and work beside them.
const SMALL_STEPS: [&str; 4] = ["--batch-objects", "1", "--threads", "2"];
const KILLS: usize = 20;

struct Reference {
    folder: tempfile::TempDir,
    trail: PathBuf,
    tables: Tables,
    took: Duration,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let folder = temp_dir();
    let trail = folder.path().join("trail");
    small_trail(&trail, 4);
    let trail = trail.canonicalize().expect("the trail");
    let out = folder.path().join("out");
    let started = Instant::now();
    backfill(&[&trail], &out, &SMALL_STEPS).ends_with(0);
    let took = started.elapsed();
    assert_holds(&out);
    let tables = tables(&out);
    tables.assert_full();
    Reference { folder, trail, tables, took }
});

fn start(out: &Path, more: &[&str]) -> Child {
    let mut command = command(backfill_args(&[&REFERENCE.trail], out, more));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
}

#[track_caller]
fn assert_succeeds(child: Child) {
    let output = child.wait_with_output().expect("the child ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

/// Lets a run work for a while, and kills it; tells whether it was still running.
fn kill_after(out: &Path, more: &[&str], delay: Duration) -> bool {
    let mut child = start(out, more);
    std::thread::sleep(delay);
    if child.try_wait().expect("the child can be asked").is_some() {
        assert_succeeds(child);
        return false;
    }
    child.kill().expect("the child can be killed");
    child.wait().expect("the child ends");
    true
}

fn pause(chance: &mut Lcg, most: Duration) -> Duration {
    most.mul_f64(f64::from(u32::try_from(chance.below(1_000)).expect("small")) / 1_000.0)
}

/// A reader who globs a table sees committed rows only: each file is in some entry of the ledger.
#[track_caller]
fn assert_only_committed_files(out: &Path) -> usize {
    let entries = ledger(out);
    let paths = |entry: &Value| entry["files"].as_array().cloned().unwrap_or_default();
    let committed: BTreeSet<String> =
        entries.iter().flat_map(paths).map(|file| file["path"].as_str().expect("a path").to_owned()).collect();
    let mut seen = 0;
    for table in ["usage", "findings", "key_changes", "configurations", "objects", "rejects", "keys", "key_use"] {
        for file in files_below(&out.join(table)) {
            let path = file.strip_prefix(out).expect("below the output").to_string_lossy().into_owned();
            assert!(committed.contains(&path), "{path} is in no entry of the ledger");
            seen += 1;
        }
    }
    seen
}

#[test]
fn killed_at_random_moments_and_run_again() {
    let mut chance = Lcg(42);
    let (mut kills, mut kills_between_commits) = (0, 0);
    let mut finished = 0;
    // How fast a run is differs from machine to machine and moment to moment: go on until enough of
    // the kills have told something.
    let enough = |kills, between| (kills >= KILLS && between >= KILLS / 2) || kills >= KILLS * 15;
    while !enough(kills, kills_between_commits) {
        let folder = temp_dir();
        let out = folder.path().join("out");
        while !enough(kills, kills_between_commits)
            && kill_after(&out, &SMALL_STEPS, pause(&mut chance, REFERENCE.took))
        {
            kills += 1;
            let batches = ledger(&out).len();
            assert_only_committed_files(&out);
            kills_between_commits += usize::from(batches > 0 && batches < REFERENCE.tables.0["objects"].len());
        }
        backfill(&[&REFERENCE.trail], &out, &SMALL_STEPS).ends_with(0);
        assert_holds(&out);
        assert_only_committed_files(&out);
        REFERENCE.tables.assert_same(&tables(&out), "killed and run again");
        finished += 1;
    }
    assert!(
        kills_between_commits >= KILLS / 2,
        "only {kills_between_commits} kills of {kills} came between two commits"
    );
    println!("{kills} kills, {kills_between_commits} between commits, {finished} outputs finished");
}

/// Two configurations with other findings of usage rules: each change of it is a new fold.
struct Folds {
    configs: [PathBuf; 2],
    expected: [Tables; 2],
}

static FOLDS: LazyLock<Folds> = LazyLock::new(|| {
    let root = REFERENCE.folder.path();
    let write_config = |name: &str, text: &str| {
        let path = root.join(name);
        write(&path, text.as_bytes());
        path
    };
    let suppress = |rule: &str| format!("[[suppressions]]\nrule = \"{rule}\"\nreason = \"a test\"\n");
    // Without the fold's rules a fold has no findings: it removes the files of the one before.
    let folded = keytrail::rules::all().filter(|rule| !matches!(rule.check, Check::Event { .. }));
    let quiet: String = folded.map(|rule| suppress(rule.id)).collect();
    let configs =
        [write_config("own.toml", "[accounts]\nown = [\"111122223333\"]\n"), write_config("quiet.toml", &quiet)];
    let expected = [0, 1].map(|which| {
        let out = root.join(format!("folded{which}"));
        fold_again(&out, None);
        fold_again(&out, Some(&configs[which]));
        tables(&out)
    });
    assert!(expected[0] != expected[1], "the configurations must differ in what is found");
    Folds { configs, expected }
});

fn fold_again(out: &Path, config: Option<&Path>) {
    let config = config.map(|path| path.to_string_lossy().into_owned());
    let more: Vec<&str> = config.iter().flat_map(|path| ["--config", path.as_str()]).collect();
    backfill(&[&REFERENCE.trail], out, &more).ends_with(0);
}

#[test]
fn killed_while_folding() {
    let folds = &*FOLDS;
    let folder = temp_dir();
    let out = folder.path().join("out");
    fold_again(&out, None);
    let started = Instant::now();
    fold_again(&out, Some(&folds.configs[0]));
    let took = started.elapsed();
    let mut chance = Lcg(3);
    let mut kills = 0;
    for round in 0..10 {
        let config = folds.configs[(round + 1) % 2].to_string_lossy().into_owned();
        kills += usize::from(kill_after(&out, &["--config", &config], pause(&mut chance, took)));
        assert_only_committed_files(&out);
        fold_again(&out, Some(&folds.configs[(round + 1) % 2]));
        assert_holds(&out);
        folds.expected[(round + 1) % 2].assert_same(&tables(&out), "fold killed and done again");
    }
    assert!(kills > 3, "only {kills} of 10 runs were killed");
}

/// Moves the files of an entry back to where its writer staged them: the moment between commit and
/// publication.
fn unpublish(out: &Path, entry: &Value) -> Vec<(PathBuf, PathBuf)> {
    let mut moved = Vec::new();
    for file in entry["files"].as_array().expect("files") {
        let (path, staged) = (file["path"].as_str().expect("a path"), file["staged"].as_str().expect("a path"));
        let (path, staged) = (out.join(path), out.join(staged));
        fs::create_dir_all(staged.parent().expect("a folder")).expect("the staging folder");
        fs::rename(&path, &staged).expect("the file is published");
        moved.push((staged, path));
    }
    moved
}

fn alive_file(out: &Path, entry: &Value) -> PathBuf {
    out.join("_staging").join(entry["writer"].as_str().expect("a writer")).join("alive")
}

/// A kill right behind any step of a commit, made by hand: entry there, files not yet, or not all.
#[test]
fn killed_between_commit_and_publication() {
    for published in [0, 1, 2] {
        let folder = temp_dir();
        let out = folder.path().join("out");
        backfill(&[&REFERENCE.trail], &out, &[]).ends_with(0);
        for entry in ledger(&out) {
            for (staged, path) in unpublish(&out, &entry).into_iter().take(published) {
                fs::rename(staged, path).expect("publishes");
            }
            write(&alive_file(&out, &entry), b"");
        }
        assert_only_committed_files(&out);
        backfill(&[&REFERENCE.trail], &out, &[]).ends_with(0);
        assert_holds(&out);
        REFERENCE.tables.assert_same(&tables(&out), "published by the next run");
    }
}

/// What is committed and cannot get its name now, for want of space or a permission, gets it later.
#[test]
fn a_commit_that_could_not_be_published() {
    for table in ["usage", "objects", "findings", "keys"] {
        let folder = temp_dir();
        let out = folder.path().join("out");
        let in_the_way = out.join(table);
        write(&in_the_way, b"");
        let said = backfill(&[&REFERENCE.trail], &out, &[]).ends_with(1).stderr;
        assert!(said.contains(&format!("out/{table}")), "{said}");
        fs::remove_file(&in_the_way).expect("removes");
        backfill(&[&REFERENCE.trail], &out, &[]).ends_with(0);
        assert_holds(&out);
        REFERENCE.tables.assert_same(&tables(&out), "published later");
    }
}

/// All files of a fold have their names, those that it replaces are not yet removed.
#[test]
fn killed_between_publication_and_removal_of_what_a_fold_replaces() {
    let folds = &*FOLDS;
    let folder = temp_dir();
    let out = folder.path().join("out");
    fold_again(&out, None);
    let before: Vec<(PathBuf, Vec<u8>)> = files_below(&out.join("findings"))
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    fold_again(&out, Some(&folds.configs[1]));
    let removed: Vec<_> = before.iter().filter(|(path, _)| !path.exists()).collect();
    assert!(!removed.is_empty(), "the second fold must remove files for this test to be one");
    removed.iter().for_each(|(path, content)| write(path, content));
    write(&alive_file(&out, ledger(&out).last().expect("the fold")), b"");
    fold_again(&out, Some(&folds.configs[1]));
    assert_holds(&out);
    folds.expected[1].assert_same(&tables(&out), "removed by the next run");
}

#[test]
fn two_processes_at_once() {
    // Whether both get something to commit is a matter of luck, of less the faster they are.
    let (mut most_writers, mut rounds) = (0, 0);
    while rounds < 3 || (most_writers < 2 && rounds < 20) {
        rounds += 1;
        let folder = temp_dir();
        let out = folder.path().join("out");
        let (one, two) = (start(&out, &SMALL_STEPS), start(&out, &SMALL_STEPS));
        assert_succeeds(one);
        assert_succeeds(two);
        let found = assert_holds(&out);
        let entries = ledger(&out);
        let batches = entries.iter().filter(|entry| entry["kind"] == "batch");
        let writers: BTreeSet<String> = batches.map(|entry| entry["writer"].to_string()).collect();
        most_writers = most_writers.max(writers.len());
        assert_eq!(found["objects"].as_u64(), Some(REFERENCE.tables.0["objects"].len() as u64));
        REFERENCE.tables.assert_same(&tables(&out), "two at once");
    }
    assert_eq!(most_writers, 2, "never did both of them commit something");
}

/// Another process folds at the moment: this one waits, or leaves it to the other; it does not fail.
#[test]
fn a_run_that_finds_another_one_folding() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    backfill(&[&REFERENCE.trail.join("second")], &out, &[]).ends_with(0);
    let lock = File::options().write(true).open(out.join("_ledger/fold.lock")).expect("the lock's file");
    lock.lock().expect("locks");
    let child = start(&out, &[]);
    std::thread::sleep(Duration::from_secs(2));
    drop(lock);
    assert_succeeds(child);
    backfill(&[&REFERENCE.trail], &out, &[]).ends_with(0);
    assert_holds(&out);
    let which_copy = ["source_object", "records_analysed", "records_duplicate"];
    let reference = Tables(REFERENCE.tables.0.clone()).without(&which_copy);
    reference.assert_same(&tables(&out).without(&which_copy), "folded after the other one");
}

/// Takes the only fold of an output back, as if it had not happened yet.
fn undo_fold(out: &Path, fold: &Value) {
    assert_eq!(fold["kind"], "fold");
    for file in fold["files"].as_array().expect("files") {
        fs::remove_file(out.join(file["path"].as_str().expect("a path"))).expect("a file of the fold");
    }
    let sequence = fold["sequence"].as_u64().expect("a number");
    fs::remove_file(out.join(format!("_ledger/{sequence:020}.json"))).expect("the fold's entry");
}

/// While a live process is between commit and publication, another one runs `sources` to its end.
fn run_beside_an_unpublished_commit(out: &Path, sources: &[&Path]) {
    let entries = ledger(out);
    let entry = entries.iter().rfind(|entry| entry["kind"] == "batch").expect("a batch");
    undo_fold(out, entries.last().expect("a fold"));
    let moved = unpublish(out, entry);
    let alive = alive_file(out, entry);
    let lock = File::create(&alive).expect("the lock's file");
    lock.lock().expect("locks");
    let mut child = command(backfill_args(sources, out, &[]));
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) && child.try_wait().expect("the child can be asked").is_none() {
        std::thread::sleep(Duration::from_millis(20));
    }
    // It may have been helped meanwhile.
    for (staged, path) in moved.into_iter().filter(|(staged, _)| staged.exists()) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::rename(staged, path).expect("publishes");
    }
    assert_succeeds(child);
    drop(lock);
    fs::remove_dir_all(alive.parent().expect("a folder")).expect("the live process ends");
}

#[test]
fn a_fold_beside_a_commit_that_is_not_published_yet() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    let trail = &*REFERENCE.trail;
    backfill(&[trail], &out, &[]).ends_with(0);
    run_beside_an_unpublished_commit(&out, &[trail]);
    backfill(&[trail], &out, &[]).ends_with(0);
    assert_holds(&out);
    REFERENCE.tables.assert_same(&tables(&out), "folded while a commit was not published");
}

#[test]
fn copies_of_events_of_a_commit_that_is_not_published_yet() {
    let folder = temp_dir();
    let (root, out) = (folder.path().join("trail"), folder.path().join("out"));
    let record =
        kms_record("Decrypt", &key("111122223333", 1), "111122223333", "111122223333", "2026-03-02T10:00:00Z", "one");
    let (first, second) =
        (log_path(&root, "111122223333", 2, 10, 5, "one"), log_path(&root, "111122223333", 2, 10, 8, "two"));
    write(&first, &gzip(&log(std::slice::from_ref(&record))));
    write(&second, &gzip(&log(&[record])));
    backfill(&[&first], &out, &[]).ends_with(0);
    run_beside_an_unpublished_commit(&out, &[&root]);
    let found = assert_holds(&out);
    assert_eq!(found["records"]["duplicate"], 1, "{found}");
    assert_eq!(found["usage_requests"], 1, "{found}");
}

/// What a dead process staged for a fold that a later one has replaced is history.
#[test]
fn a_dead_fold_does_not_replace_a_later_one() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    let trail = &*REFERENCE.trail;
    backfill(&[trail], &out, &["--to", "2026-03-02"]).ends_with(0);
    let keys = out.join("keys/keys.parquet");
    let earlier = fs::read(&keys).expect("the keys of the first fold");
    backfill(&[trail], &out, &[]).ends_with(0);
    assert_ne!(fs::read(&keys).expect("the keys of the second fold"), earlier);
    let entries = ledger(&out);
    let first = entries.iter().find(|entry| entry["kind"] == "fold").expect("a fold");
    let files = first["files"].as_array().expect("its files");
    let file = files.iter().find(|file| file["path"] == "keys/keys.parquet").expect("its keys");
    write(&out.join(file["staged"].as_str().expect("a path")), &earlier);
    backfill(&[trail], &out, &[]).ends_with(0);
    assert_holds(&out);
    REFERENCE.tables.assert_same(&tables(&out), "after a dead fold was cleared");
}

/// A part of an output is none: who wrote into the gap would count again what was counted.
#[test]
fn an_output_of_which_an_entry_is_missing() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    backfill(&[&REFERENCE.trail], &out, &["--batch-objects", "5"]).ends_with(0);
    let missing = "_ledger/00000000000000000001.json";
    fs::remove_file(out.join(missing)).expect("removes");
    let before = files_below(&out);
    let said = backfill(&[&REFERENCE.trail], &out, &[]).ends_with(1).stderr;
    assert!(said.contains(&format!("{missing} is not there")) && said.contains("anew"), "{said}");
    let found = on("verify", &out, &["--format", "json"]).ends_with(1).json();
    let problems = found["problems"].as_array().expect("a list");
    assert!(problems.len() == 1 && problems[0].to_string().contains(missing), "{found}");
    let staging = |path: &PathBuf| path.starts_with(out.join("_staging"));
    let after: Vec<_> = files_below(&out).into_iter().filter(|path| !staging(path)).collect();
    assert_eq!(after, before, "nothing is written");
}

/// What is committed and not there: whoever reads it says what to do.
#[test]
fn a_committed_file_that_is_not_there() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    backfill(&[&REFERENCE.trail], &out, &[]).ends_with(0);
    let problems = || on("verify", &out, &[]).ends_with(1).stdout;
    let moved = unpublish(&out, ledger(&out).last().expect("the fold"));
    let said = problems();
    assert!(said.contains("not published yet") && !said.contains("put it back"), "{said}");
    for (staged, path) in moved {
        fs::rename(staged, path).expect("publishes");
    }
    let usage = files_below(&out.join("usage")).remove(0);
    let name = usage.strip_prefix(&out).expect("below the output").display().to_string();
    fs::remove_file(&usage).expect("removes");
    let config = FOLDS.configs[0].to_string_lossy().into_owned();
    let folding = backfill(&[&REFERENCE.trail], &out, &["--config", &config]).ends_with(1).stderr;
    for said in [problems(), folding] {
        assert!(said.contains(&format!("{name} is committed, but is not there; put it back")), "{said}");
    }
}
