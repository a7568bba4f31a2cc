//! Alerts as lines on standard output or standard error.

use std::io::{self, Write};
use std::sync::mpsc::{self, Sender};

use tokio::sync::oneshot;

use super::line::Alert;
use super::sink::{BoxFuture, Sink};
use crate::cloud::Failure;

type Ended = oneshot::Sender<io::Result<()>>;

/// A stream that lines are written to, by a thread of its own: whoever is behind a pipe may stop
/// reading, and then neither the runtime nor the end of the process may wait for it.
pub struct Stream {
    name: &'static str,
    lines: Sender<(String, Ended)>,
}

impl Stream {
    /// Standard error.
    ///
    /// # Errors
    /// If no thread can be had.
    pub fn stderr() -> io::Result<Self> {
        Self::of("stderr", io::stderr())
    }

    /// Standard output.
    ///
    /// # Errors
    /// If no thread can be had.
    pub fn stdout() -> io::Result<Self> {
        Self::of("stdout", io::stdout())
    }

    /// Anything that can be written to.
    ///
    /// # Errors
    /// If no thread can be had.
    pub fn of(name: &'static str, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, receiver) = mpsc::channel::<(String, Ended)>();
        std::thread::Builder::new().name(format!("alerts-{name}")).spawn(move || {
            for (line, ended) in receiver {
                // Nobody waits any more if the time of the attempt is over.
                let _ = ended.send(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
            }
        })?;
        Ok(Self { name, lines })
    }
}

impl Sink for Stream {
    fn name(&self) -> &str {
        self.name
    }

    fn send<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let (sender, ended) = oneshot::channel();
            let gone = || Failure::coded(Some("StreamClosed"), None);
            self.lines.send((format!("{}\n", alert.line), sender)).map_err(|_| gone())?;
            // A pipe that nobody reads any more stays so: not tried again.
            ended
                .await
                .map_err(|_| gone())?
                .map_err(|error| Failure::coded(Some("WriteFailed"), Some(&error.to_string())))
        })
    }
}
