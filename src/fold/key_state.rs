//! One key's state, out of what was done to it and how it was used (DOMAIN F.3).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::manager::{Evidence, Sign};
use crate::kms::failure::{key_state, plain_code};
use crate::kms::policy::facts::PolicyFacts;
use crate::model::key_change::KeyChange;
use crate::model::key_record::KeyRecord;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;

/// Open grants shown of a key; a key may have 50,000.
const GRANTS_KEPT: usize = 1_000;

/// A key in the making.
#[derive(Debug, Default)]
pub(super) struct KeyState {
    record: KeyRecord,
    evidence: Evidence,
    tags: BTreeMap<String, String>,
    grants: BTreeMap<String, Value>,
    admins: BTreeSet<String>,
    /// Whether imported material was deleted or has expired since it was imported.
    material_missing: bool,
    /// When KMS last refused a use because of the key's state, and the state.
    refused: Option<(Seconds, &'static str)>,
}

impl KeyState {
    /// Facts of an inventory file hold until an event says otherwise.
    pub(super) fn inventory(&mut self, key: &KeyRecord) {
        self.evidence.state(key.manager, Sign::Inventory);
        key.aliases.iter().for_each(|alias| self.evidence.alias(alias));
        let record = &mut self.record;
        if !key.state.is_empty() {
            record.state.clone_from(&key.state);
            "the inventory file".clone_into(&mut record.state_evidence);
        }
        record.origin.clone_from(&key.origin);
        record.key_spec.clone_from(&key.key_spec);
        record.key_usage.clone_from(&key.key_usage);
        record.multi_region = key.multi_region;
    }

    /// Takes an act or a fact; acts come in order of time.
    pub(super) fn change(&mut self, change: &KeyChange) {
        self.evidence.change(change);
        if change.attempt || change.is_fact() {
            return;
        }
        self.describe(change);
        self.change_state(change);
        self.change_rotation(change);
        self.change_grants(change);
        self.change_tags(change);
        self.change_policy(change);
        if !matches!(change.principal_type.as_str(), "AWSService" | "ServiceRole") {
            let record = &mut self.record;
            record.last_change.clone_from(&change.change);
            record.last_change_time = Some(change.event_time);
            record.last_change_by.clone_from(&change.principal_arn);
            if change.via_service.is_empty()
                || !matches!(change.change.as_str(), "CreateGrant" | "RetireGrant" | "RevokeGrant")
            {
                self.admins.insert(change.principal_arn.clone());
            }
        }
    }

    fn change_policy(&mut self, change: &KeyChange) {
        let record = &mut self.record;
        if change.policy.is_empty() {
            return;
        }
        if !record.policy.is_empty() {
            let (new, old) = (PolicyFacts::parse(&change.policy), PolicyFacts::parse(&record.policy));
            record.policy_difference = new.difference(&old).lines().collect();
        }
        record.policy.clone_from(&change.policy);
        record.policy_time = Some(change.event_time);
    }

    fn describe(&mut self, change: &KeyChange) {
        let record = &mut self.record;
        let texts = [
            (&mut record.origin, &change.key_origin),
            (&mut record.key_spec, &change.key_spec),
            (&mut record.key_usage, &change.key_usage),
        ];
        for (known, new) in texts.into_iter().filter(|(_, new)| !new.is_empty()) {
            known.clone_from(new);
        }
        record.multi_region = change.multi_region.or(record.multi_region);
        if change.change == "CreateKey" {
            record.created_time = Some(change.event_time);
            record.created_by.clone_from(&change.principal_arn);
            record.rotation = if record.origin == "AWS_KMS" && record.key_spec == "SYMMETRIC_DEFAULT" {
                "off"
            } else {
                "not_applicable"
            };
        }
    }

    fn change_state(&mut self, change: &KeyChange) {
        let record = &mut self.record;
        // What is deleted stays so, whatever arrives late.
        if change.key_state.is_empty() || (record.state == "Deleted" && change.change != "CreateKey") {
            return;
        }
        match change.change.as_str() {
            "DeleteImportedKeyMaterial" | "DeleteExpiredKeyMaterial" => {
                self.material_missing = true;
                record.valid_to = None;
            }
            "ImportKeyMaterial" => {
                self.material_missing = false;
                record.valid_to = change.due_time;
            }
            _ => {}
        }
        // A key that waits for deletion goes on waiting when its material goes.
        if change.key_state == "PendingImport" && record.state.ends_with("Deletion") {
            return;
        }
        let cancelled = change.change == "CancelKeyDeletion" && self.material_missing;
        let state = if cancelled { "PendingImport" } else { &change.key_state };
        state.clone_into(&mut record.state);
        record.state_evidence.clone_from(&change.change);
        record.state_time = Some(change.event_time);
        record.deletion_time = change.due_time.filter(|_| change.change == "ScheduleKeyDeletion");
    }

