//! Lists logs without opening any: walks `CloudTrail`'s layout from folder to folder, leaves out what is
//! not asked for before it is listed, and asks for many folders at once.
//!
//! Down to the region every folder costs one call. Below, a month is listed flat, which is one call for
//! each thousand files; a month that has more than a thousand goes on day by day, in parallel. What is
//! not laid out like this is listed flat.

use aws_sdk_s3::Client;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::Location;
use super::layout::{Level, Sibling, last_part, level, sibling_of};
use crate::cloud::{Failure, Kind, Retries};
use crate::model::arn::is_account_id;
use crate::model::object::ObjectRef;
use crate::model::time::Seconds;
use crate::source::{Verdict, local, object_name};

/// Calls under way at once.
const AT_ONCE: usize = 16;
/// More folders side by side, outside of the layout, are no place to look for `AWSLogs/`.
const WIDE: usize = 100;
/// Folders below each other, outside of the layout, in which `AWSLogs/` is looked for.
const DEEP: u8 = 4;

/// What is asked for, read off the path: `--from`, `--to` (days, both included), `--account`, `--region`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The first day.
    pub from: Option<Seconds>,
    /// The last day.
    pub to: Option<Seconds>,
    /// Accounts; empty for all.
    pub accounts: Vec<String>,
    /// Regions; empty for all.
    pub regions: Vec<String>,
}

/// What a listing came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Objects that were handed on.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was seen and left out.
    pub left_out: LeftOut,
    /// Calls of `ListObjectsV2` that succeeded.
    pub calls: u64,
}

/// What was left out: a folder, which is not looked into, counts as one; so does an object where objects
/// are listed one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// `CloudTrail-Digest`.
    pub digests: u64,
    /// `CloudTrail-Insight`.
    pub insights: u64,
    /// Network activity, aggregates, other services' logs.
    pub other_kinds: u64,
    /// Objects without content, with a name that no log has, or of an output of keytrail.
    pub no_logs: u64,
    /// Objects that a filter does not want. What lies in folders that no filter wants is not listed.
    pub not_wanted: u64,
}

/// Why a listing failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {place}: {failure}{}", failure.hint("s3:ListBucket on the bucket"))]
pub struct ListError {
    /// The folder, as an `s3://` URI.
    pub place: String,
    /// What S3 says.
    pub failure: Failure,
}

impl ListError {
    /// What to do: a listing that is not whole is none, so nothing of it is poison.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if matches!(self.failure.kind, Kind::Transient) { Verdict::Retry } else { Verdict::Fatal }
    }
}

/// Lists what is wanted below `location` into `out`, page by page and in no order; a slow receiver slows
/// the listing. Ends early when the receiver is gone.
///
/// # Errors
/// [`ListError`], after which the listing is not complete.
pub async fn list(
    client: &Client,
    location: &Location,
    wanted: &Wanted,
    retries: Retries,
    out: &Sender<Vec<ObjectRef>>,
) -> Result<Listed, ListError> {
    let walk = Walk { bucket: &location.bucket, wanted };
    let mut listed = Listed::default();
    let mut pending = walk.start(&location.prefix, &mut listed.left_out);
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(job) = pending.pop()
        {
            let (client, bucket) = (client.clone(), location.bucket.clone());
            running.spawn(async move {
                let page = retries.run(|| page(&client, &bucket, &job)).await;
                (job, page)
            });
        }
        let Some(ended) = running.join_next().await else { return Ok(listed) };
        let (job, page) = ended.map_err(|_| walk.error("", Failure::transient("a listing was stopped")))?;
        let page = page.map_err(|failure| walk.error(&job.prefix, failure))?;
        listed.calls += 1;
        let objects = walk.take(job, page, &mut pending, &mut listed);
        if !objects.is_empty() && out.send(objects).await.is_err() {
            return Ok(listed);
        }
    }
}

/// One call to come.
#[derive(Debug, Clone)]
struct Job {
    prefix: String,
    scope: Scope,
    token: Option<String>,
}

/// What a call shows of what lies below its prefix.
#[derive(Debug, Clone)]
enum Scope {
    /// Whether the prefix itself is an object.
    Itself,
    /// Folders, and objects beside them; so many steps into what is not `CloudTrail`'s layout.
    Folders(u8),
    /// All objects behind one key and before another; a month may be split into days.
    Flat { after: Option<String>, before: Option<String>, days: Option<u32> },
}

impl Job {
    fn new(prefix: String, scope: Scope) -> Self {
        Self { prefix, scope, token: None }
    }

    fn flat(prefix: String) -> Self {
        Self::new(prefix, Scope::Flat { after: None, before: None, days: None })
    }
}

struct Page {
    objects: Vec<ObjectRef>,
    folders: Vec<String>,
    next: Option<String>,
}

