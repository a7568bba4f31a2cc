//! Every form in which a queue tells of objects, and what is none of them.

use std::path::Path;

use keytrail::source::notification::{self, Named, Notification, PassedOver, Shape};
use proptest::prelude::*;
use serde_json::{Value, json};

const LOG: &str = "AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1/2026/03/02/\
                   111122223333_CloudTrail_us-east-1_20260302T0905Z_Mu0KsOhtH1ar15ZZ.json.gz";
const DIGEST: &str = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/d.json.gz";
const INSIGHT: &str = "AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2026/03/02/i.json.gz";

fn s3_record(name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": name,
        "s3": { "bucket": { "name": "trail" }, "object": { "key": key, "size": 41243, "eTag": "e1" } }
    })
}

fn s3(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

fn sns(message: &str) -> String {
    json!({ "Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": message }).to_string()
}

fn event_bridge(source: &str, detail_type: &str, key: &str) -> String {
    json!({
        "version": "0", "detail-type": detail_type, "source": source, "region": "eu-west-1",
        "detail": { "bucket": { "name": "trail" }, "object": { "key": key, "size": 7, "etag": "e2" } }
    })
    .to_string()
}

fn cloudtrail(keys: &[&str]) -> String {
    json!({ "s3Bucket": "trail", "s3ObjectKey": keys }).to_string()
}

#[track_caller]
fn read(body: &str) -> Notification {
    notification::read(body).unwrap_or_else(|e| panic!("{e}: {body}"))
}

#[track_caller]
fn shape(body: &str) -> Shape {
    match notification::read(body) {
        Err(unreadable) => unreadable.shape,
        Ok(notification) => panic!("{notification:?}: {body}"),
    }
}

fn keys(notification: &Notification) -> Vec<&str> {
    notification.objects.iter().map(|object| object.key.as_str()).collect()
}

/// In whatever it comes wrapped.
fn wrapped(body: &str) -> [String; 3] {
    [body.to_owned(), sns(body), sns(&sns(body))]
}

#[test]
fn objects_are_named_by_every_form() {
    let named = |size, etag: Option<&str>, region: Option<&str>| Named {
        bucket: "trail".to_owned(),
        key: LOG.to_owned(),
        size,
        etag: etag.map(str::to_owned),
        region: region.map(str::to_owned),
    };
    for (body, object) in [
        (s3(&[s3_record("ObjectCreated:Put", LOG)]), named(Some(41243), Some("e1"), Some("eu-west-1"))),
        (event_bridge("aws.s3", "Object Created", LOG), named(Some(7), Some("e2"), Some("eu-west-1"))),
        (cloudtrail(&[LOG]), named(None, None, None)),
    ] {
        for body in wrapped(&body) {
            assert_eq!(read(&body), Notification { objects: vec![object.clone()], ..Notification::default() });
        }
    }
}

#[test]
fn one_body_may_name_many() {
    let records = ["ObjectCreated:Put", "s3:ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Copy"];
    let records = records.map(|name| s3_record(name, name));
    assert_eq!(keys(&read(&s3(&records))).len(), 3);
    assert_eq!(keys(&read(&cloudtrail(&["b", "a"]))), ["b", "a"]);
}

#[test]
fn only_s3_encodes_keys() {
    let encoded = "my+prefix%2Fa%2Bb%3D%C3%BC/x.json.gz";
    assert_eq!(keys(&read(&s3(&[s3_record("ObjectCreated:Put", encoded)]))), ["my prefix/a+b=ü/x.json.gz"]);
    for plain in [event_bridge("aws.s3", "Object Created", encoded), cloudtrail(&[encoded])] {
        assert_eq!(keys(&read(&plain)), [encoded]);
    }
    assert_eq!(shape(&s3(&[s3_record("ObjectCreated:Put", "%ff")])), Shape::KeyEncoding);
}

#[test]
fn what_names_no_log_is_passed_over_and_counted() {
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail" }).to_string();
    let created = "ObjectCreated:Put";
    let mixed = s3(&[s3_record("ObjectRemoved:Delete", LOG), s3_record(created, DIGEST), s3_record(created, INSIGHT)]);
    let subscription = json!({ "Type": "SubscriptionConfirmation", "Message": "m", "Token": "t" }).to_string();
    for (body, counts) in [
        (test, vec![(PassedOver::TestEvent, 1)]),
        ("CloudTrail validation message.".to_owned(), vec![(PassedOver::Validation, 1)]),
        (subscription, vec![(PassedOver::Subscription, 1)]),
        (mixed, vec![(PassedOver::OtherEvent, 1), (PassedOver::Digest, 1), (PassedOver::Insight, 1)]),
        (cloudtrail(&[DIGEST, DIGEST]), vec![(PassedOver::Digest, 2)]),
        (event_bridge("aws.s3", "Object Created", DIGEST), vec![(PassedOver::Digest, 1)]),
        (event_bridge("aws.s3", "Object Deleted", LOG), vec![(PassedOver::OtherEvent, 1)]),
    ] {
        for body in wrapped(&body) {
            let notification = read(&body);
            assert_eq!(notification.passed_over.into_iter().collect::<Vec<_>>(), counts, "{body}");
            assert!(notification.objects.is_empty());
        }
    }
    // A removal tells no size, and its key is not looked at.
    let removed = json!({ "eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete" });
    assert_eq!(read(&s3(&[removed, s3_record(created, LOG)])).objects.len(), 1);
}

#[test]
fn objects_that_may_be_anything_go_through() {
    let foreign = ["AWSLogs/111122223333/Config/x.json.gz", "CloudTrail-Digest/x", "readme", "a/"];
    assert_eq!(keys(&read(&cloudtrail(&foreign))), foreign);
}

#[test]
fn what_is_not_known_is_an_error_that_shows_nothing() {
    let kms = json!({ "eventSource": "kms.amazonaws.com", "eventName": "secret" });
    let created = s3_record("ObjectCreated:Put", LOG);
    for (body, expected) in [
        ("secret".to_owned(), Shape::NoObject),
        (String::new(), Shape::NoObject),
        ("[]".to_owned(), Shape::NoObject),
        (r#"{"secret": 1"#.to_owned(), Shape::NoObject),
        (r#"{"secret": 1}"#.to_owned(), Shape::UnknownObject),
        (r#"{"Type": "secret"}"#.to_owned(), Shape::UnknownObject),
        (r#"{"Type": "Notification", "secret": 1}"#.to_owned(), Shape::Incomplete),
        (r#"{"Records": "secret"}"#.to_owned(), Shape::Incomplete),
        (r#"{"Records": []}"#.to_owned(), Shape::NamesNothing),
        (s3(std::slice::from_ref(&kms)), Shape::ForeignRecords),
        (s3(&[created, kms]), Shape::ForeignRecords),
        (s3(&[json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put" })]), Shape::Incomplete),
        (s3(&[json!({ "eventSource": "aws:s3" })]), Shape::Incomplete),
        (cloudtrail(&[]), Shape::NamesNothing),
        (cloudtrail(&[""]), Shape::Incomplete),
        (event_bridge("aws.kms", "AWS API Call via CloudTrail", "secret"), Shape::ForeignEvent),
        (sns(&sns(&sns(&sns("secret")))), Shape::TooDeep),
    ] {
        let unreadable = notification::read(&body).expect_err("unknown");
        assert_eq!(unreadable.shape, expected, "{body}");
        assert!(!unreadable.to_string().contains("secret"), "{unreadable}");
    }
    let said = notification::read(&sns("secret")).expect_err("unknown").to_string();
    assert!(said.contains("not a JSON object") && said.contains("SNS"), "{said}");
}

#[test]
fn wrappers_without_end_cost_no_stack() {
    let mut body = cloudtrail(&[LOG]);
    for depth in 0..12 {
        let read = notification::read(&body);
        assert_eq!(read.is_ok(), depth <= 3, "{depth}");
        body = sns(&body);
    }
    let nested = format!("{}{}", "{\"Records\":[".repeat(100_000), "]}".repeat(100_000));
    assert!(notification::read(&nested).is_err());
}

/// The bodies that the domain's page shows; they are not part of the repository.
#[test]
fn published_bodies_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/domain/fixtures");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no {}", folder.display());
        return;
    }
    let body = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a fixture");
    for name in ["sqs_s3_direct.json", "sqs_s3_sns.json", "sqs_eventbridge.json", "sqs_cloudtrail_sns.json"] {
        assert_eq!(keys(&read(&body(name))), [LOG], "{name}");
    }
    for (name, what) in
        [("sqs_s3_test.json", PassedOver::TestEvent), ("sqs_cloudtrail_validation.json", PassedOver::Validation)]
    {
        assert_eq!(read(&body(name)).passed_over.into_iter().collect::<Vec<_>>(), [(what, 1)], "{name}");
    }
}

fn bodies() -> impl Strategy<Value = String> {
    let created = s3(&[s3_record("ObjectCreated:Put", LOG), s3_record("ObjectRemoved:Delete", "a%2")]);
    let forms = [created, event_bridge("aws.s3", "Object Created", LOG), cloudtrail(&[LOG, DIGEST])];
    let forms: Vec<String> = forms.iter().flat_map(|form| wrapped(form)).collect();
    proptest::sample::select(forms)
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(body in any::<String>()) {
        let _ = notification::read(&body);
    }

    /// Known bodies with a part replaced by anything.
    #[test]
    fn no_damage_makes_it_panic(body in bodies(), at in any::<proptest::sample::Index>(), gone in 0..40_usize, new in any::<String>()) {
        let chars: Vec<char> = body.chars().collect();
        let at = at.index(chars.len());
        let damaged: String =
            chars[..at].iter().copied().chain(new.chars()).chain(chars.iter().skip(at + gone).copied()).collect();
        let _ = notification::read(&damaged);
    }
}