    fn change_rotation(&mut self, change: &KeyChange) {
        let record = &mut self.record;
        match change.change.as_str() {
            "EnableKeyRotation" => {
                record.rotation = "on";
                record.rotation_period_days = change.rotation_period_days;
            }
            "DisableKeyRotation" => {
                record.rotation = "off";
                record.rotation_period_days = None;
            }
            "RotateKey" => {
                record.last_rotation_time = Some(change.event_time);
                if change.rotation_type == "AUTOMATIC" {
                    record.rotation = "on";
                }
            }
            "RotateKeyOnDemand" => record.last_rotation_time = Some(change.event_time),
            _ => {}
        }
    }

    fn change_grants(&mut self, change: &KeyChange) {
        match change.change.as_str() {
            "CreateGrant" if !change.grant_id.is_empty() => {
                let operations: Value = serde_json::from_str(&change.grant_operations).unwrap_or_default();
                let constraints: Value = serde_json::from_str(&change.grant_constraints).unwrap_or_default();
                let grant = json!({
                    "grantee": change.grantee,
                    "operations": operations,
                    "constraints": constraints,
                    "retiring": change.grant_retiring,
                    "created": change.event_time.rfc3339(),
                    "by": change.principal_arn,
                    "via": change.via_service,
                });
                self.grants.insert(change.grant_id.clone(), grant);
                if self.grants.len() > GRANTS_KEPT {
                    self.grants.pop_first();
                }
            }
            "RevokeGrant" | "RetireGrant" => _ = self.grants.remove(&change.grant_id),
            _ => {}
        }
    }

    fn change_tags(&mut self, change: &KeyChange) {
        let Ok(Value::Object(tags)) = serde_json::from_str(&change.tags) else { return };
        for (key, value) in tags {
            match value {
                Value::String(value) => _ = self.tags.insert(key, value),
                _ => _ = self.tags.remove(&key),
            }
        }
    }

    /// Takes usage. `counts` is false for the second copy of a cross-account call.
    pub(super) fn used(&mut self, row: &UsageRow<'_>, counts: bool) {
        self.evidence.usage(row);
        if let Some(state) = state_refused(row) {
            self.refused = self.refused.max(Some((row.last, state)));
        }
        if !row.succeeded() || row.operation_class != "crypto" {
            return;
        }
        let record = &mut self.record;
        if counts {
            record.requests += row.requests;
        }
        record.first_use_time = Some(record.first_use_time.map_or(row.first, |known| known.min(row.first)));
        let newer = (record.last_use_time, record.last_use_by.as_str()) < (Some(row.last), row.principal_arn);
        if newer {
            record.last_use_time = Some(row.last);
            row.principal_arn.clone_into(&mut record.last_use_by);
        }
    }

    /// The finished row.
    pub(super) fn into_record(self, key_arn: String, aliases: Vec<String>) -> KeyRecord {
        let mut record = self.record;
        (record.manager, record.manager_evidence) = self.evidence.verdict(&key_arn);
        // A use proves the key enabled at its time, unless something was done to it since.
        if let Some(used) = record.last_use_time
            && record.state != "Deleted"
            && record.state_time.is_none_or(|since| used.0 > since.0 + EVENTUALLY)
        {
            "Enabled".clone_into(&mut record.state);
            "a successful use".clone_into(&mut record.state_evidence);
            record.state_time = Some(used);
            record.deletion_time = None;
        }
        // KMS gives the same error for keys that wait for deletion: it tells nothing new of those.
        if let Some((refused, state)) = self.refused
            && Some(refused) > record.state_time.max(record.last_use_time)
            && !record.state.starts_with("Pending")
        {
            state.clone_into(&mut record.state);
            "a refused use".clone_into(&mut record.state_evidence);
            record.state_time = Some(refused);
        }
        if record.manager == "aws" && record.rotation.is_empty() {
            // Fixed by AWS for all its keys.
            (record.rotation, record.rotation_period_days) = ("on", Some(365));
        }
        record.tags = if self.tags.is_empty() { String::new() } else { json!(self.tags).to_string() };
        record.grants = if self.grants.is_empty() { String::new() } else { json!(self.grants).to_string() };
        record.admins = self.admins.into_iter().collect();
        record.aliases = aliases;
        record.key_arn = key_arn;
        record
    }
}

/// The state of its key for which KMS refused a use. Rows of older versions have no reason.
fn state_refused(row: &UsageRow<'_>) -> Option<&'static str> {
    match plain_code(row.error_code) {
        "Disabled" => Some(key_state(row.error_reason).unwrap_or("Disabled")),
        "KMSInvalidState" => key_state(row.error_reason),
        _ => None,
    }
}

/// Seconds within which KMS may still let a disabled key be used.
const EVENTUALLY: i64 = 300;
