//! What a record tells of the Nitro Enclave that asked: KMS encrypts its answer for the enclave whose
//! attestation document came with the call (DOMAIN A.4).

use crate::model::event::Event;

/// Digest of the enclave's image (PCR0), empty if no enclave asked.
#[must_use]
pub fn image<'a>(event: &Event<'a>) -> &'a str {
    let recipient = event.additional.get("recipient");
    recipient.get("attestationDocumentEnclaveImageDigest").str().unwrap_or_default()
}
