//! Alerts where they arrive: a topic of a real server, and web servers that fail, hang and refuse.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keytrail::alerts::sink::Sink;
use keytrail::alerts::stream::Stream;
use keytrail::alerts::target::Target;
use keytrail::alerts::topic::Topic;
use keytrail::alerts::webhook::Webhook;
use keytrail::alerts::{Alerts, Settings};
use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::cloud::Retries;
use keytrail::lake::tables::findings::Findings;
use keytrail::model::finding::Finding;
use keytrail::model::object::{ObjectName, ObjectRef};
use keytrail::model::severity::Severity;
use keytrail::telemetry::log::{Format, Level, Log};
use keytrail::telemetry::metrics::{AlertOutcome, Metrics, Retried};
use rustc_hash::FxHashSet;
use serde_json::Value;

use crate::servers::Ministack;
use crate::support::{backfill, files_below, gzip, key, kms_record, log, log_path, rows, temp_dir, text};

/// Where something is written, to be looked at.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().expect("a lock");
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect()
    }
}

struct Scene {
    alerts: Alerts,
    metrics: Arc<Metrics>,
    log: Page,
}

const SOON: Duration = Duration::from_secs(20);

/// Quick, so that tests are.
fn quick() -> Settings {
    let retries = Retries { attempts: 3, first_pause: Duration::from_millis(40) };
    Settings { retries, try_time: Duration::from_secs(2), ..Settings::default() }
}

fn scene(settings: &Settings, sink: impl Sink + 'static) -> Scene {
    let (metrics, log) = (Arc::new(Metrics::new([])), Page::default());
    let of_alerts = Log::to(Format::Json, Level::Debug, log.clone());
    let alerts = Alerts::start(settings, vec![Arc::new(sink)], Arc::clone(&metrics), of_alerts);
    Scene { alerts, metrics, log }
}

impl Scene {
    fn count(&self, outcome: AlertOutcome) -> u64 {
        self.metrics.alerts.get(outcome)
    }
}

/// Findings of the rules in the files below a folder.
fn findings(folder: &Path) -> Vec<Finding> {
    let plan = Plan::new(keytrail::rules::settings::Settings::default(), Selection::Fast);
    let mut analyzer = Analyzer::new(1 << 24).expect("memory");
    let files = files_below(folder);
    let drawn = files.iter().flat_map(|path| {
        let stored = std::fs::read(path).expect("a file");
        let (key, etag) = (path.to_string_lossy().into_owned(), String::new());
        let object =
            ObjectRef { bucket: String::new(), key, etag, size: stored.len() as u64, name: ObjectName::default() };
        analyzer.analyze(&plan, &object, &stored, &FxHashSet::default()).findings
    });
    drawn.collect()
}

/// Critical findings of as many keys, whose records hold what should not reach a terminal.
fn critical(count: u64) -> Vec<Finding> {
    let folder = temp_dir();
    let account = "111122223333";
    let records: Vec<_> = (0..count)
        .map(|number| {
            let id = format!("e0000000-0000-4000-8000-{number:012}");
            let key = key(account, number);
            let mut record = kms_record("ScheduleKeyDeletion", &key, account, account, "2026-03-02T10:00:00Z", &id);
            record["requestParameters"] = serde_json::json!({ "keyId": key, "pendingWindowInDays": 7 });
            record["userAgent"] = "curl\u{1b}[2J\u{202e}\n{\"finding_id\":\"fake\"}".into();
            record
        })
        .collect();
    let path = log_path(folder.path(), account, 2, 10, 0, "critical");
    crate::support::write(&path, &gzip(&log(&records)));
    let mut found = findings(folder.path());
    found.retain(|finding| finding.rule_id.contains("deletion"));
    // Whether it is critical depends on the case; here it shall be.
    found.iter_mut().for_each(|finding| finding.severity = Severity::Critical);
    assert_eq!(found.len() as u64, count);
    found
}

