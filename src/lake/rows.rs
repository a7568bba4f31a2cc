//! Rows of committed tables as the fold takes them.

use std::ops::Range;

use super::LakeError;
use super::read::{Batch, Booleans, Integers, Text, Times};
use crate::kms::principal::PrincipalKind;
use crate::model::configuration::ConfigurationRow;
use crate::model::finding::Outcome;
use crate::model::key_change::KeyChange;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;

/// The columns of a table in one batch, as far as the fold needs them: each with its kind.
macro_rules! read_columns {
    (@type text) => { Text<'b> };
    (@type added_text) => { Text<'b> };
    (@type times) => { Times<'b> };
    (@type integers) => { Integers<'b> };
    (@type booleans) => { Booleans<'b> };
    ($(#[$doc:meta])* $name:ident { $($column:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        pub struct $name<'b> {
            len: usize,
            $($column: read_columns!(@type $kind),)*
        }

        impl<'b> $name<'b> {
            /// The columns that are wanted.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($column)),*];

            /// Finds the columns.
            ///
            /// # Errors
            /// If one is missing.
            pub fn of(batch: Batch<'b>) -> Result<Self, LakeError> {
                Ok(Self { len: batch.len(), $($column: batch.$kind(stringify!($column))?,)* })
            }
        }
    };
}

/// Acts in several batches, in order of time, and of what tells apart acts of one second.
pub fn in_order<C: Acts>(columns: &[C]) -> impl Iterator<Item = (&C, usize)> {
    let places = |(batch, columns): (u32, &C)| -> Vec<_> {
        columns.rows().map(|row| (columns.time(row as usize), batch, row)).collect()
    };
    let at = |(_, batch, row): (Seconds, u32, u32)| (&columns[batch as usize], row as usize);
    let apart = |place: (Seconds, u32, u32)| {
        let (columns, row) = at(place);
        columns.apart(row)
    };
    let mut order: Vec<_> = (0..).zip(columns).flat_map(places).collect();
    order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| apart(*a).cmp(&apart(*b))));
    order.into_iter().map(at)
}

/// Rows that are acts.
pub trait Acts {
    /// The numbers of the rows.
    fn rows(&self) -> Range<u32>;
    /// When an act was done.
    fn time(&self, row: usize) -> Seconds;
    /// What tells apart acts of one second.
    fn apart(&self, row: usize) -> [&str; 4];
}

read_columns! {
    /// The columns of `usage` in one batch.
    UsageColumns {
        requests: integers,
        hour: times,
        event_source: text,
        event_name: text,
        operation_class: text,
        account_id: text,
        region: text,
        key_arn: text,
        key_ref: text,
        destination_key_arn: text,
        principal_arn: text,
        principal_type: text,
        principal_account_id: text,
        via_service: text,
        context_pattern: text,
        destination_context_pattern: added_text,
        error_code: text,
        error_reason: added_text,
        side: text,
        first_event_time: times,
        last_event_time: times,
        sample_event_id: text,
    }
}

impl<'b> UsageColumns<'b> {
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
            destination_context_pattern: self.destination_context_pattern.at(row),
            error_code: self.error_code.at(row),
            error_reason: self.error_reason.at(row),
            side: self.side.at(row),
            sample_event_id: self.sample_event_id.at(row),
            requests: self.requests.at(row).unwrap_or_default(),
            first: self.first_event_time.at(row).unwrap_or_default(),
            last: self.last_event_time.at(row).unwrap_or_default(),
        }
    }
}

read_columns! {
    /// The columns of `configurations` in one batch.
    ConfigurationColumns {
        service_rule: text,
        service: text,
        event_source: text,
        event_name: text,
        account_id: text,
        region: text,
        resource: text,
        choice: text,
        key_ref: text,
        key_arn: text,
        by_service: booleans,
        default_alias: text,
        principal_arn: text,
        principal_type: text,
        session_name: text,
        via_service: text,
        requests: integers,
        first_event_time: times,
        last_event_time: times,
        event_id: text,
    }
}

impl Acts for ConfigurationColumns<'_> {
    fn rows(&self) -> Range<u32> {
        0..u32::try_from(self.len).unwrap_or(u32::MAX)
    }

    fn time(&self, row: usize) -> Seconds {
        self.first_event_time.at(row).unwrap_or_default()
    }

    fn apart(&self, row: usize) -> [&str; 4] {
        [&self.event_id, &self.service_rule, &self.choice, &self.key_ref].map(|column| column.at(row))
    }
}

impl<'b> ConfigurationColumns<'b> {
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
            by_service: self.by_service.at(row).unwrap_or_default(),
            default_alias: self.default_alias.at(row),
            principal_arn: self.principal_arn.at(row),
            principal_type: self.principal_type.at(row),
            session_name: self.session_name.at(row),
            via_service: self.via_service.at(row),
            requests: self.requests.at(row).unwrap_or_default(),
            first: self.first_event_time.at(row).unwrap_or_default(),
            last: self.last_event_time.at(row).unwrap_or_default(),
            event_id: self.event_id.at(row),
        }
    }
}

read_columns! {
    /// The columns of `key_changes` in one batch.
    KeyChangeColumns {
        change: text,
        outcome: text,
        event_time: times,
        last_event_time: times,
        event_id: text,
        shared_event_id: text,
        account_id: text,
        region: text,
        key_arn: text,
        alias: text,
        error_code: text,
        principal_arn: text,
        principal_type: text,
        session_name: text,
        via_service: text,
        key_state: text,
        key_manager: text,
        key_origin: text,
        custom_key_store_id: added_text,
        key_spec: text,
        key_usage: text,
        multi_region: booleans,
        rotation_period_days: integers,
        rotation_type: text,
        due_time: times,
        grant_id: text,
        grantee: text,
        grant_operations: text,
        grant_constraints: added_text,
        grant_retiring: added_text,
        policy: text,
        tags: text,
    }
}

