//! Finishes what killed writers have committed, and clears what they have not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::ledger::{FileEntry, Ledger};
use super::storage::{Lock, Storage};
use super::{FOLD_FILE, LakeError};

pub(super) fn alive_path(writer: &str) -> String {
    format!("_staging/{writer}/alive")
}

/// Finishes the commits of writers that died, and clears what they left.
///
/// Where a lock outlives its holder for a while, one that looks alive may be dead. If it has committed
/// what is not published, that is waited for: it will be published, or the writer turns out to be dead.
pub(super) fn recover(storage: &dyn Storage, me: &str, ledger: &mut Ledger) -> Result<(), LakeError> {
    let listed = storage.list("_staging")?;
    let mut writers: Vec<&str> = listed.iter().filter_map(|path| path.split('/').nth(1)).collect();
    writers.dedup();
    writers.retain(|writer| *writer != me);
    let started = Instant::now();
    loop {
        // A lock that can be had is held by nobody. All locks come before the looking: what a writer
        // commits just before it dies is then in the ledger and the listing that are read.
        let mut dead = Vec::new();
        for writer in &writers {
            dead.extend(storage.lock(&alive_path(writer))?.map(|lock| (*writer, lock)));
        }
        writers.retain(|writer| !dead.iter().any(|(dead, _)| dead == writer));
        bury(storage, dead, ledger)?;
        if writers.is_empty() || started.elapsed() >= storage.grace() || !owes(storage, &writers, ledger)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn writer_of(staged: &str) -> &str {
    staged.split('/').nth(1).unwrap_or_default()
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

/// Publishes what dead writers have committed, and removes the rest of what they staged.
fn bury(storage: &dyn Storage, dead: Vec<(&str, Lock)>, ledger: &mut Ledger) -> Result<(), LakeError> {
    if dead.is_empty() {
        return Ok(());
    }
    let staging: BTreeSet<String> = storage.list("_staging")?.into_iter().collect();
    ledger.refresh(storage)?;
    for (writer, _lock) in dead {
        // Only what is still staged, and still counts: a later entry may have replaced it.
        let mut folders: BTreeMap<&str, Vec<FileEntry>> = BTreeMap::new();
        for file in ledger.files().filter(|file| writer_of(&file.staged) == writer && staging.contains(&file.staged)) {
            folders.entry(folder_of(&file.path)).or_default().push(file.clone());
        }
        for (folder, files) in folders {
            let removed = no_longer_counted(storage, folder, ledger)?;
            if removed.is_empty() {
                let files: Vec<_> = files.iter().map(|file| (file.staged.as_str(), file.path.as_str())).collect();
                storage.publish(&files)?;
            } else {
                exchange(storage, &files, &removed)?;
            }
        }
        storage.remove_folder(&format!("_staging/{writer}"))?;
    }
    Ok(())
}

/// Files of a folder that an entry has removed. What has a final name is in the ledger, so the ledger
/// must have been read after the folder: it is read here.
fn no_longer_counted(storage: &dyn Storage, folder: &str, ledger: &Ledger) -> Result<Vec<String>, LakeError> {
    let mut there = storage.list(folder)?;
    there.retain(|path| folder_of(path) == folder && !path.ends_with(&format!("/{FOLD_FILE}.parquet")));
    there.retain(|path| ledger.file(path).is_none());
    if there.is_empty() {
        return Ok(there);
    }
    let later = Ledger::open(storage)?;
    there.retain(|path| later.file(path).is_none() && (path.ends_with(".parquet") || path.ends_with(".ids")));
    Ok(there)
}

/// Finishes the last compaction or pruning, whoever began it. Its right to compact must be held: then
/// nobody else is in the middle of one.
pub(super) fn settle(storage: &dyn Storage, ledger: &Ledger) -> Result<(), LakeError> {
    let last = ledger.exchanged();
    let counts = |file: &&FileEntry| ledger.file(&file.path).is_some_and(|now| now.staged == file.staged);
    let add: Vec<FileEntry> = last.add.iter().filter(counts).cloned().collect();
    exchange(storage, &add, &last.remove)
}

/// Lets files take the place of others, folder by folder.
pub(super) fn exchange(storage: &dyn Storage, add: &[FileEntry], remove: &[String]) -> Result<(), LakeError> {
    let mut folders: BTreeMap<&str, (Vec<(&str, &str)>, Vec<&str>)> = BTreeMap::new();
    for file in add {
        folders.entry(folder_of(&file.path)).or_default().0.push((&file.staged, &file.path));
    }
    for path in remove {
        folders.entry(folder_of(path)).or_default().1.push(path);
    }
    folders.iter().try_for_each(|(folder, (add, remove))| storage.exchange(folder, add, remove))
}

/// The folder of a path.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
