//! From the bytes of an object to typed, borrowed records: inflate, find, select, parse.

pub mod event;
pub mod framing;
pub mod gunzip;
pub mod interest;
mod native;
mod plain;
mod quotes;
pub mod scan;

/// Eight bytes as the number that a vector lane holds.
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
