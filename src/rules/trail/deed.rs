//! What was done to a trail, as a finding: who did what to which, and what is seen no more.

use super::target::Target;
use crate::kms::call::Call;
use crate::model::severity::Severity;
use crate::rules::draft::Draft;
use crate::rules::settings::Settings;
use crate::rules::{attempt, phrase};

/// An act on a trail.
pub(super) struct Deed<'a> {
    /// How bad it is if it succeeds.
    pub(super) severity: Severity,
    /// As in `["deleted", "delete"]`.
    pub(super) verb: [&'a str; 2],
    /// To what it was done, behind the verb.
    pub(super) what: String,
    /// What is seen no more, if it succeeded.
    pub(super) loss: &'a str,
}

impl Deed<'_> {
    /// The verdict on it; `None` if it failed in a way that tells nothing.
    pub(super) fn draft(self, call: &Call<'_>, target: &Target<'_>, settings: &Settings) -> Option<Draft> {
        let severity = attempt::severity(call.ending, self.severity)?;
        let mut message = phrase::deed(call, self.verb, &self.what);
        if call.succeeded() {
            message.push_str(": ");
            message.push_str(self.loss);
        }
        let mut draft = Draft::on(call, severity, message, settings);
        target.id.clone_into(&mut draft.subject.resource_arn);
        Some(draft)
    }
}
