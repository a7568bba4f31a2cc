//! Finishes what killed writers have committed, and clears what they have not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::entry::FileEntry;
use super::ledger::Ledger;
use super::storage::{Lock, Storage};
use super::{LakeError, locks};

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

/// Publishes what dead writers have committed, and removes the rest of what they staged; returns those
/// that must wait, as another one is just finishing what they began.
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
    for (writer, _lock) in dead {
        // Only what is still staged, and still counts: a later entry may have replaced it. What was to
        // be exchanged is of the last exchange: none begins before the one before it is done.
        let theirs = |file: &&FileEntry| writer_of(&file.staged) == writer && staging.contains(&file.staged);
        let (exchanged, published): (Vec<_>, Vec<_>) = ledger
            .files()
            .filter(theirs)
            .partition(|file| ledger.exchanged().add.iter().any(|added| added.staged == file.staged));
        let published: Vec<_> = published.iter().map(|file| (file.staged.as_str(), file.path.as_str())).collect();
        storage.publish(&published)?;
        if !exchanged.is_empty() {
            if !may_exchange {
                waiting.push(writer);
                continue;
            }
            settle(storage, ledger)?;
        }
        storage.remove_folder(&format!("_staging/{writer}"))?;
    }
    Ok(waiting)
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
