//! Where objects come from: listing what there is, fetching one.

pub mod aws;
pub mod local;
pub mod object_name;

use crate::model::object::ObjectRef;

/// A place that objects are fetched from: the local file system, later S3.
pub trait Store: Sync {
    /// Fetches an object's stored bytes into `into`, which is emptied first.
    ///
    /// # Errors
    /// [`FetchError`].
    fn fetch(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError>;
}

/// Why an object could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Io(#[from] std::io::Error),
    /// Larger than an object may be.
    #[error(
        "{size} bytes as stored, more than the {cap} that an object may have; raise --max-object-size if it is a log file that you trust"
    )]
    TooLarge {
        /// Its size.
        size: u64,
        /// The cap.
        cap: u64,
    },
}
