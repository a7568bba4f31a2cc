//! Values that do not belong into an encryption context, which is logged in clear (DOMAIN D.6).

use std::sync::LazyLock;

use memchr::memchr;
use regex::bytes::Regex;

use super::context_names;
use crate::model::arn::{Arn, is_uuid};
use crate::model::severity::Severity;

/// What a value looks like.
#[derive(Debug, PartialEq, Eq)]
pub struct Detector {
    /// Name, as shown in findings and patterns.
    pub name: &'static str,
    /// How bad it is to log such a value.
    pub severity: Severity,
}

/// The first detector that `value`, filed under `name`, sets off.
///
/// What a service files under a name of its own, and an ARN, have a grammar: there only credentials are
/// looked for, which a caller may have put in their place.
#[must_use]
pub fn in_value(name: &str, value: &str) -> Option<&'static Detector> {
    if let Some(arn) = Arn::parse(value) {
        // In parts: `secret:` and `token:` are kinds of resources. Of the shapes, only a URL's goes over parts.
        let mut parts =
            [arn.partition, arn.service, arn.region, arn.account].into_iter().chain(arn.resource.split(':'));
        let is_url = |shape: &&Shape| shape.detector.name == "url_credential";
        let url = || shape_of(SHAPES.iter().filter(is_url), value);
        return parts.find_map(credential).or_else(|| memchr(b'@', value.as_bytes()).and_then(|_| url()));
    }
    if context_names::known(name).is_some_and(|known| !known.is_client_side()) {
        return credential(value);
    }
    if is_harmless(value) {
        return None;
    }
    shape_of(SHAPES.iter(), value)
        .or_else(|| (value.len() >= 4 && NAME_HINT.is_match(name.as_bytes())).then_some(&SECRET_NAME))
        .or_else(|| shape_of([&*PRINCIPAL_ID].into_iter(), value))
        .or_else(|| looks_random(value).then_some(&RANDOM))
}

/// The first detector that a name sets off by itself.
#[must_use]
pub fn in_name(name: &str) -> Option<&'static Detector> {
    shape_of(SHAPES.iter(), name)
}

fn credential(text: &str) -> Option<&'static Detector> {
    // No credential is without one of these, nearly all ids are; and then one look at all shapes.
    let may_hold = text.len() >= 8 && text.bytes().any(|b| matches!(b, b'=' | b':' | b'_' | b'.' | b' ' | b'A' | b'x'));
    (may_hold && ANY_CREDENTIAL.is_match(text.as_bytes()))
        .then(|| shape_of(SHAPES[..CREDENTIALS].iter(), text))
        .flatten()
}

fn shape_of<'s>(mut shapes: impl Iterator<Item = &'s Shape>, text: &str) -> Option<&'static Detector> {
    shapes
        .find(|shape| shape.regex.find_iter(text.as_bytes()).any(|found| (shape.confirm)(found.as_bytes())))
        .map(|shape| shape.detector)
}

/// UUIDs, digests, plain numbers and dates are what contexts are for.
fn is_harmless(value: &str) -> bool {
    value.len() < 4
        || is_uuid(value)
        || (value.len() < 13 && value.bytes().all(|b| b.is_ascii_digit()))
        || (DIGESTS.contains(&value.len()) && value.bytes().all(|b| b.is_ascii_hexdigit()))
        || crate::model::time::Seconds::parse(value).is_some()
}

const CREDENTIAL: Severity = Severity::High;
const PERSONAL: Severity = Severity::Medium;

static SECRET_NAME: Detector = Detector { name: "secret_name", severity: CREDENTIAL };
static RANDOM: Detector = Detector { name: "random", severity: Severity::Low };

static NAME_HINT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?:^|[_.-])(?:pass(?:word|wd)?|secret|token|api[_-]?key|pin|ssn|cvv|iban)(?:$|[_.-])")
});

struct Shape {
    detector: &'static Detector,
    regex: Regex,
    confirm: fn(&[u8]) -> bool,
}

