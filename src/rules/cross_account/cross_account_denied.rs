//! Foreign keys that refused an own principal (DOMAIN A.8, XA-OUTBOUND-DENIED): a row a principal and day.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use super::foreign_owner;
use crate::kms::failure::Ending;
use crate::kms::key_reference::alias_of;
use crate::model::arn::owner_account;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;
use crate::rules::critical_action::reports_refusals;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

/// Distinct keys in one hour that look like probing.
const PROBED_KEYS: usize = 5;
/// Calls in one hour that look like probing.
const PROBING_CALLS: i64 = 20;
/// In seconds.
const HOUR: i64 = 3_600;

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Denied>::default()
}

/// By principal.
#[derive(Default)]
struct Denied(Groups<1, Refusals>);

#[derive(Default)]
struct Refusals {
    tally: Tally,
    keys: BTreeSet<String>,
    /// By hour of the clock and a hash of the key: however usage is cut into rows, these are the same.
    spans: FxHashMap<(Seconds, u64), Span>,
}

/// From when to when there were refused requests, and how many.
struct Span {
    first: Seconds,
    last: Seconds,
    requests: i64,
}

impl Refusals {
    fn add(&mut self, row: &UsageRow<'_>, key: &str) {
        self.tally.add(row);
        if !self.keys.contains(key) {
            self.keys.insert(key.to_owned());
        }
        let one = Span { first: row.first, last: row.last, requests: 0 };
        let span = self.spans.entry((row.hour, FxBuildHasher.hash_one(key))).or_insert(one);
        (span.first, span.last) = (span.first.min(row.first), span.last.max(row.last));
        span.requests += row.requests;
    }

    /// Whether some hour saw as much, wherever the clock stood. Of a span that reaches beyond it only the first
    /// request is known to be within.
    fn is_probing(&self) -> bool {
        let mut spans: Vec<_> = self.spans.iter().map(|((_, key), span)| (span.first, *key, span)).collect();
        spans.sort_unstable_by_key(|(first, key, _)| (*first, *key));
        (0..spans.len()).any(|from| {
            let end = Seconds(spans[from].0.0 + HOUR);
            let (mut keys, mut calls) = (FxHashSet::default(), 0);
            spans[from..].iter().take_while(|(first, ..)| *first < end).any(|(_, key, span)| {
                keys.insert(*key);
                calls += if span.last < end { span.requests } else { 1 };
                keys.len() >= PROBED_KEYS || calls >= PROBING_CALLS
            })
        })
    }
}

impl Watch for Denied {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        if row.succeeded() || !matches!(Ending::of(Some(row.error_code)), Ending::Denied | Ending::NotFound) {
            return;
        }
        // Of a `ReEncrypt` it may be the destination that was refused.
        let foreign = [row.key_arn, row.key_ref, row.destination_key_arn].into_iter().find(|key| {
            !key.is_empty() && foreign_owner(&UsageRow { key_arn: key, key_ref: "", ..*row }, day).is_some()
        });
        if let Some(key) = foreign.filter(|_| !reports_refusals(row.event_name)) {
            self.0.of([row.principal_arn]).add(row, key);
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        self.0.iter().filter_map(|([who], refusals)| verdict(who, refusals, day)).collect()
    }
}

fn verdict(who: &str, refusals: &Refusals, day: &Day<'_>) -> Option<Draft> {
    let severity = if refusals.is_probing() { Severity::Medium } else { Severity::Low };
    let keys = match refusals.keys.iter().next() {
        Some(only) if refusals.keys.len() == 1 => {
            let owner = owner_account(only).unwrap_or_default();
            format!("{} of foreign account {owner}", named_key(only, alias_of(only)))
        }
        _ => counted(i64::try_from(refusals.keys.len()).unwrap_or(i64::MAX), "foreign key"),
    };
    let requests = counted(refusals.tally.requests, "request");
    let message = format!("{} was refused use of {keys}: {requests}", principal(who));
    let draft = refusals.tally.draft(severity, message)?.with("keys", refusals.keys.len());
    Some(draft.about(&[who, &day.day.to_string()]))
}
