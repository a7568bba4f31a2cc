//! Use of AWS-managed default keys: in the configuration of services, and in KMS calls.

mod default_key_use;
mod resources;

use super::draft::Draft;
use super::posture::Posture;
use super::{Check, Rule};
use crate::kms::configuration::Kind;
use crate::model::severity::Severity;

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "default-key-by-omission",
        family: "default-key",
        title: "Default key taken because none was named",
        severity: Severity::Medium,
        mitre: &[],
        page: include_str!("default_key_by_omission.md"),
        check: Check::Posture(by_omission),
    },
    Rule {
        id: "default-key-configured",
        family: "default-key",
        title: "Default key named in a service's configuration",
        severity: Severity::Medium,
        mitre: &[],
        page: include_str!("default_key_configured.md"),
        check: Check::Posture(configured),
    },
    Rule {
        id: "default-key-possible",
        family: "default-key",
        title: "Perhaps the default key: none was named",
        severity: Severity::Info,
        mitre: &[],
        page: include_str!("default_key_possible.md"),
        check: Check::Posture(possible),
    },
    Rule {
        id: "default-key-use",
        family: "default-key",
        title: "AWS-managed default key in use",
        severity: Severity::Low,
        mitre: &[],
        page: include_str!("default_key_use.md"),
        check: Check::Usage(default_key_use::watch),
    },
];

/// A service is told, by alias or by a key that is known to be AWS-managed, to use its default key, or
/// says that it took it (DOMAIN C.1, DK-EXPLICIT and DK-RESOLVED).
fn configured(posture: &Posture<'_>) -> Vec<Draft> {
    resources::judge("default-key-configured", posture, &[Kind::DkExplicit, Kind::DkResolved])
}

/// A service is told to encrypt, and with no key: it takes its default key (DK-IMPLICIT).
fn by_omission(posture: &Posture<'_>) -> Vec<Draft> {
    resources::judge("default-key-by-omission", posture, &[Kind::DkImplicit])
}

/// Without a key the service may take its default key, or another (DK-POSSIBLE).
fn possible(posture: &Posture<'_>) -> Vec<Draft> {
    resources::judge("default-key-possible", posture, &[Kind::DkPossible])
}
