//! A followed object that holds an event which another object held is looked at twice: with the bytes that
//! are there, and by the rules of the moment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keytrail::analyze::{Plan, Selection};
use keytrail::lake::Lake;
use keytrail::lake::batch::Committed;
use keytrail::lake::local::LocalFolder;
use keytrail::lake::tables::findings::Findings;
use keytrail::lake::tables::objects::Objects;
use keytrail::model::severity::Severity;
use keytrail::model::r#yield::Yield;
use keytrail::pipeline::follow::{Follow, FollowSettings, Plans};
use keytrail::pipeline::{Observer, Settings};
use keytrail::rules::settings::Settings as Rules;
use keytrail::source::announcement;
use keytrail::source::aws::{self, Aws};
use keytrail::source::lease::{self, Leases};
use keytrail::source::memory_queue::MemoryQueue;
use keytrail::source::notification::Named;
use keytrail::source::queue::Queue;
use keytrail::source::s3::S3Store;
use keytrail::source::s3::fetch::Limits;
use keytrail::telemetry::summary::Summary;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::faulty_proxy::{Fault, FaultyProxy};
use crate::servers::Ministack;
use crate::support::{assert_holds, gzip, key, kms_record, log, rows, temp_dir, text};

const BUCKET: &str = "logs";
const ACCOUNT: &str = "111122223333";
const RULE: &str = "schedule-key-deletion";

/// Counts commits.
#[derive(Default)]
struct Commits(AtomicUsize);

impl Observer for Commits {
    fn committed(&self, _: &[Yield], _: &Committed, _: Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Follows two objects, one after the other. The second one holds the event of the first, and the end of a
/// key; before it comes, such ends become mild findings. What is asked for again gets `again`. Returns how
/// often each object was asked for.
async fn follow_both(server: &Ministack, out: &Path, again: Fault) -> BTreeMap<String, usize> {
    let s3 = server.aws().await.s3();
    s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    let record = |name: &str, id: &str| {
        kms_record(name, &key(ACCOUNT, 1), ACCOUNT, ACCOUNT, "2026-03-02T09:00:00Z", &format!("{id}-0000-4000-8000-0"))
    };
    let decrypt = record("Decrypt", "00000001");
    let contents =
        [("one.json.gz", vec![decrypt.clone()]), ("two.json.gz", vec![decrypt, record("ScheduleKeyDeletion", "2")])];
    for (name, records) in &contents {
        s3.put_object().bucket(BUCKET).key(*name).body(gzip(&log(records)).into()).send().await.expect("an object");
    }
    let asked = Mutex::new(BTreeSet::new());
    let proxy = FaultyProxy::start(&server.url(), move |request| {
        let is_first = asked.lock().expect("no panic").insert(request.target.clone());
        if is_first { Fault::None } else { again }
    });
    let settings = aws::Settings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(proxy.url()),
        ..aws::Settings::default()
    };
    let credentials = aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test");
    let client = Aws::new(aws::loader(&settings).credentials_provider(credentials).load().await).s3();

    let queue = Arc::new(MemoryQueue::new());
    let lease = lease::Settings { visibility: Duration::from_mins(1), most: 100 };
    let leases = Leases::start(Arc::clone(&queue) as _, lease, Box::new(|_| {}));
    let store = S3Store::new(client, Handle::current(), Limits::with_cap(1 << 20));
    let plans = Arc::new(Plans::new(Plan::new(Rules::default(), Selection::Fast)));
    let commits = Arc::new(Commits::default());
    let (end, stop) = watch::channel(false);
    let (of_run, observer, runtime, to) = (Arc::clone(&plans), Arc::clone(&commits), Handle::current(), out.to_owned());
    let running = tokio::task::spawn_blocking(move || {
        let mut lake = Lake::open(Arc::new(LocalFolder::create(&to).expect("a folder"))).expect("opens");
        let settings =
            Settings { threads: 1, max_object_size: 1 << 20, batch_objects: 1, batch_bytes: 1 << 20, seen_events: 100 };
        let follow = FollowSettings {
            flush_interval: Duration::from_millis(100),
            fetches: 1,
            until_empty: false,
            try_again_after: Duration::from_mins(1),
            grace: Duration::from_secs(10),
        };
        let follow = Follow { leases, store, plans: &of_run, settings, follow, stop, observer, runtime };
        follow.run(&mut lake, &mut Summary::default()).expect("it ends well");
    });
    for (number, (name, _)) in contents.iter().enumerate() {
        let named = Named { bucket: BUCKET.to_owned(), key: (*name).to_owned(), size: None, etag: None, region: None };
        assert!(queue.send(vec![announcement::body(&[named])]).await.iter().all(Result::is_ok));
        let until = Instant::now() + Duration::from_secs(30);
        while commits.0.load(Ordering::Relaxed) <= number {
            assert!(Instant::now() < until, "{name} is not committed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let severity = BTreeMap::from([(RULE.to_owned(), Severity::Low)]);
        plans.replace(Plan::new(Rules { severity, ..Rules::default() }, Selection::Fast));
    }
    end.send(true).expect("it listens");
    running.await.expect("no panic");
    let mut asked = BTreeMap::<String, usize>::new();
    proxy.seen().into_iter().for_each(|(request, _)| *asked.entry(request.target).or_default() += 1);
    asked
}

/// A fetch more is a cost more, and one that fails would spoil an object that was read already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_look_takes_no_second_fetch() {
    let Some(server) = Ministack::start() else { return };
    let folder = temp_dir();
    let asked = follow_both(&server, folder.path(), Fault::Denied).await;
    assert_eq!(asked.values().copied().collect::<Vec<_>>(), [1, 1], "{asked:?}");
    let objects = rows::<Objects>(folder.path());
    assert_eq!(objects.iter().map(|row| text(row, "status")).collect::<Vec<_>>(), ["done", "done"]);
    assert_eq!(assert_holds(folder.path())["records"]["duplicate"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_look_is_taken_by_the_rules_of_the_moment() {
    let Some(server) = Ministack::start() else { return };
    let folder = temp_dir();
    follow_both(&server, folder.path(), Fault::None).await;
    let findings = rows::<Findings>(folder.path());
    let severities: Vec<_> =
        findings.iter().filter(|row| text(row, "rule_id") == RULE).map(|row| text(row, "severity")).collect();
    assert_eq!(severities, ["low"]);
}
