//! What a run did and does: the counts that it ends with, and the metrics, health and log of one that runs for ever.

pub mod clock;
pub mod happening;
pub mod health;
pub mod instrument;
pub mod log;
pub mod metrics;
pub mod process;
pub mod serve;
pub mod summary;
