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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accounts_tell_which_copy_it_is() {
        let (a, b, c) = (Some("111111111111"), Some("222222222222"), Some("333333333333"));
        for (caller, owners, recipient, side) in [
            (a, [a, None], "111111111111", Side::Local),
            (a, [b, None], "111111111111", Side::Caller),
            (a, [b, None], "222222222222", Side::Owner),
            (None, [b, None], "222222222222", Side::Local),
            (a, [None, None], "111111111111", Side::Local),
            // ReEncrypt: from the caller's key to another's, and the other way round.
            (a, [a, b], "222222222222", Side::Owner),
            (a, [b, a], "111111111111", Side::Caller),
            (a, [b, c], "333333333333", Side::Owner),
        ] {
            assert_eq!(side_of(caller, owners, recipient), side, "{caller:?} {owners:?} {recipient}");
        }
    }
}
