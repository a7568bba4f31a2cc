//! Bytes as the lanes of the processor's wide registers.

use std::arch::x86_64::{__m256i, __m512i, _mm256_set_epi64x, _mm512_set_epi64};

/// Bytes as a register of AVX-512 holds them.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn of_64(bytes: &[u8; 64]) -> __m512i {
    let word = |n: usize| word(bytes, n * 8);
    // The compiler makes one unaligned load of it.
    _mm512_set_epi64(word(7), word(6), word(5), word(4), word(3), word(2), word(1), word(0))
}

/// Bytes as a register of AVX2 holds them.
#[inline]
#[target_feature(enable = "avx2")]
pub fn of_32(bytes: &[u8; 32]) -> __m256i {
    let word = |n: usize| word(bytes, n * 8);
    // The compiler makes one unaligned load of it.
    _mm256_set_epi64x(word(3), word(2), word(1), word(0))
}

/// Eight bytes as the number that a lane holds.
#[inline]
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> i64 {
    i64::from_le_bytes([
        bytes[at],
        bytes[at + 1],
        bytes[at + 2],
        bytes[at + 3],
        bytes[at + 4],
        bytes[at + 5],
        bytes[at + 6],
        bytes[at + 7],
    ])
}
