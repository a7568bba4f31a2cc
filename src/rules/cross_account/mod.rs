//! Use of keys across accounts, from committed usage: who is first seen when, and how much a day; and
//! keys that are shared through AWS RAM.
//!
//! For usage, own accounts are those of the configuration; without any, those in whose trails records were
//! found. Of a call that both accounts logged, the copy that belongs to the rule's side counts.

mod cross_account_denied;
mod cross_account_inbound;
mod cross_account_outbound;
mod foreign_key_encryption;
mod grant_foreign_account;
mod key_shared_by_ram;
mod reencrypt_to_foreign_key;
mod resource_under_foreign_key;

use super::{Check, Day, Events, Rule};
use crate::model::arn::owner_account;
use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::model::usage_row::UsageRow;

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "cross-account-denied",
        family: "cross-account",
        title: "Foreign key refused",
        severity: Severity::Low,
        mitre: &["T1526"],
        page: include_str!("cross_account_denied.md"),
        check: Check::Usage(cross_account_denied::watch),
    },
    Rule {
        id: "cross-account-inbound",
        family: "cross-account",
        title: "Own key used from a foreign account",
        severity: Severity::Medium,
        mitre: &["T1530"],
        page: include_str!("cross_account_inbound.md"),
        check: Check::Usage(cross_account_inbound::watch),
    },
    Rule {
        id: "cross-account-outbound",
        family: "cross-account",
        title: "Foreign key used by an own principal",
        severity: Severity::Low,
        mitre: &[],
        page: include_str!("cross_account_outbound.md"),
        check: Check::Usage(cross_account_outbound::watch),
    },
    Rule {
        id: "foreign-key-encryption",
        family: "cross-account",
        title: "Data encrypted under a foreign key",
        severity: Severity::High,
        mitre: &["T1486"],
        page: include_str!("foreign_key_encryption.md"),
        check: Check::Usage(foreign_key_encryption::watch),
    },
    Rule {
        id: "grant-foreign-account",
        family: "cross-account",
        title: "KMS grant to a foreign account",
        severity: Severity::High,
        mitre: &["T1098"],
        page: include_str!("grant_foreign_account.md"),
        check: Check::Usage(grant_foreign_account::watch),
    },
    Rule {
        id: "key-shared-by-ram",
        family: "cross-account",
        title: "KMS key shared through AWS RAM",
        severity: Severity::High,
        mitre: &["T1098", "T1537"],
        page: include_str!("key_shared_by_ram.md"),
        check: Check::Event { events: Events::Table(key_shared_by_ram::events), check: key_shared_by_ram::check },
    },
    Rule {
        id: "reencrypt-to-foreign-key",
        family: "cross-account",
        title: "Ciphertext re-encrypted to a foreign key",
        severity: Severity::High,
        mitre: &["T1537", "T1486"],
        page: include_str!("reencrypt_to_foreign_key.md"),
        check: Check::Usage(reencrypt_to_foreign_key::watch),
    },
    Rule {
        id: "resource-under-foreign-key",
        family: "cross-account",
        title: "Resource encrypted under a foreign key",
        severity: Severity::High,
        mitre: &["T1486", "T1537"],
        page: include_str!("resource_under_foreign_key.md"),
        check: Check::Posture(resource_under_foreign_key::judge),
    },
];

/// The owner of the foreign key, if a row is the caller's copy of a request to KMS on one.
fn foreign_owner<'r>(row: &UsageRow<'r>, day: &Day<'_>) -> Option<&'r str> {
    if row.side != "caller" || row.event_source != Event::KMS {
        return None;
    }
    let owner = owner_account(row.key_arn).or_else(|| owner_account(row.key_ref))?;
    (day.is_own(row.principal_account_id) && day.is_foreign(owner)).then_some(owner)
}
