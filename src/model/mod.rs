//! Plain data that every stage shares: one noun a file, no I/O, no policy.

pub mod alias_keys;
pub mod arn;
pub mod configuration;
pub mod escape;
pub mod event;
pub mod finding;
pub mod json;

pub mod history;
pub mod key_change;
pub mod key_record;
pub mod object;
pub mod packed;
pub mod percent;
pub mod places;
pub mod resources;
pub mod severity;
pub mod shared;
pub mod slots;
pub mod strings;
pub mod time;
pub mod usage;
pub mod usage_row;
pub mod r#yield;
