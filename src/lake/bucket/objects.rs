//! The objects of an output in a bucket: each call with its retries, its permission, and its error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::cloud::{Failure, Kind, Retries, chain};
use crate::lake::LakeError;

/// Metadata that tells who wrote an object: of two writers each recognises its own.
const TOKEN: &str = "keytrail-token";
/// Metadata of a lease that its holder has given back.
const RELEASED: &str = "keytrail-released";
/// Most objects that one call removes.
const REMOVED_AT_ONCE: usize = 1_000;
/// Calls under way at once, where there are many alike.
pub(super) const AT_ONCE: usize = 16;

const READ: &str = "s3:GetObject on the output's objects and s3:ListBucket on its bucket (without the second, S3 \
                    says the same of an object that is not there)";
const WRITE: &str = "s3:PutObject on the output's objects";
const COPY: &str = "s3:GetObject and s3:PutObject on the output's objects";
const LIST: &str = "s3:ListBucket on the output's bucket";
const REMOVE: &str = "s3:DeleteObject on the output's objects";

/// Some objects of a bucket, by paths below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    client: Client,
    bucket: String,
    /// Empty, or ends with `/`.
    prefix: String,
    retries: Retries,
}

/// What must be true for an object to be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'c> {
    /// There is none of this name.
    Absent,
    /// It is this version.
    Is(&'c str),
}

/// What is known of an object without reading it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) etag: String,
    pub(super) token: Option<String>,
    pub(super) released: bool,
    /// Time since it was written. Both moments are the server's: no two machines' clocks are compared.
    pub(super) age: Option<Duration>,
}

impl Objects {
    pub(super) fn new(client: Client, bucket: &str, prefix: &str, retries: Retries) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { client, bucket: bucket.to_owned(), prefix, retries }
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(super) fn uri(&self, path: &str) -> String {
        format!("s3://{}/{}{path}", self.bucket, self.prefix)
    }

    fn error(&self, action: &'static str, path: &str, permission: &'static str, failure: Failure) -> LakeError {
        LakeError::S3 { action, place: self.uri(path), failure, permission }
    }

    /// A write of which is not known whether it came about.
    pub(super) fn no_answer(&self, path: &str) -> LakeError {
        self.error("write", path, WRITE, Failure::transient("no answer while the lease lasts"))
    }

