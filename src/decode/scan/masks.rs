//! Bit masks of 256 bytes at a time: what is structure, what is string, what may be a member we
//! look for.

/// Bytes classified at once.
pub const BATCH: usize = 256;
/// Bytes that classifying a batch reads: a member's name is recognised by letters up to its sixth.
pub const BATCH_WITH_LOOKAHEAD: usize = BATCH + 8;
/// Readable bytes that must follow the input, so that the last batch needs no special case.
pub const PADDING: usize = BATCH_WITH_LOOKAHEAD + 56;

/// Masks of 64 bytes; bit n is byte n.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Masks {
    /// `{` and `[` outside of strings.
    pub open: u64,
    /// `}` and `]` outside of strings.
    pub close: u64,
    /// What is worth a look: opening quotes of strings that may be `eventSource` or `eventName`, by their
    /// first and sixth letter; colons before a `k`, those of `:kms:` among them; backslashes.
    pub mark: u64,
    /// How many bits `open` has. Counted here: where masks are made, the processor's instruction for
    /// it is known to be there.
    pub opens: u32,
    /// How many bits `close` has.
    pub closes: u32,
}

/// What one block must know of the one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carry {
    /// 1 if the next byte is escaped.
    escaped: u64,
    /// All ones if the next byte is inside of a string.
    in_string: u64,
}

/// Masks as the bytes give them, before it is known what is a string.
#[derive(Debug, Clone, Copy, Default)]
struct Raw {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
    key: u64,
    kms: u64,
}

impl Raw {
    /// Settles strings and escapes of a batch. `prefix_xor` is passed in: hardware has an instruction
    /// for it.
    #[inline]
    fn settle_all(raws: &[Self; 4], carry: &mut Carry, out: &mut [Masks; 4], prefix_xor: impl Fn(u64) -> u64) {
        // Most batches have no backslash.
        if raws.iter().fold(carry.escaped, |any, raw| any | raw.backslash) == 0 {
            for (raw, masks) in raws.iter().zip(out) {
                *masks = raw.settle(raw.quote, carry, &prefix_xor);
            }
        } else {
            for (raw, masks) in raws.iter().zip(out) {
                let quote = raw.quote & !escaped(raw.backslash, &mut carry.escaped);
                *masks = raw.settle(quote, carry, &prefix_xor);
            }
        }
    }

    /// Settles strings; `quote` has those that no backslash escapes.
    #[inline]
    fn settle(self, quote: u64, carry: &mut Carry, prefix_xor: impl Fn(u64) -> u64) -> Masks {
        // From an opening quote up to the byte before the closing one.
        let in_string = prefix_xor(quote) ^ carry.in_string;
        carry.in_string = (in_string.cast_signed() >> 63).cast_unsigned();
        let (open, close) = (self.open & !in_string, self.close & !in_string);
        Masks {
            open,
            close,
            opens: open.count_ones(),
            closes: close.count_ones(),
            mark: (self.key & quote & in_string) | self.kms | self.backslash,
        }
    }
}

/// Bytes that a backslash escapes: those behind each run of backslashes of odd length, and every
/// second one inside of a run. Addition carries through a run and so finds its end.
#[inline]
fn escaped(backslash: u64, carry: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let backslash = backslash & !*carry;
    let behind = backslash << 1 | *carry;
    let runs_from_odd = backslash & !EVEN & !behind;
    let (ends, overflow) = runs_from_odd.overflowing_add(backslash);
    *carry = u64::from(overflow);
    (EVEN ^ (ends << 1)) & behind
}

/// For processors without the instructions below.
pub mod portable {
    use super::super::super::lanes::bits;
    use super::{BATCH_WITH_LOOKAHEAD, Carry, Masks, Raw};

    /// See [`Masks`].
    pub fn classify(batch: &[u8; BATCH_WITH_LOOKAHEAD], carry: &mut Carry, out: &mut [Masks; 4]) {
        let raws = std::array::from_fn(|block| batch[block * 64..].first_chunk().map_or_else(Raw::default, raw));
        Raw::settle_all(&raws, carry, out, prefix_xor);
    }

