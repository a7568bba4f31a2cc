//! Who ever used which key, counted over all days. What was counted for long enough is put in order and
//! packed, so that a few ten thousand rows are open at a time, however many there are.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use super::runs::{self, Count, Key, Run, TEXTS, Word};
use crate::kms::failure::Ending;
use crate::model::arn::owner_account;
use crate::model::key_record::KeyUse;
use crate::model::places::Places;
use crate::model::slots::Slots;
use crate::model::strings::{Strings, Symbol};
use crate::model::usage::Relation;
use crate::model::usage_row::UsageRow;

/// Rows that are open until they are packed. As many more as lie in memory together may join them.
const OPEN: usize = 32_768;

/// Bytes of a packed row, at most, nearly.
const PACKED: usize = 20;

/// Runs that may stand side by side whatever their lengths.
const FEW: usize = 4;

/// All uses.
#[derive(Debug)]
pub(super) struct Uses {
    open_at_most: usize,
    strings: Strings,
    rows: Vec<(Key, Count)>,
    by_key: Slots,
    /// Of more than a few, the short ones become one: so there are not many, and no row is packed often.
    runs: Vec<Run>,
}

/// Symbols of the texts of some rows that lie in memory together, column by column.
pub(super) type Known<'b> = [Places<'b, Symbol>; TEXTS];

impl Default for Uses {
    fn default() -> Self {
        Self::open_at_most(OPEN)
    }
}

impl Uses {
    /// None yet. So many rows are open until they are packed; what is counted does not depend on it.
    fn open_at_most(rows: usize) -> Self {
        Self {
            open_at_most: rows,
            strings: Strings::default(),
            rows: Vec::new(),
            by_key: Slots::default(),
            runs: Vec::new(),
        }
    }

    /// Counts a row.
    pub(super) fn count<'b>(&mut self, row: &UsageRow<'b>, relation: Relation, known: &mut Known<'b>) {
        let strings = &mut self.strings;
        let [arn, principal, via, source, class, context, account] = known;
        let mut symbol = |known: &mut Places<'b, Symbol>, text| known.of(text, |text| strings.intern(text));
        let texts = [
            symbol(arn, row.key_arn),
            symbol(principal, row.principal_arn),
            symbol(via, row.via_service),
            symbol(source, row.event_source),
            symbol(class, row.operation_class),
            symbol(context, row.context_pattern),
            symbol(account, row.principal_account_id),
        ];
        let key = Key { texts, relation: Word::of(relation) };
        let failed = !matches!(Ending::of(Some(row.error_code)), Ending::Succeeded | Ending::DryRun);
        let errors = if failed { row.requests } else { 0 };
        let count = Count { first: row.first, last: row.last, requests: row.requests, errors };
        let Self { rows, by_key, .. } = self;
        let hash = FxBuildHasher.hash_one(key);
        if let Some(known) = by_key.find(hash, |at| rows[at as usize].0 == key) {
            rows[known as usize].1.add(&count);
        } else {
            by_key.insert(hash, u32::try_from(rows.len()).unwrap_or(u32::MAX));
            rows.push((key, count));
        }
    }

    /// Makes room for rows that are about to be counted.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.by_key.reserve(rows);
    }

    /// Packs what is open if it is enough. Symbols of rows counted before mean nothing afterwards.
    pub(super) fn settle(&mut self) {
        if self.rows.len() >= self.open_at_most {
            self.pack();
            self.join();
        }
    }

    fn pack(&mut self) {
        let (strings, names) = std::mem::take(&mut self.strings).into_sorted();
        self.by_key.clear();
        self.rows.iter_mut().for_each(|(key, _)| key.texts = key.texts.map(|symbol| names.of(symbol)));
        self.rows.sort_unstable_by_key(|(key, _)| *key);
        let bytes = self.rows.len() * PACKED;
        self.runs.push(Run::pack(strings, self.rows.drain(..), bytes));
    }

    /// Makes one run of the short ones, if there are many.
    fn join(&mut self) {
        if self.runs.len() <= FEW {
            return;
        }
        let short = short(&self.runs.iter().map(Run::len).collect::<Vec<_>>());
        if short > 1 {
            // Their room is taken again when there are rows: here both would be at their largest.
            self.rows = Vec::new();
            let last = self.runs.split_off(self.runs.len() - short);
            self.runs.push(Run::of(&last));
        }
    }

    /// The rows, in the order of all their texts.
    pub(super) fn sorted(mut self) -> SortedUses {
        if !self.rows.is_empty() {
            self.pack();
        }
        SortedUses { runs: self.runs }
    }
}

/// All uses, sorted. There may be very many: rows are made some at a time.
#[derive(Debug)]
pub struct SortedUses {
    runs: Vec<Run>,
}

