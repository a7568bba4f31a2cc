//! S3 as a source, on a real server: what is listed, with how many calls, and that faults cost nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use keytrail::cloud::Retries;
use keytrail::model::object::ObjectRef;
use keytrail::model::time::Seconds;
use keytrail::source::aws::{self, Aws, Settings};
use keytrail::source::s3::fetch::Limits;
use keytrail::source::s3::{Listed, Location, S3Store, Wanted, list};
use keytrail::source::{FetchError, Verdict};

use crate::faulty_proxy::{Fault, FaultyProxy};
use crate::servers::Ministack;
use crate::support::Lcg;

/// A client of what answers at `url`, with few attempts of its own: ours are what is tested.
pub async fn client(url: &str) -> Client {
    let settings =
        Settings { region: Some("us-east-1".to_owned()), endpoint_url: Some(url.to_owned()), ..Settings::default() };
    let retries = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(20));
    let credentials = SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test"));
    Aws::new(aws::loader(&settings).retry_config(retries).credentials_provider(credentials).load().await).s3()
}

pub const QUICK: Retries = Retries { attempts: 8, first_pause: Duration::from_millis(20) };

async fn put(client: &Client, key: &str, content: &[u8]) {
    let call = client.put_object().bucket("logs").key(key).body(content.to_vec().into());
    call.send().await.expect("an object");
}

async fn put_all(client: &Client, keys: &[String]) {
    let mut running = tokio::task::JoinSet::new();
    for key in keys {
        if running.len() >= 16 {
            running.join_next().await.expect("a task").expect("an object");
        }
        let (client, key) = (client.clone(), key.clone());
        running.spawn(async move { put(&client, &key, b"{\"Records\":[]}").await });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("an object");
    }
}

const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "123456789012"];
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const DAYS: [&str; 6] = ["2025/12/31", "2026/01/31", "2026/02/28", "2026/03/01", "2026/03/02", "2026/03/15"];

fn log_key(top: &str, account: &str, region: &str, day: &str, number: usize) -> String {
    let stamp = day.replace('/', "");
    format!(
        "{top}{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{stamp}T10{:02}Z_{number:016}.json.gz",
        number % 60
    )
}

/// Logs of an organisation's trail and of an account from before; digests, Insights, other services' logs.
fn trail() -> (Vec<String>, Vec<String>) {
    let mut logs = Vec::new();
    let mut others = Vec::new();
    for top in ["org/AWSLogs/o-exampleorgid/", "org/AWSLogs/"] {
        let accounts = if top.contains("o-") { &ACCOUNTS[..] } else { &ACCOUNTS[..1] };
        for account in accounts {
            for region in REGIONS {
                for day in DAYS {
                    logs.extend((0..4).map(|number| log_key(top, account, region, day, number)));
                }
                let digest = format!("{top}{account}/CloudTrail-Digest/{region}/2026/03/02");
                others.extend((0..3).map(|number| format!("{digest}/{account}_CloudTrail-Digest_{number}.json.gz")));
            }
            others.push(format!("{top}{account}/CloudTrail-Insight/us-east-1/2026/03/02/x.json.gz"));
            others.push(format!("{top}{account}/vpcflowlogs/us-east-1/2026/03/02/x.log.gz"));
        }
    }
    (logs, others)
}

async fn listed(client: &Client, uri: &str, wanted: &Wanted) -> (BTreeSet<String>, Listed) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<ObjectRef>>(2);
    let collect = async move {
        let mut objects = Vec::new();
        while let Some(page) = receiver.recv().await {
            objects.extend(page);
        }
        objects
    };
    let location = Location::parse(uri).expect("a location");
    let listing = async {
        let listed = list(client, &location, wanted, QUICK, &sender).await;
        drop(sender);
        listed.expect("lists")
    };
    let (listed, objects) = tokio::join!(listing, collect);
    let keys: BTreeSet<String> = objects.iter().map(|object| object.key.clone()).collect();
    assert_eq!(keys.len(), objects.len(), "an object was listed twice");
    assert_eq!(listed.objects, keys.len() as u64);
    assert!(objects.iter().all(|object| !object.etag.is_empty() && !object.etag.contains('"') && object.size > 0));
    (keys, listed)
}

fn day(text: &str) -> Option<Seconds> {
    Seconds::parse_date(text)
}

