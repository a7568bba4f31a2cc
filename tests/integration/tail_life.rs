//! A running `tail`: bad findings at once, what is foreign passed by, signals obeyed in time.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use keytrail::source::announcement;
use keytrail::source::aws::Aws;
use keytrail::source::notification::Named;

use crate::faulty_proxy::{Fault, FaultyProxy};
use crate::servers::Ministack;
use crate::support::{command, files_below, gzip, samples, temp_dir};

const PATIENCE: Duration = Duration::from_secs(30);

/// Lines as they come.
fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn wait_for(lines: &Receiver<String>, what: &str) -> String {
    let until = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if line.contains(what) {
            return line;
        }
        seen.push(line);
    }
    panic!("{what} did not come:\n{}", seen.join("\n"));
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// Waits for the end; returns the exit code and how long it took.
fn end_of(child: &mut Child) -> (Option<i32>, Duration) {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("its status") {
            return (status.code(), started.elapsed());
        }
        assert!(started.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn queue(aws: &Aws) -> String {
    aws.sqs().create_queue().queue_name("trail").send().await.expect("a queue").queue_url.expect("its URL")
}

/// Puts all samples into a bucket and tells the queue of them, and of an object that is no log.
async fn fill(aws: &Aws, url: &str) {
    let s3 = aws.s3();
    s3.create_bucket().bucket("logs").send().await.expect("a bucket");
    let mut named = Vec::new();
    let mut put = async |key: String, content: Vec<u8>| {
        s3.put_object().bucket("logs").key(&key).body(content.into()).send().await.expect("an object");
        named.push(Named { bucket: "logs".to_owned(), key, size: None, etag: None, region: None });
    };
    for file in files_below(&samples()) {
        let key = format!("AWSLogs/{}", file.strip_prefix(samples()).expect("below it").display());
        put(key, std::fs::read(&file).expect("a file")).await;
    }
    put("elb/access.log.gz".to_owned(), gzip(b"http 2026-03-02T09:00:00 app/lb 192.0.2.1:1 -\n")).await;
    for objects in named.chunks(10) {
        let call = aws.sqs().send_message().queue_url(url).message_body(announcement::body(objects));
        call.send().await.expect("sent");
    }
}

async fn depth(aws: &Aws, url: &str) -> u32 {
    let names = [Attribute::ApproximateNumberOfMessages, Attribute::ApproximateNumberOfMessagesNotVisible];
    let call = aws.sqs().get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let found = call.send().await.expect("attributes").attributes.expect("attributes");
    names.iter().map(|name| found[name].parse::<u32>().expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_come_at_once_foreign_objects_pass_by_and_signals_are_obeyed() {
    let Some(server) = Ministack::start() else { return };
    let aws = server.aws().await;
    let url = queue(&aws).await;
    fill(&aws, &url).await;
    let folder = temp_dir();
    let out = folder.path().join("out");
    let mut tail = command(["tail", "--queue-url", &url, "--alerts", "stdout", "--flush-interval", "1s", "--output"]);
    server.environment(tail.arg(&out)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tail = tail.spawn().expect("it starts");
    let said = lines(tail.stderr.take().expect("piped"));
    let alerts = lines(tail.stdout.take().expect("piped"));

    wait_for(&said, "no_dead_letter_queue");
    let alert: serde_json::Value = serde_json::from_str(&wait_for(&alerts, "critical")).expect("a JSON line");
    assert_eq!(alert["severity"], "critical", "{alert}");
    signal(&tail, "HUP");
    wait_for(&said, "reloaded");
    let until = Instant::now() + PATIENCE;
    while depth(&aws, &url).await > 0 {
        assert!(Instant::now() < until, "messages are left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    signal(&tail, "TERM");
    let (code, took) = end_of(&mut tail);
    assert!(code == Some(0) && took < Duration::from_secs(10), "{code:?} after {took:?}");
    let rest: Vec<String> = alerts.iter().collect();
    assert!(rest.iter().all(|line| line.starts_with('{')), "the summary is among the alerts: {rest:?}");
    let skipped = crate::support::rows::<keytrail::lake::tables::objects::Objects>(&out)
        .into_iter()
        .find(|row| crate::support::text(row, "key") == "elb/access.log.gz")
        .expect("a row");
    assert_eq!(crate::support::text(&skipped, "status"), "skipped");
}

/// An output that does not answer any more: the end comes in time, and what was in work comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_comes_within_the_grace_period_whatever_holds_it_up() {
    let Some(server) = Ministack::start() else { return };
    let aws = server.aws().await;
    let url = queue(&aws).await;
    fill(&aws, &url).await;
    aws.s3().create_bucket().bucket("tables").send().await.expect("a bucket");
    // Entries of the ledger never come about.
    let proxy = FaultyProxy::start(&server.url(), |request| {
        let entry = request.method == "PUT" && request.target.contains("/_ledger/0");
        if entry { Fault::Late(Duration::from_mins(2)) } else { Fault::None }
    });
    let mut tail = command(["tail", "--queue-url", &url, "--flush-interval", "1s", "--grace", "3s", "--no-fold"]);
    tail.args(["--output", "s3://tables/kt"]).stderr(Stdio::piped()).stdout(Stdio::null());
    server.environment(&mut tail).env("AWS_ENDPOINT_URL", proxy.url());
    let mut tail = tail.spawn().expect("it starts");
    let said = lines(tail.stderr.take().expect("piped"));
    wait_for(&said, "started");
    let until = Instant::now() + PATIENCE;
    while !proxy.seen().iter().any(|(_, fault)| *fault != Fault::None) {
        assert!(Instant::now() < until, "nothing was committed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    signal(&tail, "TERM");
    let (code, took) = end_of(&mut tail);
    assert!(code == Some(1) && took < Duration::from_secs(8), "{code:?} after {took:?}");
    assert!(depth(&aws, &url).await > 0, "something was acknowledged that is not durable");
}
