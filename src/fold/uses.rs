//! Who ever used which key: counted over all days, each distinct text held once.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::kms::failure::Ending;
use crate::model::key_record::KeyUse;
use crate::model::strings::{Strings, Symbol};
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    key_arn: Symbol,
    principal_arn: Symbol,
    principal_account_id: Symbol,
    via_service: Symbol,
    event_source: Symbol,
    operation_class: Symbol,
    context_pattern: Symbol,
    relation: &'static str,
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

impl Uses {
    pub(super) fn count(&mut self, row: &UsageRow<'_>, relation: &'static str) {
        let strings = &mut self.strings;
        let key = Key {
            key_arn: strings.intern(row.key_arn),
            principal_arn: strings.intern(row.principal_arn),
            principal_account_id: strings.intern(row.principal_account_id),
            via_service: strings.intern(row.via_service),
            event_source: strings.intern(row.event_source),
            operation_class: strings.intern(row.operation_class),
            context_pattern: strings.intern(row.context_pattern),
            relation,
        };
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
        let mut sorted: Vec<_> = self.rows.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| {
            let texts = [
                key.key_arn,
                key.principal_arn,
                key.via_service,
                key.event_source,
                key.operation_class,
                key.context_pattern,
                key.principal_account_id,
            ];
            (texts.map(|symbol| ranks.of(symbol)), key.relation)
        });
        sorted.into_iter().map(|(key, count)| self.row(key, count)).collect()
    }

    fn row(&self, key: &Key, count: &Count) -> KeyUse<'_> {
        let text = |symbol| self.strings.get(symbol);
        KeyUse {
            key_arn: text(key.key_arn),
            principal_arn: text(key.principal_arn),
            principal_account_id: text(key.principal_account_id),
            via_service: text(key.via_service),
            event_source: text(key.event_source),
            operation_class: text(key.operation_class),
            context_pattern: text(key.context_pattern),
            relation: key.relation,
            first_time: count.first,
            last_time: count.last,
            requests: count.requests,
            errors: count.errors,
        }
    }
}
