//! A count of requests in one hour for one combination of dimensions.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use super::slots::Slots;
use super::strings::{Strings, Symbol, TextId, Texts, Translation};
use super::time::Seconds;

/// Where the key of a request was learned from, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
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
    /// No key was named, so that the service takes its default key.
    Default,
    /// The record names no key.
    #[default]
    None,
}

impl KeyEvidence {
    /// All words, in order.
    pub const WORDS: [&'static str; 9] = [
        Self::Resource.as_str(),
        Self::Response.as_str(),
        Self::Request.as_str(),
        Self::Constructed.as_str(),
        Self::ServiceEvent.as_str(),
        Self::ErrorMessage.as_str(),
        Self::Alias.as_str(),
        Self::Default.as_str(),
        Self::None.as_str(),
    ];

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
            Self::Default => "default",
            Self::None => "none",
        }
    }
}

/// Which copy of a call a row counts: a cross-account call is logged in both accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Side {
    /// Caller and owner are one account, or one of them is unknown.
    #[default]
    Local,
    /// The caller's copy of a cross-account call.
    Caller,
    /// The key owner's copy of a cross-account call.
    Owner,
}

impl Side {
    /// All words, in order.
    pub const WORDS: [&'static str; 3] = [Self::Local.as_str(), Self::Caller.as_str(), Self::Owner.as_str()];

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

/// How the caller's account stands to the key owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// One account.
    Same,
    /// Two own accounts.
    Internal,
    /// A foreign caller, an own key.
    Inbound,
    /// An own caller, a foreign key.
    Outbound,
    /// Neither is own.
    Foreign,
    /// The owner of the key is not known.
    Unknown,
}

impl Relation {
    /// The word in the `relation` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Internal => "internal",
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
        }
    }
}

/// The dimensions of a usage row. Symbols belong to the [`UsageCounts`] or [`UsageRows`] that holds
/// the row.
///
/// In the order that rows are sorted by: by key, then time, so that statistics prune; then by all
/// else, so that the order does not depend on how the rows came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct UsageKey {
    /// ARN of the key, empty if unknown.
    pub key_arn: Symbol,
    /// First second of the hour.
    pub hour: Seconds,
    /// `eventSource`.
    pub event_source: Symbol,
    /// `eventName`.
    pub event_name: Symbol,
    /// `recipientAccountId`.
    pub account_id: Symbol,
    /// The principal: a role rather than its session.
    pub principal_arn: Symbol,
    /// Service that made the call for the principal; empty if the call was direct.
    pub via_service: Symbol,
    /// Normalised encryption context, empty if there was none.
    pub context_pattern: Symbol,
    /// `errorCode`, empty on success.
    pub error_code: Symbol,
    /// Why it failed: see `kms::failure::reason`.
    pub error_reason: Symbol,
    /// `awsRegion`.
    pub region: Symbol,
    /// What the request named: alias, id or ARN; empty if nothing.
    pub key_ref: Symbol,
    /// ARN of `ReEncrypt`'s destination key, else empty.
    pub destination_key_arn: Symbol,
    /// Account of the principal, empty if it has none.
    pub principal_account_id: Symbol,
    /// Kind of principal.
    pub principal_type: Symbol,
    /// crypto, admin, grant, …: see `kms::operations`.
    pub operation_class: Symbol,
    /// Digest of the Nitro Enclave's image that the answer was encrypted for, else empty.
    pub enclave_image: Symbol,
    /// Normalised encryption context of `ReEncrypt`'s destination, else empty.
    pub destination_context_pattern: Symbol,
    /// Where `key_arn` was learned from.
    pub key_evidence: KeyEvidence,
    /// Whose copy this is.
    pub side: Side,
}

impl UsageKey {
    /// A number that is less only if the key is: key and hour come first in the order.
    fn rank(&self) -> u64 {
        let hour = self.hour.0.div_euclid(3_600).clamp(0, i64::from(u32::MAX)).cast_unsigned();
        u64::from(self.key_arn.number()) << 32 | hour
    }

