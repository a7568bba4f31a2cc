//! Where a folder stands in `CloudTrail`'s layout (DOMAIN G.5), and what of it is wanted.

use crate::model::arn::is_account_id;
use crate::model::object::ObjectName;
use crate::model::time::Seconds;

use super::Wanted;

/// What a folder, given as a prefix that ends with `/` or is empty, holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level {
    /// Above the accounts, or nothing that is known: accounts may stand below.
    Above,
    /// An account's folder: `CloudTrail/` and its siblings stand below.
    Account {
        /// Whether `AWSLogs/` stands above: then what is not `CloudTrail/` is another service's.
        in_aws_logs: bool,
    },
    /// `…/CloudTrail/`: regions stand below.
    Regions,
    /// A region: years stand below.
    Years,
    /// A year: months stand below.
    Months {
        /// The year, as written.
        year: String,
    },
    /// A month: days stand below.
    Month {
        /// Year and month, `YYYY-MM`.
        month: String,
    },
    /// A day, or something below one: files.
    Files,
    /// Digests, Insights, and what else is no log of management or data events.
    Other(Sibling),
}

/// Folders beside `CloudTrail/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sibling {
    /// `CloudTrail-Digest`.
    Digest,
    /// `CloudTrail-Insight`.
    Insight,
    /// `CloudTrail-NetworkActivity`, `CloudTrail-Aggregated`, and other services' logs.
    Another,
}

/// Where `folder` stands.
pub(super) fn level(folder: &str) -> Level {
    let all: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
    // What stands above `AWSLogs` is the trail's prefix, even if it looks like an account.
    let top = all.iter().rposition(|part| *part == "AWSLogs").map(|at| at + 1);
    let (parts, in_aws_logs) = (&all[top.unwrap_or(0)..], top.is_some());
    let service = (1..parts.len()).rev().find(|at| is_log_folder(parts[*at]) && is_account_id(parts[at - 1]));
    let Some(at) = service else {
        let Some(account) = parts.iter().rposition(|part| is_account_id(part)) else { return Level::Above };
        return match account + 1 == parts.len() {
            true => Level::Account { in_aws_logs },
            false if in_aws_logs => Level::Other(Sibling::Another),
            false => Level::Files,
        };
    };
    match (sibling(parts[at]), &parts[at + 1..]) {
        (Some(sibling), _) => Level::Other(sibling),
        (None, []) => Level::Regions,
        (None, [_]) => Level::Years,
        (None, [_, year]) if is_number(year, 4) => Level::Months { year: (*year).to_owned() },
        (None, [_, year, month]) if is_number(year, 4) && is_number(month, 2) => {
            Level::Month { month: format!("{year}-{month}") }
        }
        (None, _) => Level::Files,
    }
}

/// What an object is, if not a log: judged by its key alone.
pub(super) fn sibling_of(key: &str) -> Option<Sibling> {
    match level(key.rsplit_once('/').map_or("", |(folder, _)| folder)) {
        Level::Other(sibling) => Some(sibling),
        _ => None,
    }
}

fn is_log_folder(part: &str) -> bool {
    part == "CloudTrail" || part.starts_with("CloudTrail-")
}

fn sibling(part: &str) -> Option<Sibling> {
    match part {
        "CloudTrail" => None,
        "CloudTrail-Digest" => Some(Sibling::Digest),
        "CloudTrail-Insight" => Some(Sibling::Insight),
        _ => Some(Sibling::Another),
    }
}

fn is_number(part: &str, digits: usize) -> bool {
    part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())
}

