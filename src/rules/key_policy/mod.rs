//! What policies let whom do, beyond what `PutKeyPolicy` itself is judged by: what shows only against the
//! policy before, or once own accounts are known, and IAM policies over all keys.

mod iam_policy_all_keys;
mod policy_foreign_account;
mod policy_guard_removed;

use super::{Check, Events, Rule};
use crate::model::severity::Severity;

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "iam-policy-all-keys",
        family: "key-policy",
        title: "IAM policy gives wide rights on all KMS keys",
        severity: Severity::Medium,
        mitre: &["T1098.003"],
        page: include_str!("iam_policy_all_keys.md"),
        check: Check::Event { events: Events::Table(iam_policy_all_keys::events), check: iam_policy_all_keys::check },
    },
    Rule {
        id: "policy-foreign-account",
        family: "key-policy",
        title: "Key policy lets a foreign account in",
        severity: Severity::High,
        mitre: &["T1098"],
        page: include_str!("policy_foreign_account.md"),
        check: Check::Usage(policy_foreign_account::watch),
    },
    Rule {
        id: "policy-guard-removed",
        family: "key-policy",
        title: "Guard taken out of a key policy",
        severity: Severity::Medium,
        mitre: &["T1098", "T1562"],
        page: include_str!("policy_guard_removed.md"),
        check: Check::Usage(policy_guard_removed::watch),
    },
];
