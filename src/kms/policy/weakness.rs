//! What may be wrong with a key policy: the table of weaknesses (DOMAIN E.3).

use crate::model::severity::Severity;

/// A weakness. `P15`, a guard that the last policy had, is the fold's to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// Everybody is let in, whoever they are.
    Public,
    /// Everybody is let in who meets a condition that any account can meet.
    PublicConditioned,
    /// An account that is neither own nor trusted is let in.
    ForeignAccount,
    /// Somebody else than the account's root may do everything.
    Everything,
    /// Everybody but some are let in.
    AllBut,
    /// The actions are worded so that they cover more than they seem to.
    LooseActions,
    /// The account's root, and with it IAM, has lost the key.
    NoRoot,
    /// The check that keeps one from locking oneself out was skipped.
    Bypassed,
    /// Nobody of the account can change the policy again.
    NoAdministrator,
    /// One principal may administer the key and decrypt with it.
    NoSeparation,
    /// A service may use or administer the key for whoever asks it.
    ConfusedDeputy,
    /// Grants may be made to anybody, not only for AWS's own resources.
    FreeGrants,
    /// A principal that was deleted.
    DeadPrincipal,
    /// Many may use or administer the key.
    ManyPrincipals,
    /// The document could not be read: what it opens is unknown.
    Unreadable,
}

/// A weakness found in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub weakness: Weakness,
    /// How bad it is here.
    pub severity: Severity,
    /// Statements (by `Sid`) or principals that it was found in.
    pub places: Vec<String>,
}

impl Weakness {
    /// All, by their ids.
    pub const ALL: [Self; 15] = [
        Self::Public,
        Self::PublicConditioned,
        Self::ForeignAccount,
        Self::Everything,
        Self::AllBut,
        Self::LooseActions,
        Self::NoRoot,
        Self::Bypassed,
        Self::NoAdministrator,
        Self::NoSeparation,
        Self::ConfusedDeputy,
        Self::FreeGrants,
        Self::DeadPrincipal,
        Self::ManyPrincipals,
        Self::Unreadable,
    ];

    /// The id that pages and evidence name it by.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Public => "P1",
            Self::PublicConditioned => "P2",
            Self::ForeignAccount => "P3",
            Self::Everything => "P4",
            Self::AllBut => "P5",
            Self::LooseActions => "P6",
            Self::NoRoot => "P7",
            Self::Bypassed => "P8",
            Self::NoAdministrator => "P9",
            Self::NoSeparation => "P10",
            Self::ConfusedDeputy => "P11",
            Self::FreeGrants => "P12",
            Self::DeadPrincipal => "P13",
            Self::ManyPrincipals => "P14",
            Self::Unreadable => "P16",
        }
    }

    /// A half-sentence that goes on from "the policy".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Public => "lets everybody in",
            Self::PublicConditioned => "lets everybody in who meets a condition that any account can meet",
            Self::ForeignAccount => "lets a foreign account in",
            Self::Everything => "lets somebody besides the account's root do everything",
            Self::AllBut => "lets everybody in but those it names",
            Self::LooseActions => "allows more actions than it seems to",
            Self::NoRoot => "leaves the account's root out, so IAM policies no longer apply",
            Self::Bypassed => "was set without the lock-out safety check",
            Self::NoAdministrator => "lets nobody of the account change it again",
            Self::NoSeparation => "lets one principal administer and decrypt",
            Self::ConfusedDeputy => "lets a service use or administer the key for any account's resources",
            Self::FreeGrants => "lets grants be made to anybody",
            Self::DeadPrincipal => "names a deleted principal",
            Self::ManyPrincipals => "lets many principals in",
            Self::Unreadable => "could not be read",
        }
    }

    /// Whether it counts for a key that is just created: the rest is for its next policy to mend.
    #[must_use]
    pub const fn counts_at_creation(self) -> bool {
        !matches!(
            self,
            Self::LooseActions
                | Self::NoRoot
                | Self::NoAdministrator
                | Self::NoSeparation
                | Self::ConfusedDeputy
                | Self::FreeGrants
                | Self::DeadPrincipal
                | Self::ManyPrincipals
        )
    }
}
