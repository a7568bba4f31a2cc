//! Encryption contexts that claim what they should not, or hold what they must not. What needs a
//! baseline is not here: these rules judge from the first record on.

mod context_foreign_resource;
mod context_secret_in_value;
mod context_service_claimed_directly;

use super::{Check, Events, Rule};
use crate::kms::call::Call;
use crate::model::severity::Severity;

/// Operations whose requests carry an encryption context (DOMAIN D.1).
const WITH_CONTEXT: Events = Events::Kms(&[
    "CreateGrant",
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncrypt",
]);

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "context-foreign-resource",
        family: "encryption-context",
        title: "Encryption context names a foreign resource",
        severity: Severity::Medium,
        mitre: &["T1530"],
        page: include_str!("context_foreign_resource.md"),
        check: Check::Event { events: WITH_CONTEXT, check: context_foreign_resource::check },
    },
    Rule {
        id: "context-secret-in-value",
        family: "encryption-context",
        title: "Secret or personal data in an encryption context",
        severity: Severity::High,
        mitre: &["T1552"],
        page: include_str!("context_secret_in_value.md"),
        check: Check::Event { events: WITH_CONTEXT, check: context_secret_in_value::check },
    },
    Rule {
        id: "context-service-claimed-directly",
        family: "encryption-context",
        title: "Service's encryption context used in a direct call",
        severity: Severity::High,
        mitre: &["T1555.006", "T1530"],
        page: include_str!("context_service_claimed_directly.md"),
        check: Check::Event { events: WITH_CONTEXT, check: context_service_claimed_directly::check },
    },
];

/// The day of a call, as groups are told apart by.
fn day(call: &Call<'_>) -> String {
    call.event.time.date()
}
