//! Three workers on one queue and one output, killed at random behind a faulty network, with a `maintain`
//! beside them: each record is counted once, as another reader of the raw files says, every message is
//! deleted, and the dead-letter queue holds exactly the poison.
//!
//! `KEYTRAIL_SOAK_OBJECTS=5000 cargo test --release soak -- --nocapture` is the long form.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use keytrail::source::announcement;
use keytrail::source::aws::Aws;
use keytrail::source::notification::Named;
use serde_json::json;

use crate::faulty_proxy::{Fault, FaultyProxy, Request};
use crate::servers::Ministack;
use crate::support::{self, Lcg, assert_holds, command, gzip, key, kms_record, log, number, other_record, temp_dir};

const BUCKET: &str = "trail";
const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];
/// KMS records of an object; beside each stands one that is nobody's concern.
const RECORDS: usize = 5;
const WORKERS: usize = 3;
/// Short, so that what a killed worker held comes again soon.
const VISIBILITY: &str = "4s";
/// Deliveries before a message counts as poison. A worker may be killed several times with one in hand.
const DELIVERIES: u32 = 8;

struct Scene {
    server: Ministack,
    aws: Aws,
    queue: String,
    dead: String,
}

impl Scene {
    async fn new(server: Ministack) -> Self {
        let aws = server.aws().await;
        let sqs = aws.sqs();
        let create = async |name: &str, attributes: &[(Attribute, String)]| {
            let call = sqs.create_queue().queue_name(name).set_attributes(Some(attributes.iter().cloned().collect()));
            call.send().await.expect("a queue").queue_url.expect("its URL")
        };
        let dead = create("dead", &[]).await;
        let to = arn(&aws, &dead).await;
        let redrive = json!({ "deadLetterTargetArn": to, "maxReceiveCount": DELIVERIES }).to_string();
        let queue = create("trail", &[(Attribute::RedrivePolicy, redrive)]).await;
        let s3 = aws.s3();
        s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
        let told = QueueConfiguration::builder().queue_arn(arn(&aws, &queue).await).events(Event::S3ObjectCreated);
        let told = NotificationConfiguration::builder().queue_configurations(told.build().expect("complete")).build();
        let call = s3.put_bucket_notification_configuration().bucket(BUCKET).notification_configuration(told);
        call.send().await.expect("notifications");
        Self { server, aws, queue, dead }
    }

    async fn put(&self, key: &str, content: Vec<u8>) {
        self.aws.s3().put_object().bucket(BUCKET).key(key).body(content.into()).send().await.expect("an object");
    }

    async fn send(&self, body: String) {
        self.aws.sqs().send_message().queue_url(&self.queue).message_body(body).send().await.expect("sent");
    }

    /// Tells of objects once more.
    async fn tell_again(&self, keys: &[String]) {
        let named = keys.iter().map(|key| Named {
            bucket: BUCKET.to_owned(),
            key: key.clone(),
            size: None,
            etag: None,
            region: None,
        });
        self.send(announcement::body(&named.collect::<Vec<_>>())).await;
    }

    /// Messages of a queue, visible and in flight.
    async fn depth(&self, queue: &str) -> u32 {
        let names = [Attribute::ApproximateNumberOfMessages, Attribute::ApproximateNumberOfMessagesNotVisible];
        let call = self.aws.sqs().get_queue_attributes().queue_url(queue).set_attribute_names(Some(names.to_vec()));
        let attributes = call.send().await.expect("attributes").attributes.expect("attributes");
        names.iter().map(|name| attributes[name].parse::<u32>().expect("a number")).sum()
    }
}

async fn arn(aws: &Aws, queue: &str) -> String {
    let call = aws.sqs().get_queue_attributes().queue_url(queue).attribute_names(Attribute::QueueArn);
    call.send().await.expect("attributes").attributes.expect("attributes")[&Attribute::QueueArn].clone()
}

