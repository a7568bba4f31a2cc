//! One test body over the queue in memory and over a real server: what holds for the one holds for the other.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sqs::types::QueueAttributeName;
use keytrail::source::aws::{self, Aws, Settings};
use keytrail::source::lease::{self, Held, Leases};
use keytrail::source::memory_queue::MemoryQueue;
use keytrail::source::queue::{Message, Queue, QueueError, Reason, Receipt, Verdict};
use keytrail::source::sqs::Sqs;

use crate::servers::Ministack;

const NO_TIME: Duration = Duration::ZERO;
const WAIT: Duration = Duration::from_secs(5);
/// The shortest that SQS has, and half a second more.
const SECOND: Duration = Duration::from_secs(1);
const OVER: Duration = Duration::from_millis(1_500);
/// Receives until a message is a dead letter.
const MOST_RECEIVES: u32 = 3;

/// Makes queues of one kind.
trait Maker {
    /// A new queue with a dead-letter queue behind it, and a way to count the dead letters.
    fn make(&self, name: &str) -> impl Future<Output = (Arc<dyn Queue>, Dead)>;
}

/// How many dead letters there are.
enum Dead {
    Memory(Arc<MemoryQueue>),
    Sqs(Sqs),
}

impl Dead {
    async fn count(&self) -> u64 {
        match self {
            Self::Memory(queue) => queue.dead_letters().len() as u64,
            Self::Sqs(queue) => queue.depth().await.expect("a depth").visible,
        }
    }
}

struct InMemory;

impl Maker for InMemory {
    async fn make(&self, _: &str) -> (Arc<dyn Queue>, Dead) {
        let queue = Arc::new(MemoryQueue::new().with_redrive(MOST_RECEIVES));
        (Arc::clone(&queue) as _, Dead::Memory(queue))
    }
}

impl Maker for Ministack {
    async fn make(&self, name: &str) -> (Arc<dyn Queue>, Dead) {
        let client = self.aws().await.sqs();
        let create = |name: String, policy: Option<String>| {
            let call = client.create_queue().queue_name(name);
            let call = match policy {
                Some(policy) => call.attributes(QueueAttributeName::RedrivePolicy, policy),
                None => call,
            };
            async { call.send().await.expect("a queue").queue_url.expect("its URL") }
        };
        let dead = create(format!("{name}-dead"), None).await;
        let arn = client.get_queue_attributes().queue_url(&dead).attribute_names(QueueAttributeName::QueueArn);
        let arn = arn.send().await.expect("attributes").attributes.expect("attributes");
        let arn = &arn[&QueueAttributeName::QueueArn];
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{MOST_RECEIVES}"}}"#);
        let url = create(name.to_owned(), Some(policy)).await;
        (Arc::new(Sqs::new(client.clone(), url)), Dead::Sqs(Sqs::new(client, dead)))
    }
}

async fn receive(queue: &dyn Queue, wait: Duration, visibility: Duration) -> Vec<Message> {
    queue.receive(10, wait, visibility).await.expect("messages")
}

