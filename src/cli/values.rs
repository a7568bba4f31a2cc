//! Values of flags: how they are typed, and what is said of those that make no sense.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::model::severity::Severity;
use crate::model::time::Seconds;
use crate::source::s3::Location;

/// Where logs are read from, or tables are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder or a file.
    Path(PathBuf),
    /// `s3://bucket/prefix`.
    S3(Location),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty: a variable that is not set?".to_owned());
        }
        if !text.starts_with("s3:") {
            return Ok(Self::Path(text.into()));
        }
        Location::parse(text).map(Self::S3).ok_or_else(|| "give s3://BUCKET or s3://BUCKET/PREFIX".to_owned())
    }
}

/// `500ms`, `60s`, `5m`, `1h`; a number alone is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let milliseconds = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("give a number with ms, s, m, h or d".to_owned()),
    };
    let number: u64 = digits.trim().parse().map_err(|_| "not a number with ms, s, m, h or d".to_owned())?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

/// What SQS takes, and a heartbeat can hold.
pub(super) fn visibility(text: &str) -> Result<Duration, String> {
    let range = Duration::from_secs(2)..=Duration::from_hours(12);
    duration(text).and_then(|time| if range.contains(&time) { Ok(time) } else { Err("from 2s to 12h".to_owned()) })
}

/// A name to look for: the empty one is in every row, or in none.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty: a variable that is not set?".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number from 1 on".to_owned())
}

pub(super) fn severity(word: &str) -> Result<Severity, String> {
    Severity::parse(&word.to_ascii_lowercase()).ok_or_else(|| "one of info, low, medium, high, critical".to_owned())
}

pub(super) fn account(text: &str) -> Result<String, String> {
    let is_id = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(text.to_owned()) } else { Err("an account has 12 digits".to_owned()) }
}

pub(super) fn day(text: &str) -> Result<Seconds, String> {
    Seconds::parse_date(text).ok_or_else(|| "no date YYYY-MM-DD".to_owned())
}

pub(super) fn time(text: &str) -> Result<Seconds, String> {
    day(text)
        .or_else(|_| Seconds::parse(text).ok_or_else(|| "neither a date YYYY-MM-DD nor an RFC 3339 time".to_owned()))
}

/// `500000`, `64MiB`, `1GiB`.
pub(super) fn byte_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        _ => return Err("give bytes, or a number with KiB, MiB or GiB".to_owned()),
    };
    let number: usize = digits.trim().parse().map_err(|_| "not a number of bytes".to_owned())?;
    number
        .checked_mul(unit)
        .filter(|bytes| (1..=1 << 40).contains(bytes))
        .ok_or_else(|| "from 1 byte to 1024 GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_durations_are_read() {
        assert_eq!("logs/2026".parse(), Ok(Place::Path("logs/2026".into())));
        assert!(matches!("s3://bucket/AWSLogs".parse(), Ok(Place::S3(_))));
        assert!("".parse::<Place>().is_err() && name("").is_err() && positive("0").is_err());
        assert!("s3:/bucket".parse::<Place>().is_err() && "s3://".parse::<Place>().is_err());
        for (text, seconds) in [("90", 90), ("60s", 60), ("5m", 300), ("1h", 3_600), ("2d", 172_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        assert!(duration("soon").is_err() && duration("5y").is_err() && duration("999999999999999999h").is_err());
    }
}
