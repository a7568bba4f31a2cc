//! Where alerts go, as the command line names it.

use std::net::IpAddr;

use http::Uri;

/// A place that alerts go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// An SNS topic, and the region that its ARN names.
    Topic {
        /// Its ARN.
        arn: String,
        /// Its region.
        region: String,
    },
    /// A web server that takes JSON.
    Webhook(Webhook),
}

/// The URL of a webhook. It may hold a secret, so only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(Uri);

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", self.host())
    }
}

impl Webhook {
    /// Where to connect to.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// All of it.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.to_string()
    }
}

/// Why a word names no target. It does not repeat the word, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither of the kinds.
    #[error("alerts go to stderr, stdout, an SNS topic's ARN, or an https:// URL")]
    Unknown,
    /// Not the ARN of a topic.
    #[error("this is not the ARN of an SNS topic: arn:aws:sns:REGION:ACCOUNT:NAME")]
    NoTopic,
    /// Anybody on the way could read the findings.
    #[error("a webhook needs https://; http:// is for this machine (127.0.0.1, [::1], localhost) only")]
    NotEncrypted,
    /// What is sent with each request does not belong into a URL.
    #[error("a webhook's URL must not hold a user name or a password")]
    WithPassword,
}

impl Target {
    /// Reads `stderr`, `stdout`, an ARN or a URL.
    ///
    /// # Errors
    /// If it is none of them, or a URL that would show findings to others.
    pub fn parse(word: &str) -> Result<Self, TargetError> {
        match word {
            "stderr" => Ok(Self::Stderr),
            "stdout" => Ok(Self::Stdout),
            arn if arn.starts_with("arn:") => topic(arn).ok_or(TargetError::NoTopic),
            url => webhook(url).map(Self::Webhook),
        }
    }
}

fn topic(arn: &str) -> Option<Target> {
    let parts: Vec<_> = arn.split(':').collect();
    let [_, _, "sns", region, account, name] = parts[..] else { return None };
    let whole = !region.is_empty() && !account.is_empty() && !name.is_empty();
    whole.then(|| Target::Topic { arn: arn.to_owned(), region: region.to_owned() })
}

fn webhook(url: &str) -> Result<Webhook, TargetError> {
    let uri: Uri = url.parse().map_err(|_| TargetError::Unknown)?;
    let authority = uri.authority().ok_or(TargetError::Unknown)?;
    if authority.as_str().contains('@') {
        return Err(TargetError::WithPassword);
    }
    match uri.scheme_str() {
        Some("https") => Ok(Webhook(uri)),
        Some("http") if is_this_machine(authority.host()) => Ok(Webhook(uri)),
        Some("http") => Err(TargetError::NotEncrypted),
        _ => Err(TargetError::Unknown),
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_by_its_form() {
        assert_eq!(Target::parse("stderr"), Ok(Target::Stderr));
        assert_eq!(Target::parse("stdout"), Ok(Target::Stdout));
        let arn = "arn:aws-cn:sns:cn-north-1:111122223333:alarm";
        let topic = Target::Topic { arn: arn.to_owned(), region: "cn-north-1".to_owned() };
        assert_eq!(Target::parse(arn), Ok(topic));
        for url in ["https://hooks.example.com/a?b=c", "http://127.0.0.1:1/x", "http://[::1]/", "http://localhost:80/"]
        {
            assert!(matches!(Target::parse(url), Ok(Target::Webhook(_))), "{url}");
        }
    }

    #[test]
    fn what_would_show_findings_to_others_is_refused() {
        for (word, error) in [
            ("stdin", TargetError::Unknown),
            ("", TargetError::Unknown),
            ("ftp://example.com/", TargetError::Unknown),
            ("arn:aws:sqs:us-east-1:111122223333:q", TargetError::NoTopic),
            ("arn:aws:sns:us-east-1:111122223333:", TargetError::NoTopic),
            ("http://hooks.example.com/", TargetError::NotEncrypted),
            ("http://127.0.0.1.example.com/", TargetError::NotEncrypted),
            ("http://localhost.example.com/", TargetError::NotEncrypted),
            ("http://127.0.0.1:80@example.com/", TargetError::WithPassword),
        ] {
            assert_eq!(Target::parse(word), Err(error), "{word}");
        }
    }

    #[test]
    fn a_secret_in_a_url_is_not_shown() {
        let target = Target::parse("https://hooks.example.com/services/SECRET").expect("a webhook");
        assert_eq!(format!("{target:?}"), "Webhook(Webhook(hooks.example.com))");
    }
}