async fn one(queue: &dyn Queue, visibility: Duration) -> Message {
    let mut messages = receive(queue, WAIT, visibility).await;
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

async fn send(queue: &dyn Queue, bodies: usize) {
    let sent = queue.send((0..bodies).map(|n| format!("body {n} ü")).collect()).await;
    assert_eq!(sent, vec![Ok(()); bodies]);
}

async fn depth(queue: &dyn Queue) -> (u64, u64) {
    let depth = queue.depth().await.expect("a depth");
    (depth.visible, depth.in_flight)
}

/// Everything that is promised of a queue.
async fn holds(maker: &impl Maker) {
    all_come_once_and_go(maker).await;
    what_is_not_acknowledged_comes_again(maker).await;
    extending_and_releasing_move_the_time(maker).await;
    failures_are_told_one_by_one(maker).await;
    too_many_receives_make_a_dead_letter(maker).await;
    leases_keep_what_takes_long(maker).await;
}

async fn all_come_once_and_go(maker: &impl Maker) {
    let (queue, _) = maker.make("all").await;
    assert!(receive(&*queue, NO_TIME, WAIT).await.is_empty());
    send(&*queue, 37).await;
    assert_eq!(depth(&*queue).await, (37, 0));
    let mut messages = Vec::new();
    while messages.len() < 37 {
        let some = receive(&*queue, WAIT, Duration::from_mins(1)).await;
        assert!(!some.is_empty() && some.len() <= 10);
        messages.extend(some);
    }
    assert_eq!(depth(&*queue).await, (0, 37));
    assert!(messages.iter().all(|message| message.received == 1 && message.sent_ms.is_some()));
    let mut bodies: Vec<_> = messages.iter().map(|message| message.body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 37);
    // More than one call takes.
    let refused = queue.acknowledge(messages.into_iter().map(|message| message.receipt).collect()).await;
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(depth(&*queue).await, (0, 0));
}

async fn what_is_not_acknowledged_comes_again(maker: &impl Maker) {
    let (queue, _) = maker.make("again").await;
    send(&*queue, 1).await;
    let first = one(&*queue, SECOND).await;
    assert!(receive(&*queue, NO_TIME, SECOND).await.is_empty());
    // The wait ends when the message is back, not when the wait is over.
    let second = one(&*queue, Duration::from_mins(1)).await;
    assert_eq!((&first.id, &first.body, second.received), (&second.id, &second.body, 2));
    assert_ne!(first.receipt, second.receipt);
    assert!(queue.acknowledge(vec![second.receipt]).await.is_empty());
    // Whether a stale receipt of a deleted message is refused is the server's to decide.
    let _ = queue.acknowledge(vec![first.receipt]).await;
    assert_eq!(depth(&*queue).await, (0, 0));
}

async fn extending_and_releasing_move_the_time(maker: &impl Maker) {
    let (queue, _) = maker.make("moves").await;
    send(&*queue, 1).await;
    let first = one(&*queue, SECOND * 2).await;
    assert_eq!(queue.extend(&[&first.receipt], Duration::from_mins(1)).await, [Ok(())]);
    tokio::time::sleep(SECOND + OVER).await;
    assert!(receive(&*queue, NO_TIME, SECOND).await.is_empty(), "not extended");
    assert!(queue.release(vec![first.receipt], NO_TIME).await.is_empty());
    let second = one(&*queue, Duration::from_mins(1)).await;
    assert!(queue.release(vec![second.receipt], SECOND).await.is_empty());
    assert!(receive(&*queue, NO_TIME, SECOND).await.is_empty(), "given back at once");
    assert!(queue.acknowledge(vec![one(&*queue, SECOND).await.receipt]).await.is_empty());
}

async fn failures_are_told_one_by_one(maker: &impl Maker) {
    let (queue, _) = maker.make("failures").await;
    send(&*queue, 1).await;
    let message = one(&*queue, Duration::from_mins(1)).await;
    let invented = Receipt::new("no such receipt".to_owned());
    let results = queue.extend(&[&invented, &message.receipt], Duration::from_mins(1)).await;
    assert!(results[0].is_err() && results[1].is_ok(), "{results:?}");
    let refused = queue.acknowledge(vec![message.receipt, invented]).await;
    assert_eq!(refused.iter().map(|refused| refused.receipt.handle()).collect::<Vec<_>>(), ["no such receipt"]);
    assert_ne!(refused[0].error.verdict(), Verdict::Retry);
    assert_eq!(depth(&*queue).await, (0, 0));
}

async fn too_many_receives_make_a_dead_letter(maker: &impl Maker) {
    let (queue, dead) = maker.make("poison").await;
    send(&*queue, 1).await;
    for received in 1..=MOST_RECEIVES {
        let message = one(&*queue, Duration::from_mins(1)).await;
        assert_eq!(message.received, received);
        assert!(queue.release(vec![message.receipt], NO_TIME).await.is_empty());
    }
    assert!(receive(&*queue, NO_TIME, SECOND).await.is_empty());
    assert_eq!((dead.count().await, depth(&*queue).await), (1, (0, 0)));
}

async fn leases_keep_what_takes_long(maker: &impl Maker) {
    let (queue, dead) = maker.make("leases").await;
    send(&*queue, 12).await;
    let settings = lease::Settings { visibility: SECOND * 2, most: 50 };
    let leases = Leases::start(Arc::clone(&queue), settings, Box::new(|trouble| panic!("{trouble}")));
    let mut held = Vec::new();
    while held.len() < 12 {
        held.extend(leases.receive(WAIT).await.expect("messages"));
    }
    tokio::time::sleep(SECOND * 5).await;
    assert_eq!(depth(&*queue).await, (0, 12), "not extended");
    assert!(leases.counts().extended >= 12);
    let open = held.split_off(8);
    for delivery in held {
        delivery.held.split(2).into_iter().for_each(Held::done);
    }
    let counts = leases.close().await;
    assert_eq!((counts.acknowledged, counts.given_back, counts.lost), (8, 4, 0));
    assert_eq!((depth(&*queue).await, dead.count().await), ((4, 0), 0));
    drop(open);
}

#[tokio::test(start_paused = true)]
async fn the_queue_in_memory_keeps_the_promises() {
    holds(&InMemory).await;
}

#[tokio::test]
async fn a_real_queue_keeps_the_promises() {
    let Some(server) = Ministack::start() else { return };
    holds(&server).await;
}

#[tokio::test]
async fn errors_of_a_real_queue_say_what_to_do() {
    let Some(server) = Ministack::start() else { return };
    let client = server.aws().await.sqs();
    let missing = Sqs::new(client.clone(), format!("{}/000000000000/missing", server.url()));
    let told = |error: QueueError| (error.reason.clone(), error.verdict(), error.to_string());
    let (reason, verdict, said) = told(missing.receive(1, NO_TIME, SECOND).await.expect_err("no queue"));
    assert_eq!((reason, verdict), (Reason::NoQueue, Verdict::Fatal));
    assert!(said.contains("/missing") && said.contains("check the URL"), "{said}");
    for result in missing.send(vec!["secret".to_owned(); 2]).await {
        let said = told(result.expect_err("no queue"));
        assert!(said.0 == Reason::NoQueue && !said.2.contains("secret"), "{said:?}");
    }
    let invented = vec![Receipt::new("a".to_owned()), Receipt::new("b".to_owned())];
    assert_eq!(missing.acknowledge(invented).await.len(), 2);
    drop(server);
    let (reason, verdict, said) = told(missing.depth().await.expect_err("no server"));
    assert_eq!((reason, verdict), (Reason::Unavailable, Verdict::Retry), "{said}");
}

/// A queue behind an endpoint, asked once.
async fn asked_once(endpoint: &str, credentials: Option<SharedCredentialsProvider>) -> Sqs {
    let loader = aws::loader(&Settings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(endpoint.to_owned()),
        attempts: Some(1),
        ..Settings::default()
    });
    let loader = match credentials {
        Some(credentials) => loader.credentials_provider(credentials),
        None => loader.no_credentials(),
    };
    Sqs::new(Aws::new(loader.load().await).sqs(), format!("{endpoint}/1/q"))
}

