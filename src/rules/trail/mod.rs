//! Acts that take the sight: on trails and event data stores, so that events of KMS go unrecorded.

mod deed;
mod selectors;
mod target;
mod trail_excludes_kms;
mod trail_partly_blind;
mod trail_stopped;
mod trail_weakened;

use super::{Check, Events, Rule};
use crate::model::severity::Severity;

/// The `eventSource` of CloudTrail's own calls.
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// The rules of this family, by id.
pub const RULES: &[Rule] = &[
    Rule {
        id: "trail-excludes-kms",
        family: "trail",
        title: "KMS events left out of a trail",
        severity: Severity::Critical,
        mitre: &["T1562.008"],
        page: include_str!("trail_excludes_kms.md"),
        check: Check::Event { events: Events::Table(trail_excludes_kms::events), check: trail_excludes_kms::check },
    },
    Rule {
        id: "trail-partly-blind",
        family: "trail",
        title: "A part of KMS's events left out of a trail",
        severity: Severity::High,
        mitre: &["T1562.008"],
        page: include_str!("trail_partly_blind.md"),
        check: Check::Event { events: Events::Table(trail_partly_blind::events), check: trail_partly_blind::check },
    },
    Rule {
        id: "trail-stopped",
        family: "trail",
        title: "Trail stopped or deleted",
        severity: Severity::Critical,
        mitre: &["T1562.008"],
        page: include_str!("trail_stopped.md"),
        check: Check::Event { events: Events::Table(trail_stopped::events), check: trail_stopped::check },
    },
    Rule {
        id: "trail-weakened",
        family: "trail",
        title: "Trail changed for the worse",
        severity: Severity::High,
        mitre: &["T1562.008"],
        page: include_str!("trail_weakened.md"),
        check: Check::Event { events: Events::Table(trail_weakened::events), check: trail_weakened::check },
    },
];
