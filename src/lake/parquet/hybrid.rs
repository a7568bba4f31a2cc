//! Parquet's hybrid of run lengths and bit packing: how levels and dictionary numbers are written.

use crate::model::packed;

/// Values of equal number that are worth a run of their own; also the size of a packed group.
const GROUP: usize = 8;

/// Bits that the numbers up to `largest` take; at least one, as some readers want it.
pub(super) fn width(largest: u32) -> u8 {
    u8::try_from((u32::BITS - largest.leading_zeros()).max(1)).unwrap_or(32)
}

/// Appends `values`, each below two to the power of `width`.
pub(super) fn encode(values: &[u32], width: u8, out: &mut Vec<u8>) {
    // Values from `waiting` to `at` wait for being packed.
    let (mut waiting, mut at) = (0, 0);
    while at < values.len() {
        let value = values[at];
        let run = values[at..].iter().take_while(|next| **next == value).count();
        // Packed values come in whole groups: a run lends what the last group lacks.
        let lent = (GROUP - (at - waiting) % GROUP) % GROUP;
        if run < lent + GROUP {
            at += run;
            continue;
        }
        at += lent;
        pack(&values[waiting..at], width, out);
        packed::put(out, ((run - lent) as u64) << 1);
        out.extend_from_slice(&value.to_le_bytes()[..usize::from(width).div_ceil(8)]);
        at += run - lent;
        waiting = at;
    }
    pack(&values[waiting..], width, out);
}

/// One run of packed groups; the last one is filled up with zeros.
fn pack(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    packed::put(out, (values.len().div_ceil(GROUP) as u64) << 1 | 1);
    let (mut bits, mut held) = (0_u64, 0);
    let padding = values.len().next_multiple_of(GROUP) - values.len();
    for value in values.iter().copied().chain(std::iter::repeat_n(0, padding)) {
        bits |= u64::from(value) << held;
        held += u32::from(width);
        while held >= 8 {
            out.push(bits.to_le_bytes()[0]);
            bits >>= 8;
            held -= 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The format's own description, read backwards.
    fn decode(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let mut header = 0_usize;
            for shift in (0..).step_by(7) {
                let (byte, rest) = bytes.split_first().expect("a header");
                bytes = rest;
                header |= usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if header & 1 == 0 {
                let (value, rest) = bytes.split_at(usize::from(width).div_ceil(8));
                let value = value.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
                values.extend(std::iter::repeat_n(value, header >> 1));
                bytes = rest;
            } else {
                let (packed, rest) = bytes.split_at((header >> 1) * usize::from(width));
                for at in 0..(header >> 1) * 8 {
                    let bit = |n: usize| u32::from(packed[n / 8] >> (n % 8) & 1);
                    let start = at * usize::from(width);
                    values.push((0..usize::from(width)).fold(0, |value, n| value | bit(start + n) << n));
                }
                bytes = rest;
            }
        }
        assert!(bytes.is_empty() && values[count..].iter().all(|padding| *padding == 0));
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            runs in proptest::collection::vec((0_u32..5_000, prop_oneof![4 => 1_usize..4, 2 => 5_usize..30, 1 => 100_usize..300]), 0..40)
        ) {
            let values: Vec<u32> = runs.iter().flat_map(|(value, len)| std::iter::repeat_n(*value, *len)).collect();
            let width = width(values.iter().copied().max().unwrap_or_default());
            let mut bytes = Vec::new();
            encode(&values, width, &mut bytes);
            prop_assert_eq!(decode(&bytes, width, values.len()), values);
        }
    }
}
