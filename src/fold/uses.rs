//! Who ever used which key: counted over all days, each distinct text held once.

use hashbrown::HashMap;
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
    rows: HashMap<Key, Count, FxBuildHasher>,
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
        self.rows
            .entry(key)
            .and_modify(|count| {
                count.first = count.first.min(row.first);
                count.last = count.last.max(row.last);
                count.requests += row.requests;
                count.errors += errors;
            })
            .or_insert(Count { first: row.first, last: row.last, requests: row.requests, errors });
    }

    /// The rows, sorted by all their texts.
    #[must_use]
    pub fn rows(&self) -> Vec<KeyUse<'_>> {
        let ranks = self.strings.ranks();
        // Ranks once a row, not twice a comparison.
        let ranked = |(key, count)| {
            let key: &Key = key;
            (key.texts.map(|symbol| ranks.of(symbol)), key.relation.as_str(), key, count)
        };
        let mut sorted: Vec<_> = self.rows.iter().map(ranked).collect();
        sorted.sort_unstable_by_key(|(texts, relation, ..)| (*texts, *relation));
        sorted.into_iter().map(|(_, _, key, count)| self.row(key, count)).collect()
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
