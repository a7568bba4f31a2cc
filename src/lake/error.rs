//! Errors of the output location; each names the path.

use std::io;

use crate::cloud::Failure;

/// Why the output location could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// Reading or writing failed.
    #[error("cannot {action} {path}: {error}{}", hint(error))]
    Io {
        /// read, write, list, …
        action: &'static str,
        /// Where.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The file system cannot give a file a second name.
    #[error(
        "cannot create {path}: {error}; the file system of the output seems to have no hard links, and an output in a \
         folder needs them: use another file system, or S3"
    )]
    NoLinks {
        /// Where.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The folder is no output.
    #[error("{0} has no ledger: it is no output of keytrail backfill")]
    NoOutput(String),
    /// There are tables, and no ledger.
    #[error(
        "the output has tables, but no ledger: it was copied without its folder _ledger; copy it again, whole, or \
         choose another place"
    )]
    NoLedger,
    /// A ledger entry that this version does not understand.
    #[error("ledger entry {path} cannot be understood: {reason}; it was written by another version, or damaged")]
    BadEntry {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// A ledger entry is not there, but a later one is.
    #[error(
        "ledger entry {missing} is not there, but {later} is: the output was copied in part, or the entry was removed; \
         copy it again, whole, or make the output anew from the logs, in another place"
    )]
    Gap {
        /// The first that is missing.
        missing: String,
        /// The last that is there.
        later: String,
    },
    /// A file that the ledger names is nowhere.
    #[error(
        "{0} is committed, but is not there; put it back from a copy of the output, or make the output anew from the \
         logs, in another place"
    )]
    Missing(String),
    /// A file of a table that cannot be read or made.
    #[error("Parquet file {path}: {reason}")]
    Parquet {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// A table's file lacks a column.
    #[error("Parquet file of table {table} has no column {column} of the right type")]
    Column {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// Another process has held a lock for too long.
    #[error("another process has been holding {0} for ten minutes; run the same command again when it has ended")]
    Busy(String),
    /// S3 could not be used.
    #[error("cannot {action} {place}: {failure}{}", failure.hint(permission))]
    S3 {
        /// read, write, list, …
        action: &'static str,
        /// Where, as an `s3://` URI.
        place: String,
        /// What S3 says.
        failure: Failure,
        /// What the call needs.
        permission: &'static str,
    },
    /// A lock of this process's has another holder now.
    #[error(
        "the lease {0} was lost: this process was stopped, or cut off from S3, for longer than a lease lasts; \
         run the same command again: what is committed stays, the rest is done again"
    )]
    LeaseLost(String),
    /// A task of ours ended before its time.
    #[error("keytrail itself failed: {0}; please report it")]
    Stopped(String),
}

impl LakeError {
    /// Whether the same may succeed later, with nothing mended.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::S3 { failure, .. } if failure.is_transient())
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "; free some space and run the same command again: what is committed stays, the rest is done again"
        }
        io::ErrorKind::PermissionDenied => "; check the permissions of the output folder",
        _ => "",
    }
}
