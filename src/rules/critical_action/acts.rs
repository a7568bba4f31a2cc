//! The acts on keys that are worth a finding by themselves (DOMAIN E.1): one row an act.

use super::{check, get_public_key, root_user_act, rotate_key_on_demand};
use crate::model::severity::Severity::{self, Critical, High, Info, Low, Medium};
use crate::rules::{Check, Events, Rule};

macro_rules! act {
    ($event:literal, $id:literal, $severity:ident, [$($mitre:literal),*], $title:literal, $page:expr $(,)?) => {
        Rule {
            id: $id,
            family: "critical-action",
            title: $title,
            severity: $severity,
            mitre: &[$($mitre),*],
            page: $page,
            check: Check::Event { events: Events::Kms(&[$event]), check },
        }
    };
}

/// Acts by rule id. The severity is the base; `severity` tells what moves it.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    act!("CancelKeyDeletion", "cancel-key-deletion", Medium, [],
        "Scheduled KMS key deletion cancelled", include_str!("cancel_key_deletion.md")),
    act!("ConnectCustomKeyStore", "connect-custom-key-store", Low, [],
        "Custom key store connected", include_str!("connect_custom_key_store.md")),
    act!("CreateAlias", "create-alias", Low, [],
        "KMS alias created", include_str!("create_alias.md")),
    act!("CreateCustomKeyStore", "create-custom-key-store", High, ["T1486"],
        "Custom key store created", include_str!("create_custom_key_store.md")),
    act!("CreateGrant", "create-grant", Low, ["T1098"],
        "KMS grant created", include_str!("create_grant.md")),
    act!("CreateKey", "create-key", Low, ["T1486"],
        "KMS key created", include_str!("create_key.md")),
    act!("DeleteAlias", "delete-alias", High, ["T1489"],
        "KMS alias deleted", include_str!("delete_alias.md")),
    act!("DeleteCustomKeyStore", "delete-custom-key-store", High, ["T1485"],
        "Custom key store deleted", include_str!("delete_custom_key_store.md")),
    act!("DeleteExpiredKeyMaterial", "delete-expired-key-material", High, ["T1485"],
        "Imported key material expired", include_str!("delete_expired_key_material.md")),
    act!("DeleteImportedKeyMaterial", "delete-imported-key-material", Critical, ["T1485", "T1490"],
        "Imported key material deleted", include_str!("delete_imported_key_material.md")),
    act!("DeleteKey", "delete-key", Critical, ["T1485"],
        "KMS key deleted for good", include_str!("delete_key.md")),
    act!("DisableKey", "disable-key", High, ["T1489", "T1486"],
        "KMS key disabled", include_str!("disable_key.md")),
    act!("DisableKeyRotation", "disable-key-rotation", Medium, ["T1562.001"],
        "Automatic rotation of a KMS key switched off", include_str!("disable_key_rotation.md")),
    act!("DisconnectCustomKeyStore", "disconnect-custom-key-store", High, ["T1489"],
        "Custom key store disconnected", include_str!("disconnect_custom_key_store.md")),
    act!("EnableKey", "enable-key", Low, [],
        "KMS key enabled", include_str!("enable_key.md")),
    act!("EnableKeyRotation", "enable-key-rotation", Info, [],
        "KMS key rotation set to a long period", include_str!("enable_key_rotation.md")),
    act!("GetParametersForImport", "get-parameters-for-import", Low, ["T1486"],
        "Import of key material prepared", include_str!("get_parameters_for_import.md")),
    Rule {
        id: "get-public-key",
        family: "critical-action",
        title: "Public key taken out of KMS for the first time",
        severity: Low,
        mitre: &[],
        page: include_str!("get_public_key.md"),
        check: Check::Usage(get_public_key::watch),
    },
    act!("ImportKeyMaterial", "import-key-material", Medium, ["T1486"],
        "Key material imported into a KMS key", include_str!("import_key_material.md")),
    act!("PutKeyPolicy", "put-key-policy", High, ["T1098", "T1486"],
        "KMS key policy replaced", include_str!("put_key_policy.md")),
    act!("ReplicateKey", "replicate-key", Medium, ["T1578"],
        "Multi-Region KMS key replicated", include_str!("replicate_key.md")),
    act!("RevokeGrant", "revoke-grant", Medium, ["T1531"],
        "KMS grant revoked", include_str!("revoke_grant.md")),
    Rule {
        id: "root-user-act",
        family: "critical-action",
        title: "KMS key administered by the root user",
        severity: High,
        mitre: &["T1078.004"],
        page: include_str!("root_user_act.md"),
        check: Check::Event { events: Events::Kms(root_user_act::EVENTS), check: root_user_act::check },
    },
    Rule {
        id: "rotate-key-on-demand",
        family: "critical-action",
        title: "KMS key rotated on demand again and again",
        severity: Low,
        mitre: &[],
        page: include_str!("rotate_key_on_demand.md"),
        check: Check::Usage(rotate_key_on_demand::watch),
    },
    act!("ScheduleKeyDeletion", "schedule-key-deletion", Critical, ["T1485", "T1490"],
        "KMS key scheduled for deletion", include_str!("schedule_key_deletion.md")),
    act!("TagResource", "tag-resource", Low, ["T1098"],
        "Tags of a KMS key changed", include_str!("tag_resource.md")),
    act!("UntagResource", "untag-resource", Low, ["T1098"],
        "Tags of a KMS key removed", include_str!("untag_resource.md")),
    act!("UpdateAlias", "update-alias", High, ["T1565.001", "T1486"],
        "KMS alias points to another key", include_str!("update_alias.md")),
    act!("UpdateCustomKeyStore", "update-custom-key-store", High, ["T1098", "T1557"],
        "Custom key store settings changed", include_str!("update_custom_key_store.md")),
    act!("UpdatePrimaryRegion", "update-primary-region", Medium, ["T1578"],
        "Primary Region of a multi-Region KMS key changed", include_str!("update_primary_region.md")),
];