    fn raw(block: &[u8; 72]) -> Raw {
        let after = |n: usize| block[n..].first_chunk().unwrap_or(&[0; 64]);
        let (bytes, next, sixth) = (after(0), after(1), after(6));
        let quote = bits(bytes, |byte| byte == b'"');
        Raw {
            quote,
            backslash: bits(bytes, |byte| byte == b'\\'),
            // `{` and `[`, `}` and `]` differ in one bit only.
            open: bits(bytes, |byte| byte | 0x20 == b'{'),
            close: bits(bytes, |byte| byte | 0x20 == b'}'),
            key: quote & bits(next, |byte| byte == b'e') & bits(sixth, |byte| byte == b'S' || byte == b'N'),
            kms: bits(bytes, |byte| byte == b':') & bits(next, |byte| byte == b'k'),
        }
    }

    fn prefix_xor(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

/// AVX-512: 64 bytes at a time, compared straight into masks.
#[cfg(target_arch = "x86_64")]
pub mod avx512 {
    use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi8_mask, _mm512_or_si512, _mm512_set_epi64, _mm512_set1_epi8};

    use super::super::super::lanes;
    use super::{BATCH_WITH_LOOKAHEAD, Carry, Masks, Raw};

    /// See [`Masks`].
    ///
    /// # Safety
    /// The processor must have the features.
    #[target_feature(enable = "avx512f,avx512bw,pclmulqdq,popcnt")]
    pub fn classify(batch: &[u8; BATCH_WITH_LOOKAHEAD], carry: &mut Carry, out: &mut [Masks; 4]) {
        let mut raws = [Raw::default(); 4];
        for (block, raw) in raws.iter_mut().enumerate() {
            *raw = read(batch, block * 64);
        }
        Raw::settle_all(&raws, carry, out, |bits| super::avx2::prefix_xor(bits));
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn read(batch: &[u8; BATCH_WITH_LOOKAHEAD], at: usize) -> Raw {
        let (bytes, next, sixth) = (load(batch, at), load(batch, at + 1), load(batch, at + 6));
        let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
        let quote = equals(bytes, b'"');
        Raw {
            quote,
            backslash: equals(bytes, b'\\'),
            open: equals(folded, b'{'),
            close: equals(folded, b'}'),
            key: quote & equals(next, b'e') & (equals(sixth, b'S') | equals(sixth, b'N')),
            kms: equals(bytes, b':') & equals(next, b'k'),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(batch: &[u8; BATCH_WITH_LOOKAHEAD], at: usize) -> __m512i {
        let Some(bytes) = batch[at..].first_chunk::<64>() else { return _mm512_set1_epi8(0) };
        let word = |n: usize| lanes::word(bytes, n * 8);
        // The compiler makes one unaligned load of it.
        _mm512_set_epi64(word(7), word(6), word(5), word(4), word(3), word(2), word(1), word(0))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn equals(bytes: __m512i, byte: u8) -> u64 {
        _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()))
    }
}

/// AVX2 and carry-less multiplication.
#[cfg(target_arch = "x86_64")]
pub mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_and_si256,
        _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8,
    };

    use super::super::super::lanes;
    use super::{BATCH_WITH_LOOKAHEAD, Carry, Masks, Raw};

    /// See [`Masks`].
    ///
    /// # Safety
    /// The processor must have the features.
    #[target_feature(enable = "avx2,pclmulqdq,popcnt")]
    pub fn classify(batch: &[u8; BATCH_WITH_LOOKAHEAD], carry: &mut Carry, out: &mut [Masks; 4]) {
        let mut raws = [Raw::default(); 4];
        for (block, raw) in raws.iter_mut().enumerate() {
            *raw = both_halves(batch, block * 64);
        }
        Raw::settle_all(&raws, carry, out, |bits| prefix_xor(bits));
    }

    #[target_feature(enable = "avx2,pclmulqdq")]
    #[inline]
    fn both_halves(batch: &[u8; BATCH_WITH_LOOKAHEAD], at: usize) -> Raw {
        let (low, high) = (half(batch, at), half(batch, at + 32));
        let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        Raw {
            quote: join(low[0], high[0]),
            backslash: join(low[1], high[1]),
            open: join(low[2], high[2]),
            close: join(low[3], high[3]),
            key: join(low[4], high[4]),
            kms: join(low[5], high[5]),
        }
    }

    #[target_feature(enable = "avx2,pclmulqdq")]
    #[inline]
    fn half(batch: &[u8; BATCH_WITH_LOOKAHEAD], at: usize) -> [u32; 6] {
        let (bytes, next, sixth) = (load(batch, at), load(batch, at + 1), load(batch, at + 6));
        let quote = equals(bytes, b'"');
        // `{` and `[`, `}` and `]` differ in one bit only.
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        let capital = _mm256_or_si256(equals(sixth, b'S'), equals(sixth, b'N'));
        let member = _mm256_and_si256(_mm256_and_si256(quote, equals(next, b'e')), capital);
        let kms = _mm256_and_si256(equals(bytes, b':'), equals(next, b'k'));
        [
            bits(quote),
            bits(equals(bytes, b'\\')),
            bits(equals(folded, b'{')),
            bits(equals(folded, b'}')),
            bits(member),
            bits(kms),
        ]
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(batch: &[u8; BATCH_WITH_LOOKAHEAD], at: usize) -> __m256i {
        let Some(bytes) = batch[at..].first_chunk::<32>() else { return _mm256_set1_epi8(0) };
        let word = |n: usize| lanes::word(bytes, n * 8);
        // The compiler makes one unaligned load of it.
        _mm256_set_epi64x(word(3), word(2), word(1), word(0))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn equals(bytes: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte.cast_signed()))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn bits(lanes: __m256i) -> u32 {
        _mm256_movemask_epi8(lanes).cast_unsigned()
    }

    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    pub(super) fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1), 0);
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference: byte by byte.
    fn one_by_one(batch: &[u8; BATCH_WITH_LOOKAHEAD], carry: &mut Carry, out: &mut [Masks; 4]) {
        let mut raws = [Raw::default(); 4];
        for at in 0..BATCH {
            let (raw, bit) = (&mut raws[at / 64], 1 << (at % 64));
            match batch[at] {
                b'"' => {
                    raw.quote |= bit;
                    if batch[at + 1] == b'e' && matches!(batch[at + 6], b'S' | b'N') {
                        raw.key |= bit;
                    }
                }
                b'\\' => raw.backslash |= bit,
                b'{' | b'[' => raw.open |= bit,
                b'}' | b']' => raw.close |= bit,
                b':' if batch[at + 1] == b'k' => raw.kms |= bit,
                _ => {}
            }
        }
        let prefix_xor = |bits: u64| (0..64).fold(0, |sum, at| sum ^ bits << at);
        Raw::settle_all(&raws, carry, out, prefix_xor);
    }

