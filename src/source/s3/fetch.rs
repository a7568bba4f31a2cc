//! Fetches objects whole: capped, into a buffer that is used again, tried again when the body breaks off.

use std::time::Duration;

use aws_sdk_s3::Client;
use tokio::runtime::Handle;

use crate::cloud::{Failure, Retries, chain};
use crate::model::object::ObjectRef;
use crate::source::{FetchError, Store};

/// How an object is fetched.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of an object, as stored.
    pub cap: u64,
    /// Longest that a body may keep silent.
    pub silence: Duration,
    /// Attempts. The SDK tries again by itself until an answer begins; what breaks after that is ours.
    pub retries: Retries,
}

impl Limits {
    /// The usual limits, with a cap.
    #[must_use]
    pub fn with_cap(cap: u64) -> Self {
        Self { cap, silence: Duration::from_secs(20), retries: Retries::default() }
    }
}

/// S3 as a store.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    runtime: Handle,
    limits: Limits,
}

impl S3Store {
    /// A store whose calls run on `runtime`, which must have threads of its own. [`Store::fetch`] blocks,
    /// and must be called from a plain thread; async code calls [`S3Store::get`].
    #[must_use]
    pub fn new(client: Client, runtime: Handle, limits: Limits) -> Self {
        Self { client, runtime, limits }
    }

    /// Fetches an object's stored bytes into `into`, which is emptied first.
    ///
    /// # Errors
    /// [`FetchError`]; `into` then holds nothing of use.
    pub async fn get(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError> {
        self.get_at_most(object, self.limits.cap, into).await
    }

    /// Most bytes of an object.
    #[must_use]
    pub fn cap(&self) -> u64 {
        self.limits.cap
    }

    /// The same, with a cap of its own beside that of the store.
    ///
    /// # Errors
    /// As [`S3Store::get`].
    pub async fn get_at_most(&self, object: &ObjectRef, most: u64, into: &mut Vec<u8>) -> Result<(), FetchError> {
        let cap = self.limits.cap.min(most);
        let retries = self.limits.retries;
        let mut attempt = 1;
        loop {
            into.clear();
            match self.attempt(object, cap, into).await {
                Err(Ended::Failed(failure)) if failure.is_transient() && attempt < retries.attempts => {
                    tokio::time::sleep(retries.pause(attempt)).await;
                    attempt += 1;
                }
                Err(Ended::Failed(failure)) => return Err(FetchError::S3 { object: object.uri(), failure }),
                Err(Ended::TooLarge(size)) => return Err(FetchError::TooLarge { size, cap }),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn attempt(&self, object: &ObjectRef, cap: u64, into: &mut Vec<u8>) -> Result<(), Ended> {
        let call = self.client.get_object().bucket(&object.bucket).key(&object.key).send();
        let answer = call.await.map_err(|e| Ended::Failed(Failure::of(&e)))?;
        let announced = answer.content_length().and_then(|length| u64::try_from(length).ok());
        if let Some(size) = announced.filter(|size| *size > cap) {
            return Err(Ended::TooLarge(size));
        }
        into.reserve(announced.and_then(|size| usize::try_from(size).ok()).unwrap_or_default());
        let mut body = answer.body;
        loop {
            let next = tokio::time::timeout(self.limits.silence, body.next()).await;
            match next.map_err(|_| broken("the body stalled"))? {
                Some(Ok(bytes)) => into.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(broken(&format!("the body broke off: {}", chain(&error)))),
                None => break,
            }
            if into.len() as u64 > cap {
                return Err(Ended::TooLarge(into.len() as u64));
            }
        }
        // A connection that closes early looks like an end where no length was agreed on.
        match announced {
            Some(size) if size != into.len() as u64 => Err(broken("the body has another length than announced")),
            _ => Ok(()),
        }
    }
}

impl Store for S3Store {
    fn fetch(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError> {
        self.runtime.block_on(self.get(object, into))
    }
}

/// How an attempt ended, if not well.
enum Ended {
    Failed(Failure),
    TooLarge(u64),
}

fn broken(reason: &str) -> Ended {
    Ended::Failed(Failure::transient(reason))
}
