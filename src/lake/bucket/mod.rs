//! A bucket as output location.
//!
//! The lake is synchronous, S3 is not: a [`Bucket`] owns the handle of a runtime and waits for it. It must
//! be used from plain threads (or `spawn_blocking`). The runtime must have threads of its own, and outlive the
//! bucket and its locks.
//!
//! # What readers see
//!
//! S3 has no rename and no change of many objects at once. Files are staged under `_staging/`, where no
//! glob of a table finds them, and get their names by copying, each file whole and at once. So no reader
//! sees half a file, a row that is not committed, or a row twice. Between the first and the last copy of
//! one commit, usually within a second, a reader sees some of its files and not yet the others; and
//! while a fold replaces its snapshots, the one before the other.
//!
//! Compaction is the exception: the new file of a date is copied, then the old ones are deleted, a
//! thousand by a call. In between, for the time of two or three calls, a reader who lists that date sees
//! its rows twice; who has listed before and reads later finds objects gone, and must list again. A
//! compaction that is killed just there leaves the rows twice until the output is next opened for writing.
//!
//! Who must not see any of that reads the files that the ledger names.
//!
//! # Locks
//!
//! Locks are leases (see [`LeaseTimes`]): a process that is killed holds its own for a minute more. A
//! process that was stopped for longer, or cut off from S3, loses them. It must not commit then: what it
//! has staged may have been cleared away. So every lease is refreshed right before an entry is created,
//! and a lost one is an error. What is left is a process that is stopped between these two requests, for a
//! minute, and then goes on.
//!
//! # What the bucket must be
//!
//! It must honour `If-None-Match` and `If-Match` on PUT, as Amazon S3 does. With versioning on, what is
//! removed and refreshed stays as old versions: give `_staging/` and `_ledger/*.lock` a lifecycle rule.
//! Object Lock does not go together with an output.

mod lease;
mod objects;
mod uploads;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use bytes::Bytes;
use tokio::runtime::Handle;

pub use self::lease::LeaseTimes;
use self::lease::{Guard, Held};
use self::objects::{Condition, Found, Objects};
use self::uploads::Uploads;
use super::LakeError;
use super::storage::{Lock, Storage};
use crate::cloud::Retries;

/// A bucket, or what lies below a prefix in one.
pub struct Bucket {
    objects: Objects,
    uploads: Uploads,
    runtime: Handle,
    writer: String,
    times: LeaseTimes,
    /// Leases that this process holds.
    held: Mutex<Vec<Weak<Held>>>,
    /// Leases of others: the version that was seen, and since when.
    watched: Mutex<HashMap<String, (String, Instant)>>,
}

/// How S3 is used for an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// Attempts, beyond those of the SDK.
    pub retries: Retries,
    /// How long leases last; all writers of an output must have the same.
    pub leases: LeaseTimes,
}

impl Bucket {
    /// A place for an output; nothing is asked yet. Calls run on `runtime`.
    #[must_use]
    pub fn new(client: Client, runtime: Handle, bucket: &str, prefix: &str, settings: Settings) -> Self {
        Self {
            objects: Objects::new(client, bucket, prefix, settings.retries),
            uploads: Uploads::new(),
            runtime,
            // Unique among processes and machines; names of files come from it, order does not.
            writer: format!("{:016x}", chance()),
            times: settings.leases,
            held: Mutex::default(),
            watched: Mutex::default(),
        }
    }

    /// The same, of a place that must be an output already, for reading.
    ///
    /// # Errors
    /// If it cannot be listed, or was not written by keytrail.
    pub fn existing(self) -> Result<Self, LakeError> {
        if self.list("_ledger")?.is_empty() {
            return Err(LakeError::NoOutput(self.objects.uri("")));
        }
        Ok(self)
    }

    /// Takes a lease that is free, given back, or left by a holder that is gone.
    async fn take(&self, path: &str) -> Result<Option<Arc<Held>>, LakeError> {
        let found = self.objects.look(path).await?;
        let condition = match &found {
            None => Condition::Absent,
            Some(found) if self.is_over(path, found) => Condition::Is(&found.etag),
            Some(_) => return Ok(None),
        };
        Held::take(&self.objects, path, &self.writer, condition).await
    }