    proptest! {
        #[test]
        fn all_ways_give_the_same_masks(
            bytes in proptest::collection::vec(
                prop_oneof![
                    Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'),
                    Just(b':'), Just(b'k'), Just(b'e'), Just(b'S'), Just(b'N'), any::<u8>(),
                ],
                BATCH_WITH_LOOKAHEAD * 2
            )
        ) {
            let (mut fast, mut slow) = (Carry::default(), Carry::default());
            for start in [0, BATCH] {
                let batch = bytes[start..].first_chunk().expect("two batches");
                let mut b = [Masks::default(); 4];
                let (before, mut after) = (fast, fast);
                one_by_one(batch, &mut slow, &mut b);
                for way in super::super::super::native::ways() {
                    let mut a = [Masks::default(); 4];
                    after = before;
                    (way.classify)(batch, &mut after, &mut a);
                    prop_assert_eq!(a, b);
                }
                fast = after;
            }
        }

        #[test]
        fn strings_and_escapes_are_settled_as_a_plain_loop_does(
            bytes in proptest::collection::vec(
                prop_oneof![4 => Just(b'\\'), 2 => Just(b'"'), 1 => Just(b'{'), 1 => Just(b'x')],
                BATCH_WITH_LOOKAHEAD
            )
        ) {
            let batch = bytes.first_chunk().expect("a batch");
            let mut masks = [Masks::default(); 4];
            portable::classify(batch, &mut Carry::default(), &mut masks);
            let (mut in_string, mut escaped) = (false, false);
            for (at, byte) in bytes[..BATCH].iter().enumerate() {
                let open = masks[at / 64].open >> (at % 64) & 1 == 1;
                prop_assert_eq!(open, *byte == b'{' && !in_string, "at {}", at);
                let was_escaped = std::mem::take(&mut escaped);
                match byte {
                    b'\\' if !was_escaped => escaped = true,
                    b'"' if !was_escaped => in_string = !in_string,
                    _ => {}
                }
            }
        }
    }
}
