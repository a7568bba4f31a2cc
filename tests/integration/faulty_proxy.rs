//! A proxy that does to HTTP what networks and busy services do, as a plan says: 503, lost answers, cut
//! and stalled bodies, latency. It writes down what was asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    None,
    /// 503 `SlowDown`; the server does not see it.
    SlowDown,
    /// 403 `AccessDenied`; the server does not see it.
    Denied,
    /// The connection is closed; the server does not see it.
    Closed,
    /// The server does what it is asked, and the answer is lost.
    AnswerLost,
    /// The answer ends in the middle of its body.
    Cut,
    /// The answer stops in the middle of its body, and the connection stays.
    Stall,
    /// The answer comes late.
    Late(Duration),
}

/// A request, as far as plans look at it.
#[derive(Debug, Clone)]
pub struct Request {
    /// From 0, in the order of arrival.
    pub number: usize,
    pub method: String,
    /// Path and query.
    pub target: String,
    pub is_copy: bool,
}

impl Request {
    pub fn is_listing(&self) -> bool {
        self.target.contains("list-type=2")
    }
}

type Plan = dyn Fn(&Request) -> Fault + Send + Sync;

struct Shared {
    upstream: SocketAddr,
    plan: Box<Plan>,
    seen: Mutex<Vec<(Request, Fault)>>,
    ended: AtomicBool,
}

/// A proxy on 127.0.0.1; ended when dropped.
pub struct FaultyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultyProxy {
    /// Stands before the server at `url` (`http://127.0.0.1:PORT`).
    pub fn start(url: &str, plan: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let upstream = url.trim_start_matches("http://").parse().expect("an address");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, ended) = (Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { upstream, plan: Box::new(plan), seen, ended });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&of_thread)) else { continue };
                // Clients go away in the middle of things: that is none of the proxy's errors.
                std::thread::spawn(move || _ = serve(&shared, stream));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far, and what became of it.
    pub fn seen(&self) -> Vec<(Request, Fault)> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many of the listings were asked for.
    pub fn listings(&self) -> usize {
        self.seen().iter().filter(|(request, _)| request.is_listing()).count()
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one request and closes: what becomes of one has no part in the next.
fn serve(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if lower.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = head.split(' ').map(str::to_owned);
    let mut request = Request {
        number: 0,
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        is_copy: head.to_ascii_lowercase().contains("\nx-amz-copy-source:"),
    };
    let fault = {
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        request.number = seen.len();
        let fault = (shared.plan)(&request);
        seen.push((request, fault));
        fault
    };
    match fault {
        Fault::Closed => return Ok(()),
        Fault::SlowDown => return refuse(&mut client, "503 Slow Down", "SlowDown"),
        Fault::Denied => return refuse(&mut client, "403 Forbidden", "AccessDenied"),
        Fault::Late(time) => std::thread::sleep(time),
        _ => {}
    }
    let mut upstream = TcpStream::connect(shared.upstream)?;
    upstream.write_all(head.as_bytes())?;
    upstream.write_all(b"Connection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    let starts = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let middle = starts + (answer.len() - starts) / 2;
    match fault {
        Fault::AnswerLost => Ok(()),
        Fault::Cut => client.write_all(&answer[..middle]),
        Fault::Stall => {
            client.write_all(&answer[..middle])?;
            // Until the client has had enough of it.
            client.read_to_end(&mut Vec::new()).map(|_| ())
        }
        _ => client.write_all(&answer),
    }
}

fn refuse(client: &mut TcpStream, status: &str, code: &str) -> io::Result<()> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as planned</Message></Error>");
    let length = body.len();
    write!(client, "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n")?;
    write!(client, "Connection: close\r\n\r\n{body}")
}
