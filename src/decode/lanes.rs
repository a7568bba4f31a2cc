//! Bytes as the lanes of wide registers, and many compared at once.

/// Where a byte is one of those. All are compared first, as many at once as any processor does, and
/// then eight at a time become bits: the product brings the lowest bit of each byte into the highest.
#[inline]
pub fn bits(bytes: &[u8; 64], is: impl Fn(u8) -> bool) -> u64 {
    let flags = bytes.map(|byte| u8::from(is(byte)));
    let (eights, _) = flags.as_chunks::<8>();
    let packed = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    (0..).zip(eights).fold(0, |bits, (n, eight)| bits | packed(eight) << (8 * n))
}

/// Eight bytes as the number that a lane holds. Who loads a register makes it of these where it needs
/// it: through a function shared by all, the compiler did not make one load of them.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn word<const N: usize>(bytes: &[u8; N], at: usize) -> i64 {
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
