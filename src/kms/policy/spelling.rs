//! Operators and keys of conditions as AWS spells them: IAM takes them in capitals and small letters alike, so the
//! same condition may be written in many ways.

/// What names of operators are made of.
const WORDS: [&str; 18] = [
    "ForAllValues:",
    "ForAnyValue:",
    "Address",
    "Arn",
    "Binary",
    "Bool",
    "Date",
    "Equals",
    "GreaterThan",
    "IfExists",
    "IgnoreCase",
    "Ip",
    "LessThan",
    "Like",
    "Not",
    "Null",
    "Numeric",
    "String",
];

/// Keys that key policies have; those that end in `:` or `/` go on with a name.
const KEYS: [&str; 31] = [
    "aws:CalledVia",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceTag/",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:TagKeys",
    "aws:ViaAWSService",
    "kms:CallerAccount",
    "kms:EncryptionContext:",
    "kms:EncryptionContextKeys",
    "kms:GrantIsForAWSResource",
    "kms:GranteePrincipal",
    "kms:ViaService",
];

/// An operator; one that IAM does not have in small letters.
pub(super) fn operator(written: &str) -> String {
    let (mut spelled, mut rest) = (String::new(), written);
    while !rest.is_empty() {
        let Some((word, behind)) = start(rest, &WORDS) else { return written.to_ascii_lowercase() };
        spelled.push_str(word);
        rest = behind;
    }
    spelled
}

/// A key; one that is not known here, and what a known one goes on with, in small letters.
pub(super) fn key(written: &str) -> String {
    let exact = KEYS.iter().find(|key| key.eq_ignore_ascii_case(written)).map(|key| (*key).to_owned());
    let longer = || {
        let (key, name) = start(written, &KEYS).filter(|(key, _)| key.ends_with([':', '/']))?;
        Some(format!("{key}{}", name.to_ascii_lowercase()))
    };
    exact.or_else(longer).unwrap_or_else(|| written.to_ascii_lowercase())
}

/// The name that a text starts with, and the rest.
fn start<'t>(text: &'t str, names: &[&'static str]) -> Option<(&'static str, &'t str)> {
    names.iter().find_map(|name| {
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some((*name, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_other_letters_is_spelled_alike() {
        for spelled in [
            "ForAllValues:StringNotEqualsIgnoreCase",
            "NumericLessThanEquals",
            "DateGreaterThanEqualsIfExists",
            "NotIpAddress",
            "ForAnyValue:ArnNotLike",
            "Null",
        ] {
            assert_eq!([operator(&spelled.to_lowercase()), operator(&spelled.to_uppercase())], [spelled, spelled]);
        }
        assert_eq!(operator("StringÄquals"), "stringÄquals");
        assert_eq!(
            ["AWS:PRINCIPALORGID", "aws:sourcevpce", "KMS:viaservice"].map(key),
            ["aws:PrincipalOrgID", "aws:SourceVpce", "kms:ViaService"]
        );
        assert_eq!(
            ["KMS:EncryptionContext:App", "AWS:principaltag/Team", "aws:FOO"].map(key),
            ["kms:EncryptionContext:app", "aws:PrincipalTag/team", "aws:foo"]
        );
    }
}
