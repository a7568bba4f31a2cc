//! Own principals that encrypt under a foreign key (DOMAIN A.8, XA-OUTBOUND-ENC): what ransom looks like.

use std::collections::BTreeMap;

use super::{Tally, outbound};
use crate::kms::operations::is_encrypt_side;
use crate::model::severity::Severity;
use crate::rules::Day;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::settings::Settings;

/// Services that write the principal's own data; others encrypt their own, as they are meant to.
const WRITES_FOR_PRINCIPAL: [&str; 4] = ["", "s3", "ebs", "rds"];

pub(super) fn check(day: &Day<'_>, settings: &Settings) -> Vec<Draft> {
    let mut groups: BTreeMap<(&str, &str, &str), Tally<'_>> = BTreeMap::new();
    for (row, owner) in outbound(day, settings) {
        if row.succeeded() && is_encrypt_side(row.event_name) && WRITES_FOR_PRINCIPAL.contains(&row.via_service) {
            groups.entry((row.principal_arn, row.key_arn, owner)).or_default().add(row);
        }
    }
    groups
        .into_iter()
        .filter_map(|((who, key, owner), tally)| {
            let requests = counted(tally.requests, "request");
            let (name, actor) = (named_key(key, day.history.alias(key)), principal(who));
            let message = format!(
                "{actor} encrypted data under {name} of foreign account {owner}: {requests}; \
                 only that account can give the data back"
            );
            let draft = tally.draft(Severity::High, message)?.with("owner_account", owner);
            Some(draft.about(&[who, key, &day.day.to_string()]))
        })
        .collect()
}
