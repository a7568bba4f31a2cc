//! What a run did, counted: every object and every record in exactly one outcome.

pub mod summary;
