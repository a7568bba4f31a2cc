//! The command line, exactly as typed.
#![expect(clippy::doc_markdown, reason = "the comments are what --help shows, and no Markdown there")]

mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::values::Place;
use self::values::{account, byte_size, day, duration, name, positive, severity, time, visibility};
use crate::model::severity::Severity;
use crate::model::time::Seconds;

/// Finds what happened to KMS keys in `CloudTrail` logs, and writes it to Parquet.
#[derive(Debug, Parser)]
#[command(
    name = "keytrail",
    version,
    about,
    max_term_width = 100,
    after_help = "Start with: keytrail backfill LOGS --output out\nThen:       keytrail findings out"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Analyse log files and write what they tell to Parquet.
    ///
    /// Takes folders, files and s3://bucket/prefix: gzipped or plain, a trail's {"Records":[…]}, an
    /// array, or a record a line. What was analysed before is skipped, so a run that was interrupted,
    /// or a source that has grown, is simply run again. Ends with 1 if some file could not be read.
    Backfill(Backfill),
    /// Follow an SQS queue that tells of new log files, for ever.
    ///
    /// Understands what S3 sends, directly, through SNS or through EventBridge, and what CloudTrail
    /// sends itself, all in one queue. A message is deleted when all that its files tell is durable
    /// and published; what cannot be read is left to the queue's dead-letter queue. Ends on SIGTERM:
    /// what is in work is committed, all else comes again. Any number may run over one output.
    Tail(Tail),
    /// Put the log files of a bucket on a queue, for any number of `tail` to work through.
    ///
    /// Nothing is opened, and nothing that the filters leave out is listed. Files that the output
    /// holds already are found and skipped by `tail`.
    Enqueue(Enqueue),
    /// Fold what was committed into keys and findings, and put the files of closed days together: for
    /// fleets of `tail --no-fold`.
    ///
    /// One at a time works on an output; another one notices, and stands by.
    Maintain(Maintain),
    /// Show findings, worst first.
    Findings(FindingsArgs),
    /// Show the keys that the logs tell of, or one key's story.
    Keys(KeysArgs),
    /// Show the catalogue of rules, or one rule's page.
    Rules(RulesArgs),
    /// Hold the files of an output against its ledger and its counts.
    Verify(VerifyArgs),
}

/// `keytrail backfill`.
#[derive(Debug, Args)]
pub struct Backfill {
    /// Folders or files of CloudTrail logs, or s3://bucket/prefix.
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<Place>,
    /// Folder or s3://bucket/prefix for the Parquet tables; made if need be, added to if it holds some.
    #[arg(short, long, value_name = "OUT")]
    pub output: Place,
    /// Configuration file (TOML): accounts, suppressions, severities, inventory.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which files.
    #[command(flatten)]
    pub filter: Filter,
    /// Worker threads [default: one a core].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    /// Most bytes that one file may decompress to; a larger one is an error for that file.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = byte_size)]
    pub max_object_size: usize,
    /// Files after which what was found is committed.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    pub batch_objects: usize,
    /// Parse every record in full, not only those that can matter: nearly twice the time, and
    /// malformed records of other services are noticed too.
    #[arg(long)]
    pub strict: bool,
    /// Form of the summary.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// Which files of a source.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only files delivered on or after this day, by their path.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub from: Option<Seconds>,
    /// Only files delivered on or before this day, by their path. Events near midnight, and late
    /// ones, lie in a later day's folder.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub to: Option<Seconds>,
    /// Only files of this account, by their path (may be repeated).
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Vec<String>,
    /// Only files of this Region, by their path (may be repeated).
    #[arg(long, value_name = "REGION")]
    pub region: Vec<String>,
}

/// How AWS is reached. What is not given is found as the AWS CLI finds it.
#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArgs {
    /// Profile of the AWS CLI's configuration.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Region of the bucket and the queue.
    #[arg(long, value_name = "REGION")]
    pub aws_region: Option<String>,
    /// Endpoint instead of AWS's own.
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

/// What is done to an output now and then.
#[derive(Debug, Args)]
#[command(next_help_heading = "Upkeep")]
pub struct Upkeep {
    /// Days after which the files of a day are put together into few; 0 for never.
    #[arg(long, value_name = "DAYS", default_value_t = 2)]
    pub compact_after: u32,
    /// Remove findings of acts that are older than so many days [default: never].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_findings: Option<u32>,
    /// Remove rows of source files that are older; they are not read again all the same [default: never].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_objects: Option<u32>,
    /// Remove records that could not be read and are older [default: never].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_rejects: Option<u32>,
}

