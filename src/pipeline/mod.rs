//! Objects through workers into commits: a list in its order, or what a queue tells of for as long as
//! it does.
//!
//! Workers take objects as they are free and share nothing that changes. What they draw goes to the
//! collector, one for all, which makes batches of it and commits them.

mod ahead;
mod collector;
mod cores;
mod draw;
pub mod follow;

mod line;
mod list;
mod observer;

pub use ahead::Ahead;
pub use list::{Progress, run};
pub use observer::{Observer, Silent};

use crate::lake::LakeError;
use crate::source::FetchError;
use crate::source::queue::QueueError;

/// Settings of the pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Threads that work at the same time; so many cores are used.
    pub threads: usize,
    /// Most bytes of JSON in one object.
    pub max_object_size: usize,
    /// Objects after which a batch is committed.
    pub batch_objects: usize,
    /// Bytes of rows after which a batch is committed.
    pub batch_bytes: usize,
    /// Event identities kept to notice a second copy.
    pub seen_events: usize,
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The output could not be written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A worker could not be set up.
    #[error("cannot set up a worker: {0}")]
    Worker(#[from] crate::decode::gunzip::GunzipError),
    /// The queue does not answer, and will not.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// No object can be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}
