//! Retention: whole days of some tables are removed, and the ledger says so.
//!
//! `usage`, `key_changes` and `configurations` stay for ever: the fold makes `keys`, `key_use` and its
//! findings out of all of them each time, and would forget what it no longer reads. Compacted, they are
//! the small part.

use std::collections::BTreeMap;

use super::entry::{FileEntry, Kind};
use super::recover::folder_of;
use super::{FOLD_FILE, Lake, LakeError, read};
use crate::model::time::Seconds;

/// What is removed: of each table the days before this one. None keeps all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Findings of event rules. Those of usage and posture rules are made anew by each fold, whole.
    pub findings: Option<Seconds>,
    /// Source files and their counts. The ledger still knows them: they are not read again.
    pub objects: Option<Seconds>,
    /// Records that could not be read.
    pub rejects: Option<Seconds>,
}

/// What a pruning came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Days of tables.
    pub folders: u64,
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Lake {
    /// Removes old days, each a commit of its own; ends early, between two of them, when `go_on` says
    /// so. `None` if another process compacts or prunes at the moment. Rows without a date stay.
    ///
    /// # Errors
    /// If the place cannot be written. What was committed before stays so.
    pub fn prune(
        &mut self,
        retention: &Retention,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Pruned>, LakeError> {
        let Some(_lock) = self.exchange_lock()? else { return Ok(None) };
        let mut done = Pruned::default();
        let mut folders: BTreeMap<String, Vec<FileEntry>> = BTreeMap::new();
        for file in self.ledger.files().filter(|file| retention.is_over(file)) {
            folders.entry(folder_of(&file.path).to_owned()).or_default().push(file.clone());
        }
        for (folder, files) in folders {
            if !go_on() {
                break;
            }
            let files = self.settled(&folder, files)?;
            let removes: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
            if removes.is_empty() || !self.commit_exchange(Kind::Pruning, &[], &removes)? {
                continue;
            }
            done.folders += 1;
            done.files += files.len() as u64;
            done.rows += files.iter().map(|file| file.rows).sum::<u64>();
            done.bytes += files.iter().map(|file| file.bytes).sum::<u64>();
        }
        Ok(Some(done))
    }
}

impl Retention {
    fn is_over(&self, file: &FileEntry) -> bool {
        let before = match file.table.as_str() {
            "findings" => self.findings,
            "objects" => self.objects,
            "rejects" => self.rejects,
            _ => None,
        };
        let date = Seconds::parse_date(read::date_of(&file.path));
        !file.path.ends_with(&format!("/{FOLD_FILE}.parquet"))
            && before.zip(date).is_some_and(|(before, date)| date < before)
    }
}
