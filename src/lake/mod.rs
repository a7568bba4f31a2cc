//! The output location: tables as data, staged files, the ledger that alone decides what is
//! committed, and the publisher that alone gives final names.

pub mod batch;
pub mod bucket;
pub mod error;
pub mod ledger;
pub mod local;
pub mod parquet;
pub mod read;
pub mod rows;
pub mod schema;
pub mod seen;
pub mod storage;
pub mod tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use error::LakeError;

use self::ledger::{Entry, FileEntry, Kind, Ledger};
use self::seen::SeenWindow;
use self::storage::{Lock, Storage};

const FOLD_LOCK: &str = "_ledger/fold.lock";

/// An open output location.
pub struct Lake {
    storage: Arc<dyn Storage>,
    ledger: Ledger,
    writer: String,
    staged: u64,
    /// Whether committed files may still lie where they were staged.
    unpublished: bool,
    /// Held while this writer lives: what it has staged is not garbage.
    _alive: Lock,
}

impl Lake {
    /// Opens a location for writing: finishes what killed writers have committed, removes what they
    /// have not, reads the ledger.
    ///
    /// # Errors
    /// If the location cannot be read or written, or holds a ledger that cannot be understood.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self, LakeError> {
        let writer = storage.writer().to_owned();
        // One at a time: nobody mistakes a writer that is about to say it lives for a dead one.
        let _door = wait_for(storage.as_ref(), "_ledger/open.lock")?;
        let alive = storage.lock(&alive_path(&writer))?.ok_or_else(|| LakeError::Busy(writer.clone()))?;
        recover(storage.as_ref(), &writer)?;
        let mut ledger = Ledger::open(storage.as_ref())?;
        // A fold that was killed between publishing and removing: removing again does nothing. Who
        // holds the lock folds now, and replaces that fold.
        if let Some(_fold) = storage.lock(FOLD_LOCK)? {
            ledger.refresh(storage.as_ref())?;
            remove_all(storage.as_ref(), ledger.fold_removes())?;
        }
        Ok(Self { storage, ledger, writer, staged: 0, unpublished: false, _alive: alive })
    }

    /// What is committed.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Where the files lie.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// Takes note of what other writers have committed.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn refresh(&mut self) -> Result<(), LakeError> {
        self.ledger.refresh(self.storage.as_ref())
    }

    /// The identities of events that were read lately, by whatever process.
    ///
    /// # Errors
    /// If the ledger or a file of identities cannot be read.
    pub fn seen_window(&self, capacity: usize) -> Result<SeenWindow, LakeError> {
        seen::load(self.storage.as_ref(), &self.ledger, capacity)
    }

    /// Writes a file that is not yet part of a table.
    fn stage(&mut self, table: &'static str, path: String, rows: usize, bytes: &[u8]) -> Result<FileEntry, LakeError> {
        self.staged += 1;
        let staged = format!("_staging/{}/{}", self.writer, self.staged);
        self.storage.stage(&staged, bytes)?;
        Ok(FileEntry { table: table.to_owned(), path, staged, rows: rows as u64, bytes: bytes.len() as u64 })
    }

    /// A name for the files of one commit, that no other writer or commit uses.
    fn commit_name(&self) -> String {
        format!("{}-{:06}", self.writer, self.staged)
    }

    /// Tries to commit at the next sequence; `None` if another writer took it.
    fn commit(&mut self, mut entry: Entry) -> Result<Option<Entry>, LakeError> {
        entry.sequence = self.ledger.next_sequence();
        entry.writer.clone_from(&self.writer);
        // Even an append that fails may have created the entry.
        let before = std::mem::replace(&mut self.unpublished, true);
        if !ledger::append(self.storage.as_ref(), &entry)? {
            self.unpublished = before;
            return Ok(None);
        }
        publish(self.storage.as_ref(), &entry)?;
        self.unpublished = before;
        self.ledger.note(&entry);
        self.ledger.checkpoint_now_and_then(self.storage.as_ref())?;
        Ok(Some(entry))
    }

    /// Removes staged files that came to nothing.
    fn discard(&self, files: &[FileEntry]) -> Result<(), LakeError> {
        self.storage.remove_all(&files.iter().map(|file| file.staged.as_str()).collect::<Vec<_>>())
    }

    /// Commits the snapshots and findings of a fold; `findings` by date.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn commit_fold(&mut self, fold: FoldFiles) -> Result<(), LakeError> {
        let mut files = Vec::new();
        for (table, path, rows, bytes) in fold.files {
            files.push(self.stage(table, path, rows, &bytes)?);
        }
        let new: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let replaced = self.ledger.fold_files().iter().filter(|old| !new.contains(&old.as_str())).cloned().collect();
        loop {
            let entry = Entry {
                kind: Kind::Fold,
                files: files.clone(),
                removes: Vec::clone(&replaced),
                folded_through: Some(fold.through),
                settings: fold.settings.clone(),
                ..Entry::default()
            };
            if self.commit(entry)?.is_some() {
                return Ok(());
            }
            self.refresh()?;
        }
    }

    /// The right to fold; waits while another process has it.
    ///
    /// # Errors
    /// If the location cannot be written, or the other process takes too long.
    pub fn fold_lock(&self) -> Result<Lock, LakeError> {
        wait_for(self.storage.as_ref(), FOLD_LOCK)
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        // Best effort: whoever opens the location next does the same, and publishes what is committed.
        if self.unpublished {
            return;
        }
        let _ = self.storage.remove_folder(&format!("_staging/{}", self.writer));
    }
}

