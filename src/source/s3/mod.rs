//! S3 as a source: a listing that opens only what is asked for, and objects fetched whole.

pub mod fetch;
mod layout;
pub mod list;

pub use fetch::S3Store;
pub use list::{LeftOut, ListError, Listed, Wanted, list};

/// A place in S3: `s3://bucket` or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with; empty for the whole bucket. Without a `/` at the end it names a folder or
    /// one object: `logs` is not `logs-of-others/`.
    pub prefix: String,
}

impl Location {
    /// Reads an `s3://` URI; `None` if it is none.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let location = Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        (!bucket.is_empty()).then_some(location)
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_shown() {
        for (uri, shown) in [("s3://b", "s3://b/"), ("s3://b/", "s3://b/"), ("s3://b/a/b", "s3://b/a/b")] {
            assert_eq!(Location::parse(uri).map(|location| location.to_string()).as_deref(), Some(shown));
        }
        assert!(Location::parse("s3://").is_none() && Location::parse("/a/b").is_none());
    }
}
