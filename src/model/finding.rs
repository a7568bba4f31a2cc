//! A finding: what a rule has to say about one act, or about a group of like acts.

use super::severity::Severity;
use super::time::Seconds;

/// Whether the act succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened.
    Success,
    /// It was tried and refused or failed.
    Attempt,
}

impl Outcome {
    /// The word in the `outcome` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Attempt => "attempt",
        }
    }
}

/// One row of `findings`. Empty strings are written as null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Hash of the rule and of what the finding is about: the same thing found twice has one id.
    pub finding_id: String,
    /// Id of the rule.
    pub rule_id: &'static str,
    /// Family of the rule.
    pub family: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it happened or was tried.
    pub outcome: Outcome,
    /// A few words.
    pub title: &'static str,
    /// What happened, to which key, by whom, in one sentence.
    pub message: String,
    /// Time of the (first) act.
    pub event_time: Seconds,
    /// Time of the last act, for groups.
    pub last_event_time: Seconds,
    /// Acts in the group, 1 for a single one.
    pub event_count: i64,
    /// Facts that the message rests on, as a JSON object.
    pub evidence: String,
    /// ATT&CK technique ids.
    pub mitre: &'static [&'static str],
    /// What the columns say of the (first) act.
    pub subject: Subject,
    /// Object that the (first) record was read from.
    pub source_object: String,
}

/// Who, what and where: the columns that a finding takes from the record, or from the fold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// `eventID`.
    pub event_id: String,
    /// `sharedEventID`.
    pub shared_event_id: String,
    /// `eventSource`.
    pub event_source: String,
    /// `eventName`.
    pub event_name: String,
    /// `errorCode`.
    pub error_code: String,
    /// `recipientAccountId`.
    pub account_id: String,
    /// `awsRegion`.
    pub region: String,
    /// Principal (role, not session).
    pub principal_arn: String,
    /// Kind of principal.
    pub principal_type: String,
    /// Account of the principal.
    pub principal_account_id: String,
    /// Role session name: who used the role.
    pub session_name: String,
    /// `sourceIPAddress`.
    pub source_ip: String,
    /// `userAgent`.
    pub user_agent: String,
    /// Service that made the call for the principal.
    pub via_service: String,
    /// Session MFA: true, false, or unknown.
    pub mfa_authenticated: Option<bool>,
    /// ARN of the key.
    pub key_arn: String,
    /// Alias that the request named or that is known.
    pub key_alias: String,
    /// `aws`, `customer` or empty.
    pub key_manager: String,
    /// The other resource concerned: a bucket, a volume, a foreign key.
    pub resource_arn: String,
    /// Normalised encryption context.
    pub encryption_context: String,
}
