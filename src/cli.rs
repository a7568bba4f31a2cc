//! The command line, exactly as typed.

use std::path::PathBuf;

use crate::model::severity::Severity;
use crate::model::time::Seconds;
use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Takes folders and files: gzipped or plain, a trail's {"Records":[…]}, an array, or a record a
    /// line. What was analysed before is skipped, so a run that was interrupted, or a folder that
    /// has grown, is simply run again. Ends with 1 if some file could not be read.
    Backfill(Backfill),
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
    /// Folders or files of CloudTrail logs.
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<PathBuf>,
    /// Folder for the Parquet tables; made if need be, added to if it holds some.
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Configuration file (TOML): accounts, suppressions, severities, inventory.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only files delivered on or after this day, by their path.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub from: Option<Seconds>,
    /// Only files delivered on or before this day, by their path. Events near midnight, and late
    /// ones, lie in a later day's folder.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    pub to: Option<Seconds>,
    /// Only files of this account, by their path (may be repeated).
    #[arg(long, value_name = "ID")]
    pub account: Vec<String>,
    /// Only files of this Region, by their path (may be repeated).
    #[arg(long, value_name = "REGION")]
    pub region: Vec<String>,
    /// Worker threads [default: one a core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Most bytes that one file may decompress to; a larger one is an error for that file.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = byte_size)]
    pub max_object_size: usize,
    /// Files after which what was found is committed.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub batch_objects: usize,
    /// Parse every record in full, not only those that can matter: nearly twice the time, and
    /// malformed records of other services are noticed too.
    #[arg(long)]
    pub strict: bool,
    /// Form of the summary.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
}

/// `keytrail findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// Folder that `backfill` wrote.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Only this severity and worse.
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = severity)]
    pub severity: Severity,
    /// Only this rule or family.
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// Only this key: ARN, id or alias.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Only this account: of the trail, the key or the principal.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Only acts on or after this time (date or RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Seconds>,
    /// Most findings shown; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub limit: usize,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Text)]
    pub format: RowFormat,
}

/// `keytrail keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Folder that `backfill` wrote.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// One key, by ARN, id or alias: its story.
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Text)]
    pub format: RowFormat,
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
    /// Folder that `backfill` wrote.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub format: SummaryFormat,
}

/// Forms of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// For people.
    Text,
    /// For machines: one object.
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

fn severity(word: &str) -> Result<Severity, String> {
    Severity::parse(word).ok_or_else(|| "one of info, low, medium, high, critical".to_owned())
}

fn day(text: &str) -> Result<Seconds, String> {
    Seconds::parse_date(text).ok_or_else(|| "no date YYYY-MM-DD".to_owned())
}

fn time(text: &str) -> Result<Seconds, String> {
    day(text)
        .or_else(|_| Seconds::parse(text).ok_or_else(|| "neither a date YYYY-MM-DD nor an RFC 3339 time".to_owned()))
}

/// `500000`, `64MiB`, `1GiB`.
fn byte_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        _ => return Err("give bytes, or a number with KiB, MiB or GiB".to_owned()),
    };
    let number: usize = digits.trim().parse().map_err(|_| "not a number of bytes".to_owned())?;
    number
        .checked_mul(unit)
        .filter(|bytes| (1..=1 << 40).contains(bytes))
        .ok_or_else(|| "from 1 byte to 1024 GiB".to_owned())
}
