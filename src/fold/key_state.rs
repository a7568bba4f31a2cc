//! One key's state, out of what was done to it and how it was used (DOMAIN F.3).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::grants::Grants;
use super::key_stores::StoreAct;
use super::manager::{Evidence, Sign};
use super::rotation::{Rotation, YEARLY};
use crate::kms::failure::{key_state, plain_code};
use crate::kms::policy::facts::PolicyFacts;
use crate::model::key_change::KeyChange;
use crate::model::key_record::KeyRecord;
use crate::model::shared::{Pool, Shared};
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;

/// A key in the making: what [`KeyRecord`] says, with texts that many keys share.
#[derive(Debug, Default)]
pub(super) struct KeyState {
    evidence: Evidence,
    state: Shared,
    state_evidence: Shared,
    state_time: Option<Seconds>,
    deletion_time: Option<Seconds>,
    valid_to: Option<Seconds>,
    pub(super) rotation: Rotation,
    origin: Shared,
    pub(super) key_store: Shared,
    key_spec: Shared,
    key_usage: Shared,
    multi_region: Option<bool>,
    tags: BTreeMap<String, String>,
    policy_time: Option<Seconds>,
    policy_difference: Vec<String>,
    grants: Grants,
    /// Sorted.
    admins: Vec<Shared>,
    created_time: Option<Seconds>,
    created_by: Shared,
    first_use_time: Option<Seconds>,
    last_use_time: Option<Seconds>,
    last_use_by: Shared,
    requests: i64,
    last_change: Shared,
    last_change_time: Option<Seconds>,
    last_change_by: Shared,
    /// Whether imported material was deleted or has expired since it was imported.
    material_missing: bool,
    /// When KMS last refused a use because of the key's state, and the state.
    refused: Option<(Seconds, &'static str)>,
}

impl KeyState {
    /// Facts of an inventory file hold until an event says otherwise.
    pub(super) fn inventory(&mut self, key: &KeyRecord, pool: &mut Pool) {
        self.evidence.state(key.manager, Sign::Inventory);
        key.aliases.iter().for_each(|alias| self.evidence.alias(alias));
        if !key.state.is_empty() {
            self.state = pool.of(&key.state);
            self.state_evidence = pool.of(INVENTORY);
            self.state_time = key.state_time;
        }
        (self.created_time, self.deletion_time, self.valid_to) = (key.created_time, key.deletion_time, key.valid_to);
        self.key_store = pool.of(&key.custom_key_store_id);
        self.origin = pool.of(&key.origin);
        self.key_spec = pool.of(&key.key_spec);
        self.key_usage = pool.of(&key.key_usage);
        self.multi_region = key.multi_region;
    }

    /// Takes an act or a fact; acts come in order of time. `policy` is the one that it has so far.
    pub(super) fn change(&mut self, change: &KeyChange, policy: Option<&str>, pool: &mut Pool) {
        self.evidence.change(change);
        if change.attempt {
            return;
        }
        if &*self.state == "Deleted" && matches!(change.change.as_str(), "CreateKey" | KeyChange::REPLICA_SEEN) {
            // Replicas alone may be made again under the same id: nothing of the former one lasts.
            let (evidence, key_store) = (self.evidence, std::mem::take(&mut self.key_store));
            *self = Self { evidence, key_store, ..Self::default() };
        }
        self.describe(change, pool);
        if change.is_fact() {
            if change.change == KeyChange::REPLICA_SEEN {
                self.replicated(change, pool);
            }
            return;
        }
        if change.change == "CreateKey" {
            self.made(change, pool);
        }
        self.change_state(change, pool);
        self.rotation.change(change);
        match change.change.as_str() {
            "CreateGrant" => self.grants.create(change, pool),
            "RevokeGrant" | "RetireGrant" => self.grants.end(&change.grant_id),
            _ => {}
        }
        self.change_tags(change);
        self.change_policy(change, policy);
        if !matches!(change.principal_type.as_str(), "AWSService" | "ServiceRole") {
            let principal = pool.of(&change.principal_arn);
            self.last_change = pool.of(&change.change);
            self.last_change_time = Some(change.event_time);
            self.last_change_by = principal.clone();
            if (change.via_service.is_empty()
                || !matches!(change.change.as_str(), "CreateGrant" | "RetireGrant" | "RevokeGrant"))
                && let Err(place) = self.admins.binary_search(&principal)
            {
                self.admins.insert(place, principal);
            }
        }
    }

    fn change_policy(&mut self, change: &KeyChange, before: Option<&str>) {
        if change.policy.is_empty() {
            return;
        }
        if let Some(before) = before {
            let (new, old) = (PolicyFacts::parse(&change.policy), PolicyFacts::parse(before));
            self.policy_difference = new.difference(&old).lines().collect();
        }
        self.policy_time = Some(change.event_time);
    }

