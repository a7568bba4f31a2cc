//! Bytes as the lanes of the processor's wide registers.

/// Eight bytes as the number that a lane holds. Who loads a register makes it of these where it needs
/// it: through a function shared by all, the compiler did not make one load of them.
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
