//! Adds usage rows up to one finding.

use serde_json::Map;

use crate::kms::failure::Ending;
use crate::model::finding::{Outcome, Subject};
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;
use crate::rules::draft::Draft;

/// Rows of one group: how many requests, from when to when, and the row that speaks for them.
#[derive(Debug, Default)]
pub(in crate::rules) struct Tally<'a> {
    pub(in crate::rules) requests: i64,
    last: Seconds,
    earliest: Option<UsageRow<'a>>,
}

impl<'a> Tally<'a> {
    /// Counts a row. Which row speaks for the group does not depend on their order.
    #[expect(clippy::large_types_passed_by_value, reason = "the row is kept")]
    pub(in crate::rules) fn add(&mut self, row: UsageRow<'a>) {
        self.requests += row.requests;
        self.last = self.last.max(row.last);
        let rank = |row: &UsageRow<'a>| (row.first, row.sample_event_id);
        if self.earliest.is_none_or(|earliest| rank(&row) < rank(&earliest)) {
            self.earliest = Some(row);
        }
    }

    /// A verdict on the group; none on an empty one.
    pub(in crate::rules) fn draft(&self, severity: Severity, message: String) -> Option<Draft> {
        let row = self.earliest?;
        let succeeded = Ending::of(Some(row.error_code)) == Ending::Succeeded;
        Some(Draft {
            severity,
            outcome: if succeeded { Outcome::Success } else { Outcome::Attempt },
            message,
            evidence: Map::new(),
            about: String::new(),
            subject: subject(&row),
            span: (row.first, self.last, self.requests),
        })
    }
}

fn subject(row: &UsageRow<'_>) -> Subject {
    Subject {
        event_id: row.sample_event_id.to_owned(),
        event_source: row.event_source.to_owned(),
        event_name: row.event_name.to_owned(),
        error_code: row.error_code.to_owned(),
        account_id: row.account_id.to_owned(),
        region: row.region.to_owned(),
        principal_arn: row.principal_arn.to_owned(),
        principal_type: row.principal_type.to_owned(),
        principal_account_id: row.principal_account_id.to_owned(),
        via_service: row.via_service.to_owned(),
        key_arn: row.key_arn.to_owned(),
        encryption_context: row.context_pattern.to_owned(),
        ..Subject::default()
    }
}