    fn describe(&mut self, change: &KeyChange, pool: &mut Pool) {
        let texts = [
            (&mut self.origin, &change.key_origin),
            (&mut self.key_store, &change.custom_key_store_id),
            (&mut self.key_spec, &change.key_spec),
            (&mut self.key_usage, &change.key_usage),
        ];
        for (known, new) in texts.into_iter().filter(|(_, new)| !new.is_empty()) {
            *known = pool.of(new);
        }
        self.multi_region = change.multi_region.or(self.multi_region);
    }

    fn made(&mut self, change: &KeyChange, pool: &mut Pool) {
        self.created_time = Some(change.event_time);
        self.created_by = pool.of(&change.principal_arn);
    }

    /// Takes what the record of `ReplicateKey` tells of the replica. The one that KMS writes of the replica
    /// itself may come before it or after it, and counts where it is there.
    fn replicated(&mut self, change: &KeyChange, pool: &mut Pool) {
        if self.created_time.is_none() {
            self.made(change, pool);
        }
        if !change.key_state.is_empty() && self.state_time.is_none() {
            self.state = pool.of(&change.key_state);
            self.state_evidence = pool.of("ReplicateKey");
            self.state_time = Some(change.event_time);
        }
    }

    fn change_state(&mut self, change: &KeyChange, pool: &mut Pool) {
        // What is deleted stays so, whatever arrives late.
        if change.key_state.is_empty() || (&*self.state == "Deleted" && change.change != "CreateKey") {
            return;
        }
        let material = match change.change.as_str() {
            "CreateKey" if change.key_origin == "EXTERNAL" => Some((true, None)),
            "DeleteImportedKeyMaterial" | "DeleteExpiredKeyMaterial" => Some((true, None)),
            "ImportKeyMaterial" => Some((false, change.due_time)),
            _ => None,
        };
        if let Some((missing, _)) = material {
            self.material_missing = missing;
        }
        // An inventory that was fetched later knows.
        if self.state_time.is_some_and(|known| known > change.event_time) {
            return;
        }
        if let Some((_, valid_to)) = material {
            self.valid_to = valid_to;
        }
        // A key that waits for deletion goes on waiting when its material goes.
        if change.key_state == "PendingImport" && self.state.ends_with("Deletion") {
            return;
        }
        let cancelled = change.change == "CancelKeyDeletion" && self.material_missing;
        let state = if cancelled { "PendingImport" } else { &change.key_state };
        self.state = pool.of(state);
        self.state_evidence = pool.of(&change.change);
        self.state_time = Some(change.event_time);
        self.deletion_time = change.due_time.filter(|_| change.change == "ScheduleKeyDeletion");
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
    pub(super) fn used(&mut self, row: &UsageRow<'_>, owner: Option<&str>, counts: bool, pool: &mut Pool) {
        self.evidence.usage(row, owner);
        if let Some(state) = state_refused(row) {
            self.refused = self.refused.max(Some((row.last, state)));
        }
        if !row.succeeded() || row.operation_class != "crypto" {
            return;
        }
        if counts {
            self.requests += row.requests;
        }
        self.first_use_time = Some(self.first_use_time.map_or(row.first, |known| known.min(row.first)));
        if (self.last_use_time, &*self.last_use_by) < (Some(row.last), row.principal_arn) {
            self.last_use_time = Some(row.last);
            self.last_use_by = pool.of(row.principal_arn);
        }
    }

    /// The finished row. `store` is what was done last to the key store that the key is in.
    pub(super) fn into_record(
        self,
        key_arn: &str,
        aliases: Vec<String>,
        policy: Option<&str>,
        store: Option<StoreAct>,
    ) -> KeyRecord {
        let (manager, manager_evidence) = self.evidence.verdict(key_arn);
        let (rotation, rotation_period_days) = match self.rotation.told() {
            // Fixed by AWS for all its keys, whatever holds for others that are made alike.
            _ if manager == "aws" => ("on", Some(YEARLY)),
            ("", _) if self.cannot_rotate() => ("not_applicable", None),
            told => told,
        };
        let mut record = KeyRecord {
            key_arn: key_arn.to_owned(),
            manager,
            manager_evidence,
            state: self.state.to_string(),
            state_evidence: self.state_evidence.to_string(),
            state_time: self.state_time,
            deletion_time: self.deletion_time,
            valid_to: self.valid_to,
            rotation,
            rotation_period_days,
            last_rotation_time: self.rotation.last,
            origin: self.origin.to_string(),
            custom_key_store_id: self.key_store.to_string(),
            key_spec: self.key_spec.to_string(),
            key_usage: self.key_usage.to_string(),
            multi_region: self.multi_region,
            aliases,
            tags: if self.tags.is_empty() { String::new() } else { json!(self.tags).to_string() },
            // One of before it was made again has no time.
            policy: policy.filter(|_| self.policy_time.is_some()).unwrap_or_default().to_owned(),
            policy_time: self.policy_time,
            policy_difference: self.policy_difference,
            grants: self.grants.json(),
            admins: self.admins.iter().map(|admin| admin.to_string()).collect(),
            created_time: self.created_time,
            created_by: self.created_by.to_string(),
            first_use_time: self.first_use_time,
            last_use_time: self.last_use_time,
            last_use_by: self.last_use_by.to_string(),
            requests: self.requests,
            last_change: self.last_change.to_string(),
            last_change_time: self.last_change_time,
            last_change_by: self.last_change_by.to_string(),
        };
        let refused = match store {
            // What was out of reach before is so no more.
            Some(StoreAct::Connected(at)) => self.refused.filter(|(time, state)| *time > at || *state != UNAVAILABLE),
            _ => self.refused,
        };
        if let Some(StoreAct::Disconnected(at)) = store {
            lose_with_store(&mut record, at);
        }
        prove_by_use(&mut record, refused);
        record
    }

    /// KMS rotates by itself what it has made itself, of one kind.
    fn cannot_rotate(&self) -> bool {
        let elsewhere = !self.key_store.is_empty() || !matches!(&*self.origin, "" | "AWS_KMS");
        elsewhere || self.evidence.is_asymmetric || !matches!(&*self.key_spec, "" | "SYMMETRIC_DEFAULT")
    }
}

const UNAVAILABLE: &str = "Unavailable";

const INVENTORY: &str = "the inventory file";

/// The key's store was disconnected. Its own state lasts below that: it has it back when the store is
/// connected again.
fn lose_with_store(record: &mut KeyRecord, at: Seconds) {
    // A store in which a key is made is connected. A key that waits for its end goes on waiting.
    let made_since = record.created_time.is_some_and(|made| made > at);
    let fetched_since = record.state_evidence == INVENTORY && record.state_time.is_some_and(|fetched| fetched > at);
    if made_since || fetched_since || record.state.ends_with("Deletion") || record.state == "Deleted" {
        return;
    }
    UNAVAILABLE.clone_into(&mut record.state);
    "DisconnectCustomKeyStore".clone_into(&mut record.state_evidence);
    record.state_time = Some(at);
}

/// What uses tell of the state.
fn prove_by_use(record: &mut KeyRecord, refused: Option<(Seconds, &'static str)>) {
    // For a while, KMS may still answer as if an act had not been.
    let acted = record.state_time;
    let is_news = |at: Seconds| acted.is_none_or(|since| at.0 > since.0 + EVENTUALLY);
    // A use proves the key enabled at its time, unless something was done to it since.
    if let Some(used) = record.last_use_time
        && record.state != "Deleted"
        && is_news(used)
    {
        "Enabled".clone_into(&mut record.state);
        "a successful use".clone_into(&mut record.state_evidence);
        record.state_time = Some(used);
        record.deletion_time = None;
    }
    // KMS gives the same error for keys that wait for deletion: it tells nothing new of those.
    if let Some((refused, state)) = refused
        && record.state != "Deleted"
        && is_news(refused)
        && Some(refused) > record.last_use_time
        && !record.state.starts_with("Pending")
    {
        state.clone_into(&mut record.state);
        "a refused use".clone_into(&mut record.state_evidence);
        record.state_time = Some(refused);
    }
}

/// The state of its key for which KMS refused a use. Rows of older versions have no reason; those of a
/// `ReEncrypt` with two keys do not tell whose state it was.
fn state_refused(row: &UsageRow<'_>) -> Option<&'static str> {
    if row.event_name == "ReEncrypt" && !row.destination_key_arn.is_empty() {
        return None;
    }
    match plain_code(row.error_code) {
        "Disabled" => Some(key_state(row.error_reason).unwrap_or("Disabled")),
        "KMSInvalidState" => key_state(row.error_reason),
        _ => None,
    }
}

/// Seconds within which KMS may still let a disabled key be used, or refuse one that was enabled.
const EVENTUALLY: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_tells_the_state_unless_it_only_lags_behind() {
        let late = EVENTUALLY + 1;
        for (state, acted, used, refused, expected) in [
            ("Enabled", 0, None, Some((20, "PendingDeletion")), "Enabled"),
            ("Enabled", 0, None, Some((late, "Disabled")), "Disabled"),
            ("Deleted", 0, None, Some((late, "PendingDeletion")), "Deleted"),
            ("PendingDeletion", 0, None, Some((late, "Disabled")), "PendingDeletion"),
            ("Disabled", 0, Some(20), None, "Disabled"),
            ("Disabled", 0, Some(late), None, "Enabled"),
            ("Disabled", 0, Some(late), Some((late + 20, "Disabled")), "Disabled"),
            ("Disabled", 0, Some(late + 20), Some((late, "Disabled")), "Enabled"),
        ] {
            let mut record = KeyRecord {
                state: state.to_owned(),
                state_time: Some(Seconds(acted)),
                last_use_time: used.map(Seconds),
                ..KeyRecord::default()
            };
            prove_by_use(&mut record, refused.map(|(time, state)| (Seconds(time), state)));
            assert_eq!(record.state, expected, "{state}, used {used:?}, refused {refused:?}");
        }
    }
}
