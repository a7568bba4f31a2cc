//! Amazon Resource Names, taken apart without copying.

/// `arn:partition:service:region:account:resource`, each part as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// `kms`, `s3`, …
    pub service: &'a str,
    /// Empty for global resources and S3.
    pub region: &'a str,
    /// Twelve digits, or empty (S3), or a word (`aws` in managed policies).
    pub account: &'a str,
    /// Everything after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes `text` apart; `None` when it has fewer than six fields or no `arn:aws…` start.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        // Called for most strings of a record: by hand, and for what nearly all ARNs are without a search.
        let rest = text.strip_prefix("arn:")?;
        let (partition, rest) = rest.strip_prefix("aws:").map_or_else(|| field(rest), |rest| Some(("aws", rest)))?;
        let (service, rest) = field(rest)?;
        let (region, rest) = field(rest)?;
        let (account, resource) = account(rest).or_else(|| field(rest))?;
        let arn = Self { partition, service, region, account, resource };
        arn.partition.starts_with("aws").then_some(arn)
    }

    /// The key id, if this names a KMS key (`key/…`) in one account and Region.
    #[must_use]
    pub fn kms_key_id(&self) -> Option<&'a str> {
        let id = self.kms_resource()?.strip_prefix("key/")?;
        is_key_id(id).then_some(id)
    }

    /// The key id, if it is one that keys of several Regions may have.
    #[must_use]
    pub fn kms_multi_region_id(&self) -> Option<&'a str> {
        self.kms_key_id().filter(|id| id.starts_with("mrk-"))
    }

    /// The alias name with its `alias/`, if this names a KMS alias.
    #[must_use]
    pub fn kms_alias(&self) -> Option<&'a str> {
        self.kms_resource().filter(|resource| is_alias_name(resource))
    }

    fn kms_resource(&self) -> Option<&'a str> {
        (self.service == "kms" && is_account_id(self.account) && !self.region.is_empty()).then_some(self.resource)
    }
}

/// A field of twelve bytes, as long as an account's number is, and what stands behind its colon.
fn account(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes().first_chunk::<13>()?;
    // All at once, whatever comes.
    let colons = bytes.iter().fold(0, |colons, byte| colons + u8::from(*byte == b':'));
    (colons == 1 && bytes[12] == b':').then(|| (&text[..12], &text[13..]))
}

/// What stands before the first colon, and what behind it.
fn field(text: &str) -> Option<(&str, &str)> {
    let colon = text.as_bytes().iter().position(|b| *b == b':')?;
    Some((&text[..colon], &text[colon + 1..]))
}

/// Whether `text` is the ARN of a KMS key.
#[must_use]
pub fn is_key_arn(text: &str) -> bool {
    Arn::parse(text).is_some_and(|arn| arn.kms_key_id().is_some())
}

/// The account that owns the KMS key or alias with this ARN.
#[must_use]
pub fn owner_account(kms_arn: &str) -> Option<&str> {
    Arn::parse(kms_arn).filter(|arn| arn.service == "kms").map(|arn| arn.account)
}

/// The ARN of the key with this id, in an account and a Region.
#[must_use]
pub fn key_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:{}:kms:{region}:{account}:key/{id}", partition(region))
}

/// The ARN of an alias that stands for the key with this ARN.
#[must_use]
pub fn alias_beside(key_arn: &str, alias: &str) -> String {
    format!("{}:{alias}", key_arn.split(":key/").next().unwrap_or_default())
}

/// The ARN of an alias of `account`.
#[must_use]
pub fn alias_arn(region: &str, account: &str, alias: &str) -> String {
    format!("arn:{}:kms:{region}:{account}:{alias}", partition(region))
}

/// The partition of a Region, by its prefix.
fn partition(region: &str) -> &'static str {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, name)| name)
}

/// Twelve digits.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `alias/…` with the characters that KMS allows.
#[must_use]
pub fn is_alias_name(text: &str) -> bool {
    text.strip_prefix("alias/").is_some_and(|name| {
        (1..=250).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))
    })
}

/// Whether an alias name belongs to an AWS-managed key: the prefix is reserved by AWS.
#[must_use]
pub fn is_aws_managed_alias(alias: &str) -> bool {
    alias.starts_with("alias/aws/")
}

/// A UUID, or `mrk-` and 32 hex digits (a multi-Region key).
#[must_use]
pub fn is_key_id(text: &str) -> bool {
    if let Some(hex) = text.strip_prefix("mrk-") {
        return hex.len() == 32 && all_hex(hex.as_bytes());
    }
    is_uuid(text)
}

/// Eight, four, four, four and twelve hex digits with hyphens between.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let Ok(b) = <&[u8; 36]>::try_from(text.as_bytes()) else { return false };
    let hyphens = [b[8], b[13], b[18], b[23]] == *b"----";
    // The digits side by side.
    let mut hex = [0; 32];
    for (to, from) in [(0..8, 0..8), (8..12, 9..13), (12..16, 14..18), (16..20, 19..23), (20..32, 24..36)] {
        hex[to].copy_from_slice(&b[from]);
    }
    hyphens && all_hex(&hex)
}

/// Looks at all of them whatever comes, so that many are looked at at once: ids are most of a record.
fn all_hex(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, b| all & b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_alias_arns_are_told_apart() {
        let key = Arn::parse("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab");
        assert_eq!(key.and_then(|a| a.kms_key_id()), Some("mrk-1234abcd12ab34cd56ef1234567890ab"));
        let alias = Arn::parse("arn:aws:kms:us-east-1:111122223333:alias/aws/s3");
        assert_eq!(alias.and_then(|a| a.kms_alias()), Some("alias/aws/s3"));
        assert_eq!(alias.and_then(|a| a.kms_key_id()), None);
        assert!(!is_key_arn("arn:aws:kms:us-east-1:111122223333:key/*"));
        assert!(Arn::parse("arn:aws:s3:::b").is_some());
        assert!(Arn::parse("urn:aws:s3:::b").is_none());
        for text in
            ["arn:aws:iam::aws:policy/A", "arn:aws:a:b:c:d:e:f:g:h:i", "arn:aws:x:y:elevenchars:r", "arn:aws:s3:::"]
        {
            let fields: Vec<&str> = text.splitn(6, ':').collect();
            let arn = Arn::parse(text).expect("an ARN");
            assert_eq!([arn.partition, arn.service, arn.region, arn.account, arn.resource], fields[1..]);
        }
    }

    #[test]
    fn every_place_of_a_uuid_is_looked_at() {
        let uuid = "1234ABCD-12ab-34cd-56ef-1234567890ab";
        assert!(is_uuid(uuid));
        for at in 0..uuid.len() {
            let mut other = uuid.to_owned();
            other.replace_range(at..=at, "g");
            assert!(!is_uuid(&other), "{other}");
        }
        assert!(!is_uuid(&uuid[1..]));
    }
}
