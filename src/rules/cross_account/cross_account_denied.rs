//! Foreign keys that refused an own principal (DOMAIN A.8, XA-OUTBOUND-DENIED): a row a principal and day.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tally, outbound};
use crate::kms::failure::Ending;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::rules::Day;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, principal};
use crate::rules::settings::Settings;

/// Distinct keys in one hour that look like probing.
const PROBED_KEYS: usize = 5;
/// Calls in one hour that look like probing.
const PROBING_CALLS: i64 = 20;

#[derive(Default)]
struct Refusals<'a> {
    tally: Tally<'a>,
    keys: BTreeSet<&'a str>,
    hours: BTreeMap<Seconds, (BTreeSet<&'a str>, i64)>,
}

impl Refusals<'_> {
    fn is_probing(&self) -> bool {
        self.hours.values().any(|(keys, calls)| keys.len() >= PROBED_KEYS || *calls >= PROBING_CALLS)
    }
}

pub(super) fn check(day: &Day<'_>, settings: &Settings) -> Vec<Draft> {
    let mut by_principal: BTreeMap<&str, Refusals<'_>> = BTreeMap::new();
    for (row, _) in outbound(day, settings) {
        if !matches!(Ending::of(Some(row.error_code)), Ending::Denied | Ending::NotFound) {
            continue;
        }
        let refusals = by_principal.entry(row.principal_arn).or_default();
        refusals.tally.add(row);
        let key = if row.key_arn.is_empty() { row.key_ref } else { row.key_arn };
        refusals.keys.insert(key);
        let (keys, calls) = refusals.hours.entry(row.hour).or_default();
        keys.insert(key);
        *calls += row.requests;
    }
    by_principal
        .into_iter()
        .filter_map(|(who, refusals)| {
            let severity = if refusals.is_probing() { Severity::Medium } else { Severity::Low };
            let keys = match refusals.keys.iter().next() {
                Some(only) if refusals.keys.len() == 1 => format!("foreign {only}"),
                _ => counted(i64::try_from(refusals.keys.len()).unwrap_or(i64::MAX), "foreign key"),
            };
            let requests = counted(refusals.tally.requests, "request");
            let message = format!("{} was refused by {keys}: {requests}", principal(who));
            let draft = refusals.tally.draft(severity, message)?.with("keys", refusals.keys.len());
            Some(draft.about(&[who, &day.day.to_string()]))
        })
        .collect()
}
