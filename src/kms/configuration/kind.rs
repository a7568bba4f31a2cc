//! What a choice comes to, once it is known who manages which key (DOMAIN C.1).

use super::choice::Choice;

/// Who manages a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// AWS: it is a default key.
    Aws,
    /// The customer.
    Customer,
}

/// The kinds of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The default key, by name.
    DkExplicit,
    /// A key that is known to be AWS-managed.
    DkResolved,
    /// The default key, by omission.
    DkImplicit,
    /// Perhaps the default key, by omission.
    DkPossible,
    /// A key that AWS owns.
    DkOwned,
    /// A key of S3.
    SseS3,
    /// What the bucket says.
    BucketDefault,
    /// The key of the source.
    Inherited,
    /// No key of KMS.
    NoKms,
    /// The customer's key was taken off.
    Cleared,
    /// A customer's key.
    Cmk,
    /// A key of which nobody knows whose it is.
    Pending,
    /// No resource: the account's default was changed.
    State,
}

impl Kind {
    /// A default key, or perhaps one; what is proven best comes first.
    pub const DEFAULT_KEY: [Self; 4] = [Self::DkExplicit, Self::DkResolved, Self::DkImplicit, Self::DkPossible];

    /// The word in evidence and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DkExplicit => "DK-EXPLICIT",
            Self::DkResolved => "DK-RESOLVED",
            Self::DkImplicit => "DK-IMPLICIT",
            Self::DkPossible => "DK-POSSIBLE",
            Self::DkOwned => "DK-OWNED",
            Self::SseS3 => "SSE-S3",
            Self::BucketDefault => "BUCKET-DEFAULT",
            Self::Inherited => "INHERITED",
            Self::NoKms => "NO-KMS",
            Self::Cleared => "CLEARED",
            Self::Cmk => "CMK",
            Self::Pending => "PENDING",
            Self::State => "STATE",
        }
    }
}

/// What a choice comes to.
///
/// `key` is the key as the record names it. `manager` tells who manages a key, asked by its name as
/// written and then by its bare id, if that is known. `account_default` is the key that EBS takes in
/// this account and Region by default; `None` if that is not known: then it is assumed to be AWS's,
/// as it is unless somebody changed it.
pub fn resolve(
    choice: Choice,
    key: Option<&str>,
    manager: impl Fn(&str) -> Option<Manager>,
    account_default: Option<&str>,
) -> Kind {
    match choice {
        Choice::NamedDefault => Kind::DkExplicit,
        Choice::NamedAlias | Choice::NamedKey => named(choice, key.unwrap_or_default(), manager),
        Choice::NamedOwned | Choice::Owned => Kind::DkOwned,
        Choice::Cleared => Kind::Cleared,
        Choice::Reset | Choice::Implicit => Kind::DkImplicit,
        Choice::AccountDefault => account_default.map_or(Kind::DkImplicit, |key| by_default(key, manager)),
        Choice::Possible => Kind::DkPossible,
        Choice::SseS3 => Kind::SseS3,
        Choice::NoKms => Kind::NoKms,
        Choice::Inherited => Kind::Inherited,
        Choice::BucketDefault => Kind::BucketDefault,
        Choice::State => Kind::State,
    }
}

fn named(choice: Choice, key: &str, manager: impl Fn(&str) -> Option<Manager>) -> Kind {
    // The bare id too: whoever knows the key may know it by that only.
    let id = || key.rsplit('/').next().filter(|id| *id != key);
    match manager(key).or_else(|| manager(id()?)) {
        Some(Manager::Aws) => Kind::DkResolved,
        Some(Manager::Customer) => Kind::Cmk,
        // AWS refuses to put a customer's alias on a key of its own.
        None if choice == Choice::NamedAlias => Kind::Cmk,
        None => Kind::Pending,
    }
}

/// A default key was chosen by nobody in the record, so it is implicit however it is known.
fn by_default(key: &str, manager: impl Fn(&str) -> Option<Manager>) -> Kind {
    match Choice::of_key(key) {
        Choice::NamedDefault => Kind::DkImplicit,
        choice => match named(choice, key, manager) {
            Kind::DkResolved => Kind::DkImplicit,
            kind => kind,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMERS: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const DEFAULT: &str = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555";
    const UNKNOWN: &str = "arn:aws:kms:us-east-1:111122223333:key/99999999-2222-3333-4444-555555555555";

    fn manager(key: &str) -> Option<Manager> {
        match key {
            CUSTOMERS => Some(Manager::Customer),
            DEFAULT | "11111111-2222-3333-4444-555555555555" => Some(Manager::Aws),
            _ => None,
        }
    }

    fn kind(choice: Choice, key: &str) -> Kind {
        resolve(choice, Some(key).filter(|key| !key.is_empty()), manager, None)
    }

    #[test]
    fn a_named_key_is_what_is_known_of_it() {
        assert_eq!(kind(Choice::NamedKey, DEFAULT), Kind::DkResolved);
        assert_eq!(kind(Choice::NamedKey, CUSTOMERS), Kind::Cmk);
        assert_eq!(kind(Choice::NamedKey, UNKNOWN), Kind::Pending);
        // By its id, where only that is known.
        let elsewhere = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555";
        assert_eq!(kind(Choice::NamedKey, elsewhere), Kind::DkResolved);
        assert_eq!(kind(Choice::NamedKey, ""), Kind::Pending);
        assert_eq!(kind(Choice::NamedAlias, "alias/app"), Kind::Cmk);
        assert_eq!(kind(Choice::NamedDefault, "alias/aws/s3"), Kind::DkExplicit);
    }

    #[test]
    fn the_account_decides_where_ebs_is_told_no_key() {
        let with = |default| resolve(Choice::AccountDefault, None, manager, default);
        assert_eq!(with(None), Kind::DkImplicit);
        assert_eq!(with(Some("alias/aws/ebs")), Kind::DkImplicit);
        assert_eq!(with(Some("arn:aws:kms:us-east-1:111122223333:alias/aws/ebs")), Kind::DkImplicit);
        assert_eq!(with(Some(DEFAULT)), Kind::DkImplicit);
        assert_eq!(with(Some(CUSTOMERS)), Kind::Cmk);
        assert_eq!(with(Some("alias/app")), Kind::Cmk);
        assert_eq!(with(Some(UNKNOWN)), Kind::Pending);
    }

    #[test]
    fn what_names_no_key_needs_no_knowledge_of_keys() {
        let kinds = [
            (Choice::NamedOwned, Kind::DkOwned),
            (Choice::Cleared, Kind::Cleared),
            (Choice::Reset, Kind::DkImplicit),
            (Choice::Implicit, Kind::DkImplicit),
            (Choice::Possible, Kind::DkPossible),
            (Choice::Owned, Kind::DkOwned),
            (Choice::SseS3, Kind::SseS3),
            (Choice::NoKms, Kind::NoKms),
            (Choice::Inherited, Kind::Inherited),
            (Choice::BucketDefault, Kind::BucketDefault),
            (Choice::State, Kind::State),
        ];
        for (choice, expected) in kinds {
            assert_eq!(kind(choice, ""), expected, "{choice:?}");
        }
    }
}
