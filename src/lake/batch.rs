//! Many yields become one commit: all tables of all objects, or nothing.

use super::entry::{Entry, FileEntry, Kind, ObjectEntry};
use super::schema::{Table, path};
use super::tables::configurations::Configurations;
use super::tables::findings::Findings;
use super::tables::key_changes::KeyChanges;
use super::tables::objects::Objects;
use super::tables::rejects::{self, Rejects};
use super::tables::usage::{self, Usage};
use super::{Lake, LakeError, parquet, seen};
use crate::model::object::ObjectStatus;
use crate::model::usage::UsageRows;
use crate::model::r#yield::Yield;

/// What a commit came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Rows written, all tables.
    pub rows: u64,
    /// Bytes of Parquet written.
    pub bytes: u64,
    /// Objects that another writer had committed in the meantime.
    pub taken: u64,
}

impl Lake {
    /// Commits a batch. Objects that the ledger holds by now, whoever put them there, are taken out of it:
    /// what is left in `batch` is what was written.
    ///
    /// # Errors
    /// If a file cannot be written; then nothing of the batch is committed.
    pub fn commit_batch(&mut self, batch: &mut Vec<Yield>) -> Result<Committed, LakeError> {
        let mut committed = Committed::default();
        let mut staged: Option<Vec<FileEntry>> = None;
        loop {
            let before = batch.len();
            batch.retain(|drawn| !self.ledger.holds(&drawn.object));
            committed.taken += (before - batch.len()) as u64;
            // A failure that is on record already is no news.
            batch.retain(|drawn| drawn.status != ObjectStatus::Failed || !self.ledger.holds_failure(&drawn.object));
            // What was staged is good for the next sequence too, unless it holds what others have committed.
            if batch.len() < before
                && let Some(files) = staged.take()
            {
                self.discard(&files)?;
            }
            if batch.is_empty() {
                return Ok(committed);
            }
            let files = match staged.take() {
                Some(files) => files,
                None => self.stage_batch(batch)?,
            };
            let entry = Entry {
                kind: Kind::Batch,
                objects: batch.iter().map(object_entry).collect(),
                files: files.clone(),
                ..Entry::default()
            };
            if let Some(entry) = self.commit(entry)? {
                committed.rows = entry.files.iter().map(|file| file.rows).sum();
                committed.bytes = entry.files.iter().map(|file| file.bytes).sum();
                return Ok(committed);
            }
            staged = Some(files);
            self.refresh()?;
        }
    }

    fn stage_batch(&mut self, batch: &[Yield]) -> Result<Vec<FileEntry>, LakeError> {
        let name = self.commit_name();
        let counts = UsageRows::of(batch.iter().map(|drawn| &drawn.usage));
        let rows = counts.rows().iter().map(|counted| usage::Row { strings: counts.strings(), counted }).collect();
        let mut files = self.stage_by_day::<Usage>(&name, rows, |row| Some(row.counted.key.hour.day()))?;

        let mut findings: Vec<_> = batch.iter().flat_map(|drawn| &drawn.findings).collect();
        findings.sort_unstable_by_key(|finding| Findings::order(finding));
        files.extend(self.stage_by_day::<Findings>(&name, findings, |finding| Some(finding.event_time.day()))?);

        let mut changes: Vec<_> = batch.iter().flat_map(|drawn| &drawn.key_changes).collect();
        changes.sort_unstable_by_key(|c| (&c.key_arn, c.event_time, &c.event_id, &c.alias, &c.source_object));
        files.extend(self.stage_by_day::<KeyChanges>(&name, changes, |change| Some(change.event_time.day()))?);

        let mut configurations: Vec<_> = batch.iter().flat_map(|drawn| &drawn.configurations).collect();
        configurations.sort_unstable_by_key(|c| {
            let place = (&c.account_id, &c.service_rule, &c.resource, c.first);
            (place, &c.event_id, &c.choice, &c.key_ref, &c.source_object)
        });
        files.extend(self.stage_by_day::<Configurations>(&name, configurations, |c| Some(c.first.day()))?);

        let day_of = |drawn: &Yield| drawn.object.name.date.map(crate::model::time::Seconds::day);
        let objects: Vec<_> = batch.iter().collect();
        files.extend(self.stage_by_day::<Objects>(&name, objects, |drawn| day_of(drawn))?);

        let rejects: Vec<_> = batch
            .iter()
            .flat_map(|drawn| {
                drawn.rejects.iter().map(|reject| rejects::Row {
                    source_object: drawn.object.uri(),
                    object: &drawn.object,
                    reject,
                })
            })
            .collect();
        let reject_day = |row: &rejects::Row<'_>| row.object.name.date.map(crate::model::time::Seconds::day);
        files.extend(self.stage_by_day::<Rejects>(&name, rejects, reject_day)?);

        let identities = seen::to_bytes(batch.iter().map(|drawn| drawn.seen.as_slice()));
        if !identities.is_empty() {
            files.push(self.stage(seen::TABLE, format!("_seen/{name}.ids"), 0, &identities)?);
        }
        Ok(files)
    }

    /// Stages rows, sorted already, as one file a day.
    fn stage_by_day<T: Table>(
        &mut self,
        name: &str,
        rows: Vec<T::Row<'_>>,
        day_of: impl Fn(&T::Row<'_>) -> Option<i64>,
    ) -> Result<Vec<FileEntry>, LakeError> {
        let mut days: Vec<(Option<i64>, Vec<T::Row<'_>>)> = Vec::new();
        let mut at = 0;
        for row in rows {
            // Nearly always the day of the row before.
            let day = day_of(&row);
            if days.get(at).is_none_or(|(of, _)| *of != day) {
                at = days.iter().position(|(of, _)| *of == day).unwrap_or(days.len());
            }
            match days.get_mut(at) {
                Some((_, rows)) => rows.push(row),
                None => days.push((day, vec![row])),
            }
        }
        days.sort_unstable_by_key(|(day, _)| *day);
        let mut files = Vec::new();
        for (day, rows) in days {
            let bytes = parquet::write::<T>(&rows)?;
            files.push(self.stage(T::NAME, path::<T>(day, name), rows.len(), &bytes)?);
        }
        Ok(files)
    }
}

fn object_entry(drawn: &Yield) -> ObjectEntry {
    ObjectEntry {
        uri: drawn.object.uri(),
        etag: drawn.object.etag.clone(),
        status: drawn.status,
        records: drawn.records,
    }
}