impl SortedUses {
    /// Shows the rows to `see`, so many at a time; the last may be fewer.
    ///
    /// # Errors
    /// What `see` says.
    pub fn chunks<E>(&self, size: usize, mut see: impl FnMut(&[KeyUse<'_>]) -> Result<(), E>) -> Result<(), E> {
        let (strings, mut rows) = runs::merged(&self.runs);
        let mut owners = Places::default();
        loop {
            let row = |(key, count): (Key, Count)| {
                let mut row = row(&strings, &key, &count);
                let owner = |arn| owner_account(arn).unwrap_or_default();
                row.key_account_id = owners.of(row.key_arn, owner);
                row
            };
            let chunk: Vec<_> = rows.by_ref().take(size).map(row).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            see(&chunk)?;
        }
    }
}

/// How many runs at the end are short: each has less than twice the rows of all behind it.
fn short(lengths: &[usize]) -> usize {
    let is_long = |at: &usize| lengths[*at] >= 2 * lengths[at + 1..].iter().sum::<usize>();
    let last = lengths.len().saturating_sub(1);
    lengths.len() - (0..last).rev().find(is_long).map_or(0, |long| long + 1)
}

fn row<'s>(strings: &'s Strings, key: &Key, count: &Count) -> KeyUse<'s> {
    let [key_arn, principal_arn, via_service, event_source, operation_class, context_pattern, principal_account_id] =
        key.texts.map(|symbol| strings.get(symbol));
    KeyUse {
        key_arn,
        key_account_id: "",
        principal_arn,
        principal_account_id,
        via_service,
        event_source,
        operation_class,
        context_pattern,
        relation: key.relation.relation(),
        first_time: count.first,
        last_time: count.last,
        requests: count.requests,
        errors: count.errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Seconds;
    use proptest::prelude::*;

    fn used(
        key_arn: &'static str,
        principal_arn: &'static str,
        error_code: &'static str,
        first: i64,
    ) -> UsageRow<'static> {
        UsageRow {
            hour: Seconds(0),
            event_source: "kms.amazonaws.com",
            event_name: "Decrypt",
            operation_class: "crypto",
            account_id: "",
            region: "",
            key_arn,
            key_ref: "",
            destination_key_arn: "",
            principal_arn,
            principal_type: "",
            principal_account_id: "",
            via_service: "",
            context_pattern: "",
            destination_context_pattern: "",
            error_code,
            error_reason: "",
            side: "local",
            requests: first % 7 + 1,
            first: Seconds(first),
            last: Seconds(first + 10),
            sample_event_id: "",
        }
    }

    /// What is counted of `days`, some of which lie in memory together, if so many rows stay open.
    fn counted(days: &[Vec<(UsageRow<'static>, Relation)>], open: usize) -> Vec<KeyUse<'static>> {
        let mut uses = Uses::open_at_most(open);
        for day in days {
            let mut known = Known::default();
            day.iter().for_each(|(row, relation)| uses.count(row, *relation, &mut known));
            uses.settle();
        }
        let lengths: Vec<usize> = uses.runs.iter().map(Run::len).collect();
        let rows: usize = lengths.iter().sum();
        assert!(lengths.len() <= FEW + rows.checked_ilog2().map_or(0, |log| log as usize), "many runs: {lengths:?}");
        let mut rows = Vec::new();
        let kept = |text: &str| -> &'static str { text.to_owned().leak() };
        let keep = |row: &KeyUse<'_>| KeyUse {
            key_arn: kept(row.key_arn),
            key_account_id: kept(row.key_account_id),
            principal_arn: kept(row.principal_arn),
            principal_account_id: "",
            via_service: "",
            event_source: kept(row.event_source),
            operation_class: kept(row.operation_class),
            context_pattern: "",
            ..*row
        };
        let seen = uses.sorted().chunks(3, |chunk| {
            rows.extend(chunk.iter().map(keep));
            if chunk.len() > 3 { Err(()) } else { Ok(()) }
        });
        assert_eq!(seen, Ok(()));
        rows
    }

    fn days() -> impl Strategy<Value = Vec<Vec<(UsageRow<'static>, Relation)>>> {
        let keys = prop::sample::select(vec!["k/c", "k/a", "k/b", "k/ab", "k/d", "k/aa", "k"]);
        let principals = prop::sample::select(vec!["p/z", "p/m", "p/a", "", "k/a"]);
        let errors = prop::sample::select(vec!["", "AccessDenied", "DryRunOperationException"]);
        let relations = prop::sample::select(vec![Relation::Same, Relation::Foreign, Relation::Inbound]);
        let row = (keys, principals, errors, relations, -5..1_000_000_i64)
            .prop_map(|(key, principal, error, relation, first)| (used(key, principal, error, first), relation));
        prop::collection::vec(prop::collection::vec(row, 0..12), 0..20)
    }

    proptest! {
        #[test]
        fn what_is_counted_does_not_depend_on_how_much_stays_open(days in days()) {
            let at_once = counted(&days, usize::MAX);
            prop_assert!(at_once.is_sorted_by_key(|u| (u.key_arn, u.principal_arn, u.relation.as_str())));
            let requests = days.iter().flatten().map(|(row, _)| row.requests).sum::<i64>();
            prop_assert_eq!(at_once.iter().map(|row| row.requests).sum::<i64>(), requests);
            for open in [1, 2, 5, 30] {
                prop_assert_eq!(&counted(&days, open), &at_once);
            }
            let mut other_way = days.clone();
            other_way.reverse();
            prop_assert_eq!(&counted(&other_way, 4), &at_once);
        }
    }
}
