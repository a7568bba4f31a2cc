//! Encryption contexts that claim what they should not, or hold what they must not. What needs a
//! baseline is not here: these rules judge from the first record on.

mod context_foreign_resource;
mod context_secret_in_value;
mod context_service_claimed_directly;

use super::draft::Draft;
use super::settings::Settings;
use super::{Check, Events, Rule, phrase};
use crate::kms::call::Call;
use crate::kms::context::Pair;
use crate::kms::context_pattern;
use crate::model::severity::Severity;

/// Operations whose requests carry an encryption context (DOMAIN D.1).
const WITH_CONTEXT: &[&str] = &[
    "CreateGrant",
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncrypt",
];

/// Those that send one, all but the first: a grant's only limits those of others.
const SENDING_ONE: &[&str] = WITH_CONTEXT.split_at(1).1;
const _: () = assert!(matches!(WITH_CONTEXT[0].as_bytes(), b"CreateGrant"));

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "context-foreign-resource",
        family: "encryption-context",
        title: "Encryption context names a foreign resource",
        severity: Severity::Medium,
        mitre: &["T1530"],
        page: include_str!("context_foreign_resource.md"),
        check: Check::Event { events: Events::Kms(WITH_CONTEXT), check: context_foreign_resource::check },
    },
    Rule {
        id: "context-secret-in-value",
        family: "encryption-context",
        title: "Secret or personal data in an encryption context",
        severity: Severity::High,
        mitre: &["T1552"],
        page: include_str!("context_secret_in_value.md"),
        check: Check::Event { events: Events::Kms(WITH_CONTEXT), check: context_secret_in_value::check },
    },
    Rule {
        id: "context-service-claimed-directly",
        family: "encryption-context",
        title: "Service's encryption context used in a direct call",
        severity: Severity::High,
        mitre: &["T1555.006", "T1530"],
        page: include_str!("context_service_claimed_directly.md"),
        check: Check::Event { events: Events::Kms(SENDING_ONE), check: context_service_claimed_directly::check },
    },
];

/// ARN of the key that a part of a call's contexts goes with; empty if the record does not tell.
fn key_arn<'c>(call: &'c Call<'_>, pair: &Pair<'_>) -> &'c str {
    let arn = if pair.of_destination { call.keys.destination } else { call.keys.arn.as_deref() };
    arn.unwrap_or_default()
}

/// That key as an operator would call it.
fn key(call: &Call<'_>, pair: &Pair<'_>) -> String {
    if pair.of_destination { phrase::named_key(key_arn(call, pair), None) } else { phrase::key(call) }
}

/// A verdict on a part of a call's contexts: it is about the key that goes with it.
fn draft(call: &Call<'_>, pair: &Pair<'_>, severity: Severity, message: String, settings: &Settings) -> Draft {
    let mut draft = Draft::on(call, severity, message, settings);
    if pair.of_destination {
        let subject = &mut draft.subject;
        key_arn(call, pair).clone_into(&mut subject.key_arn);
        subject.key_alias.clear();
        subject.key_manager.clear();
        context_pattern::write(call.contexts.destination(), &mut subject.encryption_context);
    }
    draft
}

/// The day of a call, as groups are told apart by.
fn day(call: &Call<'_>) -> String {
    call.event.time.date()
}
