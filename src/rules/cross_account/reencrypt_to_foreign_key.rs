//! Ciphertext moved from an own key to a foreign one (DOMAIN A.8, XA-REENCRYPT-OUT).

use std::collections::BTreeMap;

use super::{Tally, is_foreign, is_own};
use crate::model::arn::owner_account;
use crate::model::severity::Severity;
use crate::rules::Day;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::settings::Settings;

pub(super) fn check(day: &Day<'_>, settings: &Settings) -> Vec<Draft> {
    // Each copy of a call in a group of its own, so that two trails do not make two calls of it.
    let mut groups: BTreeMap<(&str, &str, &str), BTreeMap<&str, Tally<'_>>> = BTreeMap::new();
    for row in day.rows.across_accounts().filter(|row| row.event_name == "ReEncrypt" && row.succeeded()) {
        let (Some(from), Some(to)) = (owner_account(row.key_arn), owner_account(row.destination_key_arn)) else {
            continue;
        };
        if is_own(from, day) && is_foreign(to, day, settings) {
            let group = (row.principal_account_id, row.key_arn, row.destination_key_arn);
            groups.entry(group).or_default().entry(row.account_id).or_default().add(row);
        }
    }
    groups
        .into_iter()
        .filter_map(|((caller, from, to), copies)| {
            // The caller's copy knows the principal; the owner's only the account.
            let tally = copies.get(caller).or_else(|| copies.values().next())?;
            let (source, destination) = (named_key(from, day.history.alias(from)), named_key(to, None));
            let owner = owner_account(to).unwrap_or_default();
            let mut draft = tally.draft(Severity::High, String::new())?;
            let actor = principal(&draft.subject.principal_arn);
            let requests = counted(tally.requests, "request");
            draft.message =
                format!("{actor} re-encrypted from {source} to {destination} of foreign account {owner}: {requests}");
            to.clone_into(&mut draft.subject.resource_arn);
            Some(draft.with("destination_key_arn", to).about(&[caller, from, to, &day.day.to_string()]))
        })
        .collect()
}