/// Holds the listing of a folder against a look at every key.
#[track_caller]
fn assert_same(found: &BTreeSet<String>, logs: &[String], folder: &str, keep: impl Fn(&str) -> bool) {
    let expected: BTreeSet<String> = logs.iter().filter(|key| key.starts_with(folder) && keep(key)).cloned().collect();
    let missing: Vec<_> = expected.difference(found).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nnot wanted: {surplus:#?}");
    assert!(!found.is_empty(), "an empty listing proves nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_s_trail_is_listed_by_what_is_asked_for() {
    let Some(server) = Ministack::start() else { return };
    let direct = client(&server.url()).await;
    direct.create_bucket().bucket("logs").send().await.expect("a bucket");
    let (logs, others) = trail();
    put_all(&direct, &[logs.as_slice(), &others].concat()).await;
    let counted = FaultyProxy::start(&server.url(), |_| Fault::None);
    let client = client(&counted.url()).await;

    // The bucket alone: the trail's prefix is found, and what is no log is left out without being listed.
    let (found, all) = listed(&client, "s3://logs", &Wanted::default()).await;
    assert_same(&found, &logs, "", |_| true);
    assert_eq!((all.left_out.digests, all.left_out.insights, all.left_out.other_kinds), (4, 4, 4));
    assert_eq!(all.left_out.not_wanted, 0);
    assert_eq!(all.calls, counted.listings() as u64, "no call is tried twice when nothing fails");
    // Bucket, org, AWSLogs, o-…, 4 accounts, 4 × CloudTrail/, 8 regions, 16 years, 32 months.
    assert_eq!(all.calls, 4 + 4 + 4 + 8 + 16 + 32);

    // One account, one region, five days of one month: nothing else is asked for.
    let wanted = Wanted {
        from: day("2026-03-01"),
        to: day("2026-03-05"),
        accounts: vec![ACCOUNTS[1].to_owned()],
        regions: vec![REGIONS[0].to_owned()],
    };
    let before = counted.listings();
    let (found, few) = listed(&client, "s3://logs/org/", &wanted).await;
    assert_same(&found, &logs, "", |key| key.contains("444455556666/CloudTrail/us-east-1/2026/03/0"));
    assert_eq!(few.left_out.not_wanted, 0, "nothing that is not wanted was listed");
    // org, AWSLogs, o-…, account, CloudTrail/, one month.
    assert_eq!((few.calls, counted.listings() - before), (6, 6));
    let asked: Vec<_> = counted.seen()[before..].iter().map(|(request, _)| request.target.clone()).collect();
    assert!(!asked.iter().any(|target| target.contains("111122223333") || target.contains("Digest")), "{asked:#?}");

    // Across the turn of a year; open to one side; more months than are asked for one by one.
    for (from, to) in [
        (Some("2025-12-31"), Some("2026-01-31")),
        (Some("2026-02-28"), None),
        (None, Some("2026-03-01")),
        (Some("2025-06-01"), Some("2026-03-02")),
    ] {
        let wanted = Wanted { from: from.and_then(day), to: to.and_then(day), ..Wanted::default() };
        let (found, _) = listed(&client, "s3://logs", &wanted).await;
        let within = |key: &str| {
            let date: String = key
                .split("/CloudTrail/")
                .nth(1)
                .expect("a log")
                .split('/')
                .skip(1)
                .take(3)
                .collect::<Vec<_>>()
                .join("-");
            from.is_none_or(|from| date.as_str() >= from) && to.is_none_or(|to| date.as_str() <= to)
        };
        assert_same(&found, &logs, "", within);
    }

    // Somewhere in the middle of the layout, with and without a slash; one object.
    for folder in [
        "org/AWSLogs",
        "org/AWSLogs/o-exampleorgid/",
        "org/AWSLogs/o-exampleorgid/111122223333",
        "org/AWSLogs/111122223333/CloudTrail/",
        "org/AWSLogs/111122223333/CloudTrail/eu-west-1",
        "org/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/",
        "org/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03",
        "org/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/",
        &logs[7],
    ] {
        let (found, _) = listed(&client, &format!("s3://logs/{folder}"), &Wanted::default()).await;
        assert_same(&found, &logs, folder, |_| true);
    }
    let (found, digests) =
        listed(&client, "s3://logs/org/AWSLogs/111122223333/CloudTrail-Digest/", &Wanted::default()).await;
    assert!(found.is_empty() && digests.left_out.digests == 1, "{digests:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_cloudtrail_s_layout_is_listed_flat() {
    let Some(server) = Ministack::start() else { return };
    let client = client(&server.url()).await;
    client.create_bucket().bucket("logs").send().await.expect("a bucket");
    let mut logs: Vec<String> = (0..120).map(|number| format!("exports/case-{number}/a b+c.json.gz")).collect();
    logs.push("exports/deep/a/b/c/d/e/f.ndjson".to_owned());
    logs.push("top.json".to_owned());
    let account = log_key("exports/deep/AWSLogs/", ACCOUNTS[0], REGIONS[0], DAYS[0], 1);
    logs.push(account.clone());
    let no_logs = [
        "exports/case-1/read.me",
        "exports/case-1/table.parquet",
        "out/_ledger/00000000000000000001.json",
        "out/keys/x.json",
    ];
    put_all(&client, &[logs.as_slice(), &no_logs.map(str::to_owned)].concat()).await;
    put(&client, "exports/empty.json", b"").await;
    put(&client, "exports/folder/", b"").await;
    // Names that begin alike are no part of the folder.
    put(&client, "exports-of-others/x.json", b"{}").await;
    let (found, listed_all) = listed(&client, "s3://logs/exports", &Wanted::default()).await;
    assert_same(&found, &logs, "exports/", |_| true);
    assert_eq!(listed_all.left_out.no_logs, 4);
    let (found, _) = listed(&client, "s3://logs", &Wanted::default()).await;
    assert!(!found.contains("out/keys/x.json") && !found.contains(no_logs[2]), "an output is no source");
    assert!(found.contains("exports-of-others/x.json"));
    // A path that does not tell its date is not wanted by a filter that asks.
    let wanted = Wanted { from: day("2025-01-01"), ..Wanted::default() };
    let (found, dated) = listed(&client, "s3://logs/exports/", &wanted).await;
    assert_eq!(found, BTreeSet::from([account]));
    assert!(dated.left_out.not_wanted >= 121, "{dated:?}");
}

/// More files in a month than a page holds: it goes on day by day, and nothing is lost at the seams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_month_is_split_into_days() {
    let Some(server) = Ministack::start() else { return };
    let direct = client(&server.url()).await;
    direct.create_bucket().bucket("logs").send().await.expect("a bucket");
    let top = "AWSLogs/";
    let mut logs = Vec::new();
    for (day, files) in [(1, 700), (2, 1_300), (3, 40), (9, 300), (31, 200)] {
        let day = format!("2026/03/{day:02}");
        logs.extend((0..files).map(|number| log_key(top, ACCOUNTS[0], REGIONS[0], &day, number)));
    }
    let month = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/";
    // Between and behind the days: no folder that CloudTrail makes, but nothing is lost.
    logs.extend(["05-old/x.json", "zz/x.json"].map(|name| format!("{month}{name}")));
    put_all(&direct, &logs).await;
    let counted = FaultyProxy::start(&server.url(), |_| Fault::None);
    let client = client(&counted.url()).await;
    let (found, all) = listed(&client, "s3://logs", &Wanted::default()).await;
    assert_same(&found, &logs, "", |_| true);
    println!("{} calls for {} files", all.calls, logs.len());
    let wanted = Wanted { from: day("2026-03-02"), to: day("2026-03-09"), ..Wanted::default() };
    let (found, _) = listed(&client, "s3://logs", &wanted).await;
    assert_same(&found, &logs, "", |key| ["/03/02/", "/03/03/", "/03/09/"].iter().any(|day| key.contains(day)));
}

fn object(key: &str, size: usize) -> ObjectRef {
    ObjectRef {
        bucket: "logs".to_owned(),
        key: key.to_owned(),
        etag: String::new(),
        size: size as u64,
        name: keytrail::source::object_name::parse(key),
    }
}

fn content(number: u64) -> Vec<u8> {
    let mut chance = Lcg(number + 1);
    (0..20_000 + number * 997).map(|_| chance.below(256) as u8).collect()
}

/// A third of all answers goes wrong, in every way there is: every object arrives whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_arrives_whole_through_a_bad_network() {
    const OBJECTS: u64 = 120;
    let Some(server) = Ministack::start() else { return };
    let direct = client(&server.url()).await;
    direct.create_bucket().bucket("logs").send().await.expect("a bucket");
    for number in 0..OBJECTS {
        put(&direct, &format!("{number}.json.gz"), &content(number)).await;
    }
    let chance = std::sync::Mutex::new(Lcg(5));
    let proxy = FaultyProxy::start(&server.url(), move |_| match chance.lock().expect("chance").below(30) {
        0 | 1 => Fault::SlowDown,
        2 | 3 => Fault::Closed,
        4 | 5 => Fault::Cut,
        6 => Fault::Stall,
        7 => Fault::AnswerLost,
        8 | 9 => Fault::Late(Duration::from_millis(300)),
        _ => Fault::None,
    });
    let limits = Limits { cap: 1 << 20, silence: Duration::from_millis(400), retries: QUICK };
    let store = S3Store::new(client(&proxy.url()).await, tokio::runtime::Handle::current(), limits);
    let mut buffer = Vec::new();
    for number in 0..OBJECTS {
        let expected = content(number);
        let got = store.get(&object(&format!("{number}.json.gz"), expected.len()), &mut buffer).await;
        got.unwrap_or_else(|e| panic!("{number}: {e}"));
        assert!(buffer == expected, "{number} is not whole: {} bytes of {}", buffer.len(), expected.len());
    }
    let faults = proxy.seen().iter().map(|(_, fault)| *fault).filter(|fault| *fault != Fault::None).count();
    assert!(faults > 20, "only {faults} faults");
    for fault in [Fault::Cut, Fault::Stall, Fault::Closed, Fault::SlowDown, Fault::AnswerLost] {
        assert!(proxy.seen().iter().any(|(_, happened)| *happened == fault), "{fault:?} never happened");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_had_is_named_and_judged() {
    let Some(server) = Ministack::start() else { return };
    let direct = client(&server.url()).await;
    direct.create_bucket().bucket("logs").send().await.expect("a bucket");
    put(&direct, "large.json", &[b'x'; 1_001]).await;
    put(&direct, "just.json", &[b'x'; 1_000]).await;
    let proxy = FaultyProxy::start(&server.url(), |request| match request.target.as_str() {
        target if target.contains("denied") => Fault::Denied,
        target if target.contains("slow") => Fault::SlowDown,
        target if target.contains("cut") => Fault::Cut,
        target if target.contains("stall") => Fault::Stall,
        _ => Fault::None,
    });
    put(&direct, "cut.json", &[b'x'; 900]).await;
    put(&direct, "stall.json", &[b'x'; 900]).await;
    let limits = Limits {
        cap: 1_000,
        silence: Duration::from_millis(400),
        retries: Retries { attempts: 3, first_pause: Duration::from_millis(10) },
    };
    let store = S3Store::new(client(&proxy.url()).await, tokio::runtime::Handle::current(), limits);
    let mut buffer = vec![1; 10];
    store.get(&object("just.json", 1_000), &mut buffer).await.expect("just small enough");
    assert_eq!(buffer.len(), 1_000);
    for (key, verdict, says) in [
        ("large.json", Verdict::Poison, "1001 bytes"),
        ("none.json", Verdict::Poison, "s3://logs/none.json"),
        ("denied.json", Verdict::Poison, "s3:GetObject"),
        ("slow.json", Verdict::Retry, "SlowDown"),
        ("cut.json", Verdict::Retry, "broke off"),
        ("stall.json", Verdict::Retry, "stalled"),
    ] {
        let started = Instant::now();
        let error = store.get(&object(key, 1), &mut buffer).await.expect_err(key);
        assert_eq!(error.verdict(), verdict, "{key}: {error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{key} took {:?}", started.elapsed());
    }
    let cuts = proxy.seen().iter().filter(|(request, _)| request.target.contains("cut")).count();
    assert_eq!(cuts, 3, "a body that breaks off is fetched again, and not for ever");
    let elsewhere = ObjectRef { bucket: "nowhere".to_owned(), ..object("x.json", 1) };
    let error = store.get(&elsewhere, &mut buffer).await.expect_err("no bucket");
    assert!(matches!(error, FetchError::S3 { .. }) && error.to_string().contains("check the name"), "{error}");
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let location = Location::parse("s3://nowhere/x/").expect("a location");
    let error = list(&direct, &location, &Wanted::default(), QUICK, &sender).await.expect_err("no bucket");
    assert_eq!(error.verdict(), Verdict::Fatal);
    assert!(error.to_string().starts_with("cannot list s3://nowhere/x/"), "{error}");
    // A server that is not there.
    drop(proxy);
    drop(server);
    let error = store.get(&object("just.json", 1), &mut buffer).await.expect_err("no server");
    assert_eq!(error.verdict(), Verdict::Retry, "{error}");
}

/// Credentials that cannot be had end the run, and the message says so.
#[tokio::test]
async fn without_credentials_nothing_goes_on() {
    let settings = Settings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        ..Settings::default()
    };
    let config = aws_config::provider_config::ProviderConfig::without_region()
        .with_http_client(aws_smithy_http_client::Builder::new().build_http());
    let none = aws_config::profile::ProfileFileCredentialsProvider::builder().configure(&config);
    let none = none.profile_name("keytrail-has-none").build();
    let client = Aws::new(aws::loader(&settings).credentials_provider(none).load().await).s3();
    let store = S3Store::new(client, tokio::runtime::Handle::current(), Limits::with_cap(1_000));
    let started = Instant::now();
    let error = store.get(&object("x.json", 1), &mut Vec::new()).await.expect_err("no credentials");
    assert_eq!(error.verdict(), Verdict::Fatal, "{error}");
    assert!(error.to_string().contains("set credentials"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "it is no use to try again");
}
