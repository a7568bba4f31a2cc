//! What the command line asks for, one file a command. Each writes to the `out` it is given and
//! tells whether all went well.

mod backfill;
mod enqueue;
mod findings;
mod key_names;
mod key_story;
mod keys;
mod maintain;
mod network;
mod rules;
mod running;
mod signals;
mod sources;
mod tail;
mod unfolded;
mod upkeep;
mod verify;

use std::io::Write;

use anyhow::Result;

use crate::cli::{Cli, Command};

/// How a command ended that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All went well.
    Good,
    /// Something that the command was about failed; it has said what.
    Bad,
}

/// Flags that make no sense together, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(&'static str);

/// Runs a command.
///
/// # Errors
/// If the command cannot be carried out; the message says what to fix.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Verdict> {
    match cli.command {
        Command::Backfill(args) => backfill::run(&args, out),
        Command::Tail(args) => tail::run(&args, out),
        Command::Enqueue(args) => enqueue::run(&args, out),
        Command::Maintain(args) => maintain::run(&args, out),
        Command::Findings(args) => findings::run(&args, out),
        Command::Keys(args) => keys::run(&args, out),
        Command::Rules(args) => rules::run(&args, out),
        Command::Verify(args) => verify::run(&args, out),
    }
}
