//! Through which service a call came, or whether it was made directly (DOMAIN A.10).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::context::Contexts;
use crate::model::event::Event;

/// The service between a principal and KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via<'a> {
    /// The service's label as in `kms:ViaService` (`ebs`, `s3`, `es`), if there is one.
    pub service: Option<Cow<'a, str>>,
    /// How surely it is known.
    pub confidence: Confidence,
    /// Whether the console was used.
    pub console: bool,
}

/// How surely the service is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// No service: the principal called KMS itself.
    Direct,
    /// The record names the service.
    Exact,
    /// The encryption context tells it.
    Inferred,
    /// A service, but the record hides which.
    Opaque,
}

impl<'a> Via<'a> {
    /// The label of a service that the record hides.
    pub const HIDDEN: &'static str = "unknown";

    /// Whether the principal called KMS itself.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.confidence == Confidence::Direct
    }

    /// The label, or nothing for direct and unknown ones.
    #[must_use]
    pub fn label(&self) -> &str {
        self.service.as_deref().unwrap_or("")
    }

    /// Reads `invokedBy`, `sourceIPAddress` and `userAgent`.
    #[must_use]
    pub fn of(event: &Event<'a>, contexts: &Contexts<'a>) -> Self {
        let raw = match event.identity.invoked_by {
            Some(service) if !service.is_empty() => service,
            _ if event.source_ip.parse::<IpAddr>().is_ok() => return Self::from_address(event, contexts),
            _ if event.source_ip.is_empty() && event.user_agent.is_empty() => return Self::direct(false),
            _ if event.source_ip.is_empty() => event.user_agent,
            _ => event.source_ip,
        };
        match normalise(raw) {
            Label::Opaque => Self::inferred(contexts).unwrap_or(Self {
                service: Some(Cow::Borrowed(Self::HIDDEN)),
                confidence: Confidence::Opaque,
                console: false,
            }),
            Label::Console => Self::direct(true),
            Label::Unknown => Self::direct(false),
            Label::Service(label) => {
                let ebs = matches!(&*label, "ec2" | "ec2-frontend-api")
                    && (event.name == "CreateGrant" || contexts.pairs().iter().any(|pair| pair.name == "aws:ebs:id"));
                let service = if ebs { Cow::Borrowed("ebs") } else { label };
                Self { service: Some(service), confidence: Confidence::Exact, console: false }
            }
        }
    }

    const fn direct(console: bool) -> Self {
        Self { service: None, confidence: Confidence::Direct, console }
    }

    /// A call from an address is direct whatever its user agent says, but for old Lambda records.
    fn from_address(event: &Event<'a>, contexts: &Contexts<'a>) -> Self {
        if event.user_agent.starts_with("aws-internal/")
            && let Some(inferred) = Self::inferred(contexts)
        {
            return inferred;
        }
        let console = event.console_session || is_opaque(event.user_agent) || names_a_console(event.user_agent);
        Self::direct(console)
    }

    fn inferred(contexts: &Contexts<'a>) -> Option<Self> {
        let service = contexts.pairs().iter().find_map(|pair| pair.known?.label())?;
        Some(Self { service: Some(Cow::Borrowed(service)), confidence: Confidence::Inferred, console: false })
    }
}

/// What user agents of the consoles hold.
const CONSOLE_MARKS: [&str; 4] = ["signin.amazonaws.com", "console.amazonaws.com", "AWSConsole", "S3Console"];

/// Parts of the marks. Every direct call's user agent is searched, and most have none.
static CONSOLE_HINTS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["signin.", "onsole"].map(Finder::new));

fn names_a_console(user_agent: &str) -> bool {
    CONSOLE_HINTS.iter().any(|hint| hint.find(user_agent.as_bytes()).is_some())
        && CONSOLE_MARKS.iter().any(|mark| user_agent.contains(mark))
}

enum Label<'a> {
    Opaque,
    Console,
    Unknown,
    Service(Cow<'a, str>),
}

fn normalise(raw: &str) -> Label<'_> {
    if is_opaque(raw) {
        return Label::Opaque;
    }
    let lower = if raw.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(raw.to_ascii_lowercase())
    } else {
        Cow::Borrowed(raw)
    };
    let label = match lower {
        Cow::Borrowed(text) => Cow::Borrowed(strip(text)),
        Cow::Owned(text) => Cow::Owned(strip(&text).to_owned()),
    };
    match &*label {
        "signin" | "console" => Label::Console,
        // Anything may stand in a user agent: a service is called by its host name.
        _ if label.len() == raw.len() => Label::Unknown,
        _ => Label::Service(label),
    }
}

fn strip(host: &str) -> &str {
    let host = host.strip_prefix("fas.").unwrap_or(host);
    let host = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn")).unwrap_or(host);
    // One region label: `ec2.us-east-1`.
    match host.rsplit_once('.') {
        Some((service, last)) if last.contains('-') && last.ends_with(|c: char| c.is_ascii_digit()) => service,
        _ => host,
    }
}

fn is_opaque(raw: &str) -> bool {
    let is_word = |word: &str| {
        raw.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && raw[word.len()..].chars().next().is_none_or(|c| c == '/')
    };
    is_word("AWS Internal") || is_word("Amazon Internal") || is_word("aws-internal") || raw == "internal.amazonaws.com"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stripped_to_the_label() {
        for (raw, label) in [
            ("fas.s3.amazonaws.com", "s3"),
            ("ec2.us-east-1.amazonaws.com", "ec2"),
            ("delivery.logs.amazonaws.com", "delivery.logs"),
            ("RDS.amazonaws.com.cn", "rds"),
        ] {
            assert!(matches!(normalise(raw), Label::Service(l) if l == label), "{raw}");
        }
        for raw in ["AWS Internal", "amazon internal/2", "aws-internal/3", "internal.amazonaws.com"] {
            assert!(matches!(normalise(raw), Label::Opaque), "{raw}");
        }
        assert!(matches!(normalise("signin.amazonaws.com"), Label::Console));
    }
}
