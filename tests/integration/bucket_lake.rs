//! The whole way into a bucket, on a real server: the tables are those of a folder, whatever fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use keytrail::analyze::{Plan, Selection};
use keytrail::cloud::Retries;
use keytrail::lake::Lake;
use keytrail::lake::bucket::{Bucket, Settings};
use keytrail::lake::local::LocalFolder;
use keytrail::lake::storage::Storage;
use keytrail::model::object::ObjectRef;
use keytrail::pipeline::{self, PipelineError, Progress};
use keytrail::source::local::{self, LocalStore};
use keytrail::source::s3::fetch::Limits;
use keytrail::source::s3::{Location, S3Store, Wanted, list};
use keytrail::source::{Store, object_name};
use keytrail::telemetry::summary::Summary;
use keytrail::{config, folding};
use tokio::runtime::Runtime;

use crate::bucket::{SHORT, runtime, server_with_bucket, writer};
use crate::faulty_proxy::{Fault, FaultyProxy};
use crate::s3_source::{QUICK, client};
use crate::support::{Lcg, files_below, small_trail, tables, temp_dir, write};

/// Small batches: many commits.
const SETTINGS: pipeline::Settings = pipeline::Settings {
    threads: 2,
    max_object_size: 64 << 20,
    batch_objects: 12,
    batch_bytes: 8 << 20,
    seen_events: 1 << 20,
};

struct Quiet;

impl Progress for Quiet {
    fn object(&self, _: u64) {}
}

/// The whole way, from objects to folded tables.
fn analyse(place: Arc<dyn Storage>, objects: &[ObjectRef], store: &dyn Store) -> Result<Summary, PipelineError> {
    analyse_in(place, objects, store, SETTINGS.batch_objects)
}

/// The same, with batches of so many objects.
pub fn analyse_in(
    place: Arc<dyn Storage>,
    objects: &[ObjectRef],
    store: &dyn Store,
    batch_objects: usize,
) -> Result<Summary, PipelineError> {
    let config = config::load(None).expect("the usual configuration");
    let plan = Plan::new(config.rules, Selection::Fast);
    let mut lake = Lake::open(place)?;
    let mut summary = Summary::default();
    let settings = pipeline::Settings { batch_objects, ..SETTINGS };
    let objects: Vec<_> = objects.iter().filter(|object| !lake.ledger().holds(object)).cloned().collect();
    pipeline::run(&objects, store, &plan, &mut lake, &settings, &Quiet, &mut summary)?;
    folding::fold(&mut lake, plan.settings(), &config.inventory)?;
    Ok(summary)
}

pub fn trail(root: &Path) -> Vec<ObjectRef> {
    small_trail(&root.join("trail"), 6);
    local::list(&[root.join("trail")], None).expect("lists").objects
}

/// An output as a local folder, whole.
pub fn download(place: &dyn Storage, to: &Path) {
    for path in place.list("").expect("lists") {
        write(&to.join(&path), &place.get(&path).expect("reads").expect("is there"));
    }
}

#[test]
fn a_bucket_holds_the_same_tables_as_a_folder() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let folder = temp_dir();
    let objects = trail(folder.path());
    let store = LocalStore { cap: 64 << 20 };
    let out = folder.path().join("out");
    analyse(Arc::new(LocalFolder::create(&out).expect("a folder")), &objects, &store).expect("analyses");
    let expected = tables(&out);
    expected.assert_full();
    let place = writer(&runtime, &server.url());
    let summary = analyse(Arc::clone(&place), &objects, &store).expect("analyses");
    assert!(summary.commits > 2, "a single commit proves little");
    let copy = folder.path().join("copy");
    download(place.as_ref(), &copy);
    expected.assert_same(&tables(&copy), "in a bucket");
    assert!(place.list("_staging").expect("lists").is_empty(), "a writer that ends leaves nothing");
    // Once more: nothing is new.
    let again = analyse(writer(&runtime, &server.url()), &objects, &store).expect("analyses");
    assert_eq!((again.commits, again.rows_written), (0, 0));
}