async fn page(client: &Client, bucket: &str, job: &Job) -> Result<Page, Failure> {
    let call = client.list_objects_v2().bucket(bucket).prefix(&job.prefix).set_continuation_token(job.token.clone());
    let call = match &job.scope {
        Scope::Itself => call.max_keys(1),
        Scope::Folders(_) => call.delimiter("/"),
        Scope::Flat { after, .. } => call.set_start_after(after.clone().filter(|_| job.token.is_none())),
    };
    let answer = call.send().await.map_err(|e| Failure::of(&e))?;
    let next = answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true)).map(str::to_owned);
    let folders = answer.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)).collect();
    let objects = answer.contents().iter().filter_map(|object| {
        let key = object.key()?.to_owned();
        Some(ObjectRef {
            bucket: bucket.to_owned(),
            // As notifications have it: the same object is then known by the same tag.
            etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            name: object_name::parse(&key),
            key,
        })
    });
    Ok(Page { objects: objects.collect(), folders, next })
}

/// Decides where a listing goes next.
struct Walk<'w> {
    bucket: &'w str,
    wanted: &'w Wanted,
}

impl Walk<'_> {
    fn start(&self, prefix: &str, left_out: &mut LeftOut) -> Vec<Job> {
        if prefix.is_empty() || prefix.ends_with('/') {
            return self.open(prefix.to_owned(), 0, left_out);
        }
        vec![Job::new(prefix.to_owned(), Scope::Itself)]
    }

    /// The calls that a folder takes.
    fn open(&self, folder: String, depth: u8, left_out: &mut LeftOut) -> Vec<Job> {
        match level(&folder) {
            Level::Other(sibling) => left_out.add(sibling),
            Level::Above if depth >= DEEP => return vec![Job::flat(folder)],
            Level::Above | Level::Account { .. } | Level::Regions | Level::Months { .. } => {
                return vec![Job::new(folder, Scope::Folders(depth))];
            }
            Level::Years => {
                let Some(months) = self.wanted.few_months() else {
                    return vec![Job::new(folder, Scope::Folders(depth))];
                };
                let folders = months.into_iter().map(|(year, month)| format!("{folder}{year:04}/{month:02}/"));
                return folders.flat_map(|folder| self.open(folder, depth, left_out)).collect();
            }
            Level::Month { month } => {
                let (first, last) = self.wanted.days_of(&month);
                let after = (first > 1).then(|| format!("{folder}{first:02}"));
                let before = (last < 31).then(|| format!("{folder}{:02}", last + 1));
                return vec![Job::new(folder, Scope::Flat { after, before, days: Some(last) })];
            }
            Level::Files => return vec![Job::flat(folder)],
        }
        Vec::new()
    }

    /// Whether a folder below one of `level` may hold something wanted.
    fn enters(&self, level: &Level, folder: &str) -> bool {
        let name = last_part(folder);
        let two_digits = name.len() == 2 && name.bytes().all(|b| b.is_ascii_digit());
        match level {
            Level::Above => !is_account_id(name) || self.wanted.wants_account(name),
            Level::Regions => self.wanted.wants_region(name),
            Level::Years => name.parse::<u16>().is_err() || self.wanted.wants_some_of(name),
            Level::Months { year } => !two_digits || self.wanted.wants_some_of(&format!("{year}-{name}")),
            _ => true,
        }
    }

    /// Takes a page: what it shows of objects, and the calls that follow from it.
    fn take(&self, job: Job, page: Page, pending: &mut Vec<Job>, listed: &mut Listed) -> Vec<ObjectRef> {
        let Page { mut objects, folders, next } = page;
        match &job.scope {
            Scope::Itself => {
                if objects.first().is_none_or(|object| object.key != job.prefix) {
                    objects.clear();
                    pending.extend(self.start(&format!("{}/", job.prefix), &mut listed.left_out));
                }
            }
            Scope::Folders(depth) => {
                let level = level(&job.prefix);
                if level == Level::Above && job.token.is_none() {
                    if folders.iter().any(|folder| last_part(folder) == "_ledger") {
                        listed.left_out.no_logs += 1;
                        return Vec::new();
                    }
                    if folders.iter().filter(|folder| !is_known(folder)).count() > WIDE {
                        pending.push(Job::flat(job.prefix));
                        return Vec::new();
                    }
                }
                for folder in folders.into_iter().filter(|folder| self.enters(&level, folder)) {
                    let depth = if is_known(&folder) { 0 } else { depth + 1 };
                    pending.extend(self.open(folder, depth, &mut listed.left_out));
                }
                pending.extend(next.map(|token| Job { token: Some(token), ..job }));
            }
            Scope::Flat { before, days, .. } => {
                let inside = |key: &str| before.as_ref().is_none_or(|before| key < before.as_str());
                let last = objects.last().map(|object| object.key.clone()).unwrap_or_default();
                objects.retain(|object| inside(&object.key));
                if let Some(token) = next.filter(|_| inside(&last)) {
                    let (before, rest) = days.map_or_else(Default::default, |days| split(&job.prefix, &last, days));
                    let end = job.before();
                    pending.extend(rest.into_iter().map(|job| job.ending(end.clone())));
                    let before = before.or(end);
                    let scope = Scope::Flat { after: None, before, days: None };
                    pending.push(Job { token: Some(token), scope, ..job });
                }
            }
        }
        objects.retain(|object| self.keeps(object, &mut listed.left_out));
        listed.objects += objects.len() as u64;
        listed.bytes += objects.iter().map(|object| object.size).sum::<u64>();
        objects
    }

    fn keeps(&self, object: &ObjectRef, left_out: &mut LeftOut) -> bool {
        let of_an_output = object.key.split('/').any(|part| part == "_ledger" || part == "_staging");
        if let Some(sibling) = sibling_of(&object.key) {
            left_out.add(sibling);
        } else if object.size == 0 || of_an_output || !local::may_be_a_log(object.key.as_ref()) {
            left_out.no_logs += 1;
        } else if self.wanted.wants(&object.name) {
            return true;
        } else {
            left_out.not_wanted += 1;
        }
        false
    }

    fn error(&self, prefix: &str, failure: Failure) -> ListError {
        ListError { place: format!("s3://{}/{prefix}", self.bucket), failure }
    }
}

