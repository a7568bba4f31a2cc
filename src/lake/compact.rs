//! Compaction: the many small files of a day become few, without a row more or less.
//!
//! It takes files that are published and of which nothing is staged any more: nobody will give them
//! their names again. What others commit meanwhile stays as it is, for the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::entry::{Entry, FileEntry, Kind};
use super::recover::{folder_of, settle};
use super::schema::Table;
use super::storage::Lock;
use super::tables::configurations::Configurations;
use super::tables::findings::Findings;
use super::tables::key_changes::KeyChanges;
use super::tables::objects::Objects;
use super::tables::rejects::Rejects;
use super::tables::usage::Usage;
use super::{FOLD_FILE, Lake, LakeError, locks, merge, read, seen, wait_for};
use crate::model::time::Seconds;

/// Most bytes of decoded rows that wait for their row group.
const HELD: usize = 64 << 20;

/// Makes one file of a group: its content and how many rows it has.
type Merge<'m> = dyn Fn(&Lake, &[FileEntry]) -> Result<(Vec<u8>, usize), LakeError> + 'm;

/// What is compacted, and into what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Days before this one are closed: their files are put together.
    pub closed_before: Seconds,
    /// Size that a file may have. One that has half of it stays as it is.
    pub target_bytes: u64,
    /// As few small files as this are worth the work.
    pub least_files: usize,
    /// Size of the window of identities, as the runs over this output have it.
    pub seen_events: usize,
}

impl Settings {
    /// The usual settings, for days before `closed_before`.
    #[must_use]
    pub fn new(closed_before: Seconds) -> Self {
        Self { closed_before, target_bytes: 64 << 20, least_files: 4, seen_events: 1 << 20 }
    }
}

/// What a compaction came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Days of tables that have new files.
    pub folders: u64,
    /// Files that were put together.
    pub files_before: u64,
    /// Files that hold their rows now.
    pub files_after: u64,
    /// Rows that were put together.
    pub rows_before: u64,
    /// Rows that they are now: partial counts were added up.
    pub rows_after: u64,
    /// Bytes of the files that were put together.
    pub bytes_before: u64,
    /// Bytes of the files that hold their rows now.
    pub bytes_after: u64,
}

