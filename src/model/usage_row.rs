//! A committed row of `usage`, borrowed from the batch it was read in.

use super::time::Seconds;

/// One row of `usage`; absent values are empty.
#[derive(Debug, Clone, Copy)]
pub struct UsageRow<'a> {
    /// First second of the hour.
    pub hour: Seconds,
    /// `eventSource`.
    pub event_source: &'a str,
    /// `eventName`.
    pub event_name: &'a str,
    /// Word of `kms::operations::OperationClass`.
    pub operation_class: &'a str,
    /// Account whose trail had the records.
    pub account_id: &'a str,
    /// `awsRegion`.
    pub region: &'a str,
    /// ARN of the key.
    pub key_arn: &'a str,
    /// What the request named.
    pub key_ref: &'a str,
    /// ARN of `ReEncrypt`'s destination key.
    pub destination_key_arn: &'a str,
    /// Principal (role, not session).
    pub principal_arn: &'a str,
    /// Kind of principal.
    pub principal_type: &'a str,
    /// Account of the principal.
    pub principal_account_id: &'a str,
    /// Service that made the call for the principal.
    pub via_service: &'a str,
    /// Normalised encryption context.
    pub context_pattern: &'a str,
    /// Normalised encryption context of `ReEncrypt`'s destination.
    pub destination_context_pattern: &'a str,
    /// `errorCode`.
    pub error_code: &'a str,
    /// Why it failed.
    pub error_reason: &'a str,
    /// local, caller or owner.
    pub side: &'a str,
    /// Requests counted.
    pub requests: i64,
    /// Earliest request.
    pub first: Seconds,
    /// Latest request.
    pub last: Seconds,
    /// `eventID` of the earliest.
    pub sample_event_id: &'a str,
}

impl UsageRow<'_> {
    /// Whether the requests succeeded. A dry run may have no error, but it has a reason.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.error_code.is_empty() && self.error_reason.is_empty()
    }
}
