//! Parses the command line, runs the command, turns its end into an exit code: 0 success,
//! 1 failure, 2 wrong usage.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::panic::{PanicHookInfo, set_hook};
use std::process::ExitCode;

use clap::Parser;
use keytrail::alerts::target::TargetError;
use keytrail::cli::Cli;
use keytrail::commands::{self, Verdict, WrongUsage};
use keytrail::config::ConfigError;
use keytrail::report::escape::terminal;

fn main() -> ExitCode {
    set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "{}", told(panic));
    }));
    let cli = Cli::parse();
    // Not locked: alerts may go to standard output as well, from another thread.
    let mut out = BufWriter::new(UntilClosed(io::stdout()));
    let ended = commands::run(cli, &mut out).and_then(|verdict| Ok(out.flush().map(|()| verdict)?));
    match ended {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::FAILURE,
        Err(error) => {
            let _ = out.flush();
            let text = format!("keytrail: {error:#}");
            // Standard error is the last place there is.
            let _ = text.lines().try_for_each(|line| writeln!(io::stderr(), "{}", terminal(line)));
            // As clap ends on a flag that makes no sense.
            let is_usage = error.is::<ConfigError>() || error.is::<TargetError>() || error.is::<WrongUsage>();
            if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// What is said of a panic: where, and not what, which may quote a record.
fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or("a place unknown".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    format!("keytrail failed at {}, which is a bug: please report it", terminal(&place))
}

/// Standard output. Whoever reads it may close it when they have seen enough; the verdict stays the same.
struct UntilClosed<W>(W);

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(self.0.flush(), ())
    }
}

fn unless_closed<T>(written: io::Result<T>, instead: T) -> io::Result<T> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(instead),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, take_hook};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_panic_tells_where_and_quotes_nothing() {
        let heard = Arc::new(Mutex::new(String::new()));
        let hook = Arc::clone(&heard);
        set_hook(Box::new(move |panic| told(panic).clone_into(&mut hook.lock().expect("a lock"))));
        let ended = catch_unwind(|| panic!("a record's secret"));
        let _ = take_hook();
        let heard = heard.lock().expect("a lock");
        assert!(ended.is_err() && heard.contains("src/main.rs:") && !heard.contains("secret"), "{heard}");
    }
}