/// An act in words: behind the actor's name, and behind "tried to". `{key}`, `{alias}`, `{grantee}`,
/// `{operations}`, `{region}`, `{store}` and `{tags}` stand for what the record names.
pub(super) fn words(event_name: &str) -> (&'static str, &'static str) {
    let known = WORDS.iter().find(|(name, ..)| *name == event_name);
    known.map_or(("changed {key}", "change {key}"), |(_, done, tried)| (done, tried))
}

/// What an act leads to, for somebody who does not know KMS well; most need no saying.
pub(super) fn consequence(event_name: &str) -> Option<&'static str> {
    CONSEQUENCES.iter().find(|(name, _)| *name == event_name).map(|(_, then)| *then)
}

const CONSEQUENCES: &[(&str, &str)] = &[
    ("CancelKeyDeletion", "it stays disabled until it is enabled"),
    ("DeleteAlias", "calls by this alias fail from now on"),
    ("DeleteExpiredKeyMaterial", "nothing can be decrypted with it until the same material is imported again"),
    ("DeleteImportedKeyMaterial", "nothing can be decrypted with it until the same material is imported again"),
    ("DeleteKey", "what is still encrypted under it cannot be read any more"),
    ("DisableKey", "every use of it fails until it is enabled"),
    ("DisconnectCustomKeyStore", "its keys cannot be used until it is connected"),
    ("GetParametersForImport", "with them material can be imported for 24 hours"),
    ("RevokeGrant", "whoever used the key by that grant loses it"),
    ("ScheduleKeyDeletion", "every use of it fails from now on"),
    ("UpdateAlias", "who encrypts by this alias uses that key from now on"),
];

#[rustfmt::skip]
const WORDS: &[(&str, &str, &str)] = &[
    ("CancelKeyDeletion", "cancelled the deletion of {key}", "cancel the deletion of {key}"),
    ("ConnectCustomKeyStore", "connected {store}", "connect {store}"),
    ("CreateAlias", "created {alias} for {key}", "create {alias} for {key}"),
    ("CreateCustomKeyStore", "created {store}", "create {store}"),
    ("CreateGrant", "granted {operations} on {key} to {grantee}", "grant {operations} on {key} to {grantee}"),
    ("CreateKey", "created {key}", "create {key}"),
    ("DeleteAlias", "deleted {alias} of {key}", "delete {alias} of {key}"),
    ("DeleteCustomKeyStore", "deleted {store}", "delete {store}"),
    ("DeleteExpiredKeyMaterial", "removed the expired material of {key}", "remove the expired material of {key}"),
    ("DeleteImportedKeyMaterial", "deleted the imported material of {key}", "delete the imported material of {key}"),
    ("DeleteKey", "deleted {key} for good", "delete {key} for good"),
    ("DisableKey", "disabled {key}", "disable {key}"),
    ("DisableKeyRotation", "switched off automatic rotation of {key}", "switch off automatic rotation of {key}"),
    ("DisconnectCustomKeyStore", "disconnected {store}", "disconnect {store}"),
    ("EnableKey", "enabled {key}", "enable {key}"),
    ("EnableKeyRotation", "set a long rotation period for {key}", "set a long rotation period for {key}"),
    ("GetParametersForImport", "fetched import parameters for {key}", "fetch import parameters for {key}"),
    ("ImportKeyMaterial", "imported material into {key}", "import material into {key}"),
    ("PutKeyPolicy", "replaced the policy of {key}", "replace the policy of {key}"),
    ("ReplicateKey", "replicated {key} to {region}", "replicate {key} to {region}"),
    ("RevokeGrant", "revoked {grant} on {key}", "revoke {grant} on {key}"),
    ("ScheduleKeyDeletion", "scheduled the deletion of {key}", "schedule the deletion of {key}"),
    ("TagResource", "changed {tags} of {key}", "change {tags} of {key}"),
    ("UntagResource", "removed {tags} of {key}", "remove {tags} of {key}"),
    ("UpdateAlias", "pointed {alias} at {key}", "point {alias} at {key}"),
    ("UpdateCustomKeyStore", "changed the settings of {store}", "change the settings of {store}"),
    ("UpdatePrimaryRegion", "moved the primary of {key} to {region}", "move the primary of {key} to {region}"),
];

/// The act that changes nothing: it hands out what an import needs.
pub(super) const READ: &str = "GetParametersForImport";

/// Acts on which a fresh second factor is asked for (DOMAIN A.11).
pub(super) const MFA_CRITICAL: &[&str] = &[
    "CreateGrant",
    "DeleteAlias",
    "DeleteCustomKeyStore",
    "DeleteImportedKeyMaterial",
    "DisableKey",
    "DisableKeyRotation",
    "ImportKeyMaterial",
    "PutKeyPolicy",
    "ScheduleKeyDeletion",
    "UpdateAlias",
    "UpdateCustomKeyStore",
    "UpdatePrimaryRegion",
];

/// The base severity of a rule's act decides what a failed attempt is worth.
pub(super) const ATTEMPT_MATTERS_FROM: Severity = High;
