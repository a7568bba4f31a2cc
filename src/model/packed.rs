//! Numbers one behind the other, each in as few bytes as it needs: seven bits a byte, lowest first.

/// Appends a number.
pub fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Appends a number that may be negative; small ones of either sign are short.
pub fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put(bytes, (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
}

/// Takes the first number; 0 where there is none.
pub fn take(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    number
}

/// Takes the first number, which [`put_signed`] has put there.
pub fn take_signed(bytes: &mut &[u8]) -> i64 {
    let number = take(bytes);
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back_as_they_were_put(numbers: Vec<(u64, i64)>) {
            let edges = [(0, 0), (127, 63), (128, -64), (u64::MAX, i64::MIN), (1, i64::MAX)];
            let numbers = [numbers, edges.to_vec()].concat();
            let mut bytes = Vec::new();
            for (number, signed) in &numbers {
                put(&mut bytes, *number);
                put_signed(&mut bytes, *signed);
            }
            let mut rest = bytes.as_slice();
            for (number, signed) in numbers {
                prop_assert_eq!((take(&mut rest), take_signed(&mut rest)), (number, signed));
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn small_numbers_are_short() {
        let mut bytes = Vec::new();
        put(&mut bytes, 127);
        put_signed(&mut bytes, -64);
        assert_eq!(bytes.len(), 2);
    }
}
