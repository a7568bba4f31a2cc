//! What went wrong when AWS was asked: sorted by what there is to do about it, and how long to wait
//! before trying again.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What there is to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It may pass by itself: throttling, 5xx, timeouts, resets, answers cut short.
    Transient,
    /// There is no such object.
    Missing,
    /// There is no such bucket.
    NoBucket,
    /// The bucket lies in another region than the client.
    WrongRegion,
    /// A permission is missing.
    Denied,
    /// The KMS key that the object is encrypted with cannot be used.
    KeyDenied,
    /// The object is in an archive, and must be restored before it can be read.
    Archived,
    /// Credentials are missing, expired or refused.
    Credentials,
    /// A condition of the request did not hold.
    Precondition,
    /// Another conditional request for the same key was under way.
    Conflict,
    /// Anything else.
    Other,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What there is to do.
    pub kind: Kind,
    text: String,
}

/// Longest part of a service's own words that is passed on.
const WORDS: usize = 300;

impl Failure {
    /// Sorts the error of a call. Of the answer only code, status and the service's message are kept.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let (code, message) = (context.err().code().unwrap_or_default(), context.err().message());
                Self::answer(context.raw().status().as_u16(), code, message.unwrap_or_default())
            }
            SdkError::TimeoutError(_) => Self::transient("no answer in time"),
            SdkError::ResponseError(_) => Self::transient(format!("broken answer: {}", chain(error))),
            // What breaks in the middle of an exchange is "other" to the SDK: what is not known to be
            // lasting may pass.
            SdkError::DispatchFailure(dispatch) => Self::unsent(chain(error), !dispatch.is_user()),
            other => Self::unsent(chain(other), false),
        }
    }

    /// A failure that may pass by itself.
    pub fn transient(text: impl Into<String>) -> Self {
        Self { kind: Kind::Transient, text: text.into() }
    }

    /// The same, to be tried again.
    #[must_use]
    pub fn to_be_tried_again(self) -> Self {
        Self { kind: Kind::Transient, ..self }
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Transient
    }

    /// A failure that an answer names in passing, such as that of one object among many.
    #[must_use]
    pub fn coded(code: Option<&str>, message: Option<&str>) -> Self {
        Self::answer(0, code.unwrap_or("unknown"), message.unwrap_or_default())
    }

    fn answer(status: u16, code: &str, message: &str) -> Self {
        let kind = kind_of(status, code, message);
        let mut text = if code.is_empty() { format!("HTTP {status}") } else { code.to_owned() };
        if !message.is_empty() {
            let _ = write!(text, ": {}", message.chars().take(WORDS).collect::<String>());
        }
        Self { kind, text }
    }

    /// What failed without an answer. Credentials are looked for by then, and told by their words only.
    fn unsent(text: String, may_pass: bool) -> Self {
        let kind = if text.contains("credential") && !text.contains("timed out") {
            Kind::Credentials
        } else if may_pass {
            Kind::Transient
        } else {
            Kind::Other
        };
        Self { kind, text }
    }

    /// What to do about it, to stand behind the message; `permission` is what the call needs.
    #[must_use]
    pub fn hint(&self, permission: &str) -> String {
        let hint = match self.kind {
            Kind::Denied => {
                return format!(
                    "; grant {permission}; a bucket policy or an organisation's policy may deny it as well"
                );
            }
            Kind::KeyDenied => {
                "; allow kms:Decrypt (to write: kms:GenerateDataKey) on the KMS key of the bucket, in the key's policy \
                 too if it lies in another account, and see that the key is enabled"
            }
            Kind::Archived => "; restore it first (aws s3api restore-object), or leave it out",
            Kind::Credentials => "; set credentials as for the AWS CLI, log in again (aws sso login), or set the clock",
            Kind::NoBucket => "; check the name of the bucket",
            Kind::WrongRegion => "; set AWS_REGION to the bucket's region",
            Kind::Transient => "; it was tried several times: what fails so is to be tried again later",
            Kind::Missing => "; it was removed before it was read, perhaps by a lifecycle rule",
            Kind::Precondition | Kind::Conflict | Kind::Other => "",
        };
        hint.to_owned()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Failure {}

fn kind_of(status: u16, code: &str, message: &str) -> Kind {
    match code {
        "NoSuchBucket" | "InvalidBucketName" => Kind::NoBucket,
        "NoSuchKey" | "NotFound" | "NoSuchVersion" => Kind::Missing,
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            Kind::WrongRegion
        }
        "InvalidObjectState" => Kind::Archived,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "SignatureDoesNotMatch"
        | "MissingSecurityHeader"
        | "NotSignedUp"
        | "AccountProblem"
        | "RequestTimeTooSkewed" => Kind::Credentials,
        "PreconditionFailed" => Kind::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => Kind::Conflict,
        "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" | "RequestLimitExceeded" => {
            Kind::Transient
        }
        // S3 speaks for KMS: the code is its own, the name of the action is in the message.
        _ if code.starts_with("KMS.") => Kind::KeyDenied,
        "AccessDenied" if message.contains("kms:") => Kind::KeyDenied,
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => Kind::Denied,
        _ if code.contains("Throttl") => Kind::Transient,
        // HEAD has no body, and so no code.
        _ => match status {
            301 | 307 => Kind::WrongRegion,
            403 => Kind::Denied,
            404 => Kind::Missing,
            409 => Kind::Conflict,
            412 => Kind::Precondition,
            408 | 429 | 500.. => Kind::Transient,
            _ => Kind::Other,
        },
    }
}

