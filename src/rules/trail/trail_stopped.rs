//! Trails and event data stores that record nothing any more (DOMAIN E.1).

use super::CLOUDTRAIL;
use super::deed::Deed;
use super::target::Target;
use crate::kms::call::Call;
use crate::model::severity::Severity;
use crate::rules::Rule;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;

/// An act after which nothing is recorded.
struct Act {
    event: &'static str,
    severity: Severity,
    verb: [&'static str; 2],
    loss: &'static str,
}

const ACTS: [Act; 4] = [
    Act {
        event: "DeleteEventDataStore",
        severity: Severity::High,
        verb: ["deleted", "delete"],
        loss: "its events cannot be looked up any more, and seven days from now they are gone for good",
    },
    Act {
        event: "DeleteTrail",
        severity: Severity::Critical,
        verb: ["deleted", "delete"],
        loss: "it records nothing any more, and keytrail sees nothing of what is done with keys \
               unless another trail records it",
    },
    Act {
        event: "StopEventDataStoreIngestion",
        severity: Severity::High,
        verb: ["stopped ingestion into", "stop ingestion into"],
        loss: "what happens until somebody starts it again can never be looked up there",
    },
    Act {
        event: "StopLogging",
        severity: Severity::Critical,
        verb: ["stopped", "stop"],
        loss: "it records nothing until somebody starts it again, and keytrail sees nothing of what is done \
               with keys meanwhile unless another trail records it",
    },
];

pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    ACTS.iter().map(|act| (CLOUDTRAIL, act.event)).collect()
}

pub(super) fn check(_: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let Act { severity, verb, loss, .. } = ACTS.iter().find(|act| act.event == call.event.name)?;
    let target = Target::of(call.event);
    let deed = Deed { severity: *severity, verb: *verb, what: target.to_string(), loss };
    deed.draft(call, &target, settings)
}
