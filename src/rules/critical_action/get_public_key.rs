//! Public keys that a principal takes out of KMS: once a principal and key (DOMAIN E.1).

use crate::model::arn::owner_account;
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Taken>::default()
}

/// By principal and key.
#[derive(Default)]
struct Taken(Groups<2, Tally>);

impl Watch for Taken {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        let taken = row.event_name == "GetPublicKey" && row.event_source == Event::KMS && row.succeeded();
        if taken && !row.key_arn.is_empty() && day.history.counts_once(row, owner_account(row.key_arn)) {
            self.0.of([row.principal_arn, row.key_arn]).add(row);
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        let first = self.0.iter().filter(|([who, key], _)| day.history.is_first_day(key, who, day.day));
        first.filter_map(|([who, key], tally)| verdict(who, key, tally, day)).collect()
    }
}

fn verdict(who: &str, key: &str, tally: &Tally, day: &Day<'_>) -> Option<Draft> {
    let (name, requests) = (named_key(key, day.history.alias(key)), counted(tally.requests, "request"));
    let message = format!(
        "{} took the public key of {name} for the first time ({requests}): what is done with it outside of KMS is in no log",
        principal(who)
    );
    Some(tally.draft(Severity::Low, message)?.about(&[key, who]))
}
