//! How freshly the session behind a call proved a second factor (DOMAIN A.11).

use super::principal::{Principal, PrincipalKind};
use super::via::Via;
use crate::model::event::Event;
use crate::model::time::Seconds;

/// The session's MFA: never "the user has MFA".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mfa {
    /// A service acted.
    NotApplicable,
    /// No second factor in the session, or a long-term key.
    Absent,
    /// Proved so many seconds before the call, within the limit.
    Fresh(i64),
    /// Proved longer ago than the limit allows; `None` if the time is not known.
    Stale(Option<i64>),
    /// Proved, if at all, to an identity provider that AWS does not report on.
    Unknown,
}

impl Mfa {
    /// Judges a call; `max_age` is in seconds.
    #[must_use]
    pub fn of(event: &Event<'_>, principal: &Principal<'_>, via: &Via<'_>, max_age: i64) -> Self {
        if !via.is_direct() || principal.is_aws() || principal.kind == PrincipalKind::AwsAccount {
            return Self::NotApplicable;
        }
        let session = event.identity.session;
        let attributes = session.get("attributes");
        if attributes.get("mfaAuthenticated").bool() == Some(true) {
            let created = attributes.get("creationDate").text().and_then(|t| Seconds::parse_lenient(&t));
            return match created.map(|created| event.time.0 - created.0) {
                Some(age) if age <= max_age => Self::Fresh(age),
                age => Self::Stale(age),
            };
        }
        let federated = principal.kind == PrincipalKind::IdentityCenter
            || session.get("webIdFederationData").members().next().is_some();
        if federated && attributes.is_object() { Self::Unknown } else { Self::Absent }
    }

    /// What the `mfa_authenticated` column says.
    #[must_use]
    pub const fn authenticated(self) -> Option<bool> {
        match self {
            Self::Fresh(_) | Self::Stale(_) => Some(true),
            Self::Absent => Some(false),
            Self::NotApplicable | Self::Unknown => None,
        }
    }

    /// The tag on findings.
    #[must_use]
    pub const fn tag(self) -> Option<&'static str> {
        match self {
            Self::Fresh(_) => Some("mfa_fresh"),
            Self::Stale(_) => Some("mfa_stale"),
            Self::Absent => Some("mfa_absent"),
            Self::Unknown => Some("mfa_unknown"),
            Self::NotApplicable => None,
        }
    }
}
