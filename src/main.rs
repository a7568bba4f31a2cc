//! Parses the command line, runs the command, turns its end into an exit code: 0 success,
//! 1 failure, 2 wrong usage.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use keytrail::alerts::target::TargetError;
use keytrail::cli::Cli;
use keytrail::commands::{self, Verdict};
use keytrail::config::ConfigError;
use keytrail::report::escape::terminal;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Not locked: alerts may go to standard output as well, from another thread.
    let mut out = BufWriter::new(io::stdout());
    let ended = commands::run(cli, &mut out).and_then(|verdict| Ok(out.flush().map(|()| verdict)?));
    match ended {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::FAILURE,
        // Whoever read our output has seen enough of it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("keytrail: {error:#}");
            // Standard error is the last place there is.
            let _ = text.lines().try_for_each(|line| writeln!(io::stderr(), "{}", terminal(line)));
            // As clap ends on a flag that makes no sense.
            if error.is::<ConfigError>() || error.is::<TargetError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe))
}
