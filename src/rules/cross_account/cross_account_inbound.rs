//! Own keys that foreign accounts use (DOMAIN A.8, XA-INBOUND): the first day of a pair, then a row a day.

use std::collections::BTreeMap;

use super::{Tally, is_foreign, is_own};
use crate::model::arn::owner_account;
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::rules::Day;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, named_key};
use crate::rules::settings::Settings;

pub(super) fn check(day: &Day<'_>, settings: &Settings) -> Vec<Draft> {
    let mut groups: BTreeMap<(&str, &str), (Tally<'_>, bool)> = BTreeMap::new();
    for row in day
        .rows
        .across_accounts()
        .filter(|row| row.event_source == Event::KMS && row.succeeded() && row.side == "owner")
    {
        let caller = row.principal_account_id;
        let keys = [row.key_arn, row.destination_key_arn];
        let own = keys.into_iter().find(|key| owner_account(key).is_some_and(|owner| is_own(owner, day)));
        if let Some(key) = own.filter(|_| is_foreign(caller, day, settings)) {
            let (tally, grants) = groups.entry((key, caller)).or_default();
            tally.add(row);
            *grants |= row.event_name == "CreateGrant";
        }
    }
    groups
        .into_iter()
        .filter_map(|((key, caller), (tally, grants))| {
            let first = day.history.is_first_day(key, caller, day.day);
            let severity = match (first, grants) {
                (true, true) => Severity::High,
                (true, false) => Severity::Medium,
                (false, _) => Severity::Low,
            };
            let name = named_key(key, day.history.alias(key));
            let requests = counted(tally.requests, "request");
            let when = if first { "for the first time" } else { "again" };
            let granted = if grants { ", grants among them" } else { "" };
            let message = format!("account {caller} used {name} {when}: {requests}{granted}");
            let mut draft = tally.draft(severity, message)?.with("caller_account", caller).with("first_seen", first);
            key.clone_into(&mut draft.subject.key_arn);
            // The first day is one thing, whichever day later logs show it to be.
            let when = if first { "first".to_owned() } else { day.day.to_string() };
            Some(draft.about(&[key, caller, &when]))
        })
        .collect()
}
