//! Compaction: few files, the same tables; readers, other writers and other compactions beside it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keytrail::lake::Lake;
use keytrail::lake::compact::{Compacted, Settings};
use keytrail::lake::local::LocalFolder;
use keytrail::lake::prune::{Pruned, Retention};
use keytrail::lake::read::{self, Columns};
use keytrail::lake::storage::Storage;
use keytrail::lake::tables::usage::Usage;
use keytrail::model::object::ObjectRef;
use keytrail::model::time::Seconds;
use keytrail::source::local::LocalStore;

use crate::bucket::{runtime, server_with_bucket, writer};
use crate::bucket_lake::{analyse_in, download, trail};
use crate::support::{Tables, assert_holds, files_below, ledger, tables, temp_dir, text, usage};

pub const STORE: LocalStore = LocalStore { cap: 64 << 20 };

/// All days are closed, and two small files are worth the work.
pub fn eager() -> Settings {
    Settings { least_files: 2, ..Settings::new(Seconds::parse_date("2027-01-01").expect("a date")) }
}

pub fn local(out: &Path) -> Arc<dyn Storage> {
    Arc::new(LocalFolder::create(out).expect("a folder"))
}

pub fn compact(place: Arc<dyn Storage>, settings: &Settings) -> Compacted {
    let mut lake = Lake::open(place).expect("opens");
    lake.compact(settings, &mut || true).expect("compacts").expect("nobody else compacts")
}

/// What an output of these objects must hold.
pub fn expected(folder: &Path, objects: &[ObjectRef]) -> Tables {
    let out = folder.join("expected");
    analyse_in(local(&out), objects, &STORE, 1_000).expect("analyses");
    let tables = tables(&out);
    tables.assert_full();
    tables
}

/// Files of a table by folder, those of folds left out.
fn by_folder(out: &Path, table: &str) -> BTreeMap<String, usize> {
    let mut folders = BTreeMap::new();
    for file in files_below(&out.join(table)).iter().filter(|file| !file.ends_with("fold.parquet")) {
        let folder = file.parent().expect("a folder").strip_prefix(out).expect("below the output");
        *folders.entry(folder.display().to_string()).or_default() += 1;
    }
    folders
}

/// Opens one output, as often as wanted.
type Open<'o> = &'o dyn Fn() -> Arc<dyn Storage>;

