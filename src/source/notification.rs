//! Reads the body of a queue's message: which objects it tells of (DOMAIN G.6).
//!
//! Eight forms arrive in one queue, several of them inside of an SNS notification. What is known and
//! names no log file is passed over and counted. What is not known is an error: such a message is
//! not ours to delete.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::model::arn::is_account_id;
use crate::model::web_form::form_decoded;

/// SNS notifications that may be wrapped in each other: one is usual, a topic behind a topic has two.
const MOST_WRAPPERS: usize = 3;

/// What CloudTrail publishes when a topic is set on a trail; it is no JSON.
const VALIDATION: &str = "CloudTrail validation message.";

/// What a message tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// Objects that may be log files, in the order in which they are named.
    pub objects: Vec<Named>,
    /// What else it told, counted.
    pub passed_over: BTreeMap<PassedOver, u32>,
}

/// An object as a message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its bucket.
    pub bucket: String,
    /// Its key, decoded.
    pub key: String,
    /// Bytes as stored, where told.
    pub size: Option<u64>,
    /// Its `ETag`, where told.
    pub etag: Option<String>,
    /// The bucket's region, where told.
    pub region: Option<String>,
}

/// What is acknowledged although it names no log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PassedOver {
    /// S3 tried whether it may write to the queue.
    TestEvent,
    /// CloudTrail tried whether it may publish to the topic.
    Validation,
    /// A topic asks to confirm a subscription, or says that one ended; it can't be done from here.
    Subscription,
    /// Something else happened to an object than its creation: it was removed, restored, tagged.
    OtherEvent,
    /// A digest file: hashes of log files.
    Digest,
    /// An Insights file: no API calls.
    Insight,
}

impl PassedOver {
    /// Its word in metrics and summaries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TestEvent => "test_event",
            Self::Validation => "validation",
            Self::Subscription => "subscription",
            Self::OtherEvent => "other_event",
            Self::Digest => "digest",
            Self::Insight => "insight",
        }
    }
}

/// Why a body says nothing to us. It tells the shape of what came, and none of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({bytes} bytes{})", shape.as_str(), if *wrapped { ", inside of an SNS notification" } else { "" })]
pub struct Unreadable {
    /// What it looks like.
    pub shape: Shape,
    /// Its length.
    pub bytes: usize,
    /// Whether it came in an SNS notification.
    pub wrapped: bool,
}

/// What an unreadable body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No JSON object.
    NoObject,
    /// A JSON object of no known form.
    UnknownObject,
    /// It says that it is of a known form, but lacks what that form has.
    Incomplete,
    /// `Records` that are not of S3: perhaps the content of a log file.
    ForeignRecords,
    /// An EventBridge event of another source than S3.
    ForeignEvent,
    /// A known form without any object in it.
    NamesNothing,
    /// An object's key is not UTF-8 once decoded.
    KeyEncoding,
    /// SNS notifications, wrapped in each other too often.
    TooDeep,
}

impl Shape {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoObject => "not a JSON object",
            Self::UnknownObject => "a JSON object of no known kind of notification",
            Self::Incomplete => "a known kind of notification, but something that it must have is missing or mistyped",
            Self::ForeignRecords => "`Records` that are not S3 notifications",
            Self::ForeignEvent => "an EventBridge event that is not from S3; only the source aws.s3 is understood",
            Self::NamesNothing => "a notification that names no object",
            Self::KeyEncoding => "an S3 notification with a key that is not UTF-8 once decoded",
            Self::TooDeep => "SNS notifications wrapped in each other too often",
        }
    }
}

/// Reads a message's body.
///
/// # Errors
/// [`Unreadable`]: the message is to be left to the queue's redrive policy.
pub fn read(body: &str) -> Result<Notification, Unreadable> {
    let mut text = std::borrow::Cow::Borrowed(body);
    for wrappers in 0..=MOST_WRAPPERS {
        let fail = |shape| Unreadable { shape, bytes: body.len(), wrapped: wrappers > 0 };
        match layer(&text).map_err(fail)? {
            Layer::Said(notification) => return Ok(notification),
            Layer::Wrapped(message) => text = message.into(),
        }
    }
    Err(Unreadable { shape: Shape::TooDeep, bytes: body.len(), wrapped: true })
}

