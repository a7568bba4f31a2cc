//! Compactions that are killed between any two steps: readers in a folder never notice, and the next
//! process that opens the output finishes or clears what was begun.

use std::path::Path;
use std::sync::Arc;

use keytrail::lake::Lake;
use keytrail::lake::storage::Storage;

use crate::bucket::{runtime, server_with_bucket, writer};
use crate::bucket_lake::{analyse_in, download, trail};
use crate::compaction::{STORE, compact, eager, expected, local};
use crate::dying::Dying;
use crate::support::{assert_holds, tables, temp_dir, write};

/// Compacts until the place is lost; tells whether it came to its end before that.
fn killed(place: Arc<dyn Storage>, last: usize, last_is_done: bool) -> bool {
    let dying = Dying::behind(place, last, last_is_done);
    let Ok(mut lake) = Lake::open(Arc::clone(&dying) as Arc<dyn Storage>) else { return false };
    let ended = lake.compact(&eager(), &mut || true).is_ok();
    // Its locks go, as the system's would; what it would clear away itself stays.
    drop(lake);
    ended
}

fn copy(place: &dyn Storage) -> tempfile::TempDir {
    let copied = temp_dir();
    download(place, copied.path());
    copied
}

#[test]
fn killed_between_any_two_steps_in_a_folder() {
    let folder = temp_dir();
    let objects: Vec<_> = trail(folder.path()).into_iter().step_by(3).collect();
    let expected = expected(folder.path(), &objects);
    let original = folder.path().join("out");
    analyse_in(local(&original), &objects, &STORE, 6).expect("analyses");
    let (mut kills, mut unfinished) = (0, 0);
    for last in 0.. {
        let mut ended = false;
        for last_is_done in [false, true] {
            let out = copy(local(&original).as_ref());
            ended = killed(local(out.path()), last, last_is_done);
            kills += 1;
            // Nobody has repaired anything yet: a reader sees each row once.
            expected.assert_same(&tables(out.path()), "killed");
            unfinished += usize::from(!local(out.path()).list("_staging").expect("lists").is_empty());
            drop(Lake::open(local(out.path())).expect("opens"));
            assert_holds(out.path());
            assert!(local(out.path()).list("_staging").expect("lists").is_empty(), "step {last} leaves something");
            if last % 4 == 0 {
                compact(local(out.path()), &eager());
                assert_holds(out.path());
                expected.assert_same(&tables(out.path()), "killed and done again");
            }
        }
        if ended {
            break;
        }
    }
    println!("{kills} kills, {unfinished} left something to be done");
    assert!(kills > 40 && unfinished > 20);
}

/// On S3 a kill in the middle of an exchange leaves rows twice: until somebody opens it, not longer.
#[test]
fn killed_between_steps_in_a_bucket() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let open = || writer(&runtime, &server.url());
    let folder = temp_dir();
    let objects = trail(folder.path());
    let expected = expected(folder.path(), &objects);
    let mut kills = 0;
    for (round, objects) in objects.chunks(objects.len() / 4 + 1).enumerate() {
        analyse_in(open(), objects, &STORE, 4).expect("analyses");
        for (last, last_is_done) in [(round, true), (round + 1, false), (round + 2, true), (round + 3, true)] {
            killed(open(), last, last_is_done);
            kills += 1;
            drop(Lake::open(open()).expect("opens"));
            assert_holds(copy(open().as_ref()).path());
            assert!(open().list("_staging").expect("lists").is_empty());
        }
    }
    compact(open(), &eager());
    let whole = copy(open().as_ref());
    assert_holds(whole.path());
    expected.assert_same(&tables(whole.path()), "killed in a bucket");
    println!("{kills} kills");
}

/// The moments inside of an exchange, made by hand, in every place.
fn half_an_exchange(open: &dyn Fn() -> Arc<dyn Storage>) {
    let folder = temp_dir();
    let objects = trail(folder.path());
    let expected = expected(folder.path(), &objects);
    analyse_in(open(), &objects, &STORE, 15).expect("analyses");
    let place = open();
    let before: Vec<(String, Vec<u8>)> = place
        .list("usage")
        .expect("lists")
        .into_iter()
        .map(|path| (path.clone(), place.get(&path).expect("reads").expect("is there")))
        .collect();
    {
        // The first folder only: what is half done is always the last.
        let mut once = 0..1;
        let mut lake = Lake::open(open()).expect("opens");
        let compacted = lake.compact(&eager(), &mut || once.next().is_some()).expect("compacts").expect("free");
        assert_eq!(compacted.folders, 1);
    }
    let entry = (1..)
        .map_while(|sequence| place.get(&format!("_ledger/{sequence:020}.json")).expect("reads"))
        .map(|entry| serde_json::from_slice::<serde_json::Value>(&entry).expect("JSON"))
        .find(|entry| entry["kind"] == "compaction" && entry["files"][0]["table"] == "usage")
        .expect("a compaction of usage");
    let file = &entry["files"][0];
    let (path, staged) = (file["path"].as_str().expect("a path"), file["staged"].as_str().expect("a path"));
    let content = place.get(path).expect("reads").expect("is there");
    let removed: Vec<_> = before
        .iter()
        .filter(|(path, _)| entry["removes"].as_array().expect("a list").iter().any(|removed| removed == path))
        .collect();
    assert!(removed.len() > 1);
    // New one there or not, old ones there, some or none; always still staged, as the last step is not done.
    for (new, old) in [(false, removed.len()), (true, removed.len()), (true, 1), (true, 0)] {
        if !new {
            place.remove(path).expect("removes");
        }
        for (path, content) in removed.iter().take(old) {
            place.put(path, content).expect("writes");
        }
        place.put(staged, &content).expect("writes");
        place.put(&format!("{}/alive", staged.rsplit_once('/').expect("a folder").0), b"").expect("writes");
        drop(Lake::open(open()).expect("opens"));
        let whole = copy(open().as_ref());
        assert_holds(whole.path());
        expected.assert_same(&tables(whole.path()), "half an exchange");
    }
}

#[test]
fn half_an_exchange_in_a_folder() {
    let out = temp_dir();
    half_an_exchange(&|| local(out.path()));
}

#[test]
fn half_an_exchange_in_a_bucket() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    half_an_exchange(&|| writer(&runtime, &server.url()));
}

/// The last of all compactions has only to remove, and was killed before that.
#[test]
fn old_identities_that_a_killed_compaction_left() {
    let folder = temp_dir();
    let objects = trail(folder.path());
    let out = folder.path().join("out");
    analyse_in(local(&out), &objects, &STORE, 3).expect("analyses");
    let place = local(&out);
    let before = place.list("_seen").expect("lists");
    let kept = std::fs::read(out.join(&before[0])).expect("a file");
    // A window so small that nearly all is forgotten.
    compact(local(&out), &keytrail::lake::compact::Settings { seen_events: 10, ..eager() });
    assert!(place.list("_seen").expect("lists").len() < 3, "{before:?}");
    let gone = before.iter().find(|path| place.get(path).expect("reads").is_none()).expect("one that is gone");
    write(&Path::new(&out).join(gone), &kept);
    drop(place);
    drop(Lake::open(local(&out)).expect("opens"));
    assert!(!out.join(gone).exists(), "it was to be removed");
    assert_holds(&out);
}