/// `keytrail tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// URL of the queue.
    #[arg(long, value_name = "URL")]
    pub queue_url: String,
    /// Folder or s3://bucket/prefix for the Parquet tables; made if need be, added to if it holds some.
    #[arg(short, long, value_name = "OUT")]
    pub output: Place,
    /// Configuration file (TOML), read again on SIGHUP.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Age at which what was found is committed, and so readable.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub flush_interval: Duration,
    /// End when the queue is empty.
    #[arg(long)]
    pub until_empty: bool,
    /// Worker threads [default: one a core].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub threads: Option<usize>,
    /// Most bytes that one file may decompress to; a larger one is an error for that file.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = byte_size)]
    pub max_object_size: usize,
    /// Most files that are fetched at once; how many it is follows from how fast they come and go.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub fetches: usize,
    /// How long a message stays invisible to others; it is extended while its files are in work.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = visibility)]
    pub visibility_timeout: Duration,
    /// Leave folding and compaction to `keytrail maintain`: for several `tail` over one output.
    #[arg(long)]
    pub no_fold: bool,
    /// Time between two folds; a fold that takes long is done less often.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
    pub fold_interval: Duration,
    /// How long ending may take.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub grace: Duration,
    /// Write bad findings at once, as JSON lines, to `stderr` or `stdout`.
    #[arg(long, value_name = "STREAM", value_parser = ["stderr", "stdout"])]
    pub alerts: Option<String>,
    /// Send bad findings at once to an SNS topic.
    #[arg(long, value_name = "ARN")]
    pub alert_topic: Option<String>,
    /// Send bad findings at once to a web server: JSON, by POST.
    #[arg(long, value_name = "URL")]
    pub alert_webhook: Option<String>,
    /// Which findings are bad: this severity and worse.
    #[arg(long, value_name = "SEVERITY", default_value = "critical", value_parser = severity)]
    pub alert_severity: Severity,
    /// Where to serve /metrics to Prometheus, and /health to whoever restarts what is not well.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_address: Option<SocketAddr>,
    /// Form of the log on standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Form of the summary at the end.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
    /// What else is done then.
    #[command(flatten)]
    pub upkeep: Upkeep,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `keytrail enqueue`.
#[derive(Debug, Args)]
pub struct Enqueue {
    /// s3://bucket/prefix.
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<Place>,
    /// URL of the queue.
    #[arg(long, value_name = "URL")]
    pub queue_url: String,
    /// Which files.
    #[command(flatten)]
    pub filter: Filter,
    /// Form of the summary.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `keytrail maintain`.
#[derive(Debug, Args)]
pub struct Maintain {
    /// Output of `backfill` or `tail`.
    #[arg(value_name = "OUT")]
    pub output: Place,
    /// Configuration file (TOML).
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Do it once, and end.
    #[arg(long)]
    pub once: bool,
    /// Time between two rounds.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
    pub interval: Duration,
    /// What else is done.
    #[command(flatten)]
    pub upkeep: Upkeep,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `keytrail findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// Output of `backfill` or `tail`: a folder, or s3://bucket/prefix.
    #[arg(value_name = "OUT")]
    pub output: Place,
    /// Only this severity and worse.
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = severity)]
    pub severity: Severity,
    /// Only this rule or family.
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// Only what is about this key, or names it: ARN, id or alias.
    #[arg(long, value_name = "KEY", value_parser = name)]
    pub key: Option<String>,
    /// Only this account: of the trail, the key or the principal, or named in the evidence.
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
    /// Only this principal: ARN (of a session too), the name at its end, or the session.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub principal: Option<String>,
    /// Only acts on or after this time (date or RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Seconds>,
    /// Only acts before this time (date or RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Seconds>,
    /// Most findings shown; 0 for all. Without it text has 200, JSON and CSV have all.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Text)]
    pub format: RowFormat,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `keytrail keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Output of `backfill` or `tail`: a folder, or s3://bucket/prefix.
    #[arg(value_name = "OUT")]
    pub output: Place,
    /// One key, by ARN, id, alias or its ARN: its story. As JSON, its row with `changes`, `uses` and `findings`.
    #[arg(value_name = "KEY", value_parser = name)]
    pub key: Option<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Text)]
    pub format: RowFormat,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `keytrail rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// A rule's id.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
}

/// `keytrail verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Output of `backfill` or `tail`: a folder, or s3://bucket/prefix.
    #[arg(value_name = "OUT")]
    pub output: Place,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
    /// How AWS is reached.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// Forms of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// For people.
    Text,
    /// For machines: one object.
    Json,
}

/// Forms of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: a line for each thing that happens.
    Text,
    /// For machines: an object a line.
    Json,
}

/// Forms of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
    /// For spreadsheets.
    Csv,
}
