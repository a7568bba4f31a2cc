//! What KMS gives to Nitro Enclaves, as far as one call tells; what was usual before is not known here.

mod enclave_debug_mode;

use super::{Check, Events, Rule};
use crate::model::severity::Severity;

/// Operations that take an attestation document and answer for the enclave alone (DOMAIN A.4).
const WITH_RECIPIENT: Events =
    Events::Kms(&["Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"]);

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[Rule {
    id: "enclave-debug-mode",
    family: "enclave",
    title: "KMS answered an enclave in debug mode",
    severity: Severity::High,
    mitre: &[],
    page: include_str!("enclave_debug_mode.md"),
    check: Check::Event { events: WITH_RECIPIENT, check: enclave_debug_mode::check },
}];
