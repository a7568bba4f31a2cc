//! Names of the locks of a lake.

/// Held by who opens the output, or recovers what dead writers have left.
pub(super) const OPEN: &str = "_ledger/open.lock";
/// Held by who folds.
pub(super) const FOLD: &str = "_ledger/fold.lock";
/// Held by who compacts or prunes.
pub(super) const COMPACTION: &str = "_ledger/compact.lock";

/// Held by a writer as long as it lives.
pub(super) fn alive(writer: &str) -> String {
    format!("_staging/{writer}/alive")
}
