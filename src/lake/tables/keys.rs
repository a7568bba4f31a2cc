//! `keys`: every KMS key that the logs tell of.

use super::columns;
use crate::lake::schema::{Column, Table};
use crate::model::arn::Arn;
use crate::model::key_record::KeyRecord;

/// The table.
pub enum Keys {}

fn part<'a>(key: &'a KeyRecord, pick: fn(Arn<'a>) -> &'a str) -> &'a str {
    Arn::parse(&key.key_arn).map(pick).unwrap_or_default()
}

fn list(items: &[String]) -> Vec<&str> {
    items.iter().map(String::as_str).collect()
}

impl Table for Keys {
    type Row<'a> = &'a KeyRecord;
    const NAME: &'static str = "keys";
    const DOC: &'static str = "One KMS key as known from the logs (and the inventory file, if one was given). Null means: the \
        logs do not tell. Replaced as a whole by each fold.";
    const PARTITIONED: bool = false;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![k;
        key_arn: Id = &k.key_arn, "ARN of the key.";
        key_id: Id = part(k, |arn| arn.kms_key_id().unwrap_or_default()), "Id of the key.";
        account_id: Text = part(k, |arn| arn.account), "Account that owns it.";
        region: Text = part(k, |arn| arn.region), "Its Region.";
        manager: Text = k.manager, "aws, customer, aws_owned (AWS's own, seen in passing) or unknown.";
        manager_evidence: Text = k.manager_evidence, "What that rests on.";
        state: Text = &k.state, "Creating, Enabled, Disabled, PendingImport, PendingDeletion, PendingReplicaDeletion, Unavailable or Deleted.";
        state_evidence: Text = &k.state_evidence, "The event that shows the state.";
        state_time: Timestamp = k.state_time, "When the state was entered, or last proved by use.";
        deletion_time: Timestamp = k.deletion_time, "When a scheduled deletion is due.";
        valid_to: Timestamp = k.valid_to, "When imported material expires.";
        rotation: Text = k.rotation, "Automatic rotation: on, off or not_applicable; of a multi-Region key as set on its primary.";
        rotation_period_days: Integer = k.rotation_period_days, "Days between automatic rotations.";
        last_rotation_time: Timestamp = k.last_rotation_time, "Last rotation seen.";
        origin: Text = &k.origin, "AWS_KMS, EXTERNAL, AWS_CLOUDHSM or EXTERNAL_KEY_STORE.";
        custom_key_store_id: Text = &k.custom_key_store_id, "Custom key store that it is in.";
        key_spec: Text = &k.key_spec, "keySpec.";
        key_usage: Text = &k.key_usage, "keyUsage.";
        multi_region: Boolean = k.multi_region, "Whether it is a multi-Region key.";
        aliases: TextList = list(&k.aliases), "Aliases that pointed at it last.";
        tags: Text = &k.tags, "Tags seen, as a JSON object.";
        policy: Text = &k.policy, "Facts about the last policy seen, as a JSON object.";
        policy_time: Timestamp = k.policy_time, "When that policy was set.";
        policy_difference: TextList = list(&k.policy_difference), "What that policy changed against the last one seen before it: who may do what from now on (+) and no more (-).";
        grants: Text = &k.grants, "Grants seen that are still open, as a JSON object: grant id to grantee, operations, constraints, retiring principal, when and by whom created. Older ones are not known; at most 1000 are kept.";
        admins: TextList = list(&k.admins), "Principals that administered the key, AWS itself left out.";
        created_time: Timestamp = k.created_time, "When it was created.";
        created_by: Text = &k.created_by, "Principal that created it.";
        first_use_time: Timestamp = k.first_use_time, "First successful use of its material.";
        last_use_time: Timestamp = k.last_use_time, "Last successful use of its material.";
        last_use_by: Text = &k.last_use_by, "Principal of the last use.";
        requests: Integer = Some(k.requests), "Successful uses of its material, a cross-account call counted once.";
        last_change: Text = &k.last_change, "Last administrative act, but for what KMS and services do by themselves.";
        last_change_time: Timestamp = k.last_change_time, "When that was.";
        last_change_by: Text = &k.last_change_by, "Principal of that act.";
    ];
}
