//! Own principals that use foreign keys, other than to encrypt (DOMAIN A.8, XA-OUTBOUND): once a pair.

use super::foreign_owner;
use crate::kms::operations::is_encrypt_side;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Outbound>::default()
}

/// By principal, key and key owner.
#[derive(Default)]
struct Outbound(Groups<3, Tally>);

impl Watch for Outbound {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        let Some(owner) = foreign_owner(row, day) else { return };
        // KMS lets nobody administer a foreign key.
        let is_use = matches!(row.operation_class, "crypto" | "grant" | "read" | "read_keymaterial");
        if is_use && row.succeeded() && !is_encrypt_side(row.event_name) {
            self.0.of([row.principal_arn, row.key_arn, owner]).add(row);
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        let first = self.0.iter().filter(|([who, key, _], _)| day.history.is_first_day(key, who, day.day));
        first.filter_map(|([who, key, owner], tally)| verdict(who, key, owner, tally, day)).collect()
    }
}

fn verdict(who: &str, key: &str, owner: &str, tally: &Tally, day: &Day<'_>) -> Option<Draft> {
    let requests = counted(tally.requests, "request");
    let (name, actor) = (named_key(key, day.history.alias(key)), principal(who));
    let message = format!("{actor} used {name} of foreign account {owner} for the first time: {requests}");
    Some(tally.draft(Severity::Low, message)?.with("owner_account", owner).about(&[who, key]))
}