enum Layer {
    Said(Notification),
    Wrapped(String),
}

/// Any of the forms: just the members that tell them apart.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "Event")]
    event: Option<Text>,
    #[serde(rename = "Records")]
    records: Option<IgnoredAny>,
    #[serde(rename = "Type")]
    kind: Option<Text>,
    #[serde(rename = "detail-type")]
    detail_type: Option<Text>,
    source: Option<Text>,
    #[serde(rename = "s3ObjectKey")]
    s3_object_key: Option<IgnoredAny>,
}

/// A string, or something else that is then not of a known form.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Is(String),
    Not(IgnoredAny),
}

impl Text {
    fn get(this: Option<&Self>) -> Option<&str> {
        if let Self::Is(text) = this? { Some(text) } else { None }
    }
}

/// Amazon S3 Event Notifications: "Event message structure"; also through SNS with raw delivery.
#[derive(Deserialize)]
struct S3Notification {
    #[serde(rename = "Records")]
    records: Vec<S3Record>,
}

#[derive(Deserialize)]
struct S3Record {
    /// `aws:s3`; servers of other makers have their own name before the colon.
    #[serde(rename = "eventSource", default)]
    source: String,
    /// `ObjectCreated:Put`.
    #[serde(rename = "eventName", default)]
    name: String,
    #[serde(rename = "awsRegion")]
    region: Option<String>,
    s3: Option<S3Entity>,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct S3Object {
    /// Encoded as a web form encodes it.
    key: String,
    size: Option<u64>,
    #[serde(rename = "eTag")]
    etag: Option<String>,
}

/// Amazon SNS: "Parsing Amazon SNS message formats", HTTP/HTTPS notification JSON; SQS gets the same.
#[derive(Deserialize)]
struct SnsNotification {
    #[serde(rename = "Message")]
    message: String,
}

/// Amazon EventBridge: "Amazon S3 Object Created" of source `aws.s3`.
#[derive(Deserialize)]
struct ObjectCreated {
    region: Option<String>,
    detail: ObjectCreatedDetail,
}

#[derive(Deserialize)]
struct ObjectCreatedDetail {
    bucket: Bucket,
    object: EventBridgeObject,
}

#[derive(Deserialize)]
struct EventBridgeObject {
    /// As it is.
    key: String,
    size: Option<u64>,
    etag: Option<String>,
}

/// AWS CloudTrail: "Configuring Amazon SNS notifications for CloudTrail", one message for several files.
#[derive(Deserialize)]
struct LogFilesDelivered {
    #[serde(rename = "s3Bucket")]
    bucket: String,
    /// As they are.
    #[serde(rename = "s3ObjectKey")]
    keys: Vec<String>,
}

fn layer(text: &str) -> Result<Layer, Shape> {
    if text.trim() == VALIDATION {
        return Ok(Layer::Said(Notification::of(PassedOver::Validation)));
    }
    // A list would be read as a struct's members in their order.
    if !text.trim_start().starts_with('{') {
        return Err(Shape::NoObject);
    }
    let probe: Probe = serde_json::from_str(text).map_err(|_| Shape::NoObject)?;
    let said = if Text::get(probe.event.as_ref()) == Some("s3:TestEvent") {
        Notification::of(PassedOver::TestEvent)
    } else if probe.records.is_some() {
        // A log file has `Records` too.
        let body: S3Notification = typed(text)?;
        of_s3(body.records)?
    } else if let Some(kind) = Text::get(probe.kind.as_ref()) {
        return of_sns(kind, text);
    } else if let Some(detail_type) = Text::get(probe.detail_type.as_ref()) {
        match (Text::get(probe.source.as_ref()), detail_type) {
            (Some("aws.s3"), "Object Created") => of_event_bridge(typed(text)?)?,
            (Some("aws.s3"), _) => Notification::of(PassedOver::OtherEvent),
            _ => return Err(Shape::ForeignEvent),
        }
    } else if probe.s3_object_key.is_some() {
        of_cloudtrail(typed(text)?)?
    } else {
        return Err(Shape::UnknownObject);
    };
    Ok(Layer::Said(said))
}

fn typed<T: DeserializeOwned>(text: &str) -> Result<T, Shape> {
    serde_json::from_str(text).map_err(|_| Shape::Incomplete)
}

fn of_sns(kind: &str, text: &str) -> Result<Layer, Shape> {
    match kind {
        "Notification" => typed::<SnsNotification>(text).map(|sns| Layer::Wrapped(sns.message)),
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            Ok(Layer::Said(Notification::of(PassedOver::Subscription)))
        }
        _ => Err(Shape::UnknownObject),
    }
}

