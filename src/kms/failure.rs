//! Why a call failed, and what `errorMessage` gives away of the key (DOMAIN A.6).

use crate::model::arn::Arn;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// No `errorCode`.
    Succeeded,
    /// `DryRunOperation`: it would have succeeded, and did nothing.
    DryRun,
    /// The caller was not allowed to.
    Denied,
    /// The key, alias or account was not there.
    NotFound,
    /// Any other error.
    Failed,
}

impl Ending {
    /// Judges an `errorCode`, in SDK or CloudTrail spelling.
    #[must_use]
    pub fn of(error_code: Option<&str>) -> Self {
        match error_code.map(plain_code) {
            None | Some("") => Self::Succeeded,
            Some("DryRunOperation") => Self::DryRun,
            Some("AccessDenied") => Self::Denied,
            Some("NotFound") => Self::NotFound,
            Some(_) => Self::Failed,
        }
    }
}

/// An error code without `Client.`, `Server.` and `Exception`.
#[must_use]
pub fn plain_code(code: &str) -> &str {
    let code = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server.")).unwrap_or(code);
    code.strip_suffix("Exception").unwrap_or(code)
}

/// Why a call failed, in one of a few words or phrases; empty if it did not.
///
/// For a refusal: whether some policy says no or none says yes, and which; for a key that is not usable:
/// its state, as KMS names states; else the kind of error. Never text of the message itself.
#[must_use]
pub fn reason(error_code: Option<&str>, error_message: Option<&str>) -> &'static str {
    let message = error_message.unwrap_or_default();
    let code = error_code.map(plain_code).unwrap_or_default();
    let stated = || state_in(message);
    match code {
        "" => "",
        "AccessDenied" => denial(message),
        "Disabled" => stated().unwrap_or("Disabled"),
        "KMSInvalidState" => stated().unwrap_or("key not usable"),
        _ => KINDS.iter().find(|(known, _)| *known == code).map_or_else(
            || {
                let store = ["CloudHsm", "CustomKeyStore", "Xks"].iter().any(|prefix| code.starts_with(prefix));
                if store { "key store trouble" } else { "other error" }
            },
            |(_, kind)| kind,
        ),
    }
}

/// The [`reason`] of a call that only asked whether it would succeed.
pub const DRY_RUN: &str = "dry run";

/// Kinds of errors by their plain code.
const KINDS: &[(&str, &str)] = &[
    ("AlreadyExists", "already exists"),
    ("Conflict", "conflict"),
    ("DependencyTimeout", "service trouble"),
    ("DryRunOperation", DRY_RUN),
    ("ExpiredImportToken", "import trouble"),
    ("IncorrectKey", "other key than the ciphertext's"),
    ("IncorrectKeyMaterial", "import trouble"),
    ("InvalidCiphertext", "ciphertext or context does not fit"),
    ("InvalidImportToken", "import trouble"),
    ("KMSInternal", "service trouble"),
    ("KeyUnavailable", "service trouble"),
    ("LimitExceeded", "limit exceeded"),
    ("NotFound", "not found"),
    ("Throttling", "throttled"),
    ("InvalidAliasName", "invalid request"),
    ("InvalidArn", "invalid request"),
    ("InvalidGrantId", "invalid request"),
    ("InvalidGrantToken", "invalid request"),
    ("InvalidKeyUsage", "invalid request"),
    ("InvalidMarker", "invalid request"),
    ("MalformedPolicyDocument", "invalid request"),
    ("Tag", "invalid request"),
    ("UnsupportedOperation", "invalid request"),
    ("Validation", "invalid request"),
    ("ValidationError", "invalid request"),
];

/// Which policy refused: `because no identity-based policy allows …`, `with an explicit deny in a service
/// control policy`.
fn denial(message: &str) -> &'static str {
    let (because, explicit) = (message.rsplit_once(" because "), message.rsplit_once(" with an explicit deny"));
    let Some((_, why)) = explicit.or(because) else { return "denied" };
    let is_explicit = explicit.is_some() || why.contains("explicit deny");
    if why.contains("does not exist in this Region") {
        return "no such key here, or its policy does not allow it";
    }
    let policy = POLICIES.iter().find(|(words, ..)| why.contains(words));
    match policy {
        Some((_, denied, _)) if is_explicit => denied,
        Some((_, _, silent)) => silent,
        None if is_explicit => "denied by a policy",
        None => "denied",
    }
}

/// Kinds of policies: AWS's words, what it means that one denies, and that none allows.
const POLICIES: [(&str, &str, &str); 7] = [
    ("service control policy", "denied by a service control policy", "no service control policy allows it"),
    ("resource control policy", "denied by a resource control policy", "no resource control policy allows it"),
    ("VPC endpoint policy", "denied by a VPC endpoint policy", "no VPC endpoint policy allows it"),
    ("permissions boundary", "denied by a permissions boundary", "no permissions boundary allows it"),
    ("session policy", "denied by a session policy", "no session policy allows it"),
    ("resource-based policy", "denied by the key policy", "no key policy allows it"),
    ("identity-based policy", "denied by an identity policy", "no identity policy allows it"),
];

