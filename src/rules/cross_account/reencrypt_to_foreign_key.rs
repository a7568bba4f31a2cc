//! Ciphertext moved from an own key to a foreign one (DOMAIN A.8, XA-REENCRYPT-OUT).

use std::collections::BTreeMap;

use crate::model::arn::owner_account;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Moved>::default()
}

/// By caller's account and the two keys. Each copy of a call is tallied by itself, by its trail's
/// account, so that two trails do not make two calls of it.
#[derive(Default)]
struct Moved(Groups<3, BTreeMap<String, Tally>>);

impl Watch for Moved {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        if row.side == "local" || row.event_name != "ReEncrypt" || !row.succeeded() {
            return;
        }
        let owners = owner_account(row.key_arn).zip(owner_account(row.destination_key_arn));
        if owners.is_some_and(|(from, to)| day.is_own(from) && day.is_foreign(to)) {
            let copies = self.0.of([row.principal_account_id, row.key_arn, row.destination_key_arn]);
            copies.entry(row.account_id.to_owned()).or_default().add(row);
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        self.0.iter().filter_map(|([caller, from, to], copies)| verdict(caller, from, to, copies, day)).collect()
    }
}

fn verdict(caller: &str, from: &str, to: &str, copies: &BTreeMap<String, Tally>, day: &Day<'_>) -> Option<Draft> {
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
}
