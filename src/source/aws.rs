//! How AWS is reached: credentials, region, endpoint, time limits and attempts, decided once for all clients.
//!
//! Everything is found where the AWS CLI finds it: environment, profiles, SSO, web identity, container
//! and instance roles, `AWS_ENDPOINT_URL`. Two limits are not the SDK's own: an attempt may not last
//! for ever, and TLS is rustls with ring, which builds without a C toolchain for AWS-LC.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A host that does not answer by then is tried again at another address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest that one attempt may take until its answer begins. A long poll takes 20 s, a part of an
/// upload of 8 MiB as long at 0.4 MB/s. Bodies that are read are watched by the protection against
/// stalled streams instead.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// Attempts of a call, unless something else is asked for; between them the SDK waits with jitter.
const ATTEMPTS: u32 = 4;

/// What the command line says about AWS; all of it may be left to environment and profile.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Profile of the AWS CLI's configuration files.
    pub profile: Option<String>,
    /// Region, whatever environment and profile say.
    pub region: Option<String>,
    /// Region for when nothing else names one: that of a queue's URL.
    pub fallback_region: Option<String>,
    /// One endpoint for all services, whatever environment and profile say.
    pub endpoint_url: Option<String>,
    /// Attempts of a call; `None` for the usual number.
    pub attempts: Option<u32>,
}

/// Neither command line nor environment nor profile name a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no AWS region is known: give --aws-region, or set AWS_REGION or `region` in the profile")]
pub struct NoRegion;

/// Clients of the services; cheap to clone, as all share one pool of connections.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
}

impl Aws {
    /// Reads environment and profiles. Credentials are looked for by the first call, not here.
    ///
    /// # Errors
    /// [`NoRegion`].
    pub async fn load(settings: &Settings) -> Result<Self, NoRegion> {
        let config = loader(settings).load().await;
        let fallback = settings.fallback_region.clone().map(Region::new);
        let region = config.region().cloned().or(fallback).ok_or(NoRegion)?;
        Ok(Self::new(config.into_builder().region(region).build()))
    }

    /// Clients with a configuration of one's own, such as one with fixed credentials.
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        Self { config }
    }

    /// The region of the clients.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    /// The same, for another region: a bucket may lie elsewhere than the queue that tells of it.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        Self::new(self.config.clone().into_builder().region(Region::new(region.to_owned())).build())
    }

    /// A client of S3.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(self.has_endpoint_of_its_own());
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// A client of SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// A client of SNS.
    #[must_use]
    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    /// Whether S3 is something else than AWS's, where `bucket.host` seldom resolves.
    fn has_endpoint_of_its_own(&self) -> bool {
        // The SDK reads the variable by itself, but does not tell.
        self.config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some()
    }
}

/// What [`Aws::load`] starts from; to be completed with credentials where the usual ones are not meant.
#[must_use]
pub fn loader(settings: &Settings) -> ConfigLoader {
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    // The behaviour is a version's, not the latest: it changes when we say so.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(client)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(settings.attempts.unwrap_or(ATTEMPTS)))
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build());
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn offline(settings: &Settings) -> Aws {
        Aws::new(loader(settings).no_credentials().load().await)
    }

    #[tokio::test]
    async fn what_is_set_is_what_clients_get() {
        let settings = Settings {
            region: Some("eu-west-1".to_owned()),
            endpoint_url: Some("http://127.0.0.1:9".to_owned()),
            attempts: Some(7),
            ..Settings::default()
        };
        let aws = offline(&settings).await;
        assert_eq!(aws.region(), Some("eu-west-1"));
        assert_eq!(aws.in_region("us-east-1").sqs().config().region().map(Region::as_ref), Some("us-east-1"));
        assert_eq!(aws.sqs().config().retry_config().map(RetryConfig::max_attempts), Some(7));
        assert!(aws.has_endpoint_of_its_own());
    }

    #[tokio::test]
    async fn a_queue_s_region_is_used_when_nothing_else_names_one() {
        let settings = Settings { fallback_region: Some("eu-north-1".to_owned()), ..Settings::default() };
        // A machine with a region in its environment keeps that one.
        let aws = Aws::load(&settings).await.expect("a region");
        assert!(aws.region().is_some());
    }
}