fn of_s3(records: Vec<S3Record>) -> Result<Notification, Shape> {
    let mut notification = Notification::default();
    for record in records {
        // One foreign record makes the message foreign: deleting it would lose that record.
        if !record.source.ends_with(":s3") {
            return Err(Shape::ForeignRecords);
        }
        let name = record.name.strip_prefix("s3:").unwrap_or(&record.name);
        if name.is_empty() {
            return Err(Shape::Incomplete);
        }
        if !name.starts_with("ObjectCreated:") {
            notification.pass_over(PassedOver::OtherEvent);
            continue;
        }
        let S3Entity { bucket, object } = record.s3.ok_or(Shape::Incomplete)?;
        let key = form_decoded(&object.key).ok_or(Shape::KeyEncoding)?;
        let S3Object { size, etag, .. } = object;
        notification.add(Named { bucket: bucket.name, key, size, etag, region: record.region })?;
    }
    notification.not_empty()
}

fn of_event_bridge(event: ObjectCreated) -> Result<Notification, Shape> {
    let mut notification = Notification::default();
    let ObjectCreatedDetail { bucket, object } = event.detail;
    let EventBridgeObject { key, size, etag } = object;
    notification.add(Named { bucket: bucket.name, key, size, etag, region: event.region })?;
    Ok(notification)
}

fn of_cloudtrail(delivered: LogFilesDelivered) -> Result<Notification, Shape> {
    let mut notification = Notification::default();
    for key in delivered.keys {
        let bucket = delivered.bucket.clone();
        notification.add(Named { bucket, key, size: None, etag: None, region: None })?;
    }
    notification.not_empty()
}

impl Notification {
    fn of(what: PassedOver) -> Self {
        Self { objects: Vec::new(), passed_over: BTreeMap::from([(what, 1)]) }
    }

    fn pass_over(&mut self, what: PassedOver) {
        *self.passed_over.entry(what).or_default() += 1;
    }

    fn add(&mut self, object: Named) -> Result<(), Shape> {
        if object.bucket.is_empty() || object.key.is_empty() {
            return Err(Shape::Incomplete);
        }
        match certainly_no_log(&object.key) {
            Some(what) => self.pass_over(what),
            None => self.objects.push(object),
        }
        Ok(())
    }

    /// AWS sends no empty list: who does may mean something that we do not understand.
    fn not_empty(self) -> Result<Self, Shape> {
        if self.objects.is_empty() && self.passed_over.is_empty() { Err(Shape::NamesNothing) } else { Ok(self) }
    }
}

/// What CloudTrail's grammar of names makes certain; all else is for the content to tell.
fn certainly_no_log(key: &str) -> Option<PassedOver> {
    let parts: Vec<&str> = key.split('/').collect();
    let kind = |pair: &[&str]| match pair {
        [account, "CloudTrail-Digest"] if is_account_id(account) => Some(PassedOver::Digest),
        [account, "CloudTrail-Insight"] if is_account_id(account) => Some(PassedOver::Insight),
        _ => None,
    };
    parts.windows(2).find_map(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_grammar_makes_certain() {
        let digest = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/x.json.gz";
        assert_eq!(certainly_no_log(digest), Some(PassedOver::Digest));
        let insight = "p/AWSLogs/o-exampleorgid/111122223333/CloudTrail-Insight/us-east-1/x.json.gz";
        assert_eq!(certainly_no_log(insight), Some(PassedOver::Insight));
        for unsure in ["CloudTrail-Digest/x.json.gz", "111122223333/CloudTrail-NetworkActivity/x", "export.json"] {
            assert_eq!(certainly_no_log(unsure), None, "{unsure}");
        }
    }
}
