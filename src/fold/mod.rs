//! Committed usage and key changes become the history of keys and of their use. Pure: rows are
//! shown to it day by day, snapshots come out; what it reads and writes with is others' concern.

mod aliases;
mod key_state;
mod manager;
mod uses;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::model::history::History;
use crate::model::key_change::KeyChange;
use crate::model::key_record::KeyRecord;
use crate::model::usage_row::{UsageRow, UsageRows};

use self::aliases::Aliases;
use self::key_state::KeyState;
pub use self::uses::Uses;

/// A fold in progress. Show it all aliases first, then each day's key changes and usage, in order.
#[derive(Debug, Default)]
pub struct Fold {
    history: History,
    aliases: Aliases,
    keys: HashMap<String, KeyState, FxBuildHasher>,
    uses: Uses,
}

impl Fold {
    /// Starts with what is known beforehand: own accounts, accounts whose trails are read.
    #[must_use]
    pub fn new(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// Learns which key an alias stands for. Rules need this of all days before the first day.
    pub fn learn_alias(&mut self, key_arn: &str, alias: &str) {
        if !alias.is_empty() && !key_arn.is_empty() {
            self.history.learn_alias(key_arn, alias);
        }
    }

    /// Takes what an inventory says of a key.
    pub fn inventory(&mut self, key: &KeyRecord) {
        for alias in &key.aliases {
            self.history.learn_alias(&key.key_arn, alias);
            self.aliases.inventory(&key.key_arn, alias);
        }
        self.key(&key.key_arn).inventory(key);
    }

    /// Takes a day: its key changes in order of time, its usage in any order.
    pub fn day(&mut self, day: i64, changes: &[KeyChange], usage: &dyn UsageRows) {
        for change in changes {
            self.aliases.note(change);
            if !change.key_arn.is_empty() {
                self.key(&change.key_arn).change(change);
            }
        }
        for row in usage.each().filter(|row| !row.key_arn.is_empty()) {
            let counts = self.history.counts_once(&row);
            let relation = self.history.relation(&row);
            self.key(row.key_arn).used(&row, counts);
            if !row.destination_key_arn.is_empty() && row.destination_key_arn != row.key_arn {
                self.key(row.destination_key_arn).used(&row, counts);
            }
            self.note_first_use(&row, day);
            if counts {
                self.uses.count(&row, relation);
            }
        }
    }

    /// What the usage rules may ask.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The snapshots, sorted.
    #[must_use]
    pub fn finish(self) -> (Vec<KeyRecord>, Uses) {
        let Self { aliases, keys, uses, .. } = self;
        let mut names = aliases.by_key();
        let mut records: Vec<_> = keys
            .into_iter()
            .map(|(arn, state)| {
                let aliases = names.remove(&arn).unwrap_or_default();
                state.into_record(arn, aliases)
            })
            .collect();
        records.sort_unstable_by(|a, b| a.key_arn.cmp(&b.key_arn));
        (records, uses)
    }

    fn key(&mut self, arn: &str) -> &mut KeyState {
        self.keys.entry_ref(arn).or_default()
    }

    /// First uses matter across accounts only.
    fn note_first_use(&mut self, row: &UsageRow<'_>, day: i64) {
        if row.side != "local" && row.succeeded() {
            for key in [row.key_arn, row.destination_key_arn].into_iter().filter(|key| !key.is_empty()) {
                self.history.note_use(key, row.principal_account_id, day);
                self.history.note_use(key, row.principal_arn, day);
            }
        }
    }
}
