//! Which accounts are ours: own, of the organization, trusted (DOMAIN A.8).

use std::collections::BTreeSet;

/// Account lists of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// Accounts whose keys and principals are ours. Empty: those in whose trails records are found.
    pub own: BTreeSet<String>,
    /// Other accounts of the organization.
    pub organization: BTreeSet<String>,
    /// Partners whose use is agreed.
    pub trusted: BTreeSet<String>,
}

impl Accounts {
    /// Whether the configuration names no account at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [&self.own, &self.organization, &self.trusted].iter().all(|list| list.is_empty())
    }

    /// Whether the configuration names `account` in any list.
    #[must_use]
    pub fn names(&self, account: &str) -> bool {
        [&self.own, &self.organization, &self.trusted].iter().any(|list| list.contains(account))
    }

    /// Whether `account` is foreign to somebody who reads the trail of `recipient`.
    #[must_use]
    pub fn is_foreign(&self, account: &str, recipient: &str) -> bool {
        account != recipient && !self.names(account)
    }
}
