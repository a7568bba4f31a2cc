//! What people see: text that survives a pipe, JSON and CSV for machines, all of it escaped.

pub mod csv;
pub mod markdown;
pub mod summary;
pub mod table;

pub use crate::model::escape;
