//! What an act is worth by how it ended, for rules on other services' events.

use crate::kms::failure::Ending;
use crate::model::severity::Severity;

/// The severity of an act that deserves `severity` if it succeeds; `None` if it deserves no finding.
///
/// Who is refused has shown what they wanted. Any other error is mostly a slip, and changed nothing.
#[must_use]
pub fn severity(ending: Ending, severity: Severity) -> Option<Severity> {
    match ending {
        Ending::Succeeded => Some(severity),
        Ending::Denied if severity >= Severity::High => Some(Severity::Medium),
        _ => None,
    }
}
