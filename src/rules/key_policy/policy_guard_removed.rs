//! A key policy that has lost a guard which the last one had: a Deny, or the account's root (DOMAIN E.3,
//! P15 and P7 by difference).

use crate::kms::policy::facts::PolicyFacts;
use crate::kms::policy::weakness::Weakness;
use crate::model::key_change::KeyChange;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::phrase::{counted, named_key, principal};
use crate::rules::{Day, Watch};

pub(super) fn watch() -> Box<dyn Watch> {
    Box::<Lost>::default()
}

#[derive(Default)]
struct Lost(Vec<Draft>);

impl Watch for Lost {
    fn see_change(&mut self, change: &KeyChange, day: &Day<'_>) {
        let Some(before) = day.history.policy(&change.key_arn).map(PolicyFacts::parse) else { return };
        let after = PolicyFacts::parse(&change.policy);
        if change.attempt || !before.readable || !after.readable {
            return;
        }
        let has = |facts: &PolicyFacts, weakness: Weakness| facts.weaknesses.iter().any(|id| id == weakness.id());
        let lost_root = has(&after, Weakness::NoRoot) && !has(&before, Weakness::NoRoot);
        let denies: Vec<String> =
            after.difference(&before).removed.into_iter().filter(|line| line.starts_with("Deny ")).collect();
        let (severity, what) = match (lost_root, denies.len()) {
            (true, 0) => (
                Severity::High,
                "the statement for the account's root, so that IAM policies no longer apply".to_owned(),
            ),
            (true, count) => {
                (Severity::High, format!("the statement for the account's root and {}", counted(count as i64, "Deny")))
            }
            (false, 0) => return,
            (false, count) => (Severity::Medium, counted(count as i64, "Deny")),
        };
        let key = named_key(&change.key_arn, day.history.alias(&change.key_arn));
        let message = format!("{} took {what} out of the policy of {key}", principal(&change.principal_arn));
        self.0.push(Draft::on_change(change, severity, message).with("removed", denies));
    }

    fn judge(self: Box<Self>, _: &Day<'_>) -> Vec<Draft> {
        self.0
    }
}