/// One object's key and content. Identities are its own: a record that is counted twice shows.
fn object(number: usize) -> (String, Vec<u8>) {
    let account = ACCOUNTS[number % ACCOUNTS.len()];
    let (hour, minute) = (number / 60 % 24, number % 60);
    let time = format!("2026-03-02T{hour:02}:{minute:02}:00Z");
    let records: Vec<_> = (0..RECORDS)
        .flat_map(|record| {
            let id = |kind: &str| format!("{kind}{number:08}-0000-4000-8000-{record:012}");
            [
                kms_record("Decrypt", &key(account, number as u64 % 7), account, account, &time, &id("a")),
                other_record(account, &time, &id("b")),
            ]
        })
        .collect();
    let name = format!("{account}_CloudTrail_us-east-1_20260302T{hour:02}{minute:02}Z_{number:016}.json.gz");
    (format!("AWSLogs/{account}/CloudTrail/us-east-1/2026/03/02/{name}"), gzip(&log(&records)))
}

/// Five of a hundred GETs fail: refused, cut, late, or (seldom, as each takes long) stalled.
fn unkind(request: &Request, every: usize) -> Fault {
    if request.method != "GET" || request.is_listing() {
        return Fault::None;
    }
    match request.number % (20 * every) {
        3 => Fault::Stall,
        n if n % 20 == 0 => Fault::SlowDown,
        n if n % 40 == 10 => Fault::Cut,
        n if n % 40 == 30 => Fault::Closed,
        n if n % 100 == 55 => Fault::Late(Duration::from_millis(300)),
        _ => Fault::None,
    }
}

fn worker(scene: &Scene, proxy: &FaultyProxy, out: &Path) -> Child {
    let mut tail = command(["tail", "--queue-url", &scene.queue, "--no-fold", "--flush-interval", "1s"]);
    tail.args(["--visibility-timeout", VISIBILITY, "--threads", "1", "--output"]).arg(out);
    scene.server.environment(&mut tail).env("AWS_ENDPOINT_URL", proxy.url());
    tail.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a worker")
}

