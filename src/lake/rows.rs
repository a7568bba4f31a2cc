//! Rows of committed tables as the fold takes them.

use std::ops::Range;

use arrow_array::{Array, BooleanArray, Int64Array};

use super::LakeError;
use super::read::{Batch, Text, Times};
use crate::model::configuration::ConfigurationRow;
use crate::model::finding::Outcome;
use crate::model::key_change::KeyChange;
use crate::model::time::Seconds;
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
    error_reason: Text<'b>,
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
            error_reason: batch.added_text("error_reason")?,
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
            error_reason: self.error_reason.at(row),
            side: self.side.at(row),
            sample_event_id: self.sample_event_id.at(row),
            requests: self.requests.value(row),
            first: self.first_event_time.at(row).unwrap_or_default(),
            last: self.last_event_time.at(row).unwrap_or_default(),
        }
    }
}

/// The columns of `configurations` in one batch.
pub struct ConfigurationColumns<'b> {
    len: usize,
    service_rule: Text<'b>,
    service: Text<'b>,
    event_source: Text<'b>,
    event_name: Text<'b>,
    account_id: Text<'b>,
    region: Text<'b>,
    resource: Text<'b>,
    choice: Text<'b>,
    key_ref: Text<'b>,
    key_arn: Text<'b>,
    by_service: &'b BooleanArray,
    default_alias: Text<'b>,
    principal_arn: Text<'b>,
    principal_type: Text<'b>,
    session_name: Text<'b>,
    via_service: Text<'b>,
    requests: &'b Int64Array,
    first_event_time: Times<'b>,
    last_event_time: Times<'b>,
    event_id: Text<'b>,
}

impl<'b> ConfigurationColumns<'b> {
    /// Finds the columns.
    ///
    /// # Errors
    /// If one is missing.
    pub fn of(batch: Batch<'b>) -> Result<Self, LakeError> {
        Ok(Self {
            len: batch.len(),
            service_rule: batch.text("service_rule")?,
            service: batch.text("service")?,
            event_source: batch.text("event_source")?,
            event_name: batch.text("event_name")?,
            account_id: batch.text("account_id")?,
            region: batch.text("region")?,
            resource: batch.text("resource")?,
            choice: batch.text("choice")?,
            key_ref: batch.text("key_ref")?,
            key_arn: batch.text("key_arn")?,
            by_service: batch.booleans("by_service")?,
            default_alias: batch.text("default_alias")?,
            principal_arn: batch.text("principal_arn")?,
            principal_type: batch.text("principal_type")?,
            session_name: batch.text("session_name")?,
            via_service: batch.text("via_service")?,
            requests: batch.integers("requests")?,
            first_event_time: batch.times("first_event_time")?,
            last_event_time: batch.times("last_event_time")?,
            event_id: batch.text("event_id")?,
        })
    }

    /// The numbers of the rows.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        0..self.len
    }

    /// What a row is sorted by: time, and what tells apart acts of one second.
    #[must_use]
    pub fn order(&self, row: usize) -> (Seconds, [&'b str; 4]) {
        let time = self.first_event_time.at(row).unwrap_or_default();
        (time, [self.event_id, self.service_rule, self.choice, self.key_ref].map(|column| column.at(row)))
    }

    /// A row.
    #[must_use]
    pub fn row(&self, row: usize) -> ConfigurationRow<'b> {
        ConfigurationRow {
            service_rule: self.service_rule.at(row),
            service: self.service.at(row),
            event_source: self.event_source.at(row),
            event_name: self.event_name.at(row),
            account_id: self.account_id.at(row),
            region: self.region.at(row),
            resource: self.resource.at(row),
            choice: self.choice.at(row),
            key_ref: self.key_ref.at(row),
            key_arn: self.key_arn.at(row),
            by_service: self.by_service.is_valid(row) && self.by_service.value(row),
            default_alias: self.default_alias.at(row),
            principal_arn: self.principal_arn.at(row),
            principal_type: self.principal_type.at(row),
            session_name: self.session_name.at(row),
            via_service: self.via_service.at(row),
            requests: self.requests.value(row),
            first: self.first_event_time.at(row).unwrap_or_default(),
            last: self.last_event_time.at(row).unwrap_or_default(),
            event_id: self.event_id.at(row),
        }
    }
}

