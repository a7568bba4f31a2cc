//! What runs over a list and runs that follow a queue have in common.

use crate::folding::Folded;
use crate::model::severity::Severity;
use crate::rules::settings::Settings;
use crate::telemetry::summary::{OwnAccounts, Summary};

/// Bytes of rows after which a batch is committed: bounds what an open batch holds.
pub(super) const BATCH_BYTES: usize = 8 << 20;
/// Event identities kept to notice a second copy: about 30 MiB.
pub(super) const SEEN_EVENTS: usize = 1 << 20;

/// Adds what a fold came to.
pub(super) fn note_fold(summary: &mut Summary, folded: Folded, settings: &Settings) {
    summary.keys = Some(folded.keys);
    let configured = settings.accounts.are_told();
    let Folded { own_accounts: accounts, unlisted_accounts: unlisted, .. } = folded;
    summary.own_accounts = Some(OwnAccounts { configured, accounts, unlisted });
    for severity in Severity::ALL {
        summary.findings.add(severity, folded.findings[severity as usize]);
    }
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
