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

/// How an account stands to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Ours.
    Own,
    /// Of our organization.
    Organization,
    /// A partner's.
    Trusted,
    /// Nobody has vouched for it.
    Foreign,
    /// The configuration does not say which accounts are ours: the fold will know.
    Unknown,
}

impl Accounts {
    /// Whether the configuration names `account` in any list.
    #[must_use]
    pub fn names(&self, account: &str) -> bool {
        [&self.own, &self.organization, &self.trusted].iter().any(|list| list.contains(account))
    }

    /// Whether the configuration tells which accounts are ours.
    #[must_use]
    pub fn are_told(&self) -> bool {
        !self.own.is_empty()
    }

    /// How `account` stands to the owner of a key, as far as the configuration tells.
    #[must_use]
    pub fn standing(&self, account: &str, owner: &str) -> Standing {
        match account {
            account if self.own.contains(account) || account == owner => Standing::Own,
            account if self.trusted.contains(account) => Standing::Trusted,
            account if self.organization.contains(account) => Standing::Organization,
            _ if self.are_told() => Standing::Foreign,
            _ => Standing::Unknown,
        }
    }
}