/// An error and what caused it, on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text.chars().take(WORDS).collect()
}

/// How often, and after what pauses, a call is tried again, beyond what the SDK does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Attempts in all.
    pub attempts: u32,
    /// The pause before the second attempt, at most; it doubles from one to the next.
    pub first_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 6, first_pause: Duration::from_millis(200) }
    }
}

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Retries {
    /// The pause after attempt `attempt` (from 1): between half and all of the most, by chance, so that
    /// those who failed together do not come back together.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Duration {
        let most = self.first_pause.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
        #[expect(clippy::cast_precision_loss, reason = "chance needs no precision")]
        let chance = RandomState::new().hash_one(attempt) as f64 / u64::MAX as f64;
        most.mul_f64(0.5 + chance / 2.0)
    }

    /// Calls until it succeeds, fails for good, or has failed for too many times.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn run<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut attempt = 1;
        loop {
            match call().await {
                Err(failure) if failure.is_transient() && attempt < self.attempts => {
                    tokio::time::sleep(self.pause(attempt)).await;
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        let kms = "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: kms:Decrypt on it";
        for (status, code, message, kind) in [
            (503, "SlowDown", "Please reduce your request rate.", Kind::Transient),
            (500, "", "", Kind::Transient),
            (400, "RequestTimeout", "", Kind::Transient),
            (400, "ThrottlingException", "", Kind::Transient),
            (404, "NoSuchKey", "", Kind::Missing),
            (404, "", "", Kind::Missing),
            (404, "NoSuchBucket", "", Kind::NoBucket),
            (403, "AccessDenied", "Access Denied", Kind::Denied),
            (403, "AccessDenied", kms, Kind::KeyDenied),
            (400, "KMS.DisabledException", "", Kind::KeyDenied),
            (403, "InvalidObjectState", "", Kind::Archived),
            (400, "ExpiredToken", "", Kind::Credentials),
            (412, "", "", Kind::Precondition),
            (409, "ConditionalRequestConflict", "", Kind::Conflict),
            (301, "PermanentRedirect", "", Kind::WrongRegion),
        ] {
            assert_eq!(Failure::answer(status, code, message).kind, kind, "{status} {code} {message}");
        }
    }

    #[test]
    fn hints_say_what_is_missing() {
        let failure = Failure::answer(403, "AccessDenied", "Access Denied");
        assert_eq!(failure.to_string(), "AccessDenied: Access Denied");
        assert!(failure.hint("s3:GetObject").contains("grant s3:GetObject"));
        assert!(Failure::answer(400, "KMS.DisabledException", "").hint("s3:GetObject").contains("kms:Decrypt"));
        assert!(Failure::answer(500, "", &"x".repeat(10_000)).to_string().len() < 400);
    }

    #[test]
    fn pauses_grow_and_end_somewhere() {
        let retries = Retries::default();
        for attempt in 1..40 {
            let most = retries.first_pause.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE);
            let pause = retries.pause(attempt);
            assert!(pause >= most / 2 && pause <= most, "{attempt}: {pause:?}");
        }
    }
}
