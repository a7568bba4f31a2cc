//! Actions of KMS as policies name them: sets of them, and what the patterns of a statement match.

use std::ops::BitOr;

/// A set of `ACTIONS`. Actions of other services, and of KMS that this table does not know, are in none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions(u64);

/// Actions in a policy, sorted. They are not the operations: `ReEncrypt` takes two of them, and
/// `SynchronizeMultiRegionKey` is KMS's own.
const ACTIONS: [&str; 58] = [
    "CancelKeyDeletion",
    "ConnectCustomKeyStore",
    "CreateAlias",
    "CreateCustomKeyStore",
    "CreateGrant",
    "CreateKey",
    "Decapsulate",
    "Decrypt",
    "DeleteAlias",
    "DeleteCustomKeyStore",
    "DeleteImportedKeyMaterial",
    "DeriveSharedSecret",
    "DescribeCustomKeyStores",
    "DescribeKey",
    "DisableKey",
    "DisableKeyRotation",
    "DisconnectCustomKeyStore",
    "EnableKey",
    "EnableKeyRotation",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "GetKeyLastUsage",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetParametersForImport",
    "GetPublicKey",
    "ImportKeyMaterial",
    "ListAliases",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListKeys",
    "ListResourceTags",
    "ListRetirableGrants",
    "PutKeyPolicy",
    "ReEncryptFrom",
    "ReEncryptTo",
    "ReplicateKey",
    "RetireGrant",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "Sign",
    "SynchronizeMultiRegionKey",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateCustomKeyStore",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
];

/// What changes a key, its policy, grants, aliases or material (DOMAIN E.3).
pub const ADMIN: Actions = Actions::named(&[
    "CancelKeyDeletion",
    "CreateAlias",
    "CreateGrant",
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "ImportKeyMaterial",
    "PutKeyPolicy",
    "ReplicateKey",
    "RevokeGrant",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateKeyDescription",
    "UpdatePrimaryRegion",
]);

/// What uses a key's material.
pub const USE: Actions = Actions::named(&[
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "VerifyMac",
]);

/// What reads about keys.
pub const READ: Actions = Actions::named(&[
    "DescribeCustomKeyStores",
    "DescribeKey",
    "GetKeyLastUsage",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetParametersForImport",
    "GetPublicKey",
    "ListAliases",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListKeys",
    "ListResourceTags",
    "ListRetirableGrants",
]);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);

    /// The action with this name; none if the table does not know it.
    #[must_use]
    pub const fn one(name: &str) -> Self {
        let mut at = 0;
        while at < ACTIONS.len() {
            if same(ACTIONS[at].as_bytes(), name.as_bytes()) {
                return Self(1 << at);
            }
            at += 1;
        }
        Self::NONE
    }

    const fn named(names: &[&str]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < names.len() {
            set |= Self::one(names[at]).0;
            at += 1;
        }
        Self(set)
    }

    /// What a pattern such as `kms:Describe*` or `*` matches.
    #[must_use]
    pub fn matching(pattern: &str) -> Self {
        let Some(pattern) = of_kms(pattern) else { return Self::NONE };
        let pattern = pattern.to_ascii_lowercase();
        ACTIONS
            .iter()
            .enumerate()
            .filter(|(_, name)| matches(pattern.as_bytes(), name.to_ascii_lowercase().as_bytes()))
            .fold(Self::NONE, |set, (at, _)| set | Self(1 << at))
    }

    /// What is not in the set.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(!self.0 & ((1 << ACTIONS.len()) - 1))
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one only.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether some action is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` is in this one.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Actions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether the verb of a pattern is wild: `kms:*Key*` says more than its author may have meant.
#[must_use]
pub fn has_wild_verb(pattern: &str) -> bool {
    of_kms(pattern).is_some_and(|name| name != "*" && name.starts_with(['*', '?']))
}

/// The part behind `kms:`; `*` alone is every service's.
fn of_kms(pattern: &str) -> Option<&str> {
    if pattern == "*" {
        return Some(pattern);
    }
    let (service, name) = pattern.split_once(':')?;
    service.eq_ignore_ascii_case("kms").then_some(name)
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether a pattern matches a text: `*` is any run, `?` any one byte. Goes back to the last star only, so
/// its time is bounded by the product of the lengths.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_sets_are_apart() {
        assert!(ACTIONS.is_sorted());
        assert!(!ADMIN.meets(USE) && !ADMIN.meets(READ) && !USE.meets(READ));
        assert_eq!((ADMIN.0.count_ones(), USE.0.count_ones(), READ.0.count_ones()), (20, 15, 14));
        assert_eq!(Actions::matching("*"), Actions::NONE.complement());
    }

    #[test]
    fn patterns_match_as_in_iam() {
        assert_eq!(Actions::matching("KMS:decrypt"), Actions::one("Decrypt"));
        assert_eq!(Actions::matching("kms:ReEncrypt*"), Actions::one("ReEncryptFrom") | Actions::one("ReEncryptTo"));
        assert_eq!(Actions::matching("kms:?ign"), Actions::one("Sign"));
        assert!(Actions::matching("kms:*Key*").covers(Actions::one("PutKeyPolicy")));
        assert_eq!(Actions::matching("s3:*"), Actions::NONE);
        assert_eq!(Actions::matching("kms:"), Actions::NONE);
        assert!(has_wild_verb("kms:*Key*") && !has_wild_verb("kms:*") && !has_wild_verb("kms:Put*"));
    }
}
