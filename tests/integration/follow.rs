//! One test body over the queue in memory, with each of its calls failing in each way, and over the real
//! one: whatever fails, each record is counted once and each message ends where it belongs.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keytrail::analyze::{Plan, Selection};
use keytrail::lake::Lake;
use keytrail::lake::batch::Committed;
use keytrail::lake::local::LocalFolder;
use keytrail::model::object::ObjectRef;
use keytrail::model::r#yield::Yield;
use keytrail::pipeline::follow::{Follow, FollowSettings, Plans};
use keytrail::pipeline::{Observer, Settings};
use keytrail::rules::settings::Settings as Rules;
use keytrail::source::announcement;
use keytrail::source::lease::{self, Counts, Leases};
use keytrail::source::memory_queue::{Fault, MemoryQueue};
use keytrail::source::notification::{Named, Unreadable};
use keytrail::source::queue::{Operation, Queue, QueueError, Reason};
use keytrail::source::s3::S3Store;
use keytrail::source::s3::fetch::Limits;
use keytrail::source::sqs::Sqs;
use keytrail::source::{FetchError, Verdict};
use keytrail::telemetry::summary::Summary;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::servers::Ministack;
use crate::support::{assert_holds, gzip, key, kms_record, log, number, temp_dir, usage};

const BUCKET: &str = "logs";
const OBJECTS: usize = 6;
const RECORDS: usize = 3;
/// Tests run side by side: what is held must not come again because the machine is busy.
const VISIBILITY: Duration = Duration::from_secs(3);

/// Notes what it is told.
#[derive(Default)]
struct Told {
    unreadable: AtomicUsize,
    committed: AtomicUsize,
    troubles: Mutex<Vec<String>>,
}

