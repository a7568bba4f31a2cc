//! One CloudTrail record, typed and borrowed from the buffer that its file was inflated into.

use super::json::Json;
use super::time::Seconds;

/// A CloudTrail record; names are CloudTrail's own, payloads stay JSON behind accessors.
///
/// Strings that the record lacks are empty where AWS always writes them, `None` where it may not.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// `eventID`; empty in records older than eventVersion 1.01.
    pub event_id: &'a str,
    /// `addendum.originalEventID` of a record that CloudTrail delivered again with corrections.
    pub original_event_id: Option<&'a str>,
    /// `sharedEventID`: the same in all copies of one call that several accounts received.
    pub shared_event_id: Option<&'a str>,
    /// `eventTime`.
    pub time: Seconds,
    /// `eventSource`, such as `kms.amazonaws.com`.
    pub source: &'a str,
    /// `eventName`, such as `Decrypt`.
    pub name: &'a str,
    /// `eventType`, such as `AwsApiCall` or `AwsServiceEvent`.
    pub event_type: &'a str,
    /// `eventCategory`: absent before eventVersion 1.07.
    pub category: Option<&'a str>,
    /// `awsRegion`.
    pub region: &'a str,
    /// `recipientAccountId`: the account whose trail received this copy.
    pub account: &'a str,
    /// `errorCode`, if the call failed.
    pub error_code: Option<&'a str>,
    /// `errorMessage`.
    pub error_message: Option<&'a str>,
    /// `sourceIPAddress`: an address, or a service's name.
    pub source_ip: &'a str,
    /// `userAgent`: chosen by the caller, never to be trusted.
    pub user_agent: &'a str,
    /// `sessionCredentialFromConsole`.
    pub console_session: bool,
    /// `userIdentity`.
    pub identity: Identity<'a>,
    /// `requestParameters`.
    pub request: Json<'a>,
    /// `responseElements`.
    pub response: Json<'a>,
    /// `additionalEventData`.
    pub additional: Json<'a>,
    /// `serviceEventDetails`.
    pub service_details: Json<'a>,
    /// `resources`.
    pub resources: Json<'a>,
}

/// `userIdentity`: who acted.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// `type`; empty in service events.
    pub kind: &'a str,
    /// `principalId`.
    pub principal_id: Option<&'a str>,
    /// `arn`.
    pub arn: Option<&'a str>,
    /// `accountId`.
    pub account_id: Option<&'a str>,
    /// `userName`.
    pub user_name: Option<&'a str>,
    /// `invokedBy`: the service that made the call for the identity.
    pub invoked_by: Option<&'a str>,
    /// `sessionContext`.
    pub session: Json<'a>,
    /// `onBehalfOf`, for IAM Identity Center users.
    pub on_behalf_of: Json<'a>,
}

impl Default for Identity<'_> {
    fn default() -> Self {
        Self {
            kind: "",
            principal_id: None,
            arn: None,
            account_id: None,
            user_name: None,
            invoked_by: None,
            session: Json::NULL,
            on_behalf_of: Json::NULL,
        }
    }
}

impl<'a> Event<'a> {
    /// The `eventSource` of AWS KMS.
    pub const KMS: &'static str = "kms.amazonaws.com";

    /// Whether AWS KMS wrote this record.
    #[must_use]
    pub fn is_kms(&self) -> bool {
        self.source == Self::KMS
    }

    /// What identifies the act itself rather than this copy of its record.
    #[must_use]
    pub fn act_id(&self) -> &'a str {
        self.shared_event_id.unwrap_or(self.event_id)
    }

    /// Whether this is a record of the kind that keytrail analyses: management or data events,
    /// not Insights, network activity (a second view of the same calls) or aggregates.
    #[must_use]
    pub fn is_api_record(&self) -> bool {
        self.category.is_none_or(|c| c == "Management" || c == "Data")
            && !matches!(
                self.event_type,
                "AwsCloudTrailInsight" | "AwsVpceEvent" | "AwsVpceEvents" | "AwsAggregatedEvent"
            )
    }
}
