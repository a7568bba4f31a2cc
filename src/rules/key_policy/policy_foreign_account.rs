//! Key policies that let in accounts which turn out to be foreign (DOMAIN E.3, P3 and P4).
//!
//! Where the configuration names own accounts, the rule of the act has said so with the event. Else only
//! the fold knows whose accounts are whose. Access that the last policy gave already is no news.

use crate::kms::policy::facts::{Access, PolicyFacts};
use crate::model::arn::owner_account;
use crate::model::key_change::KeyChange;
use crate::rules::draft::Draft;
use crate::rules::phrase::{listed, named_key, who_changed};
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<LetIn>::default()
}

#[derive(Default)]
struct LetIn(Vec<Draft>);

impl Watch for LetIn {
    fn see_change(&mut self, change: &KeyChange, day: &Day<'_>) {
        if change.policy.is_empty() || change.attempt || day.settings.accounts.are_told() {
            return;
        }
        let facts = PolicyFacts::parse(&change.policy);
        let before = day.history.policy(&change.key_arn).map(PolicyFacts::parse).unwrap_or_default();
        let owner = owner_account(&change.key_arn).unwrap_or(&change.account_id);
        let news: Vec<(&String, &Access)> = facts
            .accounts
            .iter()
            .filter(|(account, _)| *account != owner)
            .filter(|(account, access)| before.accounts.get(*account).is_none_or(|known| access.exceeds(known)))
            .filter(|(account, _)| day.is_foreign(account))
            .collect();
        let Some(severity) = news.iter().filter_map(|(_, access)| access.if_foreign).max() else { return };
        let key = named_key(&change.key_arn, day.history.alias(&change.key_arn));
        let whom: Vec<_> =
            news.iter().map(|(account, access)| format!("foreign account {account} {}", words(access))).collect();
        let message = format!("{} let {} {key}, by its policy", who_changed(change), listed(&whom));
        let accounts: Vec<&str> = news.iter().map(|(account, _)| account.as_str()).collect();
        self.0.push(Draft::on_change(change, severity, message).with("accounts", accounts));
    }

    fn judge(self: Box<Self>, _: &Day<'_>) -> Vec<Draft> {
        self.0
    }
}

/// "… let foreign account 444455556666 use and read key …"
fn words(access: &Access) -> String {
    let verbs: Vec<_> = access.rights.iter().map(|right| if right == "admin" { "administer" } else { right }).collect();
    if access.everything { "do everything with".to_owned() } else { listed(&verbs) }
}
