//! Who ever used which key: counted over all days, each distinct text held once.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::kms::failure::Ending;
use crate::model::key_record::KeyUse;
use crate::model::places::Places;
use crate::model::strings::{Strings, Symbol};
use crate::model::time::Seconds;
use crate::model::usage::Relation;
use crate::model::usage_row::UsageRow;

/// Texts of a [`Key`], in the order that rows are sorted by.
const TEXTS: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    texts: [Symbol; TEXTS],
    relation: Relation,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    first: Seconds,
    last: Seconds,
    requests: i64,
    errors: i64,
}

/// All uses.
#[derive(Debug, Default)]
pub struct Uses {
    strings: Strings,
    /// There may be very many: they stand in one place, where they can be sorted.
    rows: Vec<(Key, Count)>,
    by_key: HashTable<u32>,
}

/// Symbols of the texts of some rows that lie in memory together, column by column.
pub(super) type Known<'b> = [Places<'b, Symbol>; TEXTS];

impl Uses {
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
        let key = Key { texts, relation };
        let failed = !matches!(Ending::of(Some(row.error_code)), Ending::Succeeded | Ending::DryRun);
        let errors = if failed { row.requests } else { 0 };
        let Self { rows, by_key, .. } = self;
        let at = |place: &u32| *place as usize;
        let hash = |key: &Key| FxBuildHasher.hash_one(key);
        match by_key.entry(hash(&key), |place| rows[at(place)].0 == key, |place| hash(&rows[at(place)].0)) {
            Entry::Occupied(place) => {
                let count = &mut rows[at(place.get())].1;
                count.first = count.first.min(row.first);
                count.last = count.last.max(row.last);
                count.requests += row.requests;
                count.errors += errors;
            }
            Entry::Vacant(place) => {
                place.insert(u32::try_from(rows.len()).unwrap_or(u32::MAX));
                rows.push((key, Count { first: row.first, last: row.last, requests: row.requests, errors }));
            }
        }
    }

    /// The rows, in the order of all their texts.
    #[must_use]
    pub fn sorted(self) -> SortedUses {
        let Self { strings, mut rows, by_key } = self;
        drop(by_key);
        let (strings, names) = strings.into_sorted();
        rows.iter_mut().for_each(|(key, _)| key.texts = key.texts.map(|symbol| names.of(symbol)));
        rows.sort_unstable_by_key(|(key, _)| (key.texts, key.relation.as_str()));
        SortedUses { strings, rows }
    }
}

/// All uses, sorted. There may be very many: rows are made some at a time.
#[derive(Debug)]
pub struct SortedUses {
    strings: Strings,
    rows: Vec<(Key, Count)>,
}

impl SortedUses {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, at most `size` at a time.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Vec<KeyUse<'_>>> {
        self.rows.chunks(size).map(|rows| rows.iter().map(|(key, count)| self.row(key, count)).collect())
    }

    fn row(&self, key: &Key, count: &Count) -> KeyUse<'_> {
        let [key_arn, principal_arn, via_service, event_source, operation_class, context_pattern, principal_account_id] =
            key.texts.map(|symbol| self.strings.get(symbol));
        KeyUse {
            key_arn,
            principal_arn,
            principal_account_id,
            via_service,
            event_source,
            operation_class,
            context_pattern,
            relation: key.relation,
            first_time: count.first,
            last_time: count.last,
            requests: count.requests,
            errors: count.errors,
        }
    }
}
