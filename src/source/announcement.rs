//! Writes the body of a message that tells of objects, for a queue to be filled from a listing.
//!
//! It has the form of S3's own notifications, so that whoever reads those reads these.

use std::fmt::Write as _;

use serde_json::json;

use super::notification::Named;

/// Objects that are best told of in one message: so few that a worker that fails gives back little, so
/// many that the queue costs little.
pub const OBJECTS_OF_A_MESSAGE: usize = 10;

/// The body of a message that names `objects`; [`read`](super::notification::read) reads them from it.
#[must_use]
pub fn body(objects: &[Named]) -> String {
    let records: Vec<_> = objects.iter().map(record).collect();
    json!({ "Records": records }).to_string()
}

fn record(object: &Named) -> serde_json::Value {
    let Named { bucket, key, size, etag, region } = object;
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        // No name of S3's own: nobody put the object just now.
        "eventName": "ObjectCreated:Enqueued",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": bucket },
            "object": { "key": form_encoded(key), "size": size, "eTag": etag },
        },
    })
}

/// As S3 encodes keys in its notifications.
fn form_encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'*' | b'/' => encoded.push(byte.into()),
            b' ' => encoded.push('+'),
            // Writing to a string does not fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::notification::{self, Notification};

    proptest! {
        #[test]
        fn what_is_written_is_read(keys in proptest::collection::vec(".{1,40}", 1..20), size in any::<Option<u64>>(), etag in any::<Option<String>>()) {
            let objects: Vec<Named> = keys
                .into_iter()
                .map(|key| Named { bucket: "trail".to_owned(), key, size, etag: etag.clone(), region: None })
                .collect();
            let read = notification::read(&body(&objects)).expect("our own form");
            prop_assert_eq!(read, Notification { objects, ..Notification::default() });
        }
    }

    #[test]
    fn keys_are_encoded_as_s3_does() {
        assert_eq!(form_encoded("a b+c=ü/x_1.json.gz"), "a+b%2Bc%3D%C3%BC/x_1.json.gz");
    }
}