/// Answers every request with the same status and error code, as SQS words it.
fn answering(status: u16, code: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            // The request is small; what is left of it does not matter.
            let _ = stream.read(&mut [0; 8192]);
            let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"secret"}}"#);
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: close");
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}

#[tokio::test]
async fn answers_of_sqs_have_their_verdicts() {
    for (status, code, reason, says) in [
        (403, "AccessDeniedException", Reason::Denied, "allow sqs:ReceiveMessage"),
        (403, "AccessDenied", Reason::Denied, "allow sqs:ReceiveMessage"),
        (400, "KMS.AccessDeniedException", Reason::KeyDenied, "allow kms:Decrypt"),
        (400, "KmsThrottled", Reason::Throttled, "too many"),
        (400, "RequestThrottled", Reason::Throttled, "too many"),
        (403, "OverLimit", Reason::Throttled, "too many"),
        (403, "ExpiredToken", Reason::Credentials, "aws sso login"),
        (403, "InvalidClientTokenId", Reason::Credentials, "aws sso login"),
        (400, "QueueDoesNotExist", Reason::NoQueue, "check the URL"),
        (500, "InternalFailure", Reason::Unavailable, "not well"),
        (503, "", Reason::Unavailable, "not well"),
        (400, "Nonsense", Reason::Invalid, "Nonsense"),
    ] {
        let credentials = Credentials::new("test", "test", None, None, "test");
        let queue = asked_once(&answering(status, code), Some(SharedCredentialsProvider::new(credentials))).await;
        let error = queue.receive(1, NO_TIME, SECOND).await.expect_err("an error");
        let said = error.to_string();
        assert_eq!(error.reason, reason, "{status} {code}: {said}");
        assert!(said.contains(says) && !said.contains("secret"), "{said}");
    }
}

#[tokio::test]
async fn missing_credentials_are_told() {
    let queue = asked_once("http://127.0.0.1:9", None).await;
    let error = queue.receive(1, NO_TIME, SECOND).await.expect_err("no credentials");
    assert_eq!((&error.reason, error.verdict()), (&Reason::Credentials, Verdict::Fatal), "{error}");
}
