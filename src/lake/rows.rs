//! Rows of committed tables as the fold takes them.

use arrow_array::Array;

use super::LakeError;
use super::read::Batch;
use crate::model::key_change::KeyChange;
use crate::model::usage_row::UsageRow;

/// Rows of `usage`.
///
/// # Errors
/// If a column is missing.
pub fn usage<'b>(batch: Batch<'b>, rows: &mut Vec<UsageRow<'b>>) -> Result<(), LakeError> {
    let text = |name| batch.text(name);
    let (source, name, class) = (text("event_source")?, text("event_name")?, text("operation_class")?);
    let (account, region, side) = (text("account_id")?, text("region")?, text("side")?);
    let (key, key_ref, destination) = (text("key_arn")?, text("key_ref")?, text("destination_key_arn")?);
    let (principal, kind) = (text("principal_arn")?, text("principal_type")?);
    let (principal_account, via) = (text("principal_account_id")?, text("via_service")?);
    let (pattern, error, sample) = (text("context_pattern")?, text("error_code")?, text("sample_event_id")?);
    let (hour, first, last) = (batch.times("hour")?, batch.times("first_event_time")?, batch.times("last_event_time")?);
    let requests = batch.integers("requests")?;
    rows.reserve(batch.len());
    for row in 0..batch.len() {
        rows.push(UsageRow {
            hour: hour.at(row).unwrap_or_default(),
            event_source: source.at(row),
            event_name: name.at(row),
            operation_class: class.at(row),
            account_id: account.at(row),
            region: region.at(row),
            key_arn: key.at(row),
            key_ref: key_ref.at(row),
            destination_key_arn: destination.at(row),
            principal_arn: principal.at(row),
            principal_type: kind.at(row),
            principal_account_id: principal_account.at(row),
            via_service: via.at(row),
            context_pattern: pattern.at(row),
            error_code: error.at(row),
            side: side.at(row),
            requests: requests.value(row),
            first: first.at(row).unwrap_or_default(),
            last: last.at(row).unwrap_or_default(),
            sample_event_id: sample.at(row),
        });
    }
    Ok(())
}

/// Rows of `key_changes`, as far as the fold needs them.
///
/// # Errors
/// If a column is missing.
pub fn key_changes(batch: Batch<'_>, changes: &mut Vec<KeyChange>) -> Result<(), LakeError> {
    let text = |name| batch.text(name);
    let (change, outcome, event_id) = (text("change")?, text("outcome")?, text("event_id")?);
    let (account, region, key) = (text("account_id")?, text("region")?, text("key_arn")?);
    let (alias, error) = (text("alias")?, text("error_code")?);
    let (principal, kind, session) = (text("principal_arn")?, text("principal_type")?, text("session_name")?);
    let (via, state, manager) = (text("via_service")?, text("key_state")?, text("key_manager")?);
    let (origin, spec, usage) = (text("key_origin")?, text("key_spec")?, text("key_usage")?);
    let (rotation, grant, grantee) = (text("rotation_type")?, text("grant_id")?, text("grantee")?);
    let (operations, policy, tags) = (text("grant_operations")?, text("policy")?, text("tags")?);
    let (time, last, due) = (batch.times("event_time")?, batch.times("last_event_time")?, batch.times("due_time")?);
    let (multi_region, period) = (batch.booleans("multi_region")?, batch.integers("rotation_period_days")?);
    for row in 0..batch.len() {
        changes.push(KeyChange {
            change: change.at(row).to_owned(),
            attempt: outcome.at(row) == "attempt",
            event_time: time.at(row).unwrap_or_default(),
            last_event_time: last.at(row).unwrap_or_default(),
            event_id: event_id.at(row).to_owned(),
            account_id: account.at(row).to_owned(),
            region: region.at(row).to_owned(),
            key_arn: key.at(row).to_owned(),
            alias: alias.at(row).to_owned(),
            error_code: error.at(row).to_owned(),
            principal_arn: principal.at(row).to_owned(),
            principal_type: kind.at(row).to_owned(),
            session_name: session.at(row).to_owned(),
            via_service: via.at(row).to_owned(),
            key_state: state.at(row).to_owned(),
            key_manager: manager.at(row).to_owned(),
            key_origin: origin.at(row).to_owned(),
            key_spec: spec.at(row).to_owned(),
            key_usage: usage.at(row).to_owned(),
            multi_region: multi_region.is_valid(row).then(|| multi_region.value(row)),
            rotation_period_days: period.is_valid(row).then(|| period.value(row)),
            rotation_type: rotation.at(row).to_owned(),
            due_time: due.at(row),
            grant_id: grant.at(row).to_owned(),
            grantee: grantee.at(row).to_owned(),
            grant_operations: operations.at(row).to_owned(),
            policy: policy.at(row).to_owned(),
            tags: tags.at(row).to_owned(),
            ..KeyChange::default()
        });
    }
    Ok(())
}
