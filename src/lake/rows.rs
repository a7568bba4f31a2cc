//! Rows of committed tables as the fold takes them.

use arrow_array::{Array, Int64Array};

use super::LakeError;
use super::read::{Batch, Text, Times};
use crate::model::key_change::KeyChange;
use crate::model::usage_row::UsageRow;

/// The columns of `usage` in one batch.
pub struct UsageColumns<'b> {
    len: usize,
    requests: &'b Int64Array,
    hour: Times<'b>,
    event_source: Text<'b>,
    event_name: Text<'b>,
    operation_class: Text<'b>,
    account_id: Text<'b>,
    region: Text<'b>,
    key_arn: Text<'b>,
    key_ref: Text<'b>,
    destination_key_arn: Text<'b>,
    principal_arn: Text<'b>,
    principal_type: Text<'b>,
    principal_account_id: Text<'b>,
    via_service: Text<'b>,
    context_pattern: Text<'b>,
    error_code: Text<'b>,
    side: Text<'b>,
    first_event_time: Times<'b>,
    last_event_time: Times<'b>,
    sample_event_id: Text<'b>,
}

impl<'b> UsageColumns<'b> {
    /// Finds the columns.
    ///
    /// # Errors
    /// If one is missing.
    pub fn of(batch: Batch<'b>) -> Result<Self, LakeError> {
        Ok(Self {
            len: batch.len(),
            requests: batch.integers("requests")?,
            hour: batch.times("hour")?,
            event_source: batch.text("event_source")?,
            event_name: batch.text("event_name")?,
            operation_class: batch.text("operation_class")?,
            account_id: batch.text("account_id")?,
            region: batch.text("region")?,
            key_arn: batch.text("key_arn")?,
            key_ref: batch.text("key_ref")?,
            destination_key_arn: batch.text("destination_key_arn")?,
            principal_arn: batch.text("principal_arn")?,
            principal_type: batch.text("principal_type")?,
            principal_account_id: batch.text("principal_account_id")?,
            via_service: batch.text("via_service")?,
            context_pattern: batch.text("context_pattern")?,
            error_code: batch.text("error_code")?,
            side: batch.text("side")?,
            first_event_time: batch.times("first_event_time")?,
            last_event_time: batch.times("last_event_time")?,
            sample_event_id: batch.text("sample_event_id")?,
        })
    }

    /// The rows, one by one.
    pub fn rows(&self) -> impl Iterator<Item = UsageRow<'b>> {
        (0..self.len).map(|row| self.row(row))
    }

    fn row(&self, row: usize) -> UsageRow<'b> {
        UsageRow {
            hour: self.hour.at(row).unwrap_or_default(),
            event_source: self.event_source.at(row),
            event_name: self.event_name.at(row),
            operation_class: self.operation_class.at(row),
            account_id: self.account_id.at(row),
            region: self.region.at(row),
            key_arn: self.key_arn.at(row),
            key_ref: self.key_ref.at(row),
            destination_key_arn: self.destination_key_arn.at(row),
            principal_arn: self.principal_arn.at(row),
            principal_type: self.principal_type.at(row),
            principal_account_id: self.principal_account_id.at(row),
            via_service: self.via_service.at(row),
            context_pattern: self.context_pattern.at(row),
            error_code: self.error_code.at(row),
            side: self.side.at(row),
            sample_event_id: self.sample_event_id.at(row),
            requests: self.requests.value(row),
            first: self.first_event_time.at(row).unwrap_or_default(),
            last: self.last_event_time.at(row).unwrap_or_default(),
        }
    }
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
