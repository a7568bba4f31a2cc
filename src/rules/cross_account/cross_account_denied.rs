//! Foreign keys that refused an own principal (DOMAIN A.8, XA-OUTBOUND-DENIED): a row a principal and day.

use std::collections::{BTreeMap, BTreeSet};

use super::foreign_owner;
use crate::kms::failure::Ending;
use crate::kms::key_reference::alias_of;
use crate::model::arn::owner_account;
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

/// Distinct keys in one hour that look like probing.
const PROBED_KEYS: usize = 5;
/// Calls in one hour that look like probing.
const PROBING_CALLS: i64 = 20;

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
    hours: BTreeMap<Seconds, (BTreeSet<String>, i64)>,
}

impl Refusals {
    fn add(&mut self, row: &UsageRow<'_>) {
        self.tally.add(row);
        let key = if row.key_arn.is_empty() { row.key_ref } else { row.key_arn };
        self.keys.insert(key.to_owned());
        let (keys, calls) = self.hours.entry(row.hour).or_default();
        keys.insert(key.to_owned());
        *calls += row.requests;
    }

    fn is_probing(&self) -> bool {
        self.hours.values().any(|(keys, calls)| keys.len() >= PROBED_KEYS || *calls >= PROBING_CALLS)
    }
}

impl Watch for Denied {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        let refused = matches!(Ending::of(Some(row.error_code)), Ending::Denied | Ending::NotFound);
        if refused && foreign_owner(row, day).is_some() {
            self.0.of([row.principal_arn]).add(row);
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
