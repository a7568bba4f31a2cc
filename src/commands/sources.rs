//! The sources of a backfill, wherever they lie: listed, filtered, put in order.

use anyhow::{Context, Result, bail};

use super::WrongUsage;
use super::network::Network;
use crate::cli::{Filter, Place};
use crate::cloud::Retries;
use crate::model::object::ObjectRef;
use crate::pipeline::Ahead;
use crate::source::local::{self, LocalStore};
use crate::source::s3::fetch::Limits;
use crate::source::s3::{self, Location, S3Store, Wanted};
use crate::source::{FetchError, Store};

/// What the sources hold.
#[derive(Default)]
pub(super) struct Sources {
    /// In the order in which they are taken; each once.
    pub(super) objects: Vec<ObjectRef>,
    /// Places that could not be looked into, and why.
    pub(super) unreadable: Vec<(String, String)>,
}

impl Filter {
    /// What is wanted, as sources take it.
    pub(super) fn wanted(&self) -> Result<Wanted, WrongUsage> {
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            return Err(WrongUsage("--from is later than --to: no file is delivered between them"));
        }
        Ok(Wanted { from: self.from, to: self.to, accounts: self.account.clone(), regions: self.region.clone() })
    }

    /// What to say when nothing was found.
    pub(super) fn hint(&self) -> &'static str {
        let days = self.from.is_some() || self.to.is_some();
        let asks = days || !self.account.is_empty() || !self.region.is_empty();
        if asks { " that the filters want: see --from, --to, --account, --region" } else { "" }
    }
}

/// Lists all sources. The output is left out, where it lies within one of them.
pub(super) fn list(sources: &[Place], output: &Place, wanted: &Wanted, network: Option<&Network>) -> Result<Sources> {
    let mut found = Sources::default();
    let paths: Vec<_> =
        sources.iter().filter_map(|s| if let Place::Path(path) = s { Some(path.clone()) } else { None }).collect();
    if !paths.is_empty() {
        let output = if let Place::Path(path) = output { path.canonicalize().ok() } else { None };
        if output.is_some() && paths.iter().any(|path| path.canonicalize().ok() == output) {
            return Err(WrongUsage("a source is the output: give the output a folder of its own").into());
        }
        let listing = local::list(&paths, output.as_deref()).context("cannot read a source")?;
        // A file whose path does not tell is not wanted by a filter that asks.
        found.objects.extend(listing.objects.into_iter().filter(|object| wanted.wants(&object.name)));
        found.unreadable = listing.unreadable;
    }
    for source in sources {
        if let Place::S3(location) = source {
            let Some(network) = network else { bail!("{location} needs AWS") };
            each_page(location, wanted, network, async |page| {
                found.objects.extend(page);
                Ok(())
            })?;
        }
    }
    found.objects.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    found.objects.dedup_by(|a, b| (&a.bucket, &a.key) == (&b.bucket, &b.key));
    Ok(found)
}

/// Lists what is wanted of a place in S3, and hands it over page by page.
pub(super) fn each_page(
    location: &Location,
    wanted: &Wanted,
    network: &Network,
    mut with: impl AsyncFnMut(Vec<ObjectRef>) -> Result<()>,
) -> Result<s3::Listed> {
    let client = network.aws().s3();
    network.handle().block_on(async {
        let (sender, pages) = tokio::sync::mpsc::channel(16);
        let listing = async {
            let listed = s3::list(&client, location, wanted, Retries::default(), &sender).await;
            drop(sender);
            listed
        };
        // It owns its end: when taking fails, the listing ends too.
        let taking = async {
            let mut pages: tokio::sync::mpsc::Receiver<Vec<ObjectRef>> = pages;
            while let Some(page) = pages.recv().await {
                with(page).await?;
            }
            Ok(())
        };
        let (listed, taken): (_, Result<()>) = tokio::join!(listing, taking);
        taken?;
        Ok(listed?)
    })
}

/// Fetches objects from wherever they lie.
pub(super) struct Stores {
    local: LocalStore,
    s3: Option<Ahead>,
}

impl Stores {
    /// Stores for the objects of a list, which are fetched ahead where that takes time.
    pub(super) fn new(objects: &[ObjectRef], cap: u64, network: Option<&Network>) -> Self {
        let remote: Vec<ObjectRef> = objects.iter().filter(|object| !object.bucket.is_empty()).cloned().collect();
        let s3 = network.filter(|_| !remote.is_empty()).map(|network| {
            let store = S3Store::new(network.aws().s3(), network.handle().clone(), Limits::with_cap(cap));
            Ahead::start(store, remote, network.handle())
        });
        Self { local: LocalStore { cap }, s3 }
    }
}

impl Store for Stores {
    fn fetch(&self, object: &ObjectRef, into: &mut Vec<u8>) -> Result<(), FetchError> {
        match &self.s3 {
            Some(ahead) if !object.bucket.is_empty() => ahead.fetch(object, into),
            _ => self.local.fetch(object, into),
        }
    }
}
