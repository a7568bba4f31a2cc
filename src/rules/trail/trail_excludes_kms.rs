//! Event selectors that leave KMS out of a trail, or out of an event data store (DOMAIN E.1, G.2).

use super::CLOUDTRAIL;
use super::deed::Deed;
use super::selectors::Kept;
use super::target::Target;
use crate::kms::call::Call;
use crate::model::severity::Severity;
use crate::rules::Rule;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;

pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    ["CreateEventDataStore", "PutEventSelectors", "UpdateEventDataStore"].map(|name| (CLOUDTRAIL, name)).to_vec()
}

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let kept = Kept::of(call.event.request)?;
    // Without any management events it is not KMS that was left out: `trail-partly-blind`.
    if !kept.management || kept.reads || kept.writes {
        return None;
    }
    let target = Target::of(call.event);
    let (verb, what) = if call.event.name == "CreateEventDataStore" {
        (["created", "create"], format!("{target} without KMS events"))
    } else {
        (["switched off KMS events in", "switch off KMS events in"], target.to_string())
    };
    let (severity, loss) = if target.is_lake {
        // keytrail and alarms read the trail, not the Lake.
        (Severity::High, "neither the use of any key nor a change to one can be looked up there")
    } else {
        (
            rule.severity,
            "from now on its log files tell neither of the use of any key nor of a change to one, \
             and keytrail sees nothing of KMS there",
        )
    };
    let draft = Deed { severity, verb, what, loss }.draft(call, &target, settings)?;
    Some(draft.with("lost", vec!["reads", "writes"]))
}
