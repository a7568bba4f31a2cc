//! The operations of AWS KMS and their classes: the table behind `operation_class`.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use OperationClass::{Admin, Alias, Crypto, CryptoNoKey, Grant, KeyStore, Read, ReadKeyMaterial, Service};

/// What an operation does, in the groups that rules and reports think in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationClass {
    /// Uses key material.
    Crypto,
    /// `GenerateRandom`: uses no key.
    CryptoNoKey,
    /// Life cycle, policy, tags, rotation, import.
    Admin,
    /// Grants.
    Grant,
    /// Aliases.
    Alias,
    /// Custom key stores.
    KeyStore,
    /// Reads metadata.
    Read,
    /// Reads a public key or import parameters.
    ReadKeyMaterial,
    /// KMS did it by itself.
    Service,
    /// An operation of KMS that this table does not know yet.
    Unknown,
    /// Another service's call that names a KMS key.
    OtherService,
}

impl OperationClass {
    /// The word in the `operation_class` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crypto => "crypto",
            Self::CryptoNoKey => "crypto_nokey",
            Self::Admin => "admin",
            Self::Grant => "grant",
            Self::Alias => "alias",
            Self::KeyStore => "keystore",
            Self::Read => "read",
            Self::ReadKeyMaterial => "read_keymaterial",
            Self::Service => "service",
            Self::Unknown => "unknown",
            Self::OtherService => "other_service",
        }
    }

    /// Whether acts of this class change a key, an alias, a grant or a key store.
    #[must_use]
    pub const fn is_administrative(self) -> bool {
        matches!(self, Self::Admin | Self::Grant | Self::Alias | Self::KeyStore | Self::Service)
    }
}

/// The class of a KMS operation; `Unknown` for names that AWS has added since.
#[must_use]
pub fn class_of(event_name: &str) -> OperationClass {
    BY_NAME.get(event_name).copied().unwrap_or(OperationClass::Unknown)
}

static BY_NAME: LazyLock<FxHashMap<&'static str, OperationClass>> =
    LazyLock::new(|| OPERATIONS.iter().copied().collect());

/// Whether the operation turns plain text into cipher text, or makes a key to do so.
#[must_use]
pub fn is_encrypt_side(event_name: &str) -> bool {
    event_name == "Encrypt" || event_name.starts_with("GenerateDataKey")
}

/// Operations by name, sorted; service events among them.
const OPERATIONS: &[(&str, OperationClass)] = &[
    ("CancelKeyDeletion", Admin),
    ("ConnectCustomKeyStore", KeyStore),
    ("CreateAlias", Alias),
    ("CreateCustomKeyStore", KeyStore),
    ("CreateGrant", Grant),
    ("CreateKey", Admin),
    ("Decapsulate", Crypto),
    ("Decrypt", Crypto),
    ("DeleteAlias", Alias),
    ("DeleteCustomKeyStore", KeyStore),
    ("DeleteExpiredKeyMaterial", Service),
    ("DeleteImportedKeyMaterial", Admin),
    ("DeleteKey", Service),
    ("DeriveSharedSecret", Crypto),
    ("DescribeCustomKeyStores", Read),
    ("DescribeKey", Read),
    ("DisableKey", Admin),
    ("DisableKeyRotation", Admin),
    ("DisconnectCustomKeyStore", KeyStore),
    ("EnableKey", Admin),
    ("EnableKeyRotation", Admin),
    ("Encapsulate", Crypto),
    ("Encrypt", Crypto),
    ("GenerateDataKey", Crypto),
    ("GenerateDataKeyPair", Crypto),
    ("GenerateDataKeyPairWithoutPlaintext", Crypto),
    ("GenerateDataKeyWithoutPlaintext", Crypto),
    ("GenerateMac", Crypto),
    ("GenerateRandom", CryptoNoKey),
    ("GetKeyLastUsage", Read),
    ("GetKeyPolicy", Read),
    ("GetKeyRotationStatus", Read),
    ("GetParametersForImport", ReadKeyMaterial),
    ("GetPublicKey", ReadKeyMaterial),
    ("ImportKeyMaterial", Admin),
    ("ListAliases", Read),
    ("ListGrants", Read),
    ("ListKeyPolicies", Read),
    ("ListKeyRotations", Read),
    ("ListKeys", Read),
    ("ListResourceTags", Read),
    ("ListRetirableGrants", Read),
    ("PutKeyPolicy", Admin),
    ("ReEncrypt", Crypto),
    ("ReplicateKey", Admin),
    ("RetireGrant", Grant),
    ("RevokeGrant", Grant),
    ("RotateKey", Service),
    ("RotateKeyOnDemand", Admin),
    ("ScheduleKeyDeletion", Admin),
    ("Sign", Crypto),
    ("SynchronizeMultiRegionKey", Service),
    ("TagResource", Admin),
    ("UntagResource", Admin),
    ("UpdateAlias", Alias),
    ("UpdateCustomKeyStore", KeyStore),
    ("UpdateKeyDescription", Admin),
    ("UpdatePrimaryRegion", Admin),
    ("Verify", Crypto),
    ("VerifyMac", Crypto),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_unknown_operations_are_classed() {
        assert!(OPERATIONS.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(class_of("Decrypt"), Crypto);
        assert_eq!(class_of("GetSomethingNew"), OperationClass::Unknown);
        assert_eq!(class_of("InventKey"), OperationClass::Unknown);
    }
}