impl Observer for Told {
    fn unreadable(&self, _: &str, received: u32, _: &Unreadable) {
        if received <= 1 {
            self.unreadable.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn queue_trouble(&self, error: &QueueError, _: u32, _: Duration) {
        self.troubles.lock().expect("no panic").push(error.to_string());
    }
    fn fetch_trouble(&self, _: &ObjectRef, error: &FetchError, _: Verdict) {
        self.troubles.lock().expect("no panic").push(error.to_string());
    }
    fn committed(&self, written: &[Yield], _: &Committed, _: Duration) {
        self.committed.fetch_add(written.len(), Ordering::Relaxed);
    }
}

fn object_key(object: usize) -> String {
    format!("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/{object}.json.gz")
}

fn named(object: usize) -> Named {
    Named { bucket: BUCKET.to_owned(), key: object_key(object), size: None, etag: None, region: None }
}

async fn fill(server: &Ministack) -> S3Store {
    let s3 = server.aws().await.s3();
    s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    for object in 0..OBJECTS {
        let account = "111122223333";
        let record = |record: usize| {
            let id = format!("{object:08}-0000-4000-8000-{record:012}");
            kms_record("Decrypt", &key(account, 1), account, account, "2026-03-02T09:00:00Z", &id)
        };
        let content = gzip(&log(&(0..RECORDS).map(record).collect::<Vec<_>>()));
        let put = s3.put_object().bucket(BUCKET).key(object_key(object)).body(content.into());
        put.send().await.expect("an object");
    }
    S3Store::new(s3, Handle::current(), Limits::with_cap(1 << 20))
}

/// Two messages of an object each, one of three objects, one of an object that another names too, and
/// one that says nothing.
fn bodies() -> Vec<String> {
    let announce = |objects: &[usize]| announcement::body(&objects.iter().copied().map(named).collect::<Vec<_>>());
    vec![announce(&[0]), announce(&[1]), announce(&[2, 3, 4]), announce(&[4, 5]), "nothing".to_owned()]
}

/// Follows a queue that was filled with [`bodies`] until it is empty, again and again if need be: what
/// failed comes again later.
async fn follow_to_the_end(queue: Arc<dyn Queue>, store: S3Store, out: &Path) -> (Counts, Arc<Told>) {
    let told = Arc::new(Told::default());
    let settings = lease::Settings { visibility: VISIBILITY, most: 100 };
    let mut counts = Counts::default();
    for _ in 0..6 {
        let leases = Leases::start(Arc::clone(&queue), settings, Box::new(|_| {}));
        let (queue, store, told, out) = (Arc::clone(&queue), store.clone(), Arc::clone(&told), out.to_owned());
        let (runtime, of_run) = (Handle::current(), leases.clone());
        let ended =
            tokio::task::spawn_blocking(move || run(of_run, store, told, runtime, &out)).await.expect("no panic");
        ended.expect("it ends well");
        counts = leases.counts();
        let depth = queue.depth().await.expect("a depth");
        if depth.visible + depth.in_flight == 0 {
            break;
        }
    }
    (counts, told)
}

fn run(
    leases: Leases,
    store: S3Store,
    observer: Arc<Told>,
    runtime: Handle,
    out: &Path,
) -> Result<(), keytrail::pipeline::PipelineError> {
    let mut lake = Lake::open(Arc::new(LocalFolder::create(out)?))?;
    let plans = Plans::new(Plan::new(Rules::default(), Selection::Fast));
    let (_stop, stop) = watch::channel(false);
    let settings =
        Settings { threads: 1, max_object_size: 1 << 20, batch_objects: 2, batch_bytes: 1 << 20, seen_events: 1 << 10 };
    let follow = FollowSettings {
        flush_interval: Duration::from_millis(200),
        fetches: 4,
        until_empty: true,
        try_again_after: Duration::from_millis(100),
        grace: Duration::from_secs(10),
    };
    let follow = Follow { leases, store, plans: &plans, settings, follow, stop, observer, runtime };
    follow.run(&mut lake, &mut Summary::default())
}

fn assert_each_once(out: &Path, what: &str) {
    assert_holds(out);
    let requests: i64 = usage(out).iter().map(|row| number(row, "requests")).sum();
    assert_eq!(requests, i64::try_from(OBJECTS * RECORDS).expect("few"), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_call_of_the_queue_fails_each_record_is_counted_once() {
    let Some(server) = Ministack::start() else { return };
    let store = fill(&server).await;
    let faults =
        [Fault::Refuse(Reason::Unavailable), Fault::RefuseFirst(Reason::Unavailable), Fault::LoseAnswer, Fault::Twice];
    let operations = [Operation::Receive, Operation::Extend, Operation::Acknowledge, Operation::Release];
    let mut cases = vec![None];
    for operation in operations {
        for nth in 0..3 {
            cases.extend(faults.iter().cloned().map(|fault| Some((operation, nth, fault))));
        }
    }
    let mut runs = tokio::task::JoinSet::new();
    let cases_len = cases.len();
    for case in cases {
        while runs.len() >= 12 {
            runs.join_next().await.expect("one").expect("a case holds");
        }
        let store = store.clone();
        runs.spawn(async move {
            let what = format!("{case:?}");
            let fails = move |operation: Operation, nth: u64| {
                case.clone().filter(|(at, when, _)| *at == operation && *when == nth).map(|(.., fault)| fault)
            };
            let queue = Arc::new(MemoryQueue::new().with_redrive(4).with_faults(fails));
            assert!(queue.send(bodies()).await.iter().all(Result::is_ok), "{what}");
            let folder = temp_dir();
            let (_, told) = follow_to_the_end(Arc::clone(&queue) as _, store, folder.path()).await;
            assert_each_once(folder.path(), &what);
            assert_eq!(told.committed.load(Ordering::Relaxed), OBJECTS, "{what}: committed once each");
            assert_eq!(queue.dead_letters(), ["nothing"], "{what}: {:?}", told.troubles.lock());
            let depth = queue.depth().await.expect("a depth");
            assert_eq!((depth.visible, depth.in_flight), (0, 0), "{what}");
            assert!(told.unreadable.load(Ordering::Relaxed) <= 2, "{what}: reported in a loop");
        });
    }
    while let Some(ended) = runs.join_next().await {
        ended.expect("a case holds");
    }
    assert!(cases_len > 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_queue_is_followed_the_same() {
    let Some(server) = Ministack::start() else { return };
    let store = fill(&server).await;
    let sqs = server.aws().await.sqs();
    let create =
        async |name: &str| sqs.create_queue().queue_name(name).send().await.expect("made").queue_url.expect("url");
    let dead = create("dead").await;
    let url = create("trail").await;
    let policy = format!(
        r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{}","maxReceiveCount":4}}"#,
        dead.rsplit('/').next().expect("a name")
    );
    let name = aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy;
    sqs.set_queue_attributes().queue_url(&url).attributes(name, policy).send().await.expect("a policy");
    let queue = Arc::new(Sqs::new(sqs.clone(), url));
    assert!(queue.send(bodies()).await.iter().all(Result::is_ok));
    let folder = temp_dir();
    follow_to_the_end(Arc::clone(&queue) as _, store, folder.path()).await;
    assert_each_once(folder.path(), "over SQS");
    let depth = queue.depth().await.expect("a depth");
    assert_eq!((depth.visible, depth.in_flight), (0, 0));
    assert_eq!(Sqs::new(sqs, dead).depth().await.expect("a depth").visible, 1, "the one that says nothing");
}
