//! What one act of a service, or several alike, chose for the encryption of a resource.

use super::time::Seconds;

/// A row of `configurations`. Empty strings are written as null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configuration {
    /// Row of the table of services, such as `rds.instance`.
    pub service_rule: String,
    /// The service, for people.
    pub service: String,
    /// `eventSource`.
    pub event_source: String,
    /// `eventName`.
    pub event_name: String,
    /// `recipientAccountId`.
    pub account_id: String,
    /// `awsRegion`.
    pub region: String,
    /// The resource as the record names it.
    pub resource: String,
    /// Word of `kms::configuration::Choice`.
    pub choice: String,
    /// The key as the record names it.
    pub key_ref: String,
    /// ARN of the key.
    pub key_arn: String,
    /// Whether only the response names the key: the service took it, nobody chose it.
    pub by_service: bool,
    /// Alias of the service's default key.
    pub default_alias: String,
    /// Principal (role, not session).
    pub principal_arn: String,
    /// Kind of principal.
    pub principal_type: String,
    /// Role session name of the earliest act.
    pub session_name: String,
    /// Service that made the call for the principal.
    pub via_service: String,
    /// Acts.
    pub requests: i64,
    /// The earliest.
    pub first: Seconds,
    /// The latest.
    pub last: Seconds,
    /// `eventID` of the earliest.
    pub event_id: String,
    /// Object that the records were read from.
    pub source_object: String,
}

/// A committed row of `configurations`, borrowed from the batch it was read in, or from where it is held.
#[derive(Debug, Clone, Copy)]
pub struct ConfigurationRow<'a> {
    /// Row of the table of services.
    pub service_rule: &'a str,
    /// The service, for people.
    pub service: &'a str,
    /// `eventSource`.
    pub event_source: &'a str,
    /// `eventName`.
    pub event_name: &'a str,
    /// `recipientAccountId`.
    pub account_id: &'a str,
    /// `awsRegion`.
    pub region: &'a str,
    /// The resource as the record names it.
    pub resource: &'a str,
    /// Word of `kms::configuration::Choice`.
    pub choice: &'a str,
    /// The key as the record names it; of EBS's default, as the account had it.
    pub key_ref: &'a str,
    /// ARN of the key.
    pub key_arn: &'a str,
    /// Whether only the response names the key.
    pub by_service: bool,
    /// Alias of the service's default key.
    pub default_alias: &'a str,
    /// Principal (role, not session).
    pub principal_arn: &'a str,
    /// Kind of principal.
    pub principal_type: &'a str,
    /// Role session name of the earliest act.
    pub session_name: &'a str,
    /// Service that made the call for the principal.
    pub via_service: &'a str,
    /// Acts.
    pub requests: i64,
    /// The earliest.
    pub first: Seconds,
    /// The latest.
    pub last: Seconds,
    /// `eventID` of the earliest.
    pub event_id: &'a str,
}
