//! The result of a backfill does not depend on how it was asked for: order, threads, batches, halves.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::support::{
    Tables, assert_holds, backfill, files_below, gzip, kms_record, log, log_path, small_trail, tables, temp_dir, write,
};

const SYNTHETIC: u64 = 12;

/// A trail, and what one plain run makes of it.
struct Reference {
    _folder: tempfile::TempDir,
    trail: PathBuf,
    tables: Tables,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let folder = temp_dir();
    let trail = folder.path().join("trail");
    small_trail(&trail, SYNTHETIC);
    let trail = trail.canonicalize().expect("the trail");
    let out = folder.path().join("out");
    let summary = backfill(&[&trail], &out, &[]).ends_with(0).json();
    assert!(summary["records"]["duplicate"].as_u64() > Some(10), "a trail without copies proves little: {summary}");
    assert_holds(&out);
    let tables = tables(&out);
    tables.assert_full();
    Reference { _folder: folder, trail, tables }
});

/// Runs backfills one after the other into one new output, and compares with the reference.
#[track_caller]
fn assert_same_result(what: &str, runs: &[(&[&Path], &[&str])]) {
    let folder = temp_dir();
    let out = folder.path().join("out");
    for (sources, more) in runs {
        backfill(sources, &out, more).ends_with(0);
    }
    assert_holds(&out);
    REFERENCE.tables.assert_same(&tables(&out), what);
}

fn trail() -> &'static Path {
    &REFERENCE.trail
}

#[test]
fn any_number_of_threads() {
    for threads in ["1", "2", "4"] {
        assert_same_result(threads, &[(&[trail()], &["--threads", threads])]);
    }
}

#[test]
fn any_size_of_batch() {
    for (size, threads) in [("1", "2"), ("3", "4"), ("1000", "3")] {
        assert_same_result(size, &[(&[trail()], &["--batch-objects", size, "--threads", threads])]);
    }
}

#[test]
fn every_record_parsed_or_only_those_that_matter() {
    assert_same_result("strict", &[(&[trail()], &["--strict"])]);
}

#[test]
fn sources_in_any_order_and_more_than_once() {
    let mut files = files_below(trail());
    files.reverse();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    assert_same_result("each file by itself, last one first", &[(&files, &[])]);
    let (first, second) = (trail().join("o-exampleorgid"), trail().join("second"));
    let twice: [&Path; 5] = [&second, trail(), &first, trail(), files[0]];
    assert_same_result("folders inside of each other", &[(&twice, &[])]);
}

#[test]
fn a_second_run_changes_nothing() {
    assert_same_result("twice", &[(&[trail()], &[]), (&[trail()], &["--threads", "1"])]);
}

#[test]
fn the_earlier_half_first_then_all() {
    let files = by_delivery(trail());
    let (early, _) = halves(&files);
    assert_same_result("early half, then all", &[(&early, &[]), (&[trail()], &["--batch-objects", "7"])]);
}

/// Which copy of an event counts may differ where later files were read first: the counts must not.
#[test]
fn the_later_half_first_then_all() {
    let files = by_delivery(trail());
    let (_, late) = halves(&files);
    let folder = temp_dir();
    let out = folder.path().join("out");
    backfill(&late, &out, &[]).ends_with(0);
    backfill(&[trail()], &out, &[]).ends_with(0);
    assert_holds(&out);
    let which_copy = ["source_object", "records_analysed", "records_duplicate"];
    let again = tables(&out).without(&which_copy);
    let reference = Tables(REFERENCE.tables.0.clone()).without(&which_copy);
    reference.assert_same(&again, "late half, then all");
}

/// Copies are noticed within a window of time: it must not matter that the newest days came first.
#[test]
fn copies_in_old_files_are_noticed_after_newer_ones_were_read() {
    let folder = temp_dir();
    let root = folder.path().join("trail");
    let day = |day: u64, copy: &str, minute: u64| {
        let time = format!("2026-03-{day:02}T10:00:00Z");
        let record = kms_record(
            "Decrypt",
            &crate::support::key("111122223333", 1),
            "111122223333",
            "111122223333",
            &time,
            &format!("event-{day}"),
        );
        let path = log_path(&root, "111122223333", day, 10, minute, copy);
        write(&path, &gzip(&log(&[record])));
        path
    };
    let new = day(20, "one", 5);
    day(2, "one", 5);
    day(2, "two", 8);
    let (at_once, newest_first) = (folder.path().join("a"), folder.path().join("b"));
    let summary = backfill(&[&root], &at_once, &[]).ends_with(0).json();
    assert_eq!(summary["records"]["duplicate"], 1, "{summary}");
    backfill(&[&new], &newest_first, &[]).ends_with(0);
    let summary = backfill(&[&root], &newest_first, &[]).ends_with(0).json();
    assert_eq!(summary["records"]["duplicate"], 1, "{summary}");
    tables(&at_once).assert_same(&tables(&newest_first), "newest day first");
}

/// Files in the order of their delivery, as their names tell it.
fn by_delivery(folder: &Path) -> Vec<PathBuf> {
    let mut files = files_below(folder);
    let stamp = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let at = name.find("_202603").expect("a stamp");
        name[at + 1..at + 15].trim_end_matches('Z').to_owned()
    };
    files.sort_by_cached_key(|path| (stamp(path), path.clone()));
    files
}

fn halves(files: &[PathBuf]) -> (Vec<&Path>, Vec<&Path>) {
    let all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let (early, late) = all.split_at(all.len() / 2);
    assert!(early.len() > 20 && fs::metadata(early[0]).is_ok());
    (early.to_vec(), late.to_vec())
}
