//! Metrics and health over loopback: scraped as Prometheus does, and asked by those who mean no good.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::model::object::{ObjectName, ObjectRef};
use keytrail::model::severity::Severity;
use keytrail::model::time::Seconds;
use keytrail::rules;
use keytrail::source::notification::PassedOver;
use keytrail::telemetry::health::{Health, Limits};
use keytrail::telemetry::metrics::{MessageOutcome, Metrics, QueueState, TABLE, delivered};
use keytrail::telemetry::serve::Server;
use keytrail::telemetry::summary::Summary;
use rustc_hash::FxHashSet;

use crate::support::{files_below, samples};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Scene {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    server: Server,
}

async fn scene(limits: Limits) -> Scene {
    let metrics = Arc::new(Metrics::new(rules::all().map(|rule| rule.id)));
    let health = Arc::new(Health::new(limits));
    let server = Server::start(ANY_PORT, Arc::clone(&metrics), Arc::clone(&health)).await.expect("a server");
    Scene { metrics, health, server }
}

/// Sends bytes, and reads until the server hangs up.
async fn exchange(address: SocketAddr, request: impl Into<Vec<u8>>) -> String {
    let request = request.into();
    let blocking = move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        stream.write_all(&request).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    tokio::task::spawn_blocking(blocking).await.expect("no panic")
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = exchange(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    (status(&answer), body.to_owned())
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Series and their values, read as strictly as Prometheus does: each metric's lines stand together,
/// under its help and type, and no series comes twice.
fn read(page: &str) -> BTreeMap<String, f64> {
    let (mut series, mut current, mut done) = (BTreeMap::new(), String::new(), Vec::new());
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            done.push(std::mem::take(&mut current));
            current = help.split(' ').next().unwrap_or_default().to_owned();
            assert!(!done.contains(&current), "{current} comes twice");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert_eq!(name, current);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let bare = name.split('{').next().unwrap_or_default();
            let suffix = bare.strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{line} under {current}"));
            assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(series.insert(name.to_owned(), value).is_none(), "{name} comes twice");
        }
    }
    series
}

#[tokio::test]
async fn what_was_counted_is_scraped() {
    use PassedOver::{Digest, Insight, OtherEvent, Subscription, TestEvent, Validation};
    let scene = scene(Limits::default()).await;
    let metrics = &scene.metrics;
    metrics.fetched(1_000, Duration::from_millis(30));
    metrics.fetched(500, Duration::from_millis(300));
    metrics.committed([Seconds(0)], Duration::from_secs(2));
    metrics.messages.add(MessageOutcome::Unreadable, 3);
    metrics.queue.set(QueueState::Visible, 42.0);
    let all = [TestEvent, Validation, Subscription, OtherEvent, Digest, Insight];
    all.iter().for_each(|what| metrics.passed_over(what.as_str(), 2));
    metrics.passed_over("something new", 1);
    metrics.findings.add(rules::all().next().expect("a rule").id, Severity::Critical, 1);
    let (status, page) = get(scene.server.address(), "/metrics").await;
    assert_eq!(status, 200);
    let series = read(&page);
    for (name, value) in [
        ("keytrail_fetched_bytes_total", 1_500.0),
        ("keytrail_fetch_seconds_count", 2.0),
        ("keytrail_fetch_seconds_sum", 0.33),
        ("keytrail_fetch_seconds_bucket{le=\"0.05\"}", 1.0),
        ("keytrail_commit_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("keytrail_messages_total{outcome=\"unreadable\"}", 3.0),
        ("keytrail_passed_over_total{what=\"digest\"}", 2.0),
        ("keytrail_passed_over_total{what=\"else\"}", 1.0),
        ("keytrail_queue_messages{state=\"visible\"}", 42.0),
    ] {
        assert_eq!(series.get(name).copied(), Some(value), "{name}");
    }
    assert!(series["keytrail_lag_seconds"] > 1e9, "an object of 1970 is late");
    assert!(series["process_resident_memory_bytes"] > 1e6);
    let rules = series.keys().filter(|name| name.starts_with("keytrail_findings_total")).count();
    assert_eq!(rules, rules::all().count() * Severity::ALL.len());
    let described = page.lines().filter(|line| line.starts_with("# HELP ")).count();
    assert_eq!(described, TABLE.len());
}

/// The summary counts the same yields by itself.
#[tokio::test]
async fn objects_records_and_findings_add_up_to_the_summary() {
    let plan = Plan::new(rules::settings::Settings::default(), Selection::Fast);
    let mut analyzer = Analyzer::new(1 << 24).expect("memory");
    let (scene, mut summary, mut told) = (scene(Limits::default()).await, Summary::default(), 0);
    let mut files: Vec<_> = files_below(&samples()).iter().map(|path| std::fs::read(path).expect("a file")).collect();
    files.push(b"no log".to_vec());
    for (number, stored) in files.iter().enumerate() {
        let (key, size) = (number.to_string(), stored.len() as u64);
        let object = ObjectRef { bucket: "b".to_owned(), key, etag: String::new(), size, name: ObjectName::default() };
        let drawn = analyzer.analyze(&plan, &object, stored, &FxHashSet::default());
        assert_eq!(delivered(&drawn).is_some(), drawn.records.analysed > 0, "the last event stands in for the name");
        scene.metrics.count(&drawn);
        summary.add(&drawn);
        told += drawn.findings.len();
    }
    let series = read(&get(scene.server.address(), "/metrics").await.1);
    let sum =
        |prefix: &str| series.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| value).sum::<f64>();
    for (name, expected) in [
        ("keytrail_objects_total{outcome=\"done\"}", summary.objects.done),
        ("keytrail_objects_total{outcome=\"failed\"}", summary.objects.failed),
        ("keytrail_objects_total", files.len() as u64),
        ("keytrail_records_total{outcome=\"analysed\"}", summary.records.analysed),
        ("keytrail_records_total{outcome=\"not_relevant\"}", summary.records.not_relevant),
        ("keytrail_records_total", summary.records.total()),
        ("keytrail_findings_total", told as u64),
    ] {
        assert!(expected > 0, "{name}");
        assert_eq!(sum(name).to_string(), expected.to_string(), "{name}");
    }
}

