//! The output location: tables as data, staged files, the ledger that alone decides what is
//! committed, and the publisher that alone gives final names.

pub mod batch;
pub mod bucket;
mod checkpoint;
pub mod compact;
pub mod entry;
pub mod error;
#[cfg(test)]
pub(crate) mod failing;
pub mod ledger;
pub mod local;
mod locks;
pub(crate) mod merge;
pub mod parquet;
pub mod prune;
pub mod read;
mod recover;
pub mod rows;
pub mod schema;
pub mod seen;
pub mod storage;
pub mod tables;

use std::sync::Arc;
use std::time::Duration;

pub use error::LakeError;

use self::entry::{Entry, FileEntry, Kind};
use self::ledger::Ledger;
use self::seen::SeenWindow;
use self::storage::{Lock, Storage};
use self::tables::objects::Objects;

/// Name of a fold's file of a date. The fold replaces its own files, nobody else touches them.
pub const FOLD_FILE: &str = "fold";

/// An open output location.
pub struct Lake {
    storage: Arc<dyn Storage>,
    ledger: Ledger,
    writer: String,
    staged: u64,
    /// Whether committed files may still lie where they were staged.
    unpublished: bool,
    /// The last entry up to which all batches are known to be published, also those of others.
    published_through: u64,
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
        let _door = wait_for(storage.as_ref(), locks::OPEN)?;
        let alive = storage.lock(&locks::alive(&writer))?.ok_or_else(|| LakeError::Busy(writer.clone()))?;
        let mut ledger = Ledger::open(storage.as_ref())?;
        // Tools leave out what starts with `_`: all that the tables hold would be counted again.
        if ledger.through() == 0 && !read::files::<Objects>(storage.as_ref())?.is_empty() {
            // Another writer may have committed its first batch since.
            ledger.refresh(storage.as_ref())?;
            if ledger.through() == 0 {
                return Err(LakeError::NoLedger);
            }
        }
        recover::recover(storage.as_ref(), &writer, &mut ledger)?;
        // A fold that was killed between publishing and removing: removing again does nothing. Who
        // holds the lock folds now.
        recover::settle_fold_if_free(storage.as_ref(), &mut ledger)?;
        // The same of a compaction.
        if let Some(_compaction) = storage.lock(locks::COMPACTION)? {
            ledger.refresh(storage.as_ref())?;
            recover::settle(storage.as_ref(), &ledger)?;
        }
        let (staged, unpublished, published_through) = (0, false, 0);
        Ok(Self { storage, ledger, writer, staged, unpublished, published_through, _alive: alive })
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
        self.ledger.refresh(self.storage.as_ref())?;
        // Also who commits nothing must not hold for ever what the others have committed.
        self.ledger.checkpoint_now_and_then(self.storage.as_ref());
        Ok(())
    }

    /// Whether the batches of all writers are published, as far as the ledger was read. Those of writers
    /// that died are published now. One that lives is about to do it: then false, until it has.
    ///
    /// # Errors
    /// If the location cannot be read or written.
    pub fn is_all_published(&mut self) -> Result<bool, LakeError> {
        let storage = self.storage.as_ref();
        if self.published_through < self.ledger.through() && recover::awaits_publishing(storage, &self.ledger)? {
            let _door = wait_for(storage, locks::OPEN)?;
            recover::recover(storage, &self.writer, &mut self.ledger)?;
            if recover::awaits_publishing(storage, &self.ledger)? {
                return Ok(false);
            }
        }
        self.published_through = self.ledger.through();
        Ok(true)
    }

    /// The identities of events that were read lately, by whatever process.
    ///
    /// # Errors
    /// If the ledger or a file of identities cannot be read.
    pub fn seen_window(&self, capacity: usize) -> Result<SeenWindow, LakeError> {
        seen::load(self.storage.as_ref(), capacity)
    }

    /// Writes a file that is not yet part of a table.
    fn stage(&mut self, table: &'static str, path: String, rows: usize, bytes: &[u8]) -> Result<FileEntry, LakeError> {
        self.staged += 1;
        let staged = format!("_staging/{}/{}", self.writer, self.staged);
        self.storage.stage(&staged, bytes)?;
        let (rows, bytes) = (rows as u64, bytes.len() as u64);
        Ok(FileEntry { table: table.to_owned(), path, staged, rows, bytes, place: 0 })
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
        self.ledger.checkpoint_now_and_then(self.storage.as_ref());
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
        // Also what the last fold was to remove: it may have been killed before it did.
        let old = self.ledger.fold_files().iter().chain(self.ledger.fold_removes());
        let replaced: Vec<_> = old.filter(|old| !new.contains(&old.as_str())).cloned().collect();
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

    /// The right to fold; waits while another process has it. The last fold is finished then, be it this
    /// writer's or that of another one: a fold that failed behind its entry is committed all the same.
    ///
    /// # Errors
    /// If the location cannot be read or written, or the other process takes too long.
    pub fn fold_lock(&mut self) -> Result<Lock, LakeError> {
        let lock = wait_for(self.storage.as_ref(), locks::FOLD)?;
        self.refresh()?;
        recover::settle_fold(self.storage.as_ref(), &self.ledger)?;
        Ok(lock)
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

/// Gives the files of a committed entry their final names. Doing it again does nothing.
fn publish(storage: &dyn Storage, entry: &Entry) -> Result<(), LakeError> {
    if matches!(entry.kind, Kind::Compaction | Kind::Pruning) {
        return recover::exchange(storage, &entry.files, &entry.removes);
    }
    let files: Vec<_> = entry.files.iter().map(|file| (file.staged.as_str(), file.path.as_str())).collect();
    storage.publish(&files)?;
    remove_all(storage, &entry.removes)
}

fn remove_all(storage: &dyn Storage, paths: &[String]) -> Result<(), LakeError> {
    storage.remove_all(&paths.iter().map(String::as_str).collect::<Vec<_>>())
}
