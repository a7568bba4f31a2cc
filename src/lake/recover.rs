//! Finishes what killed writers have committed, and clears what they have not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::entry::FileEntry;
use super::ledger::Ledger;
use super::storage::{Lock, Storage};
use super::{LakeError, locks, remove_all};

/// Finishes the commits of writers that died, and clears what they left.
///
/// Where a lock outlives its holder for a while, one that looks alive may be dead. If it has committed
/// what is not published, that is waited for: it will be published, or the writer turns out to be dead.
pub(super) fn recover(storage: &dyn Storage, me: &str, ledger: &mut Ledger) -> Result<(), LakeError> {
    let listed = storage.list("_staging")?;
    let mut writers: Vec<&str> = listed.iter().map(|path| writer_of(path)).filter(|name| is_writer(name)).collect();
    writers.dedup();
    writers.retain(|writer| *writer != me);
    let started = Instant::now();
    loop {
        // A lock that can be had is held by nobody. All locks come before the looking: what a writer
        // commits just before it dies is then in the ledger and the listing that are read.
        let compaction = if writers.is_empty() { None } else { storage.lock(locks::COMPACTION)? };
        let mut dead = Vec::new();
        for writer in &writers {
            dead.extend(storage.lock(&locks::alive(writer))?.map(|lock| (*writer, lock)));
        }
        writers.retain(|writer| !dead.iter().any(|(dead, _)| dead == writer));
        writers.extend(bury(storage, dead, compaction.is_some(), ledger)?);
        drop(compaction);
        if writers.is_empty() || started.elapsed() >= storage.grace() || !owes(storage, &writers, ledger)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The writer below whose folder a file is staged; empty if it lies in no folder.
fn writer_of(staged: &str) -> &str {
    let mut parts = staged.split('/').skip(1);
    parts.next().filter(|_| parts.next().is_some()).unwrap_or_default()
}

/// Whether it is a writer's name. People and their tools leave other things there: those are not ours.
fn is_writer(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether one of these writers has staged what is committed.
fn owes(storage: &dyn Storage, writers: &[&str], ledger: &mut Ledger) -> Result<bool, LakeError> {
    let mut staging = storage.list("_staging")?;
    staging.retain(|path| writers.contains(&writer_of(path)) && !path.ends_with("/alive"));
    if staging.is_empty() {
        return Ok(false);
    }
    ledger.refresh(storage)?;
    Ok(ledger.files().any(|file| staging.contains(&file.staged)))
}

/// Whether files of batches wait for their names, whoever committed them. What a fold or an exchange has
/// yet to publish holds no object that was not to be seen before.
pub(super) fn awaits_publishing(storage: &dyn Storage, ledger: &Ledger) -> Result<bool, LakeError> {
    let staging: BTreeSet<String> = storage.list("_staging")?.into_iter().collect();
    let is_exchanged = |file: &FileEntry| ledger.exchanged().add.iter().any(|added| added.staged == file.staged);
    let mut staged = ledger.files().filter(|file| staging.contains(&file.staged));
    Ok(staged.any(|file| !ledger.fold_files().contains(&file.path) && !is_exchanged(file)))
}

/// Publishes what dead writers have committed, and removes the rest of what they staged; returns those
/// that must wait: another process compacts or folds at the moment, and may be finishing what they began.
fn bury<'w>(
    storage: &dyn Storage,
    dead: Vec<(&'w str, Lock)>,
    may_exchange: bool,
    ledger: &mut Ledger,
) -> Result<Vec<&'w str>, LakeError> {
    let mut waiting = Vec::new();
    if dead.is_empty() {
        return Ok(waiting);
    }
    let staging: BTreeSet<String> = storage.list("_staging")?.into_iter().collect();
    ledger.refresh(storage)?;
    let is_dead = |file: &FileEntry| dead.iter().any(|(writer, _)| *writer == writer_of(&file.staged));
    // Only one writer's fold counts.
    let unfinished = folded(ledger).any(|file| is_dead(file) && staging.contains(&file.staged));
    let fold_waits = unfinished && !settle_fold_if_free(storage, ledger)?;
    for (writer, _lock) in dead {
        // Only what is still staged, and still counts: a later entry may have replaced it. What was to
        // be exchanged is of the last exchange: none begins before the one before it is done.
        let theirs = |file: &&FileEntry| writer_of(&file.staged) == writer && staging.contains(&file.staged);
        let (of_fold, others): (Vec<_>, Vec<_>) =
            ledger.files().filter(theirs).partition(|file| ledger.fold_files().contains(&file.path));
        let (exchanged, published): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|file| ledger.exchanged().add.iter().any(|added| added.staged == file.staged));
        let published: Vec<_> = published.iter().map(|file| (file.staged.as_str(), file.path.as_str())).collect();
        storage.publish(&published)?;
        if !exchanged.is_empty() {
            if !may_exchange {
                waiting.push(writer);
                continue;
            }
            settle(storage, ledger)?;
        }
        if fold_waits && !of_fold.is_empty() {
            waiting.push(writer);
            continue;
        }
        storage.remove_folder(&format!("_staging/{writer}"))?;
    }
    Ok(waiting)
}

/// The files of the last fold.
fn folded(ledger: &Ledger) -> impl Iterator<Item = &FileEntry> {
    ledger.fold_files().iter().filter_map(|path| ledger.file(path))
}

/// Finishes the last fold, unless another process folds at the moment; tells whether it did.
pub(super) fn settle_fold_if_free(storage: &dyn Storage, ledger: &mut Ledger) -> Result<bool, LakeError> {
    let Some(_fold) = storage.lock(locks::FOLD)? else { return Ok(false) };
    ledger.refresh(storage)?;
    settle_fold(storage, ledger)?;
    Ok(true)
}

/// Finishes the last fold, whoever committed it: publishes what is still staged, and removes what it
/// replaces. The right to fold must be held, and the ledger must have been read since it was taken: files
/// of a fold have fixed names, and those of an older one must not replace those of a newer one.
pub(super) fn settle_fold(storage: &dyn Storage, ledger: &Ledger) -> Result<(), LakeError> {
    let staging = if ledger.fold_files().is_empty() { Vec::new() } else { storage.list("_staging")? };
    let staged = folded(ledger).filter(|file| staging.contains(&file.staged));
    storage.publish(&staged.map(|file| (file.staged.as_str(), file.path.as_str())).collect::<Vec<_>>())?;
    remove_all(storage, ledger.fold_removes())
}

/// Finishes the last compaction or pruning, whoever began it. Its right to compact must be held: then
/// nobody else is in the middle of one.
pub(super) fn settle(storage: &dyn Storage, ledger: &Ledger) -> Result<(), LakeError> {
    let last = ledger.exchanged();
    // What is staged no more has its name: that is the last step.
    let staged = if last.add.is_empty() { Vec::new() } else { storage.list("_staging")? };
    let add: Vec<FileEntry> = last.add.iter().filter(|file| staged.contains(&file.staged)).cloned().collect();
    exchange(storage, &add, &last.remove)
}

/// Lets files take the place of others, folder by folder.
pub(super) fn exchange(storage: &dyn Storage, add: &[FileEntry], remove: &[String]) -> Result<(), LakeError> {
    let paths = add.iter().map(|file| &file.path).chain(remove);
    let folders: BTreeSet<&str> = paths.map(|path| folder_of(path)).collect();
    for folder in folders {
        let add: Vec<_> = add.iter().filter(|file| folder_of(&file.path) == folder).collect();
        let add: Vec<_> = add.iter().map(|file| (file.staged.as_str(), file.path.as_str())).collect();
        let remove: Vec<_> = remove.iter().map(String::as_str).filter(|path| folder_of(path) == folder).collect();
        storage.exchange(folder, &add, &remove)?;
    }
    Ok(())
}

/// The folder of a path.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::failing::Failing;
    use super::super::local::LocalFolder;
    use super::super::{FoldFiles, Lake};
    use super::*;

    const KEYS: &str = "keys/keys.parquet";

    fn open(root: &Path) -> Lake {
        Lake::open(Arc::new(LocalFolder::create(root).expect("a folder"))).expect("opens")
    }

    fn fold(content: &str) -> FoldFiles {
        let file = ("keys", KEYS.to_owned(), 1, content.as_bytes().to_vec());
        FoldFiles { files: vec![file], through: 0, settings: content.to_owned() }
    }

    /// Leaves a fold that is committed, but not published, by a writer that is gone.
    fn fold_and_die(root: &Path) {
        let place = Failing::create(root);
        let mut lake = Lake::open(Arc::clone(&place) as _).expect("opens");
        place.fail_once("publish keys/");
        lake.commit_fold(fold("dead")).expect_err("cannot publish");
    }

    #[track_caller]
    fn assert_keys(place: &dyn Storage, expected: Option<&str>) {
        let keys = place.get(KEYS).expect("reads").map(|keys| String::from_utf8(keys).expect("text"));
        assert_eq!(keys.as_deref(), expected);
    }

    /// Who folds at the moment may be about to publish: what died before must not come over it.
    #[test]
    fn a_dead_fold_is_left_alone_while_another_process_folds() {
        let folder = tempfile::tempdir().expect("tempdir");
        let place = LocalFolder::create(folder.path()).expect("a folder");
        let mut living = open(folder.path());
        fold_and_die(folder.path());
        let turn = place.lock(locks::FOLD).expect("locks").expect("free");
        drop(open(folder.path()));
        assert_keys(&place, None);
        living.commit_fold(fold("living")).expect("commits");
        drop(open(folder.path()));
        assert_keys(&place, Some("living"));
        drop((turn, living));
        drop(open(folder.path()));
        assert_keys(&place, Some("living"));
        assert!(place.list("_staging").expect("lists").is_empty(), "what is dead is cleared away");
    }

    /// A process that lives on has it published with its next fold, and so has any other one.
    #[test]
    fn a_fold_that_could_not_be_published_is_published_by_whoever_folds_next() {
        for mine in [true, false] {
            let folder = tempfile::tempdir().expect("tempdir");
            let place = Failing::create(folder.path());
            let mut lake = Lake::open(Arc::clone(&place) as _).expect("opens");
            let mut other = open(folder.path());
            place.fail_once("publish keys/");
            lake.commit_fold(fold("late")).expect_err("cannot publish");
            assert_keys(place.as_ref(), None);
            let next = if mine { &mut lake } else { &mut other };
            drop(next.fold_lock().expect("locks"));
            assert!(next.ledger().is_folded("late"), "there is nothing else to do");
            assert_keys(place.as_ref(), Some("late"));
        }
    }

    /// Such as a file manager's, or a file that somebody has put away there.
    #[test]
    fn what_is_no_writers_is_left_alone() {
        let folder = tempfile::tempdir().expect("tempdir");
        fold_and_die(folder.path());
        let strange =
            ["_staging/.DS_Store", "_staging/0123456789abcdef", "_staging/notes/alive", "_staging/notes/keys"];
        let place = LocalFolder::create(folder.path()).expect("a folder");
        strange.iter().for_each(|path| place.stage(path, b"strange").expect("writes"));
        drop(open(folder.path()));
        assert_keys(&place, Some("dead"));
        assert_eq!(place.list("_staging").expect("lists"), strange);
    }

    /// It did not fold after all: what was left alone is not lost.
    #[test]
    fn a_dead_fold_that_was_left_alone_is_published_later() {
        let folder = tempfile::tempdir().expect("tempdir");
        let place = LocalFolder::create(folder.path()).expect("a folder");
        fold_and_die(folder.path());
        let turn = place.lock(locks::FOLD).expect("locks").expect("free");
        drop(open(folder.path()));
        assert_keys(&place, None);
        drop(turn);
        drop(open(folder.path()));
        assert_keys(&place, Some("dead"));
        assert!(place.list("_staging").expect("lists").is_empty(), "what is dead is cleared away");
    }
}