fn in_a_folder(check: fn(Open<'_>)) {
    let out = temp_dir();
    check(&|| local(out.path()));
}

fn in_a_bucket(check: fn(Open<'_>)) {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    check(&|| writer(&runtime, &server.url()));
}

/// What lies in an output now, as a folder of its own.
fn copy(open: Open<'_>) -> tempfile::TempDir {
    let copied = temp_dir();
    download(open().as_ref(), copied.path());
    copied
}

/// The same tables in fewer files, now and with files that come late.
fn behaves(open: Open<'_>) {
    let folder = temp_dir();
    let objects = trail(folder.path());
    let expected = expected(folder.path(), &objects);
    let (first, late) = objects.split_at(objects.len() * 2 / 3);
    analyse_in(open(), first, &STORE, 3).expect("analyses");
    let before = copy(open);
    let compacted = compact(open(), &eager());
    let after = copy(open);
    assert!(compacted.files_before > 50 && compacted.files_after < 40, "{compacted:?}");
    assert!(compacted.rows_after < compacted.rows_before, "no partial counts met: {compacted:?}");
    tables(before.path()).assert_same(&tables(after.path()), "compacted");
    assert_holds(after.path());
    for table in ["usage", "findings", "key_changes", "objects"] {
        let (was, is) = (by_folder(before.path(), table), by_folder(after.path(), table));
        assert!(was.values().any(|files| *files > 1), "{table}: {was:?}");
        assert!(was.keys().eq(is.keys()) && is.values().all(|files| *files == 1), "{table}: {is:?}");
    }
    assert_eq!(files_below(&after.path().join("_seen")).len(), 1);
    assert!(open().list("_staging").expect("lists").is_empty());
    assert_eq!(compact(open(), &eager()), Compacted::default(), "once is enough");
    // The rest comes late, and is folded out of what was compacted.
    analyse_in(open(), late, &STORE, 3).expect("analyses");
    expected.assert_same(&tables(copy(open).path()), "files that came late");
    assert!(compact(open(), &eager()).files_before > 10);
    let whole = copy(open);
    expected.assert_same(&tables(whole.path()), "compacted again");
    assert_holds(whole.path());
    assert_eq!(files_below(&whole.path().join("usage")).len(), by_folder(whole.path(), "usage").len());
    assert_sorted(whole.path(), expected.0["usage"].len());
    // No day is closed: nothing is touched.
    let open_days = Settings { closed_before: Seconds(0), ..eager() };
    analyse_in(open(), &objects, &STORE, 3).expect("nothing is new");
    assert_eq!(compact(open(), &open_days), Compacted::default());
}

/// Each file of usage is sorted, and holds each combination once.
fn assert_sorted(out: &Path, combinations: usize) {
    let place = LocalFolder::existing(out).expect("an output");
    let mut rows = 0;
    for path in read::files::<Usage>(&place).expect("lists").values().flatten() {
        let file = read::rows::<Usage>(&place, path, Columns::All).expect("reads").expect("is there");
        let mut last = (String::new(), Seconds(i64::MIN));
        for batch in file.batches() {
            let (keys, hours) = (batch.text("key_arn").expect("text"), batch.times("hour").expect("times"));
            for row in 0..batch.len() {
                let next = (keys.at(row).to_owned(), hours.at(row).expect("an hour"));
                assert!(last <= next, "{path}: {last:?} before {next:?}");
                last = next;
            }
            rows += batch.len();
        }
    }
    assert_eq!(rows, combinations, "partial counts are left");
}

#[test]
fn a_folder_is_compacted() {
    in_a_folder(behaves);
}

#[test]
fn a_bucket_is_compacted() {
    in_a_bucket(behaves);
}

/// Who lists a date and reads what was listed sees each row once, or that a file is gone; never less, never more.
#[test]
fn a_reader_during_compactions() {
    let folder = temp_dir();
    let objects = trail(folder.path());
    let out = folder.path().join("out");
    analyse_in(local(&out), &objects, &STORE, 1).expect("analyses");
    let requests = |place: &dyn Storage| -> Option<BTreeMap<String, i64>> {
        let mut sums = BTreeMap::new();
        for (date, files) in read::files::<Usage>(place).expect("lists") {
            for file in files {
                let rows = read::rows::<Usage>(place, &file, Columns::These(&["requests"])).expect("reads")?;
                let sum = rows.batches().map(|batch| {
                    let requests = batch.integers("requests").expect("numbers");
                    (0..batch.len()).filter_map(|row| requests.at(row)).sum::<i64>()
                });
                *sums.entry(date.clone()).or_default() += sum.sum::<i64>();
            }
        }
        Some(sums)
    };
    let truth = requests(local(&out).as_ref()).expect("nobody compacts yet");
    assert!(truth.values().sum::<i64>() > 200, "{truth:?}");
    let done = AtomicBool::new(false);
    let (mut whole, mut gone) = (0, 0);
    let exchanged = std::thread::scope(|scope| {
        let compactor = scope.spawn(|| {
            let mut folders = 0;
            // Two or three files become one, again and again.
            for size in [14, 15, 16, 17, 18, 19, 20] {
                folders += compact(local(&out), &Settings { target_bytes: 1 << size, ..eager() }).folders;
            }
            done.store(true, Ordering::Relaxed);
            folders
        });
        let place = local(&out);
        while !done.load(Ordering::Relaxed) {
            match requests(place.as_ref()) {
                None => gone += 1,
                Some(sums) => {
                    assert_eq!(sums, truth, "after {whole} readings");
                    whole += 1;
                }
            }
        }
        compactor.join().expect("compacts")
    });
    println!("{whole} readings were whole, {gone} met a file that was gone, {exchanged} folders were exchanged");
    assert!(whole > 10 && exchanged > 20);
    assert_eq!(requests(local(&out).as_ref()).as_ref(), Some(&truth));
    assert_holds(&out);
}

/// Writers commit and fold, two compact: nothing is lost, nothing comes twice.
#[test]
fn compactions_beside_writers() {
    let folder = temp_dir();
    // Enough commits for two checkpoints, however few compactions come between.
    crate::support::small_trail(&folder.path().join("trail"), 30);
    let objects = keytrail::source::local::list(&[folder.path().join("trail")], None).expect("lists").objects;
    assert!(objects.len() > 100, "{}", objects.len());
    let expected = expected(folder.path(), &objects);
    let out = folder.path().join("out");
    let done = AtomicBool::new(false);
    let (mut compactions, mut stood_by) = (0, 0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // Each round is one more process: it opens, commits and folds.
            for objects in objects.chunks(4) {
                analyse_in(local(&out), objects, &STORE, 1).expect("analyses");
            }
            done.store(true, Ordering::Relaxed);
        });
        let compactor = || {
            let (mut did, mut stood_by) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let mut lake = Lake::open(local(&out)).expect("opens");
                match lake.compact(&eager(), &mut || true).expect("compacts") {
                    Some(compacted) => did += compacted.folders,
                    None => stood_by += 1,
                }
            }
            (did, stood_by)
        };
        for compactor in [scope.spawn(compactor), scope.spawn(compactor)] {
            let (did, other) = compactor.join().expect("compacts");
            (compactions, stood_by) = (compactions + did, stood_by + other);
        }
        writer.join().expect("writes");
    });
    println!("{compactions} folders compacted, {stood_by} times another one did it");
    assert!(compactions > 10);
    compact(local(&out), &eager());
    assert_holds(&out);
    expected.assert_same(&tables(&out), "compacted beside writers");
    assert!(ledger(&out).len() > 128, "no checkpoint was built upon another one");
    assert!(!files_below(&out.join("_ledger/checkpoints")).is_empty());
}

