//! `key_changes`: what was done to keys, and facts learned about them.

use super::columns;
use crate::lake::schema::{By, Column, Table};
use crate::model::arn::owner_account;
use crate::model::key_change::KeyChange;

/// The table.
pub enum KeyChanges {}

impl Table for KeyChanges {
    type Row<'a> = &'a KeyChange;
    const NAME: &'static str = "key_changes";
    const DOC: &'static str = "One administrative act on a key, an alias, a grant or a custom key store, done or tried; or one \
        fact about a key that another call taught (change = alias-seen, aws-owned-seen, key-store-seen, replica-seen).";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![c;
        change: Text = &c.change, "eventName of the act; or of a fact: alias-seen, aws-owned-seen, key-store-seen; replica-seen for a replica that ReplicateKey made of another key.";
        outcome: Text = c.outcome().as_str(), "success, or attempt if the call was refused or failed.";
        event_time: Timestamp = Some(c.event_time), "eventTime; of a fact: when first seen in the object.";
        last_event_time: Timestamp = Some(c.last_event_time), "Of a fact: when last seen in the object; else eventTime.";
        event_id: Id = &c.event_id, "eventID.";
        shared_event_id: Id = &c.shared_event_id, "sharedEventID.";
        account_id: Text = &c.account_id, "Account whose trail had the record.";
        region: Text = &c.region, "awsRegion.";
        key_arn: Text = &c.key_arn, "ARN of the key; null for key stores and where the record does not tell.";
        key_account_id: Text = owner_account(&c.key_arn).unwrap_or_default(), "Account that owns the key.";
        alias: Text = &c.alias, "Alias concerned.";
        error_code: Text = &c.error_code, "errorCode of an attempt.";
        principal_arn: Text = &c.principal_arn, "Who acted: user or role (not the session).";
        principal_type: Text = &c.principal_type, "Kind of principal.";
        session_name: Text = &c.session_name, "Role session name.";
        via_service: Text = &c.via_service, "Service that made the call for the principal.";
        key_state: Text = &c.key_state, "State that the act puts the key in.";
        key_manager: Text = &c.key_manager, "AWS, CUSTOMER or AWS_OWNED, where the record says so.";
        key_origin: Text = &c.key_origin, "AWS_KMS, EXTERNAL, AWS_CLOUDHSM or EXTERNAL_KEY_STORE, where the record says so.";
        custom_key_store_id: Text = &c.custom_key_store_id, "Custom key store that the key is in, or that the act is on, where the record says so.";
        key_spec: Text = &c.key_spec, "keySpec, where the record says so.";
        key_usage: Text = &c.key_usage, "keyUsage, where the record says so.";
        multi_region: Boolean = c.multi_region, "multiRegion, where the record says so.";
        rotation_period_days: Integer = c.rotation_period_days, "Days between automatic rotations, of EnableKeyRotation.";
        rotation_type: Text = &c.rotation_type, "AUTOMATIC or ON_DEMAND, of a rotation.";
        due_time: Timestamp = c.due_time, "When a scheduled deletion is due, or imported material expires.";
        grant_id: Id = &c.grant_id, "Grant created, revoked or retired.";
        grantee: Text = &c.grantee, "Grantee of a created grant.";
        grant_operations: Text = &c.grant_operations, "Operations of a created grant, as a JSON array.";
        grant_constraints: Text = &c.grant_constraints, "What limits a created grant, as a JSON object: encryptionContextSubset or encryptionContextEquals (normalised), sourceArn; null without any.";
        grant_retiring: Text = &c.grant_retiring, "Principal that may retire a created grant.";
        policy: Text = &c.policy, "Facts about a key policy set here, as a JSON object: weaknesses, other accounts and their rights, who may do what line by line.";
        tags: Text = &c.tags, "Tags set, or removed (null), as a JSON object.";
        source_object: Text = &c.source_object, "Object that the record was read from.";
    ];
    const ORDER: &'static [By] = &[
        By::Value("key_arn"),
        By::Value("event_time"),
        By::Value("event_id"),
        By::Value("alias"),
        By::Value("source_object"),
    ];
}