/// The columns of `key_changes` in one batch, as far as the fold needs them.
pub struct KeyChangeColumns<'b> {
    len: usize,
    change: Text<'b>,
    outcome: Text<'b>,
    event_time: Times<'b>,
    last_event_time: Times<'b>,
    event_id: Text<'b>,
    shared_event_id: Text<'b>,
    account_id: Text<'b>,
    region: Text<'b>,
    key_arn: Text<'b>,
    alias: Text<'b>,
    error_code: Text<'b>,
    principal_arn: Text<'b>,
    principal_type: Text<'b>,
    session_name: Text<'b>,
    via_service: Text<'b>,
    key_state: Text<'b>,
    key_manager: Text<'b>,
    key_origin: Text<'b>,
    key_spec: Text<'b>,
    key_usage: Text<'b>,
    multi_region: &'b BooleanArray,
    rotation_period_days: &'b Int64Array,
    rotation_type: Text<'b>,
    due_time: Times<'b>,
    grant_id: Text<'b>,
    grantee: Text<'b>,
    grant_operations: Text<'b>,
    grant_constraints: Text<'b>,
    grant_retiring: Text<'b>,
    policy: Text<'b>,
    tags: Text<'b>,
}

impl<'b> KeyChangeColumns<'b> {
    /// Finds the columns.
    ///
    /// # Errors
    /// If one is missing.
    pub fn of(batch: Batch<'b>) -> Result<Self, LakeError> {
        Ok(Self {
            len: batch.len(),
            change: batch.text("change")?,
            outcome: batch.text("outcome")?,
            event_time: batch.times("event_time")?,
            last_event_time: batch.times("last_event_time")?,
            event_id: batch.text("event_id")?,
            shared_event_id: batch.text("shared_event_id")?,
            account_id: batch.text("account_id")?,
            region: batch.text("region")?,
            key_arn: batch.text("key_arn")?,
            alias: batch.text("alias")?,
            error_code: batch.text("error_code")?,
            principal_arn: batch.text("principal_arn")?,
            principal_type: batch.text("principal_type")?,
            session_name: batch.text("session_name")?,
            via_service: batch.text("via_service")?,
            key_state: batch.text("key_state")?,
            key_manager: batch.text("key_manager")?,
            key_origin: batch.text("key_origin")?,
            key_spec: batch.text("key_spec")?,
            key_usage: batch.text("key_usage")?,
            multi_region: batch.booleans("multi_region")?,
            rotation_period_days: batch.integers("rotation_period_days")?,
            rotation_type: batch.text("rotation_type")?,
            due_time: batch.times("due_time")?,
            grant_id: batch.text("grant_id")?,
            grantee: batch.text("grantee")?,
            grant_operations: batch.text("grant_operations")?,
            grant_constraints: batch.added_text("grant_constraints")?,
            grant_retiring: batch.added_text("grant_retiring")?,
            policy: batch.text("policy")?,
            tags: batch.text("tags")?,
        })
    }

    /// The numbers of the rows.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        0..self.len
    }

    /// What a row is sorted by: time, and what tells apart acts of one second.
    #[must_use]
    pub fn order(&self, row: usize) -> (Seconds, &'b str, &'b str, &'b str, &'b str) {
        let time = self.event_time.at(row).unwrap_or_default();
        (time, self.event_id.at(row), self.change.at(row), self.key_arn.at(row), self.alias.at(row))
    }

    /// A row.
    #[must_use]
    pub fn row(&self, row: usize) -> KeyChange {
        let text = |column: Text<'b>| column.at(row).to_owned();
        KeyChange {
            change: text(self.change),
            attempt: self.outcome.at(row) == Outcome::Attempt.as_str(),
            event_time: self.event_time.at(row).unwrap_or_default(),
            last_event_time: self.last_event_time.at(row).unwrap_or_default(),
            event_id: text(self.event_id),
            shared_event_id: text(self.shared_event_id),
            account_id: text(self.account_id),
            region: text(self.region),
            key_arn: text(self.key_arn),
            alias: text(self.alias),
            error_code: text(self.error_code),
            principal_arn: text(self.principal_arn),
            principal_type: text(self.principal_type),
            session_name: text(self.session_name),
            via_service: text(self.via_service),
            key_state: text(self.key_state),
            key_manager: text(self.key_manager),
            key_origin: text(self.key_origin),
            key_spec: text(self.key_spec),
            key_usage: text(self.key_usage),
            multi_region: self.multi_region.is_valid(row).then(|| self.multi_region.value(row)),
            rotation_period_days: self.rotation_period_days.is_valid(row).then(|| self.rotation_period_days.value(row)),
            rotation_type: text(self.rotation_type),
            due_time: self.due_time.at(row),
            grant_id: text(self.grant_id),
            grantee: text(self.grantee),
            grant_operations: text(self.grant_operations),
            grant_constraints: text(self.grant_constraints),
            grant_retiring: text(self.grant_retiring),
            policy: text(self.policy),
            tags: text(self.tags),
            ..KeyChange::default()
        }
    }
}