macro_rules! shape {
    ($name:literal, $severity:expr, $regex:literal, $confirm:expr) => {
        Shape {
            detector: const { &Detector { name: $name, severity: $severity } },
            regex: pattern($regex),
            confirm: $confirm,
        }
    };
}

/// How many of the shapes are credentials.
const CREDENTIALS: usize = 7;

static ANY_CREDENTIAL: LazyLock<Regex> = LazyLock::new(|| {
    let shapes: Vec<String> = SHAPES[..CREDENTIALS].iter().map(|shape| format!("(?:{})", shape.regex)).collect();
    pattern(&shapes.join("|"))
});

/// Most telling first; credentials before all others.
static SHAPES: LazyLock<[Shape; 12]> = LazyLock::new(|| {
    let always = |_: &[u8]| true;
    [
        shape!("aws_access_key_id", CREDENTIAL, r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", always),
        shape!("private_key", CREDENTIAL, r"-----BEGIN [A-Z ]*PRIVATE KEY", always),
        shape!("jwt", CREDENTIAL, r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", always),
        shape!("github_token", CREDENTIAL, r"\b(?:ghp|gho|ghs|github_pat)_[A-Za-z0-9_]{20,}\b", always),
        shape!("slack_token", CREDENTIAL, r"\bxox[abprs]-[A-Za-z0-9-]{10,}", always),
        shape!("url_credential", CREDENTIAL, r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@", always),
        shape!("password", CREDENTIAL, r"(?i)(?:pass(?:word|wd)?|secret|token|api[_-]?key)\s*[=:]\s*\S{4,}", always),
        shape!("email", PERSONAL, r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b", always),
        shape!("us_ssn", PERSONAL, r"\b\d{3}-\d{2}-\d{4}\b", is_ssn),
        shape!("iban", PERSONAL, r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b", is_iban),
        // Before cards: what starts with `+` may pass their test too.
        shape!("phone_number", PERSONAL, r"(?:^|[^\w+])\+\d{8,15}\b", always),
        shape!("card_number", PERSONAL, r"\b[3-6](?:[ -]?\d){12,18}\b", is_card),
    ]
});

/// Who somebody is, and no secret: it speaks where nothing worse does.
static PRINCIPAL_ID: LazyLock<Shape> =
    LazyLock::new(|| shape!("aws_principal_id", Severity::Info, r"\b(?:AROA|AIDA)[A-Z2-7]{16,17}\b", |_| true));

#[expect(clippy::expect_used, reason = "the patterns are constants, and a test uses each")]
fn pattern(text: &str) -> Regex {
    // ASCII classes: the values are machine-made, and Unicode tables would triple the size.
    Regex::new(&format!("(?-u){text}")).expect("a valid pattern")
}

fn is_ssn(text: &[u8]) -> bool {
    let (area, group, serial) = (&text[..3], &text[4..6], &text[7..]);
    area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000"
}

/// ISO 13616: rotate, letters to numbers, modulo 97.
fn is_iban(text: &[u8]) -> bool {
    let rotated = text.iter().skip(4).chain(text.iter().take(4)).copied();
    let rest = rotated.fold(0_u32, |rest, b| {
        if b.is_ascii_digit() {
            (rest * 10 + u32::from(b - b'0')) % 97
        } else {
            (rest * 100 + u32::from(b - b'A') + 10) % 97
        }
    });
    rest == 1
}

/// Luhn's check over 13 to 19 digits.
fn is_card(text: &[u8]) -> bool {
    let digits: Vec<u32> = text.iter().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0')).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// Long, of one alphabet, and with the entropy of a generated secret.
fn looks_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let all = |class: fn(&u8) -> bool| bytes.iter().all(class);
    let any = |class: fn(&u8) -> bool| bytes.iter().any(class);
    if bytes.len() < 20 || !all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(b)) {
        return false;
    }
    if all(u8::is_ascii_hexdigit) {
        return !DIGESTS.contains(&bytes.len()) && any(u8::is_ascii_alphabetic) && entropy(bytes) >= 3.5;
    }
    // Words joined by hyphens or slashes score high too: of what has such signs, digits and both cases are asked.
    let mixed = any(u8::is_ascii_digit) && any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase);
    (mixed || all(u8::is_ascii_alphanumeric)) && entropy(bytes) >= 4.0
}

/// Lengths of digests in hexadecimal.
const DIGESTS: [usize; 6] = [32, 40, 56, 64, 96, 128];

/// Shannon entropy, bits a character.
#[expect(clippy::cast_precision_loss, reason = "lengths of a context value")]
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    bytes.iter().for_each(|b| counts[usize::from(*b)] += 1);
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|n| **n > 0)
        .map(|n| {
            let share = *n as f64 / total;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_detector_fires_and_stays_quiet() {
        for (name, value, expected) in [
            ("k", "AKIAIOSFODNN7EXAMPLE", Some("aws_access_key_id")),
            ("k", "AKIAIOSFODNN7EXAMPL", None),
            ("k", "AIDACKCEVSQ6C2EXAMPLE", Some("aws_principal_id")),
            ("k", "AROADBQP57FF2AEXAMPLE:session", Some("aws_principal_id")),
            ("k", "AIDACKCEVSQ6C2EXAMPLE for jane@example.com", Some("email")),
            ("token", "AIDACKCEVSQ6C2EXAMPLE", Some("secret_name")),
            ("k", "-----BEGIN RSA PRIVATE KEY-----", Some("private_key")),
            ("k", "eyJhbGciOiJI.eyJzdWIiOiIx.dozjgNryP4J3", Some("jwt")),
            ("k", "postgres://app:hunter22@db/x", Some("url_credential")),
            ("k", "password=hunter22", Some("password")),
            ("owner", "jane@example.com", Some("email")),
            ("k", "078-05-1120", Some("us_ssn")),
            ("k", "000-05-1120", None),
            ("k", "GB82WEST12345698765432", Some("iban")),
            ("k", "4111 1111 1111 1111", Some("card_number")),
            ("k", "4111 1111 1111 1112", None),
            ("db-password", "hunter22", Some("secret_name")),
            ("SecretARN", "arn:aws:secretsmanager:us-east-1:111122223333:secret:a-AbCdEf", None),
            ("id", "2849c79d-e0b2-42c6-8e7b-566c6526005d", None),
            ("k", "bX9kQ2vR7tLmZ4cWp1Ys", Some("random")),
            ("k", "a3f59c0e7b18d264f0c9e1b7", Some("random")),
            ("k", "507f1f77bcf86cd799439011507f1f77", None),
            ("k", "00000000000000000000000f", None),
            ("k", "k3j9f0zq8xw7v5m2n4b6", Some("random")),
            ("k", "qzxwvkjhpmnbtrlcdfgsyeuo", Some("random")),
            ("k", "customerinvoicearchiveofproduction", None),
            ("contact", "+15551234567", Some("phone_number")),
            ("contact", "+4915112345678", Some("phone_number")),
            ("sum", "1+15551234567", None),
            ("aws:dynamodb:tableName", "password=hunter22", Some("password")),
            ("aws:dynamodb:tableName", "jane@example.com", None),
            ("k", "arn:aws:x:y:111122223333:a:password=hunter22", Some("password")),
            ("k", "arn:aws:x:password=hunter22:111122223333:a", Some("password")),
            ("k", "arn:aws:x:y:111122223333:postgres://app:hunter22@db/x", Some("url_credential")),
            ("k", "arn:aws:x:y:111122223333:token:a", None),
            ("purpose", "invoice-archive-for-customers", None),
            ("tenant", "books-eu", None),
        ] {
            assert_eq!(in_value(name, value).map(|d| d.name), expected, "{name}={value}");
        }
        let credentials = SHAPES.iter().filter(|shape| shape.detector.severity == CREDENTIAL).count();
        assert_eq!(credentials, CREDENTIALS);
    }
}