/// The state of the key, if the message names one.
fn state_in(message: &str) -> Option<&'static str> {
    let (_, state) = message.rsplit_once(" is ")?;
    STATES.iter().find(|(words, _)| state.trim_end_matches('.') == *words).map(|(_, state)| *state)
}

const STATES: [(&str, &str); 5] = [
    ("disabled", "Disabled"),
    ("pending deletion", "PendingDeletion"),
    ("pending import", "PendingImport"),
    ("pending replica deletion", "PendingReplicaDeletion"),
    ("unavailable", "Unavailable"),
];

/// The state of the key that a [`reason`] is, if it is one.
#[must_use]
pub fn key_state(reason: &str) -> Option<&'static str> {
    STATES.iter().map(|(_, state)| *state).find(|state| *state == reason)
}

/// The first KMS key or alias ARN in an error message, often the only trace of the key.
#[must_use]
pub fn arn_in_message(message: &str) -> Option<&str> {
    let mut arns = arns_in_message(message);
    arns.find(|(_, arn)| arn.kms_key_id().is_some() || arn.kms_alias().is_some()).map(|(text, _)| text)
}

/// The ARNs in an error message, as written and taken apart.
pub fn arns_in_message(message: &str) -> impl Iterator<Item = (&str, Arn<'_>)> {
    message
        .split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ',' | '(' | ')'))
        .map(|word| word.trim_end_matches(['.', ':', ';']))
        .filter_map(|word| Some((word, Arn::parse(word)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_the_messages_that_aws_writes() {
        let key = "arn:aws:kms:us-east-1:444455556666:key/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
        for message in [
            format!(
                "User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized to perform: kms:Decrypt on resource: {key} because no resource-based policy allows the kms:Decrypt action"
            ),
            format!("Key '{key}' does not exist"),
            format!("{key} is pending deletion."),
        ] {
            assert_eq!(arn_in_message(&message), Some(key), "{message}");
        }
        assert_eq!(arn_in_message("The ciphertext refers to a customer master key that does not exist"), None);
    }

    #[test]
    fn reasons_tell_which_policy_or_state_it_was() {
        let denied = |why: &str| {
            let message = format!(
                "User: arn:aws:iam::111122223333:user/A is not authorized to perform: kms:Decrypt on this resource because {why}"
            );
            reason(Some("AccessDenied"), Some(&message))
        };
        assert_eq!(denied("no identity-based policy allows the kms:Decrypt action"), "no identity policy allows it");
        assert_eq!(denied("no resource-based policy allows the kms:Decrypt action"), "no key policy allows it");
        assert_eq!(denied("an explicit deny in a service control policy"), "denied by a service control policy");
        assert_eq!(
            denied(
                "the resource does not exist in this Region, no resource-based policies allow access, or a \
                 resource-based policy explicitly denies access"
            ),
            "no such key here, or its policy does not allow it"
        );
        assert_eq!(denied("an explicit deny in an identity-based policy"), "denied by an identity policy");
        assert_eq!(reason(Some("AccessDeniedException"), None), "denied");
        let explicit = |policy: &str| {
            let message = format!(
                "User: arn:aws:iam::111122223333:user/A is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/x with an explicit deny in a {policy}"
            );
            reason(Some("AccessDenied"), Some(&message))
        };
        assert_eq!(explicit("service control policy"), "denied by a service control policy");
        assert_eq!(explicit("resource-based policy"), "denied by the key policy");
        assert_eq!(explicit("new kind of policy"), "denied by a policy");
        let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let state = |code, words: &str| reason(Some(code), Some(&format!("{key} is {words}.")));
        assert_eq!(state("KMSInvalidStateException", "pending deletion"), "PendingDeletion");
        assert_eq!(state("DisabledException", "disabled"), "Disabled");
        assert_eq!(state("DisabledException", "pending deletion"), "PendingDeletion");
        assert_eq!(reason(Some("KMSInvalidStateException"), Some("the key store is not connected")), "key not usable");
        assert_eq!(reason(Some("XksKeyNotFoundException"), None), "key store trouble");
        assert_eq!(reason(Some("InvalidCiphertextException"), None), "ciphertext or context does not fit");
        assert_eq!((reason(None, None), reason(Some("Strange"), None)), ("", "other error"));
    }

    #[test]
    fn codes_are_compared_without_their_decoration() {
        assert_eq!(Ending::of(Some("AccessDeniedException")), Ending::Denied);
        assert_eq!(Ending::of(Some("Client.AccessDenied")), Ending::Denied);
        assert_eq!(Ending::of(Some("")), Ending::Succeeded);
        assert_eq!(Ending::of(Some("DisabledException")), Ending::Failed);
    }
}
