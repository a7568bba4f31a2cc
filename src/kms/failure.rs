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
    fn codes_are_compared_without_their_decoration() {
        assert_eq!(Ending::of(Some("AccessDeniedException")), Ending::Denied);
        assert_eq!(Ending::of(Some("Client.AccessDenied")), Ending::Denied);
        assert_eq!(Ending::of(Some("")), Ending::Succeeded);
        assert_eq!(Ending::of(Some("DisabledException")), Ending::Failed);
    }
}
