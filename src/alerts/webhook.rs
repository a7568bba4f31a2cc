//! Alerts to a web server, as a POST of JSON.
//!
//! The HTTP client is the one below the AWS SDK, so no second one is built. It follows no redirects,
//! which could lead findings elsewhere.

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use super::line::Alert;
use super::sink::{BoxFuture, Sink};
use super::target;
use crate::cloud::{Failure, chain};

/// A web server that takes JSON.
#[derive(Debug)]
pub struct Webhook {
    connector: Connector,
    target: target::Webhook,
}

impl Webhook {
    /// The server at this URL.
    #[must_use]
    pub fn new(target: target::Webhook) -> Self {
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Self { connector, target }
    }

    fn request(&self, alert: &Alert) -> Option<HttpRequest> {
        let mut request = HttpRequest::new(SdkBody::from(alert.line.as_str()));
        request.set_method("POST").ok()?;
        request.set_uri(self.target.url()).ok()?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        headers.insert("content-length", alert.line.len().to_string());
        headers.insert("user-agent", concat!("keytrail/", env!("CARGO_PKG_VERSION")));
        Some(request)
    }
}

impl Sink for Webhook {
    fn name(&self) -> &str {
        self.target.host()
    }

    fn send<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let request = self.request(alert).ok_or_else(|| Failure::coded(Some("InvalidUrl"), None))?;
            // What stands in the answer is nothing to us: its body is not read.
            match self.connector.call(request).await {
                Ok(answer) => judged(answer.status().as_u16()),
                Err(error) => Err(Failure::transient(chain(&error))),
            }
        })
    }
}

fn judged(status: u16) -> Result<(), Failure> {
    let text = format!("HTTP {status}");
    match status {
        200..300 => Ok(()),
        408 | 425 | 429 | 500.. => Err(Failure::transient(text)),
        _ => Err(Failure::coded(Some(&text), Some("not tried again"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(judged(204).is_ok());
        for (status, transient) in [(302, false), (400, false), (404, false), (408, true), (429, true), (503, true)] {
            assert_eq!(judged(status).map_err(|failure| failure.is_transient()), Err(transient), "{status}");
        }
    }
}
