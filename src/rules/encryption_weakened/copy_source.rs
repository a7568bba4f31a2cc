//! Whether an S3 copy has its own target as its source.

use crate::model::percent::form_decoded;

/// Whether `source`, the header `x-amz-copy-source`, names the object `key` of `bucket`.
pub(super) fn is_object(source: &str, bucket: &str, key: &str) -> bool {
    let source = without_version(source);
    // The header is URL-encoded by rule. Clients differ in what a plus means, and some encode nothing.
    let readings = [Some(source.to_owned()), form_decoded(source), form_decoded(&source.replace('+', "%2B"))];
    readings.iter().flatten().any(|reading| names(reading, bucket, key))
}

/// An older version of the same object is the same object: the copy becomes its newest version.
fn without_version(source: &str) -> &str {
    source.rsplit_once("?versionId=").map_or(source, |(object, _)| object)
}

/// `bucket/key`, with or without a slash in front.
fn names(source: &str, bucket: &str, key: &str) -> bool {
    let source = source.strip_prefix('/').unwrap_or(source);
    let same = source.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) == Some(key);
    same && !bucket.is_empty() && !key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_the_same_object_are_known() {
        for source in [
            "orders/2026/a b+c.csv",
            "/orders/2026/a b+c.csv",
            "orders/2026/a%20b%2Bc.csv",
            "/orders%2F2026%2Fa%20b%2bc.csv",
            "orders/2026/a+b%2Bc.csv",
            "orders/2026/a%20b+c.csv",
            "orders/2026/a%20b%2Bc.csv?versionId=3sL4kqtJlcpXroDTDmJ",
        ] {
            assert!(is_object(source, "orders", "2026/a b+c.csv"), "{source}");
        }
    }

    #[test]
    fn other_objects_are_others() {
        for source in [
            "",
            "/",
            "orders",
            "orders/",
            "orders/2026/b.csv",
            "orders/2026/a.csv.bak",
            "orders-old/2026/a.csv",
            "old/orders/2026/a.csv",
            "arn:aws:s3:us-east-1:111122223333:accesspoint/orders/object/2026/a.csv",
            "orders/2026/a.csv%FF",
        ] {
            assert!(!is_object(source, "orders", "2026/a.csv"), "{source}");
        }
        // What the record does not name is not the same.
        assert!(!is_object("orders/", "orders", ""));
        assert!(!is_object("/a.csv", "", "a.csv"));
    }
}