/// What a fold wrote: table, final path, rows, content.
pub struct FoldFiles {
    /// The files.
    pub files: Vec<(&'static str, String, usize, Vec<u8>)>,
    /// The last sequence that it has seen.
    pub through: u64,
    /// Identity of the settings that it ran with.
    pub settings: String,
}

/// Takes a lock that is not held for long: ten minutes are more than any fold takes.
fn wait_for(storage: &dyn Storage, path: &str) -> Result<Lock, LakeError> {
    const TRIES: u32 = 12_000;
    for _ in 0..TRIES {
        if let Some(lock) = storage.lock(path)? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(LakeError::Busy(path.to_owned()))
}

fn alive_path(writer: &str) -> String {
    format!("_staging/{writer}/alive")
}

/// Gives the files of a committed entry their final names. Doing it again does nothing.
fn publish(storage: &dyn Storage, entry: &Entry) -> Result<(), LakeError> {
    let files: Vec<_> = entry.files.iter().map(|file| (file.staged.as_str(), file.path.as_str())).collect();
    storage.publish(&files)?;
    remove_all(storage, &entry.removes)
}

fn remove_all(storage: &dyn Storage, paths: &[String]) -> Result<(), LakeError> {
    storage.remove_all(&paths.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Finishes the commits of writers that died, and clears what they left.
///
/// Where a lock outlives its holder for a while, one that looks alive may be dead. If it has committed
/// what is not published, that is waited for: it will be published, or the writer turns out to be dead.
fn recover(storage: &dyn Storage, me: &str) -> Result<(), LakeError> {
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
        bury(storage, dead)?;
        if writers.is_empty() || started.elapsed() >= storage.grace() || !owes(storage, &writers)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Whether one of these writers has staged what is committed.
fn owes(storage: &dyn Storage, writers: &[&str]) -> Result<bool, LakeError> {
    let mut staging = storage.list("_staging")?;
    let of_theirs = |path: &str| path.split('/').nth(1).is_some_and(|writer| writers.contains(&writer));
    staging.retain(|path| of_theirs(path) && !path.ends_with("/alive"));
    if staging.is_empty() {
        return Ok(false);
    }
    let entries = ledger::all(storage)?;
    Ok(entries.iter().flat_map(|entry| &entry.files).any(|file| staging.contains(&file.staged)))
}

/// Publishes what dead writers have committed, and removes the rest of what they staged.
fn bury(storage: &dyn Storage, dead: Vec<(&str, Lock)>) -> Result<(), LakeError> {
    if dead.is_empty() {
        return Ok(());
    }
    let staging = storage.list("_staging")?;
    let entries = ledger::all(storage)?;
    let wanted = ledger::committed(&entries);
    for (writer, _lock) in dead {
        // Only what is still staged, and still wanted: a later fold may have replaced this one's files.
        let files: Vec<FileEntry> = entries
            .iter()
            .filter(|entry| entry.writer == writer)
            .flat_map(|entry| &entry.files)
            .filter(|file| staging.contains(&file.staged))
            .filter(|file| match wanted.get(file.path.as_str()) {
                Some(latest) => latest.staged == file.staged,
                None => file.table.starts_with('_'),
            })
            .cloned()
            .collect();
        publish(storage, &Entry { files, ..Entry::default() })?;
        storage.remove_folder(&format!("_staging/{writer}"))?;
    }
    Ok(())
}