/// The name of a folder below its parent: `b` of `a/b/`.
pub(super) fn last_part(folder: &str) -> &str {
    folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

impl Wanted {
    /// Whether an object with this name is asked for. One whose path does not tell is not wanted by a
    /// filter that asks.
    #[must_use]
    pub fn wants(&self, name: &ObjectName) -> bool {
        let listed = |list: &[String], value: &Option<String>| {
            list.is_empty() || value.as_ref().is_some_and(|value| list.contains(value))
        };
        self.from.is_none_or(|from| name.date.is_some_and(|date| date >= from))
            && self.to.is_none_or(|to| name.date.is_some_and(|date| date <= to))
            && listed(&self.accounts, &name.account)
            && listed(&self.regions, &name.region)
    }

    pub(super) fn wants_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|wanted| wanted == account)
    }

    pub(super) fn wants_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|wanted| wanted == region)
    }

    /// Whether some day whose date begins with `start` (`YYYY`, `YYYY-MM`) is asked for.
    pub(super) fn wants_some_of(&self, start: &str) -> bool {
        let cut = |day: Seconds| day.date().chars().take(start.len()).collect::<String>();
        self.from.is_none_or(|from| start >= cut(from).as_str()) && self.to.is_none_or(|to| start <= cut(to).as_str())
    }

    /// Days of a month (`YYYY-MM`) that are asked for, the first and the last.
    pub(super) fn days_of(&self, month: &str) -> (u32, u32) {
        let day_in = |day: Option<Seconds>| {
            let date = day.map(Seconds::date)?;
            date.strip_prefix(month)?.strip_prefix('-')?.parse::<u32>().ok()
        };
        (day_in(self.from).unwrap_or(1), day_in(self.to).unwrap_or(31))
    }

    /// The months that are asked for, if they are few enough that asking for each is cheaper than
    /// walking down to them.
    pub(super) fn few_months(&self) -> Option<Vec<(i32, u32)>> {
        const FEW: usize = 3;
        let month = |day: Seconds| {
            let date = day.date();
            Some((date.get(..4)?.parse::<i32>().ok()?, date.get(5..7)?.parse::<u32>().ok()?))
        };
        let (mut at, last) = (month(self.from?)?, month(self.to?)?);
        let mut months = Vec::new();
        while at <= last {
            months.push(at);
            if months.len() > FEW {
                return None;
            }
            at = if at.1 == 12 { (at.0 + 1, 1) } else { (at.0, at.1 + 1) };
        }
        Some(months)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_recognised_with_and_without_organisation_and_prefix() {
        let month = Level::Month { month: "2026-03".to_owned() };
        for (folder, expected) in [
            ("", Level::Above),
            ("a/b/", Level::Above),
            ("AWSLogs/", Level::Above),
            ("x/AWSLogs/o-exampleorgid/", Level::Above),
            ("AWSLogs/111122223333/", Level::Account { in_aws_logs: true }),
            ("exports/111122223333/", Level::Account { in_aws_logs: false }),
            ("exports/111122223333/a/", Level::Files),
            ("111122223333/AWSLogs/", Level::Above),
            ("111122223333/AWSLogs/444455556666/CloudTrail/", Level::Regions),
            ("AWSLogs/o-x/111122223333/CloudTrail/us-east-1/", Level::Years),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2026/", Level::Months { year: "2026".to_owned() }),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/", month),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/", Level::Files),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/x/", Level::Files),
            ("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/", Level::Other(Sibling::Digest)),
            ("AWSLogs/111122223333/CloudTrail-Insight/", Level::Other(Sibling::Insight)),
            ("AWSLogs/111122223333/vpcflowlogs/us-east-1/", Level::Other(Sibling::Another)),
        ] {
            assert_eq!(level(folder), expected, "{folder}");
        }
        assert_eq!(sibling_of("AWSLogs/111122223333/Config/x.json.gz"), Some(Sibling::Another));
        assert_eq!(sibling_of("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/x.json.gz"), None);
    }

    #[test]
    fn months_and_days_are_cut_to_what_is_asked_for() {
        let day = Seconds::parse_date;
        let wanted = Wanted { from: day("2025-12-30"), to: day("2026-02-03"), ..Wanted::default() };
        assert_eq!(wanted.few_months(), Some(vec![(2025, 12), (2026, 1), (2026, 2)]));
        assert_eq!([wanted.days_of("2025-12"), wanted.days_of("2026-01")], [(30, 31), (1, 31)]);
        assert_eq!(wanted.days_of("2026-02"), (1, 3));
        assert!(wanted.wants_some_of("2025") && wanted.wants_some_of("2026-01") && !wanted.wants_some_of("2026-03"));
        assert!(!wanted.wants_some_of("2025-11") && !wanted.wants_some_of("2024"));
        let years = Wanted { from: day("2020-01-01"), to: day("2026-02-03"), ..Wanted::default() };
        assert!(years.few_months().is_none() && Wanted::default().few_months().is_none());
    }
}