impl Acts for KeyChangeColumns<'_> {
    fn rows(&self) -> Range<u32> {
        0..u32::try_from(self.len).unwrap_or(u32::MAX)
    }

    fn time(&self, row: usize) -> Seconds {
        self.event_time.at(row).unwrap_or_default()
    }

    fn apart(&self, row: usize) -> [&str; 4] {
        [&self.event_id, &self.change, &self.key_arn, &self.alias].map(|column| column.at(row))
    }
}

impl KeyChangeColumns<'_> {
    /// `sharedEventID` of each act that a copy with its principal's name is here of.
    pub fn named_acts(&self) -> impl Iterator<Item = &str> {
        let named = (0..self.len).filter(|row| self.principal_type.at(*row) != PrincipalKind::AwsAccount.as_str());
        named.map(|row| self.shared_event_id.at(row)).filter(|shared| !shared.is_empty())
    }

    /// A row.
    #[must_use]
    pub fn row(&self, row: usize) -> KeyChange {
        let text = |column: &Text<'_>| column.at(row).to_owned();
        KeyChange {
            change: text(&self.change),
            attempt: self.outcome.at(row) == Outcome::Attempt.as_str(),
            event_time: self.event_time.at(row).unwrap_or_default(),
            last_event_time: self.last_event_time.at(row).unwrap_or_default(),
            event_id: text(&self.event_id),
            shared_event_id: text(&self.shared_event_id),
            account_id: text(&self.account_id),
            region: text(&self.region),
            key_arn: text(&self.key_arn),
            alias: text(&self.alias),
            error_code: text(&self.error_code),
            principal_arn: text(&self.principal_arn),
            principal_type: text(&self.principal_type),
            session_name: text(&self.session_name),
            via_service: text(&self.via_service),
            key_state: text(&self.key_state),
            key_manager: text(&self.key_manager),
            key_origin: text(&self.key_origin),
            custom_key_store_id: text(&self.custom_key_store_id),
            key_spec: text(&self.key_spec),
            key_usage: text(&self.key_usage),
            multi_region: self.multi_region.at(row),
            rotation_period_days: self.rotation_period_days.at(row),
            rotation_type: text(&self.rotation_type),
            due_time: self.due_time.at(row),
            grant_id: text(&self.grant_id),
            grantee: text(&self.grantee),
            grant_operations: text(&self.grant_operations),
            grant_constraints: text(&self.grant_constraints),
            grant_retiring: text(&self.grant_retiring),
            policy: text(&self.policy),
            tags: text(&self.tags),
            ..KeyChange::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::local::LocalFolder;
    use crate::lake::parquet;
    use crate::lake::read::{self, Columns};
    use crate::lake::storage::Storage;
    use crate::lake::tables::key_changes::KeyChanges;

    fn change(time: i64, id: &str) -> KeyChange {
        KeyChange {
            change: "CreateGrant".to_owned(),
            event_time: Seconds(time),
            event_id: id.to_owned(),
            ..KeyChange::default()
        }
    }

    /// What is read of a file of these rows, each in a group of its own, in order of time.
    fn read_back(rows: &[KeyChange], columns: Columns<'_>) -> Vec<KeyChange> {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = LocalFolder::create(folder.path()).expect("a storage");
        let mut file = parquet::File::<KeyChanges>::create().expect("starts");
        rows.iter().for_each(|row| file.append(&[row]).expect("appends"));
        storage.stage("file", &file.finish().expect("writes")).expect("stages");
        let file = read::rows::<KeyChanges>(&storage, "file", columns).expect("reads").expect("is there");
        let columns: Vec<_> = file.batches().map(|batch| KeyChangeColumns::of(batch).expect("columns")).collect();
        in_order(&columns).map(|(columns, row)| columns.row(row)).collect()
    }

    #[test]
    fn columns_without_values_are_as_if_they_were_read() {
        let full = KeyChange {
            multi_region: Some(true),
            rotation_period_days: Some(90),
            due_time: Some(Seconds(7)),
            tags: "{}".to_owned(),
            ..change(2, "b")
        };
        for rows in [vec![], vec![change(1, "a"), change(2, "b")], vec![change(1, "a"), full, change(3, "c")]] {
            assert_eq!(read_back(&rows, Columns::These(KeyChangeColumns::NAMES)), rows);
            assert_eq!(read_back(&rows, Columns::All), rows);
        }
    }

    #[test]
    fn acts_of_one_second_are_told_apart_by_more_than_their_time() {
        let rows = [change(5, "a"), change(1, "z"), change(5, ""), change(1, "b")];
        let order = [3, 1, 2, 0].map(|row: usize| rows[row].clone());
        assert_eq!(read_back(&rows, Columns::These(KeyChangeColumns::NAMES)), order);
    }

    #[test]
    fn what_is_asked_for_must_be_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = LocalFolder::create(folder.path()).expect("a storage");
        storage.stage("file", &parquet::write::<KeyChanges>(&[&change(1, "a")]).expect("writes")).expect("stages");
        let file = read::rows::<KeyChanges>(&storage, "file", Columns::These(&["change", "alias"]));
        let file = file.expect("reads").expect("is there");
        let batch = file.batches().next().expect("a row");
        assert_eq!(batch.text("alias").map(|alias| alias.at(0)).expect("holds no value"), "");
        assert!(batch.text("no_such_column").is_err() && batch.text("event_id").is_err());
    }
}
