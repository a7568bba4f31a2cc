//! Own principals that encrypt under a foreign key (DOMAIN A.8, XA-OUTBOUND-ENC): what ransom looks like.

use super::foreign_owner;
use crate::kms::operations::is_encrypt_side;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;
use crate::rules::groups::Groups;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::tally::Tally;
use crate::rules::{Day, Watch};

/// Services that write the principal's own data; others encrypt their own, as they are meant to.
const WRITES_FOR_PRINCIPAL: [&str; 4] = ["", "s3", "ebs", "rds"];

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Encryption>::default()
}

/// By principal, key and key owner.
#[derive(Default)]
struct Encryption(Groups<3, Tally>);

impl Watch for Encryption {
    fn see(&mut self, row: &UsageRow<'_>, day: &Day<'_>) {
        if !row.succeeded() || !WRITES_FOR_PRINCIPAL.contains(&row.via_service) {
            return;
        }
        let encrypted_under = if row.event_name == "ReEncrypt" && !day.owns(row.key_arn) {
            // From an own key, it is another rule's.
            UsageRow { key_arn: row.destination_key_arn, key_ref: "", ..*row }
        } else if is_encrypt_side(row.event_name) {
            *row
        } else {
            return;
        };
        if let Some(owner) = foreign_owner(&encrypted_under, day) {
            self.0.of([row.principal_arn, encrypted_under.key_arn, owner]).add(&encrypted_under);
        }
    }

    fn judge(self: Box<Self>, day: &Day<'_>) -> Vec<Draft> {
        self.0.iter().filter_map(|([who, key, owner], tally)| verdict(who, key, owner, tally, day)).collect()
    }
}

fn verdict(who: &str, key: &str, owner: &str, tally: &Tally, day: &Day<'_>) -> Option<Draft> {
    let requests = counted(tally.requests, "request");
    let (name, actor) = (named_key(key, day.history.alias(key)), principal(who));
    let message = format!(
        "{actor} encrypted data under {name} of foreign account {owner}: {requests}; \
         only that account can give the data back"
    );
    let draft = tally.draft(Severity::High, message)?.with("owner_account", owner);
    Some(draft.about(&[who, key, &day.day.to_string()]))
}