#[tokio::test]
async fn an_alert_is_the_row_that_the_findings_command_shows() {
    let (folder, out) = (temp_dir(), temp_dir());
    crate::support::small_trail(folder.path(), 5);
    let folder = folder.path().canonicalize().expect("a path");
    backfill(&[&folder], out.path(), &[]).ends_with(0);
    let mut found = findings(&folder);
    assert!(found.len() > 10, "{}", found.len());
    // One of each id: repetitions are not told.
    let page = Page::default();
    let settings = Settings { least: Severity::Info, ..quick() };
    let scene = scene(&settings, Stream::of("page", page.clone()).expect("a thread"));
    found.iter().for_each(|finding| scene.alerts.offer(finding));
    assert!(scene.alerts.flush(SOON).await);
    let told = page.lines();
    let rows: Vec<Value> = rows::<Findings>(out.path()).into_iter().map(Value::Object).collect();
    found.sort_by(|a, b| a.finding_id.cmp(&b.finding_id));
    found.dedup_by(|a, b| a.finding_id == b.finding_id);
    assert_eq!(told.len(), found.len());
    let missing: Vec<_> = told.iter().filter(|alert| !rows.contains(alert)).collect();
    assert!(missing.is_empty(), "{} of {}: {missing:?}", missing.len(), told.len());
}

