//! From the bytes of an object to typed, borrowed records: inflate, find, select, parse.

pub mod event;
pub mod framing;
pub mod gunzip;
pub mod interest;
mod lanes;
mod native;
mod plain;
mod quotes;
pub mod scan;
