//! Identities of events read lately, so that the copy of an event in a second trail, or in a file
//! delivered twice, is not counted again; bounded by number, oldest hours first.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::LakeError;
use super::ledger::{self, Kind, Ledger};
use super::storage::Storage;
use crate::model::r#yield::SeenEvent;

/// Name of the files in the ledger; they are no table.
pub(super) const TABLE: &str = "_seen";
/// Hours behind the newest event that identities are kept for.
const WINDOW_HOURS: u32 = 48;
/// Bytes of an identity in a file: hour and hash.
const RECORD: usize = 12;

/// The window: sets of identities by hour of the event.
#[derive(Debug)]
pub struct SeenWindow {
    hours: BTreeMap<u32, FxHashSet<u64>>,
    len: usize,
    capacity: usize,
}

impl SeenWindow {
    /// An empty window that holds at most `capacity` identities, give or take an hour.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { hours: BTreeMap::new(), len: 0, capacity }
    }

    /// Those of `events` that were seen before.
    #[must_use]
    pub fn known(&self, events: &[SeenEvent]) -> FxHashSet<u64> {
        events
            .iter()
            .filter(|event| self.hours.get(&event.hour).is_some_and(|ids| ids.contains(&event.id)))
            .map(|event| event.id)
            .collect()
    }

    /// Adds events, and forgets the oldest hours where that is too many.
    pub fn add(&mut self, events: &[SeenEvent]) {
        for event in events {
            self.len += usize::from(self.hours.entry(event.hour).or_default().insert(event.id));
        }
        while let (Some((&oldest, ids)), Some((&newest, _))) = (self.hours.first_key_value(), self.hours.last_key_value())
        {
            let too_old = oldest.saturating_add(WINDOW_HOURS) < newest;
            let too_many = self.len > self.capacity && oldest < newest;
            if !too_old && !too_many {
                break;
            }
            self.len -= ids.len();
            self.hours.pop_first();
        }
    }
}

pub(super) fn to_bytes(events: impl Iterator<Item = SeenEvent>) -> Vec<u8> {
    events.flat_map(|e| e.hour.to_le_bytes().into_iter().chain(e.id.to_le_bytes())).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<SeenEvent> {
    bytes
        .chunks_exact(RECORD)
        .filter_map(|record| {
            let (hour, id) = record.split_first_chunk()?;
            Some(SeenEvent { hour: u32::from_le_bytes(*hour), id: u64::from_le_bytes(*id.first_chunk()?) })
        })
        .collect()
}

/// Reads the window back: the newest files that fill it, added in the order of their commits, as
/// the process that wrote them did. Files that no window needs any more are removed.
pub(super) fn load(storage: &dyn Storage, ledger: &Ledger, capacity: usize) -> Result<SeenWindow, LakeError> {
    let mut window = SeenWindow::new(capacity);
    if ledger.through() == 0 {
        return Ok(window);
    }
    let entries = ledger::all(storage)?;
    let batches = entries.iter().rev().filter(|entry| entry.kind == Kind::Batch);
    let files = batches.flat_map(|entry| entry.files.iter().filter(|file| file.table == TABLE));
    let (mut newest_first, mut held) = (Vec::new(), 0);
    for file in files {
        if held >= capacity {
            storage.remove(&file.path)?;
            continue;
        }
        // Absent: removed by an earlier start, or not published yet by a live writer.
        let Some(bytes) = storage.get(&file.path)? else { continue };
        let events = from_bytes(&bytes);
        held += events.len();
        newest_first.push(events);
    }
    newest_first.iter().rev().for_each(|events| window.add(events));
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_by_age_and_by_number() {
        let event = |hour, id| SeenEvent { hour, id };
        let mut window = SeenWindow::new(3);
        window.add(&[event(1, 10), event(2, 20), event(2, 20)]);
        assert_eq!(window.known(&[event(1, 10), event(2, 20), event(2, 21)]).len(), 2);
        window.add(&[event(3, 30), event(3, 31)]);
        assert!(window.known(&[event(1, 10)]).is_empty() && window.len == 3);
        window.add(&[event(3 + WINDOW_HOURS, 40)]);
        assert_eq!(window.known(&[event(2, 20)]).len(), 0);
        assert_eq!(window.known(&[event(3, 30)]).len(), 1);
        let kept = [event(7, 70), event(8, 80)];
        assert_eq!(from_bytes(&to_bytes(kept.into_iter())), kept);
    }
}
