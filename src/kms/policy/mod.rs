//! Key policies: read, searched for weaknesses, kept as facts (DOMAIN E.3).

pub mod actions;
pub mod analysis;
pub mod condition;
pub mod document;
pub mod facts;
mod lists;
mod spelling;
pub mod weakness;
