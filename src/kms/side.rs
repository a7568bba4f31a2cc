//! Which copy of a call a record is (DOMAIN A.8): `sharedEventID` does not tell, the accounts do.

use crate::model::usage::Side;

/// Judges a copy by the caller's account, the key owners' (two for a `ReEncrypt`) and the trail's.
#[must_use]
pub fn side_of(caller: Option<&str>, owners: [Option<&str>; 2], recipient: &str) -> Side {
    let Some(caller) = caller else { return Side::Local };
    let mut foreign = owners.into_iter().flatten().filter(|owner| *owner != caller).peekable();
    if foreign.peek().is_none() {
        Side::Local
    } else if recipient != caller && foreign.any(|owner| owner == recipient) {
        Side::Owner
    } else {
        Side::Caller
    }
}
