//! Use of AWS-managed default keys: in the configuration of services, and in KMS calls.

mod default_key_configured;
mod default_key_use;

use super::{Check, Events, Rule};
use crate::kms::configuration;
use crate::model::severity::Severity;

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "default-key-configured",
        family: "default-key",
        title: "Default key named in a service's configuration",
        severity: Severity::Medium,
        mitre: &[],
        page: include_str!("default_key_configured.md"),
        check: Check::Event { events: Events::Table(configuration::events), check: default_key_configured::check },
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