    fn translated(&self, t: &Translation) -> Self {
        Self {
            key_arn: t.of(self.key_arn),
            event_source: t.of(self.event_source),
            event_name: t.of(self.event_name),
            account_id: t.of(self.account_id),
            principal_arn: t.of(self.principal_arn),
            via_service: t.of(self.via_service),
            context_pattern: t.of(self.context_pattern),
            error_code: t.of(self.error_code),
            error_reason: t.of(self.error_reason),
            enclave_image: t.of(self.enclave_image),
            region: t.of(self.region),
            key_ref: t.of(self.key_ref),
            destination_key_arn: t.of(self.destination_key_arn),
            principal_account_id: t.of(self.principal_account_id),
            principal_type: t.of(self.principal_type),
            operation_class: t.of(self.operation_class),
            destination_context_pattern: t.of(self.destination_context_pattern),
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

/// Requests of one object, counted by their dimensions, with the strings they refer to.
#[derive(Debug, Default)]
pub struct UsageCounts {
    /// The strings of all rows' dimensions.
    pub strings: Strings,
    samples: Texts,
    rows: Vec<(UsageKey, UsageCount)>,
    by_key: Slots,
}

impl UsageCounts {
    /// Counts one request.
    pub fn count(&mut self, key: UsageKey, time: Seconds, event_id: &str) {
        let Self { samples, rows, by_key, .. } = self;
        let hash = FxBuildHasher.hash_one(key);
        let Some(known) = by_key.find(hash, |at| rows[at as usize].0 == key) else {
            by_key.insert(hash, u32::try_from(rows.len()).unwrap_or(u32::MAX));
            let sample_event_id = samples.push(event_id);
            return rows.push((key, UsageCount { requests: 1, first: time, last: time, sample_event_id }));
        };
        let count = &mut rows[known as usize].1;
        count.requests += 1;
        count.last = count.last.max(time);
        if (time, event_id) < (count.first, samples.get(count.sample_event_id)) {
            count.first = time;
            count.sample_event_id = samples.push(event_id);
        }
    }

    /// Time of the latest request.
    #[must_use]
    pub fn last(&self) -> Option<Seconds> {
        self.rows.iter().map(|(_, count)| count.last).max()
    }

    /// Bytes held, nearly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.strings.bytes() + self.samples.bytes() + self.rows.len() * (size_of::<(UsageKey, UsageCount)>() + 16)
    }
}

/// Rows of several objects, sorted; counts of the same dimensions are one row.
#[derive(Debug)]
pub struct UsageRows<'c> {
    strings: Strings,
    rows: Vec<CountedRow<'c>>,
}

/// A row of [`UsageRows`].
#[derive(Debug, Clone, Copy)]
pub struct CountedRow<'c> {
    /// Dimensions.
    pub key: UsageKey,
    /// Requests, failures included.
    pub requests: i64,
    /// Earliest `eventTime`.
    pub first: Seconds,
    /// Latest `eventTime`.
    pub last: Seconds,
    /// `eventID` of the earliest request; the smallest of several.
    pub sample_event_id: &'c str,
}

impl<'c> UsageRows<'c> {
    /// Puts the counts of some objects together.
    #[must_use]
    pub fn of(objects: impl Iterator<Item = &'c UsageCounts> + Clone) -> Self {
        // Symbols in the order of their texts: rows compare by numbers.
        let (strings, translations) = Strings::sorted(objects.clone().map(|counts| &counts.strings));
        let mut rows = Vec::with_capacity(objects.clone().map(|counts| counts.rows.len()).sum());
        for (counts, translation) in objects.zip(&translations) {
            rows.extend(counts.rows.iter().map(|(key, count)| CountedRow {
                key: key.translated(translation),
                requests: count.requests,
                first: count.first,
                last: count.last,
                sample_event_id: counts.samples.get(count.sample_event_id),
            }));
        }
        Self { strings, rows: summed(&rows) }
    }

    /// The strings of all rows' dimensions.
    #[must_use]
    pub fn strings(&self) -> &Strings {
        &self.strings
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[CountedRow<'c>] {
        &self.rows
    }
}

/// The rows in order; those of equal dimensions as one.
fn summed<'c>(rows: &[CountedRow<'c>]) -> Vec<CountedRow<'c>> {
    // Rows are large: what is sorted is small, and tells most of them apart by itself.
    let mut order: Vec<(u64, u32)> = (0..).zip(rows).map(|(at, row)| (row.key.rank(), at)).collect();
    let key = |at: u32| &rows[at as usize].key;
    order.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| key(*x).cmp(key(*y))));
    let mut summed: Vec<CountedRow<'c>> = Vec::with_capacity(rows.len());
    for row in order.into_iter().map(|(_, at)| &rows[at as usize]) {
        match summed.last_mut() {
            Some(last) if last.key == row.key => last.add(row),
            _ => summed.push(*row),
        }
    }
    summed
}

impl CountedRow<'_> {
    /// Takes the requests of a row of the same dimensions.
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.last = self.last.max(other.last);
        if (other.first, other.sample_event_id) < (self.first, self.sample_event_id) {
            (self.first, self.sample_event_id) = (other.first, other.sample_event_id);
        }
    }
}
