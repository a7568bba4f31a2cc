//! Which copy of a call a record is (DOMAIN A.8): `sharedEventID` does not tell, the accounts do.

use crate::model::usage::Side;

/// Judges a copy by the caller's account, the key owner's and the trail's.
#[must_use]
pub fn side_of(caller: Option<&str>, owner: Option<&str>, recipient: &str) -> Side {
    match (caller, owner) {
        (Some(caller), Some(owner)) if caller != owner && recipient == owner => Side::Owner,
        (Some(caller), Some(owner)) if caller != owner => Side::Caller,
        _ => Side::Local,
    }
}