    /// Writes an object, whatever had its name.
    pub(super) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), LakeError> {
        let put = async || {
            let call = self.client.put_object().bucket(&self.bucket).key(self.key(path));
            call.body(ByteStream::from(bytes.clone())).send().await.map(|_| ()).map_err(|e| Failure::of(&e))
        };
        self.retries.run(put).await.map_err(|failure| self.error("write", path, WRITE, failure))
    }

    /// Writes an object if the condition holds, and returns its new version; `None` if it does not hold.
    ///
    /// An attempt whose answer is lost may have succeeded, and makes the next one fail, be it ours or the
    /// SDK's. So a condition that does not hold is believed only after a look at who wrote what is there:
    /// `token` must be one that no other call uses.
    pub(super) async fn put_on(
        &self,
        path: &str,
        bytes: Bytes,
        condition: Condition<'_>,
        token: &str,
        released: bool,
    ) -> Result<Option<String>, LakeError> {
        let put = async || {
            let call = self.client.put_object().bucket(&self.bucket).key(self.key(path)).metadata(TOKEN, token);
            let call = if released { call.metadata(RELEASED, "yes") } else { call };
            let call = match condition {
                Condition::Absent => call.if_none_match("*"),
                Condition::Is(etag) => call.if_match(etag),
            };
            match call.body(ByteStream::from(bytes.clone())).send().await {
                Ok(written) => Ok(Put::Written(written.e_tag)),
                Err(error) => match Failure::of(&error) {
                    failure if failure.kind == Kind::Precondition => Ok(Put::Refused),
                    // Of an object that had to be a certain version.
                    failure if failure.kind == Kind::Missing => Ok(Put::Refused),
                    failure if failure.kind == Kind::Conflict => Err(failure.to_be_tried_again()),
                    failure => Err(failure),
                },
            }
        };
        let done = self.retries.run(put).await.map_err(|failure| self.error("write", path, WRITE, failure))?;
        if let Put::Written(Some(etag)) = done {
            return Ok(Some(etag));
        }
        Ok(self.look(path).await?.filter(|found| found.token.as_deref() == Some(token)).map(|found| found.etag))
    }

    /// Reads an object whole.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        let get = async || {
            let call = self.client.get_object().bucket(&self.bucket).key(self.key(path)).send();
            let answer = call.await.map_err(|e| Failure::of(&e))?;
            // A body that breaks off is nothing that the SDK tries again.
            let body = answer.body.collect().await;
            Ok(body.map_err(|e| Failure::transient(format!("the body broke off: {}", chain(&e))))?.to_vec())
        };
        absent(self.retries.run(get).await).map_err(|failure| self.error("read", path, READ, failure))
    }

    /// Looks at an object without reading it.
    pub(super) async fn look(&self, path: &str) -> Result<Option<Found>, LakeError> {
        let look = async || {
            let clock = Clock::default();
            let call = self.client.head_object().bucket(&self.bucket).key(self.key(path)).customize();
            let answer = call.interceptor(clock.clone()).send().await.map_err(|e| Failure::of(&e))?;
            let metadata = |name: &str| answer.metadata().and_then(|all| all.get(name)).cloned();
            let age = clock.read().zip(answer.last_modified()).map(|(now, then)| now - then.secs());
            Ok(Found {
                token: metadata(TOKEN),
                released: metadata(RELEASED).is_some(),
                age: age.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default())),
                etag: answer.e_tag.unwrap_or_default(),
            })
        };
        absent(self.retries.run(look).await).map_err(|failure| self.error("read", path, READ, failure))
    }

    /// Copies objects, many at once, each from the first to the second path. Where the first is gone and
    /// the second is there, it has been done before.
    pub(super) async fn copy(&self, files: &[(&str, &str)]) -> Result<(), LakeError> {
        let mut running: JoinSet<Result<(), LakeError>> = JoinSet::new();
        for (from, to) in files {
            if running.len() >= AT_ONCE {
                joined(running.join_next().await)?;
            }
            let (objects, from, to) = (self.clone(), (*from).to_owned(), (*to).to_owned());
            running.spawn(async move { objects.copy_one(&from, &to).await });
        }
        while let Some(ended) = running.join_next().await {
            joined(Some(ended))?;
        }
        Ok(())
    }

    async fn copy_one(&self, from: &str, to: &str) -> Result<(), LakeError> {
        let source = format!("{}/{}", self.bucket, encoded(&self.key(from)));
        let copy = async || {
            let call = self.client.copy_object().bucket(&self.bucket).key(self.key(to)).copy_source(&source);
            call.send().await.map(|_| ()).map_err(|e| Failure::of(&e))
        };
        match self.retries.run(copy).await {
            Err(failure) if failure.kind == Kind::Missing && self.look(to).await?.is_some() => Ok(()),
            other => other.map_err(|failure| self.error("publish", to, COPY, failure)),
        }
    }

    /// Reads objects, many at once, up to the first that is not there.
    pub(super) async fn get_run(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, LakeError> {
        let mut contents = Vec::with_capacity(paths.len());
        for paths in paths.chunks(AT_ONCE) {
            let mut running = JoinSet::new();
            for (at, path) in paths.iter().cloned().enumerate() {
                let objects = self.clone();
                running.spawn(async move { objects.get(&path).await.map(|content| (at, content)) });
            }
            let mut read: Vec<(usize, Option<Vec<u8>>)> = Vec::with_capacity(paths.len());
            while let Some(ended) = running.join_next().await {
                read.push(joined(Some(ended))?);
            }
            read.sort_unstable_by_key(|(at, _)| *at);
            let before = contents.len();
            contents.extend(read.into_iter().map_while(|(_, content)| content));
            if contents.len() - before < paths.len() {
                break;
            }
        }
        Ok(contents)
    }

    /// All paths below a folder that are sorted behind another path, sorted; all are behind the empty one.
    pub(super) async fn list(&self, folder: &str, behind: &str) -> Result<Vec<String>, LakeError> {
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let start = (!behind.is_empty()).then(|| self.key(behind));
        let (mut paths, mut token) = (Vec::new(), None);
        loop {
            let page = async || {
                let call = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.key(&folder));
                let call = call.set_start_after(start.clone());
                call.set_continuation_token(token.clone()).send().await.map_err(|e| Failure::of(&e))
            };
            let page = self.retries.run(page).await.map_err(|failure| self.error("list", &folder, LIST, failure))?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            paths.extend(keys.filter_map(|key| key.strip_prefix(&self.prefix)).map(str::to_owned));
            token = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
            if token.is_none() {
                paths.sort_unstable();
                return Ok(paths);
            }
        }
    }

    /// Removes objects, those that are there.
    pub(super) async fn remove(&self, paths: &[&str]) -> Result<(), LakeError> {
        for paths in paths.chunks(REMOVED_AT_ONCE) {
            let first = paths.first().copied().unwrap_or_default();
            let fail = |failure| self.error("remove", first, REMOVE, failure);
            let named = paths.iter().map(|path| ObjectIdentifier::builder().key(self.key(path)).build());
            let named = named.collect::<Result<Vec<_>, _>>().map_err(|e| fail(Failure::transient(chain(&e))))?;
            let all = Delete::builder().set_objects(Some(named)).quiet(true).build();
            let all = all.map_err(|e| fail(Failure::transient(chain(&e))))?;
            let remove = async || {
                let call = self.client.delete_objects().bucket(&self.bucket).delete(all.clone());
                let answer = call.send().await.map_err(|e| Failure::of(&e))?;
                // The call succeeds even if nothing of it did.
                match answer.errors().first() {
                    None => Ok(()),
                    Some(error) => Err(Failure::coded(error.code(), error.message())),
                }
            };
            self.retries.run(remove).await.map_err(fail)?;
        }
        Ok(())
    }
}

/// What became of a conditional write.
enum Put {
    Written(Option<String>),
    Refused,
}

fn absent<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(there) => Ok(Some(there)),
        Err(failure) if failure.kind == Kind::Missing => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What a task of ours returned; one that panicked is a failure of the lake.
fn joined<T: Default>(ended: Option<Result<Result<T, LakeError>, tokio::task::JoinError>>) -> Result<T, LakeError> {
    match ended {
        None => Ok(T::default()),
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(LakeError::Stopped(error.to_string())),
    }
}

/// A key as a header names it: percent-encoded, but for `/` and what needs none.
fn encoded(key: &str) -> String {
    use std::fmt::Write as _;
    key.bytes().fold(String::with_capacity(key.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Reads the server's clock off an answer.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<Mutex<Option<i64>>>);

impl Clock {
    fn read(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.map(|date| date.secs());
        Ok(())
    }
}