#[tokio::test]
async fn health_says_what_is_wrong() {
    let scene = scene(Limits { silence: Duration::from_millis(50), uncommitted: Duration::from_hours(1) }).await;
    let address = scene.server.address();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (status, reason) = get(address, "/health").await;
    assert_eq!((status, reason.starts_with("neither a poll nor a commit")), (503, true), "{reason}");
    scene.health.dead("there is no\r\nqueue");
    assert_eq!(get(address, "/health").await, (503, "there is no\\u{d}\\u{a}queue\n".to_owned()));
    scene.server.end().await;
    let healthy = self::scene(Limits::default()).await;
    assert_eq!(get(healthy.server.address(), "/health").await, (200, "ok\n".to_owned()));
    assert_eq!(get(healthy.server.address(), "/").await.0, 404);
    assert!(TcpStream::connect(address).is_err(), "the first one has ended");
}

#[tokio::test]
async fn bad_requests_get_a_plain_answer() {
    let scene = scene(Limits::default()).await;
    let address = scene.server.address();
    let huge = format!("GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(100_000));
    let endless = format!("GET /{}", "a".repeat(20_000));
    let binary: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let body = b"POST /metrics HTTP/1.1\r\nContent-Length: 999999999\r\n\r\nx".to_vec();
    for (request, expected) in [
        (huge.into_bytes(), 431),
        (endless.into_bytes(), 431),
        (binary, 400),
        (b"\r\n\r\n\r\nnonsense\r\n\r\n".to_vec(), 400),
        (body, 405),
        (b"GET /metrics HTTP/1.1\r\n a\r\n\r\n".to_vec(), 400),
        (b"GET http://evil.example/health HTTP/1.1\r\n\r\n".to_vec(), 404),
    ] {
        let said = String::from_utf8_lossy(&request[..request.len().min(40)]).into_owned();
        assert_eq!(status(&exchange(address, request).await), expected, "{said:?}");
    }
    assert_eq!(get(address, "/health").await.0, 200);
}

/// Two hundred connections that send a byte now and then: each is let go after its time, and whoever
/// asks properly meanwhile is answered.
#[tokio::test]
async fn slow_clients_do_not_keep_others_from_an_answer() {
    let scene = scene(Limits::default()).await;
    let address = scene.server.address();
    let drips: Vec<_> = (0..31).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    let begun = Instant::now();
    for mut drip in &drips {
        drip.write_all(b"GET /metrics HTTP/1.1\r\nA: ").expect("sent");
    }
    assert_eq!(get(address, "/health").await.0, 200, "one place is free");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Now all places are taken, and more wait; still everybody gets his turn.
    let more: Vec<_> = (0..40).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    let dripping = std::thread::spawn(move || {
        // A byte keeps no connection alive.
        for _ in 0..14 {
            std::thread::sleep(Duration::from_millis(500));
            drips.iter().chain(&more).for_each(|mut drip| _ = drip.write_all(b"a"));
        }
        (drips, more)
    });
    assert_eq!(get(address, "/health").await.0, 200);
    assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
    let (drips, _) = dripping.join().expect("no panic");
    for mut drip in drips {
        drip.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
        let mut answer = Vec::new();
        // Bytes sent after the end may reset the connection; what counts is that it has ended.
        let ended = drip.read_to_end(&mut answer);
        let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!ended.is_err_and(|error| timed_out(&error)), "a slow client is still connected");
    }
}
