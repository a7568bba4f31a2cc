//! Uploads under way: a batch has a file for each table and day, and none waits for the one before.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::objects::{AT_ONCE, Objects};
use crate::lake::LakeError;

/// What was handed over and may not be there yet.
#[derive(Debug)]
pub(super) struct Uploads {
    running: Mutex<Running>,
    /// Bounds what is held in memory.
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Running {
    tasks: JoinSet<Result<(), LakeError>>,
    /// Kept for whoever is about to speak of the files as written.
    failed: Option<LakeError>,
}

impl Uploads {
    pub(super) fn new() -> Self {
        Self { running: Mutex::default(), room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Hands a file over, once there is room for it.
    pub(super) async fn start(&self, objects: &Objects, path: &str, bytes: Bytes, runtime: &Handle) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let (objects, path) = (objects.clone(), path.to_owned());
        let upload = async move {
            let _room = room;
            objects.put(&path, bytes).await
        };
        self.running.lock().await.tasks.spawn_on(upload, runtime);
    }

    /// Waits until nothing is under way.
    pub(super) async fn settle(&self) {
        let mut running = self.running.lock().await;
        while let Some(ended) = running.tasks.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(LakeError::Stopped(error.to_string())));
            running.failed = running.failed.take().or(ended.err());
        }
    }

    /// Waits until all that was handed over is there.
    ///
    /// # Errors
    /// The first of those that failed since this was last asked.
    pub(super) async fn finish(&self) -> Result<(), LakeError> {
        self.settle().await;
        self.running.lock().await.failed.take().map_or(Ok(()), Err)
    }
}
