//! Where objects come from: listing what there is, fetching one.

pub mod announcement;
pub mod aws;
pub mod lease;
pub mod local;
pub mod memory_queue;
pub mod notification;
pub mod object_name;
pub mod queue;
pub mod s3;
pub mod sqs;

use crate::cloud::{Failure, Kind};
use crate::model::object::ObjectRef;

/// A place that objects are fetched from: the local file system, S3.
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
    /// S3 did not give it.
    #[error("cannot fetch {object}: {failure}{}", failure.hint(GET))]
    S3 {
        /// Its URI.
        object: String,
        /// What S3 says.
        failure: Failure,
    },
}

/// What fetching takes. Without `s3:ListBucket`, S3 says "denied" of what is not there.
const GET: &str = "s3:GetObject on the bucket's objects, and s3:ListBucket on the bucket, without which S3 says \
                   the same of an object that is not there";

/// What is to become of the message or the run that an error stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may succeed later: try again.
    Retry,
    /// This object will not be had without somebody mending something; others will. Its message
    /// belongs into the dead-letter queue.
    Poison,
    /// Nothing will be had: end, and say why.
    Fatal,
}

impl FetchError {
    /// What to do with the object's message.
    ///
    /// A message that names a bucket which does not exist, or one of another region, is poison and not
    /// fatal: whoever may write to the queue could else end every worker with a single message.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::TooLarge { .. } => Verdict::Poison,
            Self::Io(error) if error.kind() == std::io::ErrorKind::NotFound => Verdict::Poison,
            Self::Io(_) => Verdict::Retry,
            Self::S3 { failure, .. } => match failure.kind {
                Kind::Transient | Kind::Conflict => Verdict::Retry,
                Kind::Credentials => Verdict::Fatal,
                _ => Verdict::Poison,
            },
        }
    }
}