#[test]
fn a_second_compaction_stands_by() {
    let folder = temp_dir();
    let objects = trail(folder.path());
    let out = folder.path().join("out");
    analyse_in(local(&out), &objects, &STORE, 3).expect("analyses");
    let first = local(&out);
    let held = first.lock("_ledger/compact.lock").expect("locks").expect("free");
    let mut second = Lake::open(local(&out)).expect("opens");
    assert_eq!(second.compact(&eager(), &mut || true).expect("asks"), None);
    drop(held);
    // Told to end before it began, it has done nothing; told nothing, all.
    assert_eq!(second.compact(&eager(), &mut || false).expect("ends"), Some(Compacted::default()));
    let mut steps = 0..2;
    let some = second.compact(&eager(), &mut || steps.next().is_some());
    assert!(some.expect("compacts").expect("free").folders <= 2);
    assert!(second.compact(&eager(), &mut || true).expect("compacts").expect("free").folders > 3);
    drop(second);
    assert_holds(&out);
    assert!(usage(&out).iter().all(|row| !text(row, "sample_event_id").is_empty()));
}

/// Old days of what may go are gone; what the fold needs stays, and folding again changes nothing.
fn prunes(open: Open<'_>) {
    let folder = temp_dir();
    let objects = trail(folder.path());
    let (first, rest) = objects.split_at(objects.len() - 10);
    let expected = expected(folder.path(), &objects);
    analyse_in(open(), first, &STORE, 10).expect("analyses");
    let before = tables(copy(open).path());
    let day = Seconds::parse_date("2026-03-03");
    let retention = Retention { findings: day, objects: day, rejects: None };
    let mut output = Lake::open(open()).expect("opens");
    let pruned = output.prune(&retention, &mut || true).expect("prunes").expect("nobody else does");
    assert_eq!(output.prune(&retention, &mut || true).expect("prunes"), Some(Pruned::default()));
    drop(output);
    assert!(pruned.folders == 2 && pruned.rows > 10, "{pruned:?}");
    let after = copy(open);
    assert_holds(after.path());
    assert!(!after.path().join("objects/date=2026-03-02").exists());
    let remaining = tables(after.path());
    let rows = |tables: &Tables| ["findings", "objects"].map(|table| tables.0[table].len()).iter().sum::<usize>();
    assert_eq!(rows(&before) - rows(&remaining), usize::try_from(pruned.rows).expect("small"));
    // What was pruned is not read again; the rest comes, is folded, and nothing is forgotten.
    analyse_in(open(), &objects, &STORE, 10).expect("analyses");
    compact(open(), &eager());
    let whole = copy(open);
    assert_holds(whole.path());
    let whole = tables(whole.path());
    for table in ["usage", "key_changes", "keys", "key_use"] {
        assert!(whole.0[table] == expected.0[table], "{table}");
    }
    assert!(!rest.is_empty() && whole.0["objects"].len() < expected.0["objects"].len());
}

#[test]
fn a_folder_is_pruned() {
    in_a_folder(prunes);
}

#[test]
fn a_bucket_is_pruned() {
    in_a_bucket(prunes);
}
