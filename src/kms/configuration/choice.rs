//! What a service's record says of the key of a resource: the kinds of choices, as the record alone
//! tells them.

use serde::Deserialize;

/// What was chosen, or left to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Choice {
    /// A default key by its alias: `alias/aws/…`, as an ARN, or `aws/…`.
    NamedDefault,
    /// A customer's alias.
    NamedAlias,
    /// A key ARN or id, or what is no alias that we know; whose key it is, the text does not tell.
    NamedKey,
    /// The literal that stands for a key which AWS owns.
    NamedOwned,
    /// Empty text where a key would stand: the customer's key was taken off.
    Cleared,
    /// Empty text where that means: back to the service's default key.
    Reset,
    /// No key, so the service's default key.
    Implicit,
    /// No key, so the account's default key for EBS.
    AccountDefault,
    /// No key, and the service may take its default key.
    Possible,
    /// No key, so one that AWS owns.
    Owned,
    /// No key, so encryption with keys of S3.
    SseS3,
    /// No key, so none of KMS.
    NoKms,
    /// No key, so that of the source: a snapshot, a backup, another table.
    Inherited,
    /// No key, so the bucket decides.
    BucketDefault,
    /// No resource: the account's default for EBS was changed.
    State,
}

impl Choice {
    /// All choices.
    pub const ALL: [Self; 15] = [
        Self::NamedDefault,
        Self::NamedAlias,
        Self::NamedKey,
        Self::NamedOwned,
        Self::Cleared,
        Self::Reset,
        Self::Implicit,
        Self::AccountDefault,
        Self::Possible,
        Self::Owned,
        Self::SseS3,
        Self::NoKms,
        Self::Inherited,
        Self::BucketDefault,
        Self::State,
    ];

    /// The word for tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NamedDefault => "named_default",
            Self::NamedAlias => "named_alias",
            Self::NamedKey => "named_key",
            Self::NamedOwned => "named_owned",
            Self::Cleared => "cleared",
            Self::Reset => "reset",
            Self::Implicit => "implicit",
            Self::AccountDefault => "account_default",
            Self::Possible => "possible",
            Self::Owned => "owned",
            Self::SseS3 => "sse_s3",
            Self::NoKms => "no_kms",
            Self::Inherited => "inherited",
            Self::BucketDefault => "bucket_default",
            Self::State => "state",
        }
    }

    /// The choice with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word)
    }

    /// Whether the key was named by an alias.
    #[must_use]
    pub const fn is_alias(self) -> bool {
        matches!(self, Self::NamedDefault | Self::NamedAlias)
    }

    /// What a text that stands for a key, and is not empty, says by itself.
    #[must_use]
    pub fn of_key(text: &str) -> Self {
        const OWNED: [&str; 2] = ["AWS_OWNED_KMS_KEY", "AWS_OWNED_CMK"];
        if OWNED.iter().any(|literal| literal.eq_ignore_ascii_case(text)) {
            Self::NamedOwned
        } else if default_alias(text).is_some() {
            Self::NamedDefault
        } else if last_field(text).strip_prefix("alias/").is_some_and(|name| !name.starts_with("aws/")) {
            Self::NamedAlias
        } else {
            Self::NamedKey
        }
    }
}

/// The alias of a default key, as `alias/aws/…`, in any way of naming it by alias.
#[must_use]
pub fn default_alias(text: &str) -> Option<String> {
    if text.starts_with("aws/") {
        return Some(format!("alias/{text}"));
    }
    let alias = last_field(text);
    let name = alias.strip_prefix("alias/aws/").filter(|name| !name.is_empty())?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b)).then(|| alias.to_owned())
}

/// What stands behind the last colon: of an ARN the resource, of a bare name all of it.
fn last_field(text: &str) -> &str {
    text.rsplit(':').next().unwrap_or(text)
}

/// What it means that no key is named, by event; the table's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Absent {
    #[serde(rename = "AMK")]
    Implicit,
    #[serde(rename = "AMK?")]
    Possible,
    #[serde(rename = "ACCT")]
    AccountDefault,
    #[serde(rename = "AOK")]
    Owned,
    #[serde(rename = "S3")]
    SseS3,
    #[serde(rename = "NONE")]
    NoKms,
    #[serde(rename = "SRC")]
    Inherited,
    #[serde(rename = "BKT")]
    BucketDefault,
    #[serde(rename = "STATE")]
    State,
    /// A key must be named: a call without one fails, or the record does not show it.
    #[serde(rename = "REQ")]
    Required,
    /// The resource keeps the key it has.
    #[serde(rename = "UNCHANGED")]
    Unchanged,
}

impl Absent {
    /// The choice that was made by naming no key, if one was.
    pub(super) const fn choice(self) -> Option<Choice> {
        Some(match self {
            Self::Implicit => Choice::Implicit,
            Self::Possible => Choice::Possible,
            Self::AccountDefault => Choice::AccountDefault,
            Self::Owned => Choice::Owned,
            Self::SseS3 => Choice::SseS3,
            Self::NoKms => Choice::NoKms,
            Self::Inherited => Choice::Inherited,
            Self::BucketDefault => Choice::BucketDefault,
            Self::State => Choice::State,
            Self::Required | Self::Unchanged => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333";

    #[test]
    fn a_key_is_known_by_how_it_is_named() {
        let of = |text: &str| Choice::of_key(text);
        for default in ["alias/aws/s3", "aws/s3", &format!("{ARN}:alias/aws/s3"), "alias/aws/a_b/c-d"] {
            assert_eq!(of(default), Choice::NamedDefault, "{default}");
        }
        for alias in ["alias/app", &format!("{ARN}:alias/app/aws/s3"), "alias/awsx"] {
            assert_eq!(of(alias), Choice::NamedAlias, "{alias}");
        }
        for owned in ["AWS_OWNED_KMS_KEY", "aws_owned_cmk"] {
            assert_eq!(of(owned), Choice::NamedOwned, "{owned}");
        }
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        for key in [id, &format!("{ARN}:key/{id}"), "what?", "alias/aws/", "alias/aws/a.b", "xalias/aws/s3"] {
            assert_eq!(of(key), Choice::NamedKey, "{key}");
        }
    }

    #[test]
    fn the_alias_of_a_default_key_is_written_one_way() {
        for text in ["alias/aws/s3", "aws/s3", &format!("{ARN}:alias/aws/s3")] {
            assert_eq!(default_alias(text).as_deref(), Some("alias/aws/s3"), "{text}");
        }
        assert_eq!(default_alias("alias/app"), None);
    }

    #[test]
    fn words_are_read_back() {
        for choice in Choice::ALL {
            assert_eq!(Choice::parse(choice.as_str()), Some(choice));
        }
        assert_eq!(Choice::parse("x"), None);
    }
}