/// Folds and compacts what the workers commit, every other second.
fn maintain(out: &Path) -> Child {
    let mut maintain = command(["maintain", "--interval", "2s", "--compact-after", "1"]);
    maintain.arg(out).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// `VmRSS` in KiB and open file handles of a process.
fn usage_of(process: u32) -> Option<(u64, usize)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
    Some((rss, std::fs::read_dir(format!("/proc/{process}/fd")).ok()?.count()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_and_a_faulty_network_count_each_record_once() {
    let Some(server) = Ministack::start() else { return };
    let asked = std::env::var_os("KEYTRAIL_SOAK_OBJECTS").and_then(|n| n.to_str()?.parse().ok());
    let objects: usize = asked.unwrap_or(120);
    let scene = Scene::new(server).await;
    let proxy = FaultyProxy::start(&scene.server.url(), |request| unkind(request, 20));
    let folder = temp_dir();
    let (out, raw) = (folder.path().join("out"), folder.path().join("raw"));
    let started = Instant::now();

    // What is to stay: bodies that say nothing, an object that is damaged, one that is not there.
    for body in ["hello", r#"{"Records":[{"eventSource":"aws:sns"}]}"#] {
        scene.send(body.to_owned()).await;
    }
    let damaged = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/damaged.json.gz";
    let mut content = object(0).1;
    content.truncate(content.len() / 2);
    scene.put(damaged, content).await;
    scene.tell_again(&["AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/gone.json.gz".to_owned()]).await;
    let poison = 4;

    let (kills, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let largest = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_and_restart(&scene, &proxy, &out, objects, &kills, &over));
        let uploads = async {
            let mut random = Lcg(7);
            let mut keys = Vec::new();
            for number in 0..objects {
                let (key, content) = object(number);
                support::write(&raw.join(&key), &content);
                scene.put(&key, content).await;
                keys.push(key);
                if number % 10 == 9 {
                    // Delivered twice: some of what came before, several in one message.
                    let again = random.below(keys.len() as u64 - 2) as usize;
                    scene.tell_again(&keys[again..again + 3]).await;
                }
            }
            scene.put("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/d.json.gz", gzip(b"{}")).await;
            // Until nothing is left, or too much time is over.
            let until = Instant::now() + Duration::from_secs(240 + objects as u64 / 5);
            while scene.depth(&scene.queue).await > 0 && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            over.store(true, Ordering::Relaxed);
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(uploads));
        killer.join().expect("the killer lives")
    });

    assert_eq!(scene.depth(&scene.queue).await, 0, "messages are left");
    assert_eq!(scene.depth(&scene.dead).await, poison, "the dead-letter queue holds the poison and nothing else");
    // What was committed last may not be folded yet.
    support::on("maintain", &out, &["--once"]).ends_with(0);
    assert_holds(&out);
    let usage = support::usage(&out);
    let requests: i64 = usage.iter().map(|row| number(row, "requests")).sum();
    assert_eq!(requests, i64::try_from(objects * RECORDS).expect("few"), "each record once");
    assert_eq!(read_by_others(&raw, &out), (requests, requests, requests), "in the raw files, in usage, in key_use");
    let counted: BTreeSet<String> = support::rows::<keytrail::lake::tables::objects::Objects>(&out)
        .iter()
        .filter(|row| support::text(row, "status") == "done")
        .map(|row| support::text(row, "key").to_owned())
        .collect();
    assert_eq!(counted, (0..objects).map(|number| object(number).0).collect(), "each object has its row");
    let faults = proxy.seen().iter().filter(|(_, fault)| *fault != Fault::None).count();
    let kills = kills.into_inner();
    assert!(kills >= 3 && faults >= 3, "{kills} kills, {faults} faults: nothing was shown");
    // Whatever the number of objects. A debug build takes some 45 MiB.
    assert!(largest.0 < 150 << 10 && largest.1 < 64, "{largest:?}: KiB and handles of a worker");
    eprintln!(
        "{objects} objects, {requests} requests, {kills} kills, {faults} faults of {} calls, {poison} dead letters; \
         largest worker {} MiB, {} handles; {:.0} s",
        proxy.seen().len(),
        largest.0 / 1_024,
        largest.1,
        started.elapsed().as_secs_f64()
    );
}

/// What others count: KMS records in the raw files by Python's own reader, requests in `usage` and in
/// `key_use` by `DuckDB`.
fn read_by_others(raw: &Path, out: &Path) -> (i64, i64, i64) {
    const SCRIPT: &str = r#"
import duckdb, glob, gzip, json, sys
raw, out = sys.argv[1:3]
ids = set()
for path in glob.glob(raw + "/**/*.gz", recursive=True):
    ids |= {r["eventID"] for r in json.load(gzip.open(path))["Records"] if r["eventSource"] == "kms.amazonaws.com"}
usage = f"read_parquet('{out}/usage/**/*.parquet', hive_partitioning=true)"
total = duckdb.sql(f"select sum(requests) from {usage}").fetchone()[0]
used = duckdb.sql(f"select sum(requests) from read_parquet('{out}/key_use/*.parquet')").fetchone()[0]
print(len(ids), total, used)
"#;
    let python = crate::python::with("duckdb-venv", &["duckdb==1.5.5"]).expect("DuckDB");
    let said = Command::new(python).args(["-c", SCRIPT]).args([raw, out]).output().expect("it runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).expect("UTF-8");
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    let mut next = || numbers.next().expect("three numbers");
    (next(), next(), next())
}

/// Keeps workers running and kills one now and then, until it is over; then they are asked to end.
/// Returns the largest memory and the most handles that one had.
fn kill_and_restart(
    scene: &Scene,
    proxy: &FaultyProxy,
    out: &Path,
    objects: usize,
    kills: &AtomicUsize,
    over: &AtomicBool,
) -> (u64, usize) {
    let mut random = Lcg(11);
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| worker(scene, proxy, out)).collect();
    let maintain = maintain(out);
    let mut largest = (0, 0);
    // Killed while objects come, and left in peace to finish.
    let most = 4 + objects / 100;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(500 + random.below(1_500)));
        for (rss, handles) in workers.iter().filter_map(|worker| usage_of(worker.id())) {
            largest = (largest.0.max(rss), largest.1.max(handles));
        }
        if kills.load(Ordering::Relaxed) < most {
            let at = random.below(WORKERS as u64) as usize;
            workers[at].kill().and_then(|()| workers[at].wait()).expect("killed with -9");
            workers[at] = worker(scene, proxy, out);
            kills.fetch_add(1, Ordering::Relaxed);
        }
    }
    workers.push(maintain);
    for mut worker in workers {
        let ended = Command::new("kill").arg(worker.id().to_string()).status().expect("kill");
        assert!(ended.success(), "a worker had ended by itself");
        let until = Instant::now() + Duration::from_secs(30);
        while worker.try_wait().expect("its status").is_none() {
            assert!(Instant::now() < until, "a worker does not end on SIGTERM");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    largest
}
