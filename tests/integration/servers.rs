//! Servers that tests talk to through the real SDK: a ministack of one's own, made below the target folder.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use keytrail::source::aws::{self, Aws, Settings};

use crate::python;

const MINISTACK: &str = "ministack==1.5.33";

/// Serves until its standard input ends: when the tests are killed too, and nothing is dropped.
const SERVE: &str = "
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from ministack.app import main
sys.argv = ['ministack']
main()
";

/// Longest until a server answers; on two busy cores it takes seconds.
const READY: Duration = Duration::from_mins(1);

/// S3, SQS, SNS and `EventBridge` on 127.0.0.1; ended when dropped.
pub struct Ministack {
    child: Child,
    address: SocketAddr,
    /// What it writes, and whatever it leaves.
    folder: tempfile::TempDir,
}

impl Ministack {
    /// Starts one, or says why there is none: a skip on a developer's machine, a failure where `CI` is set.
    #[track_caller]
    pub fn start() -> Option<Self> {
        python::or_skip(Self::try_start(), "nothing was tested against a real server")
    }

    fn try_start() -> Result<Self, String> {
        // It pins botocore, hence an environment of its own.
        let python = python::with("ministack-venv", &[MINISTACK])?;
        let folder = tempfile::tempdir().map_err(|e| format!("this test needs a temporary folder: {e}"))?;
        // Between finding a free port and binding it somebody else may take it.
        let mut last = String::new();
        for _ in 0..3 {
            match Self::on_some_port(&python, folder.path()) {
                Ok((child, address)) => return Ok(Self { child, address, folder }),
                Err(reason) => last = reason,
            }
        }
        Err(last)
    }

    fn on_some_port(python: &Path, folder: &Path) -> Result<(Child, SocketAddr), String> {
        let address = free_address().map_err(|e| format!("this test needs a free port: {e}"))?;
        let log = folder.join("ministack.log");
        let file = File::create(&log).map_err(|e| format!("this test needs a writable folder: {e}"))?;
        let both = file.try_clone().map_err(|e| format!("this test needs a writable folder: {e}"))?;
        let mut child = Command::new(python)
            .args(["-c", SERVE])
            // Its default is to listen to the whole network.
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(file)
            .stderr(both)
            .spawn()
            .map_err(|e| format!("this test needs {}: {e}", python.display()))?;
        let until = Instant::now() + READY;
        while Instant::now() < until {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("ministack ended at once ({status}):\n{}", text_of(&log)));
            }
            if healthy(address) {
                return Ok((child, address));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        end(&mut child);
        Err(format!("ministack did not answer within {READY:?}:\n{}", text_of(&log)))
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A call of a service without an SDK here, such as `AWSEvents.PutRule`; returns the whole answer.
    pub fn post(&self, target: &str, body: &str) -> String {
        let service = match target.split('.').next() {
            Some("AmazonEC2ContainerServiceV20141113") => "ecs",
            _ => "events",
        };
        let headers = format!("X-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.1\r\n");
        self.send(service, &headers, body)
    }

    /// The same of a service that takes forms, such as `cloudformation`; the answer is XML.
    pub fn form(&self, service: &str, fields: &[(&str, &str)]) -> String {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.send(service, "Content-Type: application/x-www-form-urlencoded\r\n", &fields.join("&"))
    }

    fn send(&self, service: &str, headers: &str, body: &str) -> String {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n{body}",
            self.address,
            body.len()
        );
        exchange(self.address, &request).expect("an answer")
    }

    /// Clients that talk to it and to nothing else.
    pub async fn aws(&self) -> Aws {
        let settings =
            Settings { region: Some(REGION.to_owned()), endpoint_url: Some(self.url()), ..Settings::default() };
        Aws::new(aws::loader(&settings).credentials_provider(credentials()).load().await)
    }

    #[allow(dead_code, reason = "for commands that reach AWS")]
    /// Environment for a run of the binary against it; the machine's own AWS settings are out of sight.
    pub fn environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let nowhere = self.folder.path().join("none");
        for variable in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"] {
            command.env_remove(variable);
        }
        command
            .env("AWS_CONFIG_FILE", &nowhere)
            .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", REGION)
            .env("AWS_ENDPOINT_URL", self.url())
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

const REGION: &str = "us-east-1";

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test"))
}

/// Ends a server and waits for it, so that none outlives its test.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn healthy(address: SocketAddr) -> bool {
    let request = "GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    exchange(address, request).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn exchange(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A value of a form.
fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[tokio::test]
async fn a_server_answers_and_ends_with_its_owner() {
    let Some(server) = Ministack::start() else { return };
    let s3 = server.aws().await.s3();
    s3.create_bucket().bucket("logs").send().await.expect("a bucket");
    let put = s3.put_object().bucket("logs").key("a b+c").body(b"x".to_vec().into());
    put.send().await.expect("an object");
    let address = server.address;
    drop(server);
    assert!(TcpStream::connect(address).is_err(), "the server outlives its owner");
}
