//! Own keys that foreign accounts use (DOMAIN A.8, XA-INBOUND): the first day of a pair, then a row a day.

use crate::model::arn::owner_account;
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Inbound>::default()
}

/// By key and caller's account.
#[derive(Default)]
struct Inbound(Groups<2, Use>);

#[derive(Default)]
struct Use {
    tally: Tally,
    grants: bool,
}

impl Watch for Inbound {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        if row.side != "owner" || row.event_source != Event::KMS || !row.succeeded() {
            return;
        }
        let caller = row.principal_account_id;
        if !day.is_foreign(caller) {
            return;
        }
        // A `ReEncrypt` uses two keys: each has a first time of its own, and the copy of its owner counts.
        let destination = Some(row.destination_key_arn).filter(|destination| *destination != row.key_arn);
        let own = [Some(row.key_arn), destination].into_iter().flatten().filter(|key| day.owns(key));
        for key in own.filter(|key| day.history.counts_once(row, owner_account(key))) {
            let used = self.0.of([key, caller]);
            used.tally.add(row);
            used.grants |= row.event_name == "CreateGrant";
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        self.0.iter().filter_map(|([key, caller], used)| verdict(key, caller, used, day)).collect()
    }
}

fn verdict(key: &str, caller: &str, used: &Use, day: &Day<'_>) -> Option<Draft> {
    let first = day.history.is_first_day(key, caller, day.day);
    let severity = match (first, used.grants) {
        (true, true) => Severity::High,
        (true, false) => Severity::Medium,
        (false, _) => Severity::Low,
    };
    let name = named_key(key, day.history.alias(key));
    let requests = counted(used.tally.requests, "request");
    let when = if first { "for the first time" } else { "again" };
    let granted = if used.grants { ", grants among them" } else { "" };
    let message = format!("account {caller} used {name} {when}: {requests}{granted}");
    let mut draft = used.tally.draft(severity, message)?.with("caller_account", caller).with("first_seen", first);
    key.clone_into(&mut draft.subject.key_arn);
    // The first day is one thing, whichever day later logs show it to be.
    let when = if first { "first".to_owned() } else { day.day.to_string() };
    Some(draft.about(&[key, caller, &when]))
}
