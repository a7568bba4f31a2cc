//! What commands need of AWS: a runtime for its calls, clients, and places in S3. Commands that reach
//! nothing there do without.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::cli::{AwsArgs, Place};
use crate::lake::bucket::{self, Bucket};
use crate::lake::local::LocalFolder;
use crate::lake::storage::Storage;
use crate::source::aws::{Aws, Settings};
use crate::source::s3::Location;
use crate::source::sqs::{self, Sqs};

/// A runtime and clients. It must outlive what it made.
pub(super) struct Network {
    runtime: Runtime,
    aws: Aws,
}

impl Network {
    /// Sets up what is needed for `places`: nothing, if none is in S3.
    pub(super) fn for_places<'p>(args: &AwsArgs, places: impl IntoIterator<Item = &'p Place>) -> Result<Option<Self>> {
        let remote = places.into_iter().any(|place| matches!(place, Place::S3(_)));
        remote.then(|| Self::new(args, None)).transpose()
    }

    /// Sets up what is needed for a queue.
    pub(super) fn for_queue(args: &AwsArgs, queue_url: &str) -> Result<Self> {
        Self::new(args, sqs::region_of(queue_url))
    }

    fn new(args: &AwsArgs, fallback_region: Option<&str>) -> Result<Self> {
        // Calls wait more than they work: two threads serve any number of them.
        let runtime =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().context("cannot start threads")?;
        let settings = Settings {
            profile: args.profile.clone(),
            region: args.aws_region.clone(),
            fallback_region: fallback_region.map(str::to_owned),
            endpoint_url: args.endpoint_url.clone(),
            attempts: None,
        };
        let aws = runtime.block_on(Aws::load(&settings))?;
        Ok(Self { runtime, aws })
    }

    pub(super) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    pub(super) fn aws(&self) -> &Aws {
        &self.aws
    }

    pub(super) fn queue(&self, url: &str) -> Sqs {
        // A queue's URL says where it is; buckets are where the command line or the profile says.
        let aws = sqs::region_of(url).map_or_else(|| self.aws.clone(), |region| self.aws.in_region(region));
        Sqs::new(aws.sqs(), url.to_owned())
    }

    fn bucket(&self, location: &Location) -> Bucket {
        let settings = bucket::Settings::default();
        Bucket::new(self.aws.s3(), self.handle().clone(), &location.bucket, &location.prefix, settings)
    }
}

/// A place to write an output to; each call is a writer of its own.
pub(super) fn writable(place: &Place, network: Option<&Network>) -> Result<Arc<dyn Storage>> {
    match (place, network) {
        (Place::Path(path), _) => Ok(Arc::new(LocalFolder::create(path)?)),
        (Place::S3(location), Some(network)) => Ok(Arc::new(network.bucket(location))),
        (Place::S3(location), None) => bail!("{location} needs AWS"),
    }
}

/// An output that is there, to read from.
pub(super) fn existing(place: &Place, network: Option<&Network>) -> Result<Arc<dyn Storage>> {
    match (place, network) {
        (Place::Path(path), _) => Ok(Arc::new(LocalFolder::existing(path)?)),
        (Place::S3(location), Some(network)) => Ok(Arc::new(network.bucket(location).existing()?)),
        (Place::S3(location), None) => bail!("{location} needs AWS"),
    }
}
