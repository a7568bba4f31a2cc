//! Objects put into a real bucket are told of in every form, through a real queue.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::types::{
    Event, EventBridgeConfiguration, NotificationConfiguration, QueueConfiguration, TopicConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use keytrail::source::aws::Aws;
use keytrail::source::notification::{self, PassedOver};
use keytrail::source::queue::Queue;
use keytrail::source::sqs::Sqs;

use crate::servers::Ministack;

/// With what a form encodes.
const KEY: &str = "my logs/a+b=ü/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/x.json.gz";

struct Scene {
    aws: Aws,
    queue: Sqs,
    arn: String,
}

impl Scene {
    async fn new(server: &Ministack) -> Self {
        let aws = server.aws().await;
        let sqs = aws.sqs();
        let url = sqs.create_queue().queue_name("trail").send().await.expect("a queue").queue_url.expect("its URL");
        let call = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let attributes = call.send().await.expect("attributes").attributes.expect("attributes");
        let arn = attributes[&QueueAttributeName::QueueArn].clone();
        let queue = Sqs::new(aws.sqs(), url);
        Self { aws, queue, arn }
    }

    /// A bucket that tells of its objects.
    async fn bucket(&self, name: &str, told: NotificationConfiguration) {
        let s3 = self.aws.s3();
        s3.create_bucket().bucket(name).send().await.expect("a bucket");
        let call = s3.put_bucket_notification_configuration().bucket(name).notification_configuration(told);
        call.send().await.expect("notifications");
    }

    async fn put(&self, bucket: &str, key: &str) {
        let call = self.aws.s3().put_object().bucket(bucket).key(key).body(b"seven b".to_vec().into());
        call.send().await.expect("an object");
    }

    /// A topic whose messages the queue gets.
    async fn topic(&self, name: &str, raw: bool) -> String {
        let sns = self.aws.sns();
        let topic = sns.create_topic().name(name).send().await.expect("a topic").topic_arn.expect("its ARN");
        let call = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&self.arn);
        call.attributes("RawMessageDelivery", raw.to_string()).send().await.expect("a subscription");
        topic
    }
}

fn to_topic(arn: String) -> NotificationConfiguration {
    let topic = TopicConfiguration::builder().topic_arn(arn).events(Event::S3ObjectCreated).build();
    NotificationConfiguration::builder().topic_configurations(topic.expect("complete")).build()
}

#[tokio::test]
async fn every_form_arrives_and_is_read() {
    let Some(server) = Ministack::start() else { return };
    let scene = Scene::new(&server).await;
    let queue = QueueConfiguration::builder().queue_arn(&scene.arn);
    let queue = queue.events(Event::S3ObjectCreated).events(Event::S3ObjectRemoved).build().expect("complete");
    scene.bucket("direct", NotificationConfiguration::builder().queue_configurations(queue).build()).await;
    scene.bucket("wrapped", to_topic(scene.topic("wrapped", false).await)).await;
    scene.bucket("raw", to_topic(scene.topic("raw", true).await)).await;
    event_bridge(&server, &scene).await;
    for bucket in ["direct", "wrapped", "raw", "bridge"] {
        scene.put(bucket, KEY).await;
    }
    scene.aws.s3().delete_object().bucket("direct").key(KEY).send().await.expect("a removal");
    let cloudtrail = scene.topic("cloudtrail", false).await;
    for message in ["CloudTrail validation message.", r#"{"s3Bucket":"named","s3ObjectKey":["b","c"]}"#] {
        scene.aws.sns().publish().topic_arn(&cloudtrail).message(message).send().await.expect("published");
    }
    let (named, passed_over) = drain(&scene.queue).await;
    let buckets: Vec<&str> = named.iter().map(|(bucket, ..)| bucket.as_str()).collect();
    assert_eq!(buckets, ["bridge", "direct", "named", "named", "raw", "wrapped"]);
    for (bucket, key, size) in named.iter().filter(|(bucket, ..)| bucket != "named") {
        assert_eq!((key.as_str(), *size), (KEY, Some(7)), "{bucket}");
        // What is told is what can be fetched; but for the one that was removed since.
        let got = scene.aws.s3().get_object().bucket(bucket).key(key).send().await;
        assert_eq!(got.is_ok(), bucket != "direct", "{bucket}");
    }
    assert_eq!((passed_over[&PassedOver::OtherEvent], passed_over[&PassedOver::Validation]), (1, 1));
    assert!(passed_over[&PassedOver::TestEvent] >= 1, "{passed_over:?}");
}

async fn event_bridge(server: &Ministack, scene: &Scene) {
    let all = EventBridgeConfiguration::builder().build();
    scene.bucket("bridge", NotificationConfiguration::builder().event_bridge_configuration(all).build()).await;
    // No SDK of EventBridge for one rule: its requests are plain JSON, and the server checks no signature.
    for (action, body) in [
        ("PutRule", serde_json::json!({ "Name": "r", "EventPattern": r#"{"source":["aws.s3"]}"# })),
        ("PutTargets", serde_json::json!({ "Rule": "r", "Targets": [{ "Id": "1", "Arn": scene.arn }] })),
    ] {
        let answer = server.post(&format!("AWSEvents.{action}"), &body.to_string());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// Objects (bucket, key, size) and what was passed over, of everything in the queue.
async fn drain(queue: &Sqs) -> (Vec<(String, String, Option<u64>)>, BTreeMap<PassedOver, u32>) {
    let (mut named, mut passed_over) = (Vec::new(), BTreeMap::<PassedOver, u32>::new());
    loop {
        let messages = queue.receive(10, Duration::from_secs(2), Duration::from_mins(1)).await.expect("messages");
        if messages.is_empty() {
            named.sort();
            return (named, passed_over);
        }
        for message in messages {
            let told = notification::read(&message.body).expect("a known form");
            named.extend(told.objects.into_iter().map(|object| (object.bucket, object.key, object.size)));
            told.passed_over.into_iter().for_each(|(what, count)| *passed_over.entry(what).or_default() += count);
            assert!(queue.acknowledge(vec![message.receipt]).await.is_empty());
        }
    }
}