impl Lake {
    /// Puts the files of closed days together, one day of a table after the other, each a commit of
    /// its own; ends early, between two of them, when `go_on` says so. `None` if another process does
    /// it at the moment.
    ///
    /// # Errors
    /// If a file cannot be read or written. What was committed before stays.
    pub fn compact(
        &mut self,
        settings: &Settings,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Compacted>, LakeError> {
        let Some(_lock) = self.exchange_lock()? else { return Ok(None) };
        // Folders that were exchanged stay until now: who was just listing one could finish.
        self.storage.remove_folder(&format!("_staging/{}/replaced", self.writer))?;
        let mut done = Compacted::default();
        self.compact_all(settings, go_on, &mut done)?;
        Ok(Some(done))
    }

    /// The right to compact and to prune; `None` if another process has it. What was begun last is done
    /// then.
    pub(super) fn exchange_lock(&mut self) -> Result<Option<Lock>, LakeError> {
        // Who opens the output has it for a moment, to finish what was begun.
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            if let Some(lock) = self.storage.lock(locks::COMPACTION)? {
                self.refresh()?;
                settle(self.storage.as_ref(), &self.ledger)?;
                return Ok(Some(lock));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    fn compact_all(
        &mut self,
        settings: &Settings,
        go_on: &mut dyn FnMut() -> bool,
        done: &mut Compacted,
    ) -> Result<(), LakeError> {
        self.compact_table::<Usage>(settings, go_on, done)?;
        self.compact_table::<Findings>(settings, go_on, done)?;
        self.compact_table::<KeyChanges>(settings, go_on, done)?;
        self.compact_table::<Configurations>(settings, go_on, done)?;
        self.compact_table::<Objects>(settings, go_on, done)?;
        self.compact_table::<Rejects>(settings, go_on, done)?;
        if go_on() { self.compact_identities(settings, done) } else { Ok(()) }
    }

    fn compact_table<T: Table>(
        &mut self,
        settings: &Settings,
        go_on: &mut dyn FnMut() -> bool,
        done: &mut Compacted,
    ) -> Result<(), LakeError> {
        let closed = |path: &str| {
            // Rows without a date come with old files: there is no day to wait for.
            Seconds::parse_date(read::date_of(path)).is_none_or(|date| date < settings.closed_before)
        };
        let fold = format!("/{FOLD_FILE}.parquet");
        let mut folders: BTreeMap<String, Vec<FileEntry>> = BTreeMap::new();
        for file in self.ledger.files().filter(|file| file.table == T::NAME) {
            if file.bytes < settings.target_bytes / 2 && closed(&file.path) && !file.path.ends_with(&fold) {
                folders.entry(folder_of(&file.path).to_owned()).or_default().push(file.clone());
            }
        }
        for (folder, files) in folders {
            if !go_on() {
                return Ok(());
            }
            if files.len() < settings.least_files.max(2) {
                continue;
            }
            let files = self.settled(&folder, files)?;
            let merged = |lake: &Self, group: &[FileEntry]| {
                let whole = merge::merge::<T, _>(group, HELD, |file| lake.content(&file.path))?;
                Ok((whole.content, usize::try_from(whole.rows).unwrap_or(usize::MAX)))
            };
            self.put_together(T::NAME, "parquet", &folder, files, Vec::new(), settings, &merged, done)?;
        }
        Ok(())
    }

    /// Identities that no window will hold again go; the others' files are put together, in their order.
    fn compact_identities(&mut self, settings: &Settings, done: &mut Compacted) -> Result<(), LakeError> {
        // A file of these is read whole at a start: there is no need for large ones.
        let settings = Settings { target_bytes: settings.target_bytes.min(4 << 20), ..*settings };
        let kept: BTreeSet<String> = seen::newest(&self.ledger, seen::read_for(settings.seen_events))
            .into_iter()
            .map(|file| file.path.clone())
            .collect();
        let (kept, old): (Vec<_>, Vec<_>) = (self.ledger.files().filter(|file| file.table == seen::TABLE).cloned())
            .partition(|file| kept.contains(&file.path));
        let small: Vec<_> = kept.into_iter().filter(|file| file.bytes < settings.target_bytes / 2).collect();
        if old.len().max(small.len()) < settings.least_files.max(2) {
            return Ok(());
        }
        let old = self.settled("_seen", old)?;
        let files = if small.len() < settings.least_files.max(2) { Vec::new() } else { self.settled("_seen", small)? };
        let joined = |lake: &Self, group: &[FileEntry]| {
            let contents = group.iter().map(|file| lake.content(&file.path)).collect::<Result<Vec<_>, _>>()?;
            Ok((contents.concat(), 0))
        };
        self.put_together(seen::TABLE, "ids", "_seen", files, old, &settings, &joined, done)
    }

    /// Those files of a folder whose publication is done: they have their names, and are staged no more.
    pub(super) fn settled(&self, folder: &str, mut files: Vec<FileEntry>) -> Result<Vec<FileEntry>, LakeError> {
        let there: BTreeSet<String> = self.storage.list(folder)?.into_iter().collect();
        let staged: BTreeSet<String> = self.storage.list("_staging")?.into_iter().collect();
        files.retain(|file| there.contains(&file.path) && !staged.contains(&file.staged));
        files.sort_unstable_by(|a, b| (a.place, &a.path).cmp(&(b.place, &b.path)));
        Ok(files)
    }

    fn content(&self, path: &str) -> Result<Vec<u8>, LakeError> {
        self.storage.get(path)?.ok_or_else(|| LakeError::Missing(path.to_owned()))
    }

    /// Writes groups of a folder's files as one file each, and commits them in their place, with nothing
    /// in the place of `old`.
    #[allow(clippy::too_many_arguments, reason = "all of one step")]
    fn put_together(
        &mut self,
        table: &'static str,
        extension: &str,
        folder: &str,
        files: Vec<FileEntry>,
        old: Vec<FileEntry>,
        settings: &Settings,
        merged: &Merge<'_>,
        done: &mut Compacted,
    ) -> Result<(), LakeError> {
        let groups = groups(files, settings);
        let mut files = Vec::new();
        for group in &groups {
            let (content, rows) = merged(self, group)?;
            let path = format!("{folder}/{}.{extension}", self.commit_name());
            let mut file = self.stage(table, path, rows, &content)?;
            file.place = group.iter().map(|file| file.place).max().unwrap_or_default();
            files.push(file);
        }
        let replaced: Vec<FileEntry> = groups.into_iter().flatten().chain(old).collect();
        if replaced.is_empty() {
            return Ok(());
        }
        let removes: Vec<String> = replaced.iter().map(|file| file.path.clone()).collect();
        if !self.commit_exchange(Kind::Compaction, &files, &removes)? {
            return self.discard(&files);
        }
        done.folders += 1;
        done.files_before += replaced.len() as u64;
        done.rows_before += replaced.iter().map(|file| file.rows).sum::<u64>();
        done.bytes_before += replaced.iter().map(|file| file.bytes).sum::<u64>();
        done.files_after += files.len() as u64;
        done.rows_after += files.iter().map(|file| file.rows).sum::<u64>();
        done.bytes_after += files.iter().map(|file| file.bytes).sum::<u64>();
        Ok(())
    }

    /// Commits an exchange of files; false if one of those that go is gone already.
    pub(super) fn commit_exchange(
        &mut self,
        kind: Kind,
        files: &[FileEntry],
        removes: &[String],
    ) -> Result<bool, LakeError> {
        // A fold reads the files that the ledger named when it began.
        let _fold = wait_for(self.storage.as_ref(), locks::FOLD)?;
        loop {
            self.refresh()?;
            if removes.iter().any(|path| self.ledger.file(path).is_none()) {
                return Ok(false);
            }
            let entry = Entry { kind, files: files.to_vec(), removes: removes.to_vec(), ..Entry::default() };
            if self.commit(entry)?.is_some() {
                return Ok(true);
            }
        }
    }
}

/// Files that become one each, in their order; one alone stays as it is.
fn groups(files: Vec<FileEntry>, settings: &Settings) -> Vec<Vec<FileEntry>> {
    let mut groups: Vec<Vec<FileEntry>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        bytes += file.bytes;
        if let Some(group) = groups.last_mut().filter(|_| bytes <= settings.target_bytes) {
            group.push(file);
        } else {
            bytes = file.bytes;
            groups.push(vec![file]);
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}
