//! Event selectors under which a trail loses a part of KMS's events, or all management events
//! (DOMAIN E.1, G.2).

use super::CLOUDTRAIL;
use super::deed::Deed;
use super::selectors::Kept;
use super::target::Target;
use crate::kms::call::Call;
use crate::model::severity::Severity;
use crate::rules::Rule;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;

/// What a trail loses.
struct Loss {
    severity: Severity,
    /// Of KMS's events, for machines.
    kinds: &'static [&'static str],
    /// What it is set to record.
    records: &'static str,
    /// What is seen no more.
    text: &'static str,
}

pub(super) fn events() -> Vec<(&'static str, &'static str)> {
    vec![(CLOUDTRAIL, "PutEventSelectors")]
}

pub(super) fn check(rule: &Rule, call: &Call<'_>, settings: &Settings) -> Option<Draft> {
    let Loss { severity, kinds, records, text } = loss(Kept::of(call.event.request)?, rule.severity)?;
    let target = Target::of(call.event);
    let what = format!("{target} to record {records}");
    let draft = Deed { severity, verb: ["set", "set"], what, loss: text }.draft(call, &target, settings)?;
    Some(draft.with("lost", kinds))
}

fn loss(kept: Kept, severity: Severity) -> Option<Loss> {
    let loss = match kept {
        Kept { management: false, others: false, .. } => Loss {
            severity,
            kinds: &["reads", "writes"],
            records: "no management events",
            text: "from now on its log files tell nothing of KMS nor of who administers what, \
                   and keytrail sees nothing there",
        },
        // Whether it had management events before, the record does not tell; most such trails never did.
        Kept { management: false, others: true, .. } => Loss {
            severity: Severity::Medium,
            kinds: &["reads", "writes"],
            records: "no management events, only others",
            text: "its log files tell nothing of KMS, and keytrail sees nothing of any key \
                   unless another trail has management events",
        },
        Kept { reads: false, writes: true, .. } => Loss {
            severity,
            kinds: &["reads"],
            records: "only write events of KMS",
            text: "Decrypt, Encrypt, GenerateDataKey and all other use of keys are missing from its log files, \
                   and keytrail no longer sees there who uses which key",
        },
        Kept { reads: true, writes: false, .. } => Loss {
            severity,
            kinds: &["writes"],
            records: "only read events of KMS",
            text: "ScheduleKeyDeletion, PutKeyPolicy, CreateGrant and all other acts that change a key are missing \
                   from its log files, and keytrail no longer sees there what is done to keys",
        },
        // All of KMS is there; or none of it, which `trail-excludes-kms` tells.
        Kept { management: true, .. } => return None,
    };
    Some(loss)
}
