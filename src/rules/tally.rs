//! Adds usage rows up to one finding.

use serde_json::Map;

use super::draft::Draft;
use crate::kms::failure::Ending;
use crate::model::finding::{Outcome, Subject};
use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::model::usage_row::UsageRow;

/// Rows of one group: how many requests, from when to when, and the row that speaks for them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: i64,
    last: Seconds,
    /// The earliest row: its first second, and what the finding's columns take from it.
    earliest: Option<(Seconds, Subject)>,
}

impl Tally {
    /// Counts a row. Which row speaks for the group does not depend on their order.
    pub(super) fn add(&mut self, row: &UsageRow<'_>) {
        self.requests += row.requests;
        self.last = self.last.max(row.last);
        let known = self.earliest.as_ref().map(|(first, subject)| (*first, subject.event_id.as_str()));
        if known.is_none_or(|known| (row.first, row.sample_event_id) < known) {
            self.earliest = Some((row.first, subject(row)));
        }
    }

    /// A verdict on the group; none on an empty one.
    pub(super) fn draft(&self, severity: Severity, message: String) -> Option<Draft> {
        let (first, subject) = self.earliest.clone()?;
        let succeeded = Ending::of(Some(&subject.error_code)) == Ending::Succeeded;
        Some(Draft {
            severity,
            outcome: if succeeded { Outcome::Success } else { Outcome::Attempt },
            message,
            evidence: Map::new(),
            about: String::new(),
            subject,
            span: (first, self.last, self.requests),
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
