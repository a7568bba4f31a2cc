//! Own principals that use foreign keys, other than to encrypt (DOMAIN A.8, XA-OUTBOUND): once a pair.

use std::collections::BTreeMap;

use super::{Tally, outbound};
use crate::kms::operations::is_encrypt_side;
use crate::model::severity::Severity;
use crate::rules::Day;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::settings::Settings;

pub(super) fn check(day: &Day<'_>, settings: &Settings) -> Vec<Draft> {
    let mut groups: BTreeMap<(&str, &str, &str), Tally<'_>> = BTreeMap::new();
    for (row, owner) in outbound(day, settings).filter(|(row, _)| row.succeeded() && !is_encrypt_side(row.event_name)) {
        if day.history.is_first_day(row.key_arn, row.principal_arn, day.day) {
            groups.entry((row.principal_arn, row.key_arn, owner)).or_default().add(row);
        }
    }
    groups
        .into_iter()
        .filter_map(|((who, key, owner), tally)| {
            let requests = counted(tally.requests, "request");
            let (name, actor) = (named_key(key, day.history.alias(key)), principal(who));
            let message = format!("{actor} used {name} of foreign account {owner} for the first time: {requests}");
            Some(tally.draft(Severity::Low, message)?.with("owner_account", owner).about(&[who, key]))
        })
        .collect()
}
