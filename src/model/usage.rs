//! A count of requests in one hour for one combination of dimensions.

use hashbrown::hash_map::Entry;

use super::strings::{Strings, Symbol, TextId, Texts, Translation};
use super::time::Seconds;

/// Where the key of a request was learned from, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyEvidence {
    /// `resources[].ARN`.
    Resource,
    /// `responseElements`.
    Response,
    /// An ARN in `requestParameters`.
    Request,
    /// A bare id in `requestParameters`; the ARN was built from the caller's account and Region.
    Constructed,
    /// `serviceEventDetails.keyId`.
    ServiceEvent,
    /// Only `errorMessage` names it.
    ErrorMessage,
    /// Only an alias is known.
    Alias,
    /// The record names no key.
    None,
}

impl KeyEvidence {
    /// The word in the `key_evidence` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Response => "response",
            Self::Request => "request",
            Self::Constructed => "constructed",
            Self::ServiceEvent => "service_event",
            Self::ErrorMessage => "error_message",
            Self::Alias => "alias",
            Self::None => "none",
        }
    }
}

/// Which copy of a call a row counts: a cross-account call is logged in both accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Caller and owner are one account, or one of them is unknown.
    Local,
    /// The caller's copy of a cross-account call.
    Caller,
    /// The key owner's copy of a cross-account call.
    Owner,
}

impl Side {
    /// The word in the `side` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Caller => "caller",
            Self::Owner => "owner",
        }
    }
}

/// The dimensions of a usage row. Symbols belong to the [`UsageCounts`] that holds the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UsageKey {
    /// `eventSource`.
    pub event_source: Symbol,
    /// `eventName`.
    pub event_name: Symbol,
    /// crypto, admin, grant, …: see `kms::operations`.
    pub operation_class: &'static str,
    /// `recipientAccountId`.
    pub account_id: Symbol,
    /// `awsRegion`.
    pub region: Symbol,
    /// ARN of the key, empty if unknown.
    pub key_arn: Symbol,
    /// What the request named: alias, id or ARN; empty if nothing.
    pub key_ref: Symbol,
    /// ARN of `ReEncrypt`'s destination key, else empty.
    pub destination_key_arn: Symbol,
    /// Where `key_arn` was learned from.
    pub key_evidence: KeyEvidence,
    /// The principal: a role rather than its session.
    pub principal_arn: Symbol,
    /// Kind of principal.
    pub principal_type: &'static str,
    /// Account of the principal, empty if it has none.
    pub principal_account_id: Symbol,
    /// Service that made the call for the principal; empty if the call was direct.
    pub via_service: Symbol,
    /// Normalised encryption context, empty if there was none.
    pub context_pattern: Symbol,
    /// `errorCode`, empty on success.
    pub error_code: Symbol,
    /// Whose copy this is.
    pub side: Side,
    /// First second of the hour.
    pub hour: Seconds,
}

impl UsageKey {
    fn translated(&self, t: &Translation) -> Self {
        Self {
            event_source: t.of(self.event_source),
            event_name: t.of(self.event_name),
            account_id: t.of(self.account_id),
            region: t.of(self.region),
            key_arn: t.of(self.key_arn),
            key_ref: t.of(self.key_ref),
            destination_key_arn: t.of(self.destination_key_arn),
            principal_arn: t.of(self.principal_arn),
            principal_account_id: t.of(self.principal_account_id),
            via_service: t.of(self.via_service),
            context_pattern: t.of(self.context_pattern),
            error_code: t.of(self.error_code),
            ..*self
        }
    }
}

/// What was counted for one [`UsageKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageCount {
    /// Requests, failures included.
    pub requests: i64,
    /// Earliest `eventTime`.
    pub first: Seconds,
    /// Latest `eventTime`.
    pub last: Seconds,
    /// `eventID` of the earliest request; the smallest of several.
    pub sample_event_id: TextId,
}

/// Usage rows of an object or a batch, with the strings they refer to.
#[derive(Debug, Default)]
pub struct UsageCounts {
    /// The strings of all rows' dimensions.
    pub strings: Strings,
    samples: Texts,
    rows: hashbrown::HashMap<UsageKey, UsageCount, rustc_hash::FxBuildHasher>,
}

impl UsageCounts {
    /// Counts one request.
    pub fn count(&mut self, key: UsageKey, time: Seconds, event_id: &str) {
        self.add(key, 1, (time, time), event_id);
    }

    /// Adds the rows of another set: counts of the same dimensions become one row.
    pub fn merge(&mut self, other: &Self) {
        let translation = self.strings.absorb(&other.strings);
        for (key, count) in &other.rows {
            let sample = other.sample(count);
            self.add(key.translated(&translation), count.requests, (count.first, count.last), sample);
        }
    }

    /// The `eventID` that speaks for a count of this set.
    #[must_use]
    pub fn sample(&self, count: &UsageCount) -> &str {
        self.samples.get(count.sample_event_id)
    }

    fn add(&mut self, key: UsageKey, requests: i64, (first, last): (Seconds, Seconds), sample: &str) {
        let Self { samples, rows, .. } = self;
        match rows.entry(key) {
            Entry::Vacant(entry) => {
                let sample_event_id = samples.push(sample);
                entry.insert(UsageCount { requests, first, last, sample_event_id });
            }
            Entry::Occupied(mut entry) => {
                let count = entry.get_mut();
                count.requests += requests;
                count.last = count.last.max(last);
                if (first, sample) < (count.first, samples.get(count.sample_event_id)) {
                    count.first = first;
                    count.sample_event_id = samples.push(sample);
                }
            }
        }
    }

    /// The rows, in no order.
    pub fn rows(&self) -> impl Iterator<Item = (&UsageKey, &UsageCount)> {
        self.rows.iter()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes held, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.strings.bytes() + self.samples.bytes() + self.rows.len() * (size_of::<(UsageKey, UsageCount)>() + 8)
    }
}
