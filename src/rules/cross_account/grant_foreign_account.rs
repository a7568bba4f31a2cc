//! Grants to accounts that turn out to be foreign (DOMAIN E.4, XA-GRANT).
//!
//! Where the configuration names own accounts, `create-grant` has said so with the event. Else only the
//! fold knows whose accounts are whose.

use std::collections::BTreeMap;

use crate::kms::accounts::Standing;
use crate::kms::grant::{Grant, Making};
use crate::model::arn::owner_account;
use crate::model::key_change::KeyChange;
use crate::rules::draft::Draft;
use crate::rules::phrase::{named_key, who_changed};
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Granted>::default()
}

/// By what each is about: both accounts may have logged it.
#[derive(Default)]
struct Granted(BTreeMap<String, Draft>);

impl Watch for Granted {
    fn see_change(&mut self, change: &KeyChange, day: &Day<'_>) {
        if change.change != "CreateGrant" || change.attempt || day.settings.accounts.are_told() {
            return;
        }
        let grant = Grant::of_change(change);
        let owner = owner_account(&change.key_arn).unwrap_or(&change.account_id);
        let Some(account) = grant.account.filter(|account| *account != owner && day.is_foreign(account)) else {
            return;
        };
        let by_root = change.principal_type == "Root";
        let made = Making { owner, direct: change.via_service.is_empty(), by_root };
        let severity = grant.severity(&made, Some(Standing::Foreign));
        let key = named_key(&change.key_arn, day.history.alias(&change.key_arn));
        let (who, operations) = (who_changed(change), grant.operations.join(", "));
        let message = format!("{who} granted {operations} on {key} to {}, in foreign account {account}", grant.grantee);
        let draft = Draft::on_change(change, severity, message).with("grantee", grant.grantee);
        let draft = draft.with("operations", grant.operations.clone()).with("grant_id", change.grant_id.as_str());
        // The caller's copy knows the principal; the owner's only the account.
        if change.principal_type != "AWSAccount" || !self.0.contains_key(&draft.about) {
            self.0.insert(draft.about.clone(), draft);
        }
    }

    fn judge(self: Box<Self>, _: &Day<'_>) -> Vec<Draft> {
        self.0.into_values().collect()
    }
}