impl Job {
    fn before(&self) -> Option<String> {
        if let Scope::Flat { before, .. } = &self.scope { before.clone() } else { None }
    }

    /// The same, ending at `end` where it has no end yet.
    fn ending(mut self, end: Option<String>) -> Self {
        if let Scope::Flat { before, .. } = &mut self.scope
            && before.is_none()
        {
            *before = end;
        }
        self
    }
}

/// Splits what follows `last` in a month: the day that `last` lies in ends at the first key that is
/// returned, each day behind it is a call of its own, the last without an end.
fn split(month: &str, last: &str, last_day: u32) -> (Option<String>, Vec<Job>) {
    let day = last.get(month.len()..month.len() + 2).and_then(|day| day.parse::<u32>().ok());
    let Some(day) = day.filter(|day| *day < last_day) else { return (None, Vec::new()) };
    let at = |day: u32| format!("{month}{day:02}");
    let job = |day: u32| {
        let before = (day < last_day).then(|| at(day + 1));
        Job::new(month.to_owned(), Scope::Flat { after: Some(at(day)), before, days: None })
    };
    (Some(at(day + 1)), (day + 1..=last_day).map(job).collect())
}

/// Names that belong to `CloudTrail`'s layout above the accounts, and accounts.
fn is_known(folder: &str) -> bool {
    let name = last_part(folder);
    name == "AWSLogs" || name.starts_with("o-") || is_account_id(name)
}

impl LeftOut {
    fn add(&mut self, sibling: Sibling) {
        match sibling {
            Sibling::Digest => self.digests += 1,
            Sibling::Insight => self.insights += 1,
            Sibling::Another => self.other_kinds += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(prefix: &str, names: impl Iterator<Item = u64>, next: Option<&str>) -> Page {
        let folders = names.map(|name| format!("{prefix}{name:012}/")).collect();
        Page { objects: Vec::new(), folders, next: next.map(str::to_owned) }
    }

    #[test]
    fn accounts_go_on_for_pages() {
        let wanted = Wanted { accounts: vec!["000000001500".to_owned()], ..Wanted::default() };
        let walk = Walk { bucket: "b", wanted: &wanted };
        let (mut pending, mut listed) = (walk.start("AWSLogs/", &mut LeftOut::default()), Listed::default());
        let job = pending.pop().expect("a call");
        walk.take(job, folders("AWSLogs/", 0..1_000, Some("more")), &mut pending, &mut listed);
        let job = pending.pop().expect("the next page");
        assert_eq!((job.token.as_deref(), pending.len()), (Some("more"), 0));
        walk.take(job, folders("AWSLogs/", 1_000..2_000, None), &mut pending, &mut listed);
        assert_eq!(pending.iter().map(|job| job.prefix.as_str()).collect::<Vec<_>>(), ["AWSLogs/000000001500/"]);
    }

    #[test]
    fn a_busy_month_is_cut_at_every_day_without_gap_or_overlap() {
        let (first, rest) = split("m/", "m/29/x", 31);
        let ends: Vec<_> = rest
            .iter()
            .map(|job| match &job.scope {
                Scope::Flat { after, before, .. } => (after.as_deref(), before.as_deref()),
                _ => (None, None),
            })
            .collect();
        assert_eq!(first.as_deref(), Some("m/30"));
        assert_eq!(ends, [(Some("m/30"), Some("m/31")), (Some("m/31"), None)]);
        assert!(split("m/", "m/31/x", 31).1.is_empty() && split("m/", "m/other", 31).0.is_none());
    }
}