#[tokio::test]
async fn a_topic_gets_alerts_with_attributes_to_filter_by() {
    let Some(server) = Ministack::start() else { return };
    let aws = server.aws().await;
    let (sns, sqs) = (aws.sns(), aws.sqs());
    let arn = sns.create_topic().name("alarm").send().await.expect("a topic").topic_arn.expect("its ARN");
    let url = sqs.create_queue().queue_name("alarm").send().await.expect("a queue").queue_url.expect("its URL");
    let queue = format!("arn:aws:sqs:us-east-1:000000000000:{}", url.rsplit('/').next().expect("a name"));
    sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(queue).send().await.expect("a subscription");

    let Ok(Target::Topic { arn, region }) = Target::parse(&arn) else { panic!("{arn} is a topic") };
    let scene = scene(&Settings::default(), Topic::new(aws.in_region(&region).sns(), arn));
    let found = critical(3);
    found.iter().chain(&found).for_each(|finding| scene.alerts.offer(finding));
    assert_eq!(scene.alerts.close(SOON).await, 0);
    assert_eq!(scene.count(AlertOutcome::Sent), 3);

    let mut ids = Vec::new();
    while ids.len() < 3 {
        let call = sqs.receive_message().queue_url(&url).max_number_of_messages(10).wait_time_seconds(5);
        let messages = call.send().await.expect("messages").messages.unwrap_or_default();
        assert!(!messages.is_empty(), "{ids:?} came, and no more");
        for message in messages {
            let envelope: Value = serde_json::from_str(message.body.as_deref().expect("a body")).expect("JSON");
            let line = envelope["Message"].as_str().expect("a message");
            assert!(!line.contains(['\u{1b}', '\n', '\u{202e}']), "{line:?}");
            let alert: Value = serde_json::from_str(line).expect("JSON");
            ids.push(alert["finding_id"].as_str().expect("an id").to_owned());
            let attribute = |name: &str| envelope["MessageAttributes"][name]["Value"].as_str().map(str::to_owned);
            assert_eq!(attribute("severity").as_deref(), Some("critical"));
            assert_eq!(attribute("account").as_deref(), Some("111122223333"));
            assert_eq!(attribute("rule_id").as_deref(), alert["rule_id"].as_str());
            let subject = envelope["Subject"].as_str().expect("a subject");
            assert!(subject.starts_with("[keytrail] critical: ") && subject.ends_with(" in 111122223333"), "{subject}");
        }
    }
    ids.sort();
    let mut expected: Vec<_> = found.into_iter().map(|finding| finding.finding_id).collect();
    expected.sort();
    assert_eq!(ids, expected, "each came once");
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_told_with_its_reason() {
    let Some(server) = Ministack::start() else { return };
    let sns = server.aws().await.sns();
    let scene = scene(&Settings::default(), Topic::new(sns, "arn:aws:sns:us-east-1:000000000000:nowhere".to_owned()));
    scene.alerts.offer(&critical(1)[0]);
    assert!(scene.alerts.flush(SOON).await);
    let lines = scene.log.lines();
    assert_eq!(
        (lines.len(), lines[0]["event"].as_str(), lines[0]["tries"].as_u64()),
        (1, Some("alert_failed"), Some(1))
    );
    assert!(lines[0]["reason"].as_str().is_some_and(|reason| reason.contains("NotFound")), "{lines:?}");
}

/// What a web server does with its requests, one after the other; the last is for all that follow.
#[derive(Clone, Copy)]
enum Then {
    Answer(u16),
    Redirect,
    HangUp,
    Hang,
}

/// A web server on 127.0.0.1, and the requests that it got: head and body.
struct Hook {
    url: String,
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Hook {
    fn start(plan: &'static [Then]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("http://{}/services/SECRET?token=SECRET", listener.local_addr().expect("an address"));
        let got = Arc::new(Mutex::new(Vec::new()));
        let of_thread = Arc::clone(&got);
        // It ends with the tests' process.
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let Some(request) = request(&mut reader) else { continue };
                let number = {
                    let mut got = of_thread.lock().expect("a lock");
                    got.push(request);
                    got.len() - 1
                };
                let mut stream = reader.into_inner();
                let answer = match plan[number.min(plan.len() - 1)] {
                    Then::Answer(status) => {
                        format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                    }
                    Then::Redirect => {
                        "HTTP/1.1 307 X\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                            .to_owned()
                    }
                    Then::HangUp => continue,
                    Then::Hang => {
                        held.push(stream);
                        continue;
                    }
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, got }
    }

    fn sink(&self) -> Webhook {
        let Ok(Target::Webhook(target)) = Target::parse(&self.url) else { panic!("{} is a webhook", self.url) };
        Webhook::new(target)
    }

    fn got(&self) -> Vec<(String, String)> {
        self.got.lock().expect("a lock").clone()
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

#[tokio::test]
async fn a_webhook_that_fails_twice_gets_its_alert_at_the_third_try() {
    for plan in [
        const { &[Then::Answer(503), Then::Answer(429), Then::Answer(200)] },
        const { &[Then::HangUp, Then::Hang, Then::Answer(204)] },
    ] {
        let hook = Hook::start(plan);
        let scene = scene(&quick(), hook.sink());
        let found = &critical(1)[0];
        scene.alerts.offer(found);
        assert!(scene.alerts.flush(SOON).await);
        let got = hook.got();
        assert_eq!(got.len(), 3);
        for (head, body) in got {
            assert!(head.starts_with("POST /services/SECRET?token=SECRET HTTP/1.1\r\n"), "{head}");
            let head = head.to_lowercase();
            assert!(
                head.contains("content-type: application/json\r\n") && head.contains("\r\nhost: 127.0.0.1:"),
                "{head}"
            );
            let alert: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(alert["finding_id"], found.finding_id);
            assert!(!body.contains(['\u{1b}', '\n', '\u{202e}']), "{body:?}");
        }
        assert_eq!((scene.count(AlertOutcome::Sent), scene.count(AlertOutcome::Failed)), (1, 0));
        assert_eq!(scene.metrics.retries.get(Retried::Alert), 2);
        assert!(scene.log.lines().is_empty());
    }
}

#[tokio::test]
async fn a_webhook_that_refuses_is_not_asked_again_and_one_that_redirects_is_not_followed() {
    for plan in [const { &[Then::Answer(403)] }, const { &[Then::Redirect] }] {
        let hook = Hook::start(plan);
        let scene = scene(&quick(), hook.sink());
        scene.alerts.offer(&critical(1)[0]);
        assert!(scene.alerts.flush(SOON).await);
        assert_eq!(hook.got().len(), 1);
        assert_eq!(scene.count(AlertOutcome::Failed), 1);
        let said = format!("{:?}", scene.log.lines());
        assert!(said.contains("alert_failed") && said.contains("127.0.0.1") && !said.contains("SECRET"), "{said}");
    }
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_up_neither_the_work_nor_the_end() {
    let hook = Hook::start(&[Then::Hang]);
    let settings = Settings { room: 0, try_time: Duration::from_mins(1), ..quick() };
    let scene = scene(&settings, hook.sink());
    let found = critical(300);
    let begun = Instant::now();
    found.iter().for_each(|finding| scene.alerts.offer(finding));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let dropped = scene.count(AlertOutcome::Dropped);
    assert!(dropped > 0 && dropped < 300, "{dropped}");
    assert_eq!(scene.alerts.close(Duration::from_millis(300)).await as u64, 300 - dropped);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let lines = scene.log.lines();
    let dropped_lines = lines.iter().filter(|line| line["event"] == "alert_dropped").count() as u64;
    assert_eq!(dropped_lines, dropped, "each is told");
    assert_eq!(lines.last().map(|line| text(line.as_object().expect("a row"), "event")), Some("alerts_left"));
}

#[tokio::test]
async fn a_host_that_is_not_there_is_given_up_after_three_tries() {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port");
    let Ok(Target::Webhook(target)) = Target::parse(&format!("http://{address}/")) else { panic!("a webhook") };
    let scene = scene(&quick(), Webhook::new(target));
    scene.alerts.offer(&critical(1)[0]);
    assert!(scene.alerts.flush(SOON).await);
    let lines = scene.log.lines();
    assert_eq!((lines.len(), lines[0]["tries"].as_u64()), (1, Some(3)), "{lines:?}");
}