/// From a bucket into a bucket, through a network that fails now and then.
#[test]
fn from_bucket_to_bucket_through_a_bad_network() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let folder = temp_dir();
    let objects = trail(folder.path());
    let root = folder.path().join("trail").canonicalize().expect("the trail");
    runtime.block_on(async {
        let client = client(&server.url()).await;
        for path in files_below(&root) {
            let key = format!("AWSLogs/{}", path.strip_prefix(&root).expect("below").display());
            let content = std::fs::read(&path).expect("a file");
            client.put_object().bucket("logs").key(key).body(content.into()).send().await.expect("an object");
        }
    });
    let chance = std::sync::Mutex::new(Lcg(23));
    let proxy = FaultyProxy::start(&server.url(), move |_| match chance.lock().expect("chance").below(60) {
        0 => Fault::AnswerLost,
        1 => Fault::SlowDown,
        2 => Fault::Closed,
        3 => Fault::Cut,
        _ => Fault::None,
    });
    let (client, mut listed) = runtime.block_on(async {
        let client = client(&proxy.url()).await;
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<ObjectRef>>(64);
        let location = Location::parse("s3://logs").expect("a location");
        let result = list(&client, &location, &Wanted::default(), QUICK, &sender).await;
        result.expect("lists");
        drop(sender);
        let mut listed = Vec::new();
        while let Some(page) = receiver.recv().await {
            listed.extend(page);
        }
        (client, listed)
    });
    listed.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    // Digests and Insights are left out of a listing in a bucket, and skipped in a folder.
    assert!(listed.len() > 20 && listed.len() <= objects.len(), "{} of {}", listed.len(), objects.len());
    assert!(listed.iter().all(|object| object.name == object_name::parse(&object.key)));
    let store = S3Store::new(client, runtime.handle().clone(), Limits { retries: QUICK, ..Limits::with_cap(64 << 20) });
    let place = writer(&runtime, &proxy.url());
    analyse(Arc::clone(&place), &listed, &store).expect("analyses");
    let copy = folder.path().join("copy");
    download(writer(&runtime, &server.url()).as_ref(), &copy);
    let out = folder.path().join("out");
    analyse(Arc::new(LocalFolder::create(&out).expect("a folder")), &objects, &LocalStore { cap: 64 << 20 })
        .expect("analyses");
    let where_from = ["source_object", "bucket", "key", "etag", "log_date", "object_id"];
    let (mut found, mut expected) = (tables(&copy).without(&where_from), tables(&out).without(&where_from));
    for tables in [&mut found, &mut expected] {
        let objects = tables.0.get_mut("objects").expect("the table");
        objects.retain(|row| row.get("status").and_then(|status| status.as_str()) == Some("done"));
    }
    expected.assert_same(&found, "from bucket to bucket");
}

/// Killed right behind the ledger's entry: the next one to open publishes it, though the dead writer's
/// lease still looks held.
#[test]
fn a_commit_that_was_cut_off_is_published_by_the_next_writer() {
    let (mine, theirs) = (runtime(), runtime());
    let Some(server) = server_with_bucket(&mine) else { return };
    let folder = temp_dir();
    let objects = trail(folder.path());
    let store = LocalStore { cap: 64 << 20 };
    for copied in [0, 3] {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let proxy = FaultyProxy::start(&server.url(), move |request| {
            let cut = request.is_copy && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= copied;
            if cut { Fault::Denied } else { Fault::None }
        });
        let settings = Settings { retries: Retries { attempts: 1, ..QUICK }, leases: SHORT };
        let theirs = runtime();
        let place = |runtime: &Runtime, url: &str| -> Arc<dyn Storage> {
            let client = runtime.block_on(client(url));
            Arc::new(Bucket::new(client, runtime.handle().clone(), "lake", &format!("cut-{copied}"), settings))
        };
        let dying = place(&theirs, &proxy.url());
        let lake_of_dead = std::thread::scope(|scope| {
            // Its lake is leaked, as a kill would: nothing of it is dropped.
            let run = || {
                let config = config::load(None).expect("the usual configuration");
                let plan = Plan::new(config.rules, Selection::Fast);
                let mut lake = Lake::open(dying).expect("opens");
                let mut summary = Summary::default();
                let ended = pipeline::run(&objects, &store, &plan, &mut lake, &SETTINGS, &Quiet, &mut summary);
                let error = ended.expect_err("it cannot publish");
                assert!(error.to_string().contains("publish"), "{error}");
                std::mem::forget(lake);
            };
            scope.spawn(run).join()
        });
        lake_of_dead.expect("a thread");
        theirs.shutdown_background();
        let next = place(&mine, &server.url());
        assert!(!next.list("_ledger").expect("lists").is_empty() && !next.list("_staging").expect("lists").is_empty());
        // Only opening it must publish what is committed.
        let started = Instant::now();
        drop(Lake::open(Arc::clone(&next)).expect("opens"));
        println!("recovered after {:?}", started.elapsed());
        let entry: serde_json::Value =
            serde_json::from_slice(&next.get("_ledger/00000000000000000001.json").expect("reads").expect("the entry"))
                .expect("JSON");
        let files = entry["files"].as_array().expect("files");
        assert!(files.len() > 3);
        for file in files {
            let path = file["path"].as_str().expect("a path");
            assert!(next.get(path).expect("reads").is_some(), "{path} is not published");
        }
        assert!(next.list("_staging").expect("lists").is_empty(), "the dead writer's folder stays");
        analyse(Arc::clone(&next), &objects, &store).expect("analyses");
        let (copy, out) = (folder.path().join(format!("copy{copied}")), folder.path().join(format!("out{copied}")));
        download(next.as_ref(), &copy);
        analyse(Arc::new(LocalFolder::create(&out).expect("a folder")), &objects, &store).expect("analyses");
        tables(&out).assert_same(&tables(&copy), "recovered");
    }
    theirs.shutdown_background();
}
