//! Where the quotes of a text are, 64 bytes at a time, if the text is plain: ASCII without an escape
//! and without what stands below a blank, so that each quote starts or ends a string.

/// Bytes that are looked at together.
pub const BLOCK: usize = 64;

/// What stands behind the text in its last block: plain, and no quote.
const FILLER: u8 = b' ';

/// A mask of quotes for each block of `$text`, bit n for byte n, into `$masks`; whether the text is
/// plain. A macro: a function that is given `$of_block` would not be compiled for its instructions.
macro_rules! each_block {
    ($text:ident, $masks:ident, $of_block:expr) => {{
        $masks.clear();
        let (blocks, rest) = $text.as_chunks::<BLOCK>();
        let mut last = [FILLER; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        for block in blocks.iter().chain([&last]) {
            let Some(quotes) = $of_block(block) else { return false };
            $masks.push(quotes);
        }
        true
    }};
}

/// For processors without the instructions below.
pub mod portable {
    use super::super::lanes::bits;
    use super::{BLOCK, FILLER};

    /// See [`super`].
    pub fn quotes(text: &[u8], masks: &mut Vec<u64>) -> bool {
        each_block!(text, masks, of_block)
    }

    fn of_block(block: &[u8; BLOCK]) -> Option<u64> {
        let foreign = bits(block, |byte| !matches!(byte, 0x20..=0x7f) || byte == b'\\');
        (foreign == 0).then(|| bits(block, |byte| byte == b'"'))
    }
}

/// AVX-512: a block at a time, compared straight into a mask.
#[cfg(target_arch = "x86_64")]
pub mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm512_cmpeq_epi8_mask, _mm512_cmplt_epi8_mask, _mm512_set_epi64, _mm512_set1_epi8,
    };

    use super::super::lanes;
    use super::{BLOCK, FILLER};

    /// See [`super`].
    ///
    /// # Safety
    /// The processor must have the features.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub fn quotes(text: &[u8], masks: &mut Vec<u64>) -> bool {
        each_block!(text, masks, of_block)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn of_block(block: &[u8; BLOCK]) -> Option<u64> {
        let word = |n: usize| lanes::word(block, n * 8);
        // The compiler makes one unaligned load of it.
        let bytes: __m512i = _mm512_set_epi64(word(7), word(6), word(5), word(4), word(3), word(2), word(1), word(0));
        let all = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
        // What is no ASCII is negative, and so below a space too.
        let foreign = _mm512_cmplt_epi8_mask(bytes, all(b' ')) | _mm512_cmpeq_epi8_mask(bytes, all(b'\\'));
        (foreign == 0).then(|| _mm512_cmpeq_epi8_mask(bytes, all(b'"')))
    }
}

/// AVX2: half a block at a time.
#[cfg(target_arch = "x86_64")]
pub mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x,
        _mm256_set1_epi8,
    };

    use super::super::lanes;
    use super::{BLOCK, FILLER};

    /// See [`super`].
    ///
    /// # Safety
    /// The processor must have the features.
    #[target_feature(enable = "avx2")]
    pub fn quotes(text: &[u8], masks: &mut Vec<u64>) -> bool {
        each_block!(text, masks, of_block)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn of_block(block: &[u8; BLOCK]) -> Option<u64> {
        let (low, high) = (half(block, 0)?, half(block, 32)?);
        Some(u64::from(low) | u64::from(high) << 32)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn half(block: &[u8; BLOCK], at: usize) -> Option<u32> {
        let word = |n: usize| lanes::word(block, at + n * 8);
        // The compiler makes one unaligned load of it.
        let bytes: __m256i = _mm256_set_epi64x(word(3), word(2), word(1), word(0));
        let all = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
        let bits = |mask: __m256i| _mm256_movemask_epi8(mask).cast_unsigned();
        // What is no ASCII is negative, and so below a space too.
        let foreign = _mm256_or_si256(_mm256_cmpgt_epi8(all(b' '), bytes), _mm256_cmpeq_epi8(bytes, all(b'\\')));
        (bits(foreign) == 0).then(|| bits(_mm256_cmpeq_epi8(bytes, all(b'"'))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_ways_find_the_same_quotes(
            mut text in proptest::collection::vec(prop_oneof![2 => Just(b'"'), 5 => 0x20_u8..=0x5b], 0..300),
            odd in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            if let (Some((at, byte)), false) = (odd, text.is_empty()) {
                let at = at.index(text.len());
                text[at] = byte;
            }
            let plain = text.iter().all(|byte| (0x20..0x80).contains(byte) && *byte != b'\\');
            for way in super::super::native::quote_ways() {
                let mut masks = vec![7];
                prop_assert_eq!(way(&text, &mut masks), plain);
                let found = |at: usize| masks[at / BLOCK] >> (at % BLOCK) & 1 == 1;
                prop_assert!(!plain || text.iter().enumerate().all(|(at, byte)| found(at) == (*byte == b'"')));
                prop_assert!(!plain || masks.len() == text.len() / BLOCK + 1);
            }
        }
    }
}