    /// Whether a lease has no holder any more.
    fn is_over(&self, path: &str, found: &Found) -> bool {
        let mut watched = locked(&self.watched);
        if found.released || found.age.is_some_and(|age| age > self.times.lasts * 2) {
            watched.remove(path);
            return true;
        }
        let now = Instant::now();
        let (etag, since) = watched.entry(path.to_owned()).or_insert_with(|| (found.etag.clone(), now));
        if *etag != found.etag {
            (*etag, *since) = (found.etag.clone(), now);
        }
        now.duration_since(*since) >= self.times.lasts
    }

    /// Makes sure that what this process holds is still its own.
    async fn refresh_leases(&self) -> Result<(), LakeError> {
        let held: Vec<Arc<Held>> = {
            let mut held = locked(&self.held);
            held.retain(|lease| lease.strong_count() > 0);
            held.iter().filter_map(Weak::upgrade).collect()
        };
        for lease in held {
            lease.refresh().await?;
        }
        Ok(())
    }
}

impl Storage for Bucket {
    fn writer(&self) -> &str {
        &self.writer
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.runtime.block_on(self.objects.put(path, Bytes::copy_from_slice(bytes)))
    }

    /// Returns when the upload has begun: who needs the file to be there waits for all of them.
    fn stage(&self, path: &str, bytes: &[u8]) -> Result<(), LakeError> {
        let bytes = Bytes::copy_from_slice(bytes);
        self.runtime.block_on(self.uploads.start(&self.objects, path, bytes, &self.runtime));
        Ok(())
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<bool, LakeError> {
        let token = format!("{}-{:016x}", self.writer, chance());
        self.runtime.block_on(async {
            self.uploads.finish().await?;
            self.refresh_leases().await?;
            let bytes = Bytes::copy_from_slice(bytes);
            // All attempts within half of what the leases last: an entry that came later could name files
            // that somebody else has cleared away, as those of a writer that is gone.
            let put = self.objects.put_on(path, bytes, Condition::Absent, &token, false);
            match tokio::time::timeout(self.times.lasts / 2, put).await {
                Ok(put) => Ok(put?.is_some()),
                Err(_) => Err(self.objects.no_answer(path)),
            }
        })
    }

    fn publish(&self, files: &[(&str, &str)]) -> Result<(), LakeError> {
        let staged: Vec<&str> = files.iter().map(|(staged, _)| *staged).collect();
        self.runtime.block_on(async {
            self.uploads.settle().await;
            self.objects.copy(files).await?;
            // All copies come first: who recovers a commit that was cut off finds what is still to be copied.
            self.objects.remove(&staged).await
        })
    }

    fn exchange(&self, _: &str, add: &[(&str, &str)], remove: &[&str]) -> Result<(), LakeError> {
        let staged: Vec<&str> = add.iter().map(|(staged, _)| *staged).collect();
        self.runtime.block_on(async {
            self.uploads.settle().await;
            self.objects.copy(add).await?;
            self.objects.remove(remove).await?;
            self.objects.remove(&staged).await
        })
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        self.runtime.block_on(self.objects.get(path))
    }

    fn get_run(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, LakeError> {
        self.runtime.block_on(self.objects.get_run(paths))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        self.runtime.block_on(async {
            self.uploads.settle().await;
            self.objects.list(folder, "").await
        })
    }

    fn list_behind(&self, folder: &str, path: &str) -> Result<Vec<String>, LakeError> {
        // Of a long ledger only the end is asked for: a thousand entries are a call.
        self.runtime.block_on(self.objects.list(folder, path))
    }

    fn remove(&self, path: &str) -> Result<(), LakeError> {
        self.remove_all(&[path])
    }

    fn remove_all(&self, paths: &[&str]) -> Result<(), LakeError> {
        self.runtime.block_on(async {
            // What comes after its removal would stay.
            self.uploads.settle().await;
            self.objects.remove(paths).await
        })
    }

    fn remove_folder(&self, path: &str) -> Result<(), LakeError> {
        self.runtime.block_on(async {
            self.uploads.settle().await;
            let paths = self.objects.list(path, "").await?;
            self.objects.remove(&paths.iter().map(String::as_str).collect::<Vec<_>>()).await
        })
    }

    fn lock(&self, path: &str) -> Result<Option<Lock>, LakeError> {
        let Some(held) = self.runtime.block_on(self.take(path))? else { return Ok(None) };
        locked(&self.held).push(Arc::downgrade(&held));
        Ok(Some(Lock::new(Guard::new(held, self.times, &self.runtime))))
    }

    fn grace(&self) -> Duration {
        // A look more than it takes to see that nothing changes.
        self.times.lasts + self.times.refreshed_every
    }
}

/// A number that no other process or call has.
fn chance() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
