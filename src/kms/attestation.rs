//! What a record keeps of the attestation document that an enclave sent along (DOMAIN A.4).

use crate::model::event::Event;
use crate::model::json::Json;

/// The enclave that a call was made for.
#[derive(Debug, Clone, Copy)]
pub struct Attestation<'a> {
    recipient: Json<'a>,
}

impl<'a> Attestation<'a> {
    /// `None` if the call was for no enclave.
    #[must_use]
    pub fn of(event: &Event<'a>) -> Option<Self> {
        let recipient = event.additional.get_any_case("recipient");
        recipient.is_object().then_some(Self { recipient })
    }

    /// The enclave's id: its parent instance, and its own.
    #[must_use]
    pub fn module(&self) -> Option<&'a str> {
        self.text("attestationDocumentModuleId")
    }

    /// The parent instance: `i-0abc` of `i-0abc-enc0123`.
    #[must_use]
    pub fn parent_instance(&self) -> Option<&'a str> {
        self.module().map(|module| module.split_once("-enc").map_or(module, |(instance, _)| instance))
    }

    /// Digest of its image (PCR0).
    #[must_use]
    pub fn image(&self) -> Option<&'a str> {
        self.text("attestationDocumentEnclaveImageDigest")
    }

    /// Whether the enclave was started in debug mode: then image, kernel and application measure
    /// zero. Other registers tell nothing: those of role and instance keep their values, and that of
    /// the signature is zero for every image that is not signed.
    #[must_use]
    pub fn is_of_debug_mode(&self) -> bool {
        if let Some(image) = self.image() {
            return is_zero(image);
        }
        let mut others = ["attestationDocumentEnclavePCR1", "attestationDocumentEnclavePCR2"]
            .iter()
            .filter_map(|name| self.text(name))
            .peekable();
        others.peek().is_some() && others.all(is_zero)
    }

    fn text(&self, member: &str) -> Option<&'a str> {
        self.recipient.get_any_case(member).non_empty()
    }
}

/// Zero in either spelling: AWS documents hex digits, records were seen with Base64.
fn is_zero(register: &str) -> bool {
    let register = register.trim_end_matches('=');
    !register.is_empty() && [b'0', b'A'].iter().any(|digit| register.bytes().all(|b| b == *digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_known_in_hex_and_in_base64() {
        for zero in ["0".repeat(96), "A".repeat(64), format!("{}=", "A".repeat(43))] {
            assert!(is_zero(&zero), "{zero}");
        }
        for other in ["", "=", &format!("{}1", "0".repeat(95)), &format!("{}Q", "A".repeat(63)), "0A", &"a".repeat(96)]
        {
            assert!(!is_zero(other), "{other}");
        }
    }
}
