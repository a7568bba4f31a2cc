//! What the log can tell: a variant for each thing that happens, with typed fields, so that record
//! content has no way in.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::model::object::ObjectRef;
use crate::model::r#yield::Yield;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// For whoever looks for a fault of keytrail.
    Debug,
    /// What a healthy run does.
    #[default]
    Info,
    /// It went wrong, and is dealt with.
    Warn,
    /// Somebody has to do something.
    Error,
}

impl Level {
    /// All levels, mildest first.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The word in JSON and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// An object, shown as its URI.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a>(pub &'a ObjectRef);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.uri())
    }
}

/// Why something went wrong. Not any text: what errors and yields say holds nothing of a record.
#[derive(Clone, Copy)]
pub enum Reason<'a> {
    /// An error and its sources.
    Error(&'a (dyn Error + 'a)),
    /// Why an object was skipped or failed.
    Yield(&'a Yield),
    /// Words of our own.
    Words(&'static str),
}

impl fmt::Debug for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yield(drawn) => f.write_str(&drawn.reason),
            Self::Words(words) => f.write_str(words),
            Self::Error(error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Reason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(*time))
}

#[expect(clippy::ref_option, reason = "serde passes fields so")]
fn in_seconds_if_known<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(rounded).serialize(serializer)
}

/// Milliseconds are enough for people.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// What can happen. Texts are what the operator configured, ids that AWS gave, or words of our own;
/// what tells of objects and failures is typed.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening<'a> {
    /// The tail begins.
    Started {
        /// Of keytrail.
        version: &'static str,
        /// URL of the queue.
        queue: &'a str,
        /// Where the output lies.
        output: &'a str,
        /// Threads that analyse.
        workers: usize,
    },
    /// The queue has no dead-letter queue: what cannot be read comes again until it expires. Set its
    /// redrive policy.
    NoDeadLetterQueue {
        /// URL of the queue.
        queue: &'a str,
    },
    /// Files of closed days were put together, or rows removed that are too old.
    Upkeep {
        /// Files that were put together.
        files_before: u64,
        /// Files that they became.
        files_after: u64,
        /// Rows that were removed.
        rows_removed: u64,
    },
    /// Metrics and health can be asked for.
    Listening {
        /// Where.
        address: SocketAddr,
    },
    /// Rows are committed and published.
    Committed {
        /// Objects of the commit.
        objects: u64,
        /// Objects left out, because another writer had committed them in the meantime.
        taken: u64,
        /// Records of these objects.
        records: u64,
        /// Findings of event rules.
        findings: u64,
        /// Rows written.
        rows: u64,
        /// Bytes written.
        bytes: u64,
        /// How long it took.
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
        /// Longest time from delivery to commit.
        #[serde(serialize_with = "in_seconds_if_known")]
        lag_seconds: Option<Duration>,
    },
    /// An object is done with as one that can't be read.
    ObjectFailed {
        /// Which.
        object: Object<'a>,
        /// Why.
        reason: Reason<'a>,
    },
    /// An object is no log file.
    ObjectSkipped {
        /// Which.
        object: Object<'a>,
        /// Why.
        reason: Reason<'a>,
    },
    /// An object could not be fetched now; its message is given back.
    ObjectPutOff {
        /// Which.
        object: Object<'a>,
        /// Why.
        reason: Reason<'a>,
    },
    /// A message is left for the dead-letter queue.
    MessageUnreadable {
        /// The queue's id.
        message: &'a str,
        /// How often it was received.
        received: u32,
        /// Why.
        reason: Reason<'a>,
    },
    /// Something is tried again after a failure that may pass.
    Retrying {
        /// What.
        what: &'static str,
        /// The attempt that comes.
        attempt: u32,
        /// How long until then.
        #[serde(serialize_with = "in_seconds")]
        after_seconds: Duration,
        /// Why.
        reason: Reason<'a>,
    },
    /// AWS asks for fewer requests.
    Throttled {
        /// What is asked for less often.
        what: &'static str,
        /// How long nothing is asked.
        #[serde(serialize_with = "in_seconds")]
        after_seconds: Duration,
    },
    /// A message comes again while it is worked on; the ledger makes that harmless.
    LeaseLost {
        /// What the lease's keeper says.
        reason: Reason<'a>,
    },
    /// Snapshots and findings of usage and posture rules are up to date.
    Folded {
        /// Keys known.
        keys: u64,
        /// Rows of `key_use`.
        key_uses: u64,
        /// Findings of usage and posture rules.
        findings: u64,
        /// How long it took.
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
    /// A fold failed; what is committed stays, and the next one tries again.
    FoldFailed {
        /// Why.
        reason: Reason<'a>,
    },
    /// The configuration was read again.
    Reloaded {
        /// The file.
        config: &'a str,
    },
    /// The new configuration is wrong; the old one stays.
    ReloadRefused {
        /// The file.
        config: &'a str,
        /// Why.
        reason: Reason<'a>,
    },
    /// An alert did not arrive, after all tries. The finding is in the tables.
    AlertFailed {
        /// Where it was to go.
        to: &'a str,
        /// Id of the finding.
        finding_id: &'a str,
        /// How often it was tried.
        tries: u32,
        /// Why.
        reason: Reason<'a>,
    },
    /// An alert found its queue full. The finding is in the tables.
    AlertDropped {
        /// Where it was to go.
        to: &'a str,
        /// Id of the finding.
        finding_id: &'a str,
    },
    /// Alerts were still waiting when their time was up. The findings are in the tables.
    AlertsLeft {
        /// How many.
        count: u64,
    },
    /// No more is received; what is in work is committed or given back.
    Stopping {
        /// Why.
        cause: &'static str,
        /// Messages held.
        held: u64,
    },
    /// The end.
    Stopped {
        /// Objects done.
        done: u64,
        /// Objects that are no log files.
        skipped: u64,
        /// Objects that failed.
        failed: u64,
        /// Commits.
        commits: u64,
        /// Messages given back.
        given_back: u64,
        /// How long it ran.
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
    /// It can't go on.
    Fatal {
        /// Why.
        reason: Reason<'a>,
    },
}

impl Happening<'_> {
    /// How much it matters.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::ObjectSkipped { .. } => Level::Debug,
            Self::Started { .. }
            | Self::Listening { .. }
            | Self::Committed { .. }
            | Self::Folded { .. }
            | Self::Upkeep { .. }
            | Self::Reloaded { .. }
            | Self::Stopping { .. }
            | Self::Stopped { .. } => Level::Info,
            Self::ObjectPutOff { .. }
            | Self::NoDeadLetterQueue { .. }
            | Self::Retrying { .. }
            | Self::Throttled { .. }
            | Self::LeaseLost { .. } => Level::Warn,
            Self::ObjectFailed { .. }
            | Self::MessageUnreadable { .. }
            | Self::FoldFailed { .. }
            | Self::ReloadRefused { .. }
            | Self::AlertFailed { .. }
            | Self::AlertDropped { .. }
            | Self::AlertsLeft { .. }
            | Self::Fatal { .. } => Level::Error,
        }
    }
}
