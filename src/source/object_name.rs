//! What the name of an object tells (DOMAIN G.5). Nothing is enforced: exported and renamed files
//! have other names, and are read like any other.

use crate::model::arn::is_account_id;
use crate::model::object::ObjectName;
use crate::model::time::Seconds;

/// Reads a path such as
/// `…/AWSLogs/o-…/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_20260302T0905Z_….json.gz`.
#[must_use]
pub fn parse(path: &str) -> ObjectName {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let mut name = ObjectName::default();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 && is_log_folder(part) && is_account_id(parts[at - 1]) {
            name.account = Some(parts[at - 1].to_owned());
            name.region = parts.get(at + 1).map(|region| (*region).to_owned());
            if let Some([year, month, day]) = parts.get(at + 2..at + 5) {
                name.date = Seconds::parse_date(&format!("{year}-{month}-{day}"));
            }
        }
    }
    name.minute = parts.last().and_then(|file| minute(file));
    name
}

/// `CloudTrail`, and its siblings `CloudTrail-Digest`, `CloudTrail-Insight`, ….
fn is_log_folder(part: &str) -> bool {
    part == "CloudTrail" || part.starts_with("CloudTrail-")
}

/// The `20260302T0905Z` of a file name; digests have seconds too.
fn minute(file: &str) -> Option<Seconds> {
    file.split(['_', '.']).find_map(|part| {
        let b = part.as_bytes();
        let stamp = matches!(b.len(), 14 | 16) && b[8] == b'T' && b[b.len() - 1] == b'Z';
        if !stamp || !part.is_ascii() {
            return None;
        }
        let seconds = if b.len() == 16 { &part[13..15] } else { "00" };
        Seconds::parse(&format!(
            "{}-{}-{}T{}:{}:{seconds}Z",
            &part[..4],
            &part[4..6],
            &part[6..8],
            &part[9..11],
            &part[11..13]
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_are_read() {
        let log = parse(
            "o-x/AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1/2026/03/02/\
             111122223333_CloudTrail_us-east-1_20260302T0905Z_Mu0KsOhtH1ar15ZZ.json.gz",
        );
        assert_eq!(log.account.as_deref(), Some("111122223333"));
        assert_eq!(log.region.as_deref(), Some("us-east-1"));
        assert_eq!(log.date, Seconds::parse("2026-03-02T00:00:00Z"));
        assert_eq!(log.minute, Seconds::parse("2026-03-02T09:05:00Z"));
        let digest = parse("x/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20260302T090515Z.json.gz");
        assert_eq!(digest.minute, Seconds::parse("2026-03-02T09:05:15Z"));
        assert_eq!(parse("export.json"), ObjectName::default());
    }
}
