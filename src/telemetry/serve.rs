//! Answers `GET /metrics` and `GET /health`, whoever asks and however badly.
//!
//! Two pages without parameters, bodies or state need no web server: the head is read up to a limit
//! and parsed by httparse, and each connection is closed after its answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::health::Health;
use super::metrics::Metrics;
use crate::model::escape::terminal;

/// Where it listens unless something else is asked for: this machine only.
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9_464);

/// Connections at a time; others wait in the kernel. A scraper and an orchestrator need two.
const MOST_CONNECTIONS: usize = 32;

/// A head is a line and a few headers.
const LARGEST_HEAD: usize = 8 * 1024;

/// Headers of a head; scrapers send five, proxies add a few.
const MOST_HEADERS: usize = 64;

/// For the whole head, however slowly it drips.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// For the whole answer, however slowly it is taken.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What a client may still send after its answer; it would not see the answer if we hung up on it.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// A server that listens until it is ended or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens at `address`.
    ///
    /// # Errors
    /// If the address can't be had.
    pub async fn start(address: SocketAddr, metrics: Arc<Metrics>, health: Arc<Health>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(listen(listener, Arc::new(Pages { metrics, health })));
        Ok(Self { address, task })
    }

    /// Where it listens: with the port that the system chose, if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the socket and all connections.
    pub async fn end(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pages {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

async fn listen(listener: TcpListener, pages: Arc<Pages>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Dropped with this task, and then all connections end.
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let pages = Arc::clone(&pages);
                connections.spawn(async move {
                    // A client that goes away in the middle is none of our errors.
                    let _ = converse(stream, &pages).await;
                    drop(place);
                });
            }
            // No handles left, most likely: others must end first.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn converse(mut stream: TcpStream, pages: &Pages) -> io::Result<()> {
    let answer = match timeout(HEAD_TIME, head(&mut stream)).await {
        Ok(asked) => asked?.answer(pages),
        Err(_) => Answer::plain(408, "Request Timeout", "the request took too long\n"),
    };
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    timeout(ANSWER_TIME, stream.write_all(answer.text().as_bytes())).await.map_err(late)??;
    stream.shutdown().await?;
    let mut rest = [0; 1_024];
    let _ = timeout(LINGER_TIME, async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} }).await;
    Ok(())
}

/// What somebody asks for.
enum Asked {
    Page(String),
    OtherMethod,
    Nonsense,
    TooLarge,
}

async fn head(stream: &mut TcpStream) -> io::Result<Asked> {
    let (mut bytes, mut filled) = (vec![0; LARGEST_HEAD], 0);
    loop {
        let read = stream.read(&mut bytes[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        match parse(&bytes[..filled]) {
            Some(asked) => return Ok(asked),
            None if filled == LARGEST_HEAD => return Ok(Asked::TooLarge),
            None => {}
        }
    }
}

/// What the bytes of a head ask for; nothing while it is not whole.
fn parse(bytes: &[u8]) -> Option<Asked> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => None,
        Ok(httparse::Status::Complete(_)) if request.method != Some("GET") => Some(Asked::OtherMethod),
        Ok(httparse::Status::Complete(_)) => {
            let target = request.path.unwrap_or_default();
            Some(Asked::Page(target.split('?').next().unwrap_or_default().to_owned()))
        }
        Err(httparse::Error::TooManyHeaders) => Some(Asked::TooLarge),
        Err(_) => Some(Asked::Nonsense),
    }
}

impl Asked {
    fn answer(self, pages: &Pages) -> Answer {
        match self {
            Self::Page(path) if path == "/metrics" => Answer {
                kind: "text/plain; version=0.0.4; charset=utf-8",
                ..Answer::plain(200, "OK", &pages.metrics.render())
            },
            Self::Page(path) if path == "/health" => match pages.health.verdict() {
                Ok(()) => Answer::plain(200, "OK", "ok\n"),
                Err(reason) => Answer::plain(503, "Service Unavailable", &format!("{}\n", terminal(&reason))),
            },
            Self::Page(_) => Answer::plain(404, "Not Found", "there are /metrics and /health\n"),
            Self::OtherMethod => Answer::plain(405, "Method Not Allowed", "only GET\n"),
            Self::Nonsense => Answer::plain(400, "Bad Request", "this is no HTTP request\n"),
            Self::TooLarge => Answer::plain(431, "Request Header Fields Too Large", "the request is too large\n"),
        }
    }
}

struct Answer {
    status: u16,
    phrase: &'static str,
    kind: &'static str,
    body: String,
}

impl Answer {
    fn plain(status: u16, phrase: &'static str, body: &str) -> Self {
        Self { status, phrase, kind: "text/plain; charset=utf-8", body: body.to_owned() }
    }

    fn text(&self) -> String {
        let Self { status, phrase, kind, body } = self;
        let allow = if *status == 405 { "Allow: GET\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> Option<u16> {
        let pages =
            Pages { metrics: Arc::default(), health: Arc::new(Health::new(super::super::health::Limits::default())) };
        parse(bytes).map(|asked| asked.answer(&pages).status)
    }

    #[test]
    fn each_request_has_its_answer() {
        assert_eq!(status(b"GET /metr"), None);
        assert_eq!(status(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Some(200));
        assert_eq!(status(b"GET /health?verbose HTTP/1.0\r\n\r\n"), Some(200));
        assert_eq!(status(b"GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n"), Some(404));
        assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), Some(405));
        assert_eq!(status(b"\x16\x03\x01\x02\x00\x01"), Some(400));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
        assert_eq!(status(many.as_bytes()), Some(431));
    }
}
