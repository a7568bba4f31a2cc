//! A bucket as output: the same promises as of a folder, on a real server; leases, lost answers, errors.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use keytrail::lake::LakeError;
use keytrail::lake::bucket::{Bucket, LeaseTimes, Settings};
use keytrail::lake::local::LocalFolder;
use keytrail::lake::storage::{Lock, Storage};
use tokio::runtime::Runtime;

use crate::faulty_proxy::{Fault, FaultyProxy, Request};
use crate::s3_source::{QUICK, client};
use crate::servers::Ministack;
use crate::support::{Lcg, temp_dir};

/// Short enough to be waited for; long enough that a busy machine refreshes it in time.
pub const SHORT: LeaseTimes = LeaseTimes { lasts: Duration::from_secs(3), refreshed_every: Duration::from_millis(300) };

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A writer of the output `s3://lake/out`, through what answers at `url`.
pub fn writer(runtime: &Runtime, url: &str) -> Arc<dyn Storage> {
    let client = runtime.block_on(client(url));
    let settings = Settings { retries: QUICK, leases: SHORT };
    Arc::new(Bucket::new(client, runtime.handle().clone(), "lake", "/out/", settings))
}

pub fn server_with_bucket(runtime: &Runtime) -> Option<Ministack> {
    let server = Ministack::start()?;
    runtime.block_on(async {
        let client = client(&server.url()).await;
        for bucket in ["lake", "logs"] {
            client.create_bucket().bucket(bucket).send().await.expect("a bucket");
        }
    });
    Some(server)
}

/// What every place for an output must do; `open` gives one more writer of the same place.
fn behaves(open: &dyn Fn() -> Arc<dyn Storage>) {
    one_of_many_creates(open);
    publishing_twice_is_publishing_once(open().as_ref());
    locks_exclude_until_dropped(open);
    what_is_written_is_listed_read_and_removed(open().as_ref());
}

fn one_of_many_creates(open: &dyn Fn() -> Arc<dyn Storage>) {
    let writers: Vec<_> = (0..8).map(|_| open()).collect();
    for round in 0..10 {
        let path = format!("_ledger/{round:020}.json");
        let start = Barrier::new(writers.len());
        let won: Vec<bool> = std::thread::scope(|scope| {
            let race = |number: usize| {
                let (writer, path, start) = (&writers[number], &path, &start);
                // In some rounds all write the same: then only the writer tells whose it is.
                let content = if round % 2 == 0 { "same".to_owned() } else { format!("{number}") };
                scope.spawn(move || {
                    start.wait();
                    writer.put_if_absent(path, content.as_bytes()).expect("writes")
                })
            };
            let threads: Vec<_> = (0..writers.len()).map(race).collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
        });
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "round {round}: {won:?}");
        let winner = won.iter().position(|won| *won).expect("a winner");
        let content = writers[0].get(&path).expect("reads").expect("is there");
        assert!(round % 2 == 0 || content == format!("{winner}").as_bytes());
        assert!(!writers[winner].put_if_absent(&path, b"again").expect("writes"), "it is taken now");
    }
}

fn publishing_twice_is_publishing_once(place: &dyn Storage) {
    let files: Vec<(String, String)> = (0..40)
        .map(|number| (format!("_staging/w/{number}"), format!("usage/date=2026-03-02/w {number}+.parquet")))
        .collect();
    for (staged, path) in &files {
        place.stage(staged, path.as_bytes()).expect("stages");
    }
    let named: Vec<(&str, &str)> = files.iter().map(|(staged, path)| (staged.as_str(), path.as_str())).collect();
    for _ in 0..2 {
        place.publish(&named).expect("publishes");
        assert_eq!(place.list("usage").expect("lists").len(), files.len());
        assert!(place.list("_staging/w").expect("lists").is_empty());
    }
    for (_, path) in &files {
        assert_eq!(place.get(path).expect("reads").as_deref(), Some(path.as_bytes()));
    }
    // Half of it was done before: staged again, as after a copy that was not followed by a removal.
    place.stage(named[0].0, named[0].1.as_bytes()).expect("stages");
    place.publish(&named).expect("publishes");
    assert_eq!(place.list("usage").expect("lists").len(), files.len());
    assert!(place.publish(&[("_staging/w/none", "usage/none")]).is_err(), "neither staged nor there");
}

fn locks_exclude_until_dropped(open: &dyn Fn() -> Arc<dyn Storage>) {
    let (a, b) = (open(), open());
    let lock = a.lock("_ledger/x.lock").expect("locks").expect("free");
    let started = Instant::now();
    // Longer than a lease: it is held because it is refreshed, not because it is young.
    while started.elapsed() < SHORT.lasts * 2 {
        assert!(b.lock("_ledger/x.lock").expect("locks").is_none(), "held twice after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(b.lock("_ledger/other.lock").expect("locks").is_some(), "another lock");
    drop(lock);
    let taken = b.lock("_ledger/x.lock").expect("locks").expect("free again at once");
    assert!(a.lock("_ledger/x.lock").expect("locks").is_none());
    drop(taken);
    // Of many who ask at once one gets it, every time.
    let writers: Vec<_> = (0..6).map(|_| open()).collect();
    for _ in 0..3 {
        let (start, end) = (Barrier::new(writers.len()), Barrier::new(writers.len()));
        let held: usize = std::thread::scope(|scope| {
            let (start, end) = (&start, &end);
            let ask = |writer: &Arc<dyn Storage>| {
                let writer = Arc::clone(writer);
                scope.spawn(move || {
                    start.wait();
                    let lock = writer.lock("_ledger/y.lock").expect("locks");
                    end.wait();
                    usize::from(lock.is_some())
                })
            };
            let threads: Vec<_> = writers.iter().map(ask).collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
        });
        assert_eq!(held, 1);
    }
}

fn what_is_written_is_listed_read_and_removed(place: &dyn Storage) {
    let paths: Vec<String> = (0..30).map(|number| format!("keys/a/{number:02}")).collect();
    paths.iter().for_each(|path| place.put(path, path.as_bytes()).expect("puts"));
    place.put("keys-of-others/x", b"x").expect("puts");
    assert_eq!(place.list("keys").expect("lists"), paths);
    assert_eq!(place.list_behind("keys", &paths[0]).expect("lists"), paths[1..]);
    assert_eq!(place.list_behind("keys", "keys/").expect("lists"), paths);
    assert!(place.list_behind("keys", &paths[paths.len() - 1]).expect("lists").is_empty());
    assert_eq!(place.list("nothing").expect("lists"), Vec::<String>::new());
    assert_eq!(place.get("keys/none").expect("reads"), None);
    let mut asked = paths.clone();
    asked.insert(25, "keys/a/none".to_owned());
    let contents = place.get_run(&asked).expect("reads");
    assert_eq!(contents, paths[..25].iter().map(|path| path.as_bytes().to_vec()).collect::<Vec<_>>());
    place.put(&paths[0], b"new").expect("puts");
    assert_eq!(place.get(&paths[0]).expect("reads").as_deref(), Some(&b"new"[..]));
    for _ in 0..2 {
        place.remove(&paths[0]).expect("removes");
        assert_eq!(place.list("keys").expect("lists"), paths[1..]);
    }
    for _ in 0..2 {
        place.remove_folder("keys").expect("removes");
        assert!(place.list("keys").expect("lists").is_empty());
    }
    assert_eq!(place.list("keys-of-others").expect("lists"), ["keys-of-others/x"]);
}

#[test]
fn a_folder_behaves() {
    let folder = temp_dir();
    behaves(&|| Arc::new(LocalFolder::create(folder.path()).expect("a folder")));
}

#[test]
fn a_bucket_behaves() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    behaves(&|| writer(&runtime, &server.url()));
    // More than one page of a listing, more than one call of a removal.
    let place = writer(&runtime, &server.url());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let place = &place;
            let put = move || (0..280).for_each(|n| place.put(&format!("many/{thread}-{n:04}"), b"x").expect("puts"));
            scope.spawn(put);
        }
    });
    assert_eq!(place.list("many").expect("lists").len(), 1_120);
    place.remove_folder("many").expect("removes");
    assert!(place.list("many").expect("lists").is_empty());
}

/// Answers get lost, bodies break off, the service is busy: the promises are the same.
#[test]
fn a_bucket_behaves_behind_a_bad_network() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let chance = std::sync::Mutex::new(Lcg(11));
    let proxy = FaultyProxy::start(&server.url(), move |_| match chance.lock().expect("chance").below(40) {
        0 | 1 => Fault::AnswerLost,
        2 => Fault::SlowDown,
        3 => Fault::Closed,
        4 => Fault::Cut,
        5 => Fault::Late(Duration::from_millis(100)),
        _ => Fault::None,
    });
    behaves(&|| writer(&runtime, &proxy.url()));
    let lost = proxy.seen().iter().filter(|(r, fault)| r.method == "PUT" && *fault == Fault::AnswerLost).count();
    assert!(lost > 5, "only {lost} answers to writes were lost");
}

/// The answer to a write is lost, each time that it is tried: the entry is there, and it is ours.
#[test]
fn an_entry_whose_answer_is_lost_is_recognised() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let is_entry = |request: &Request| request.method == "PUT" && request.target.contains("_ledger");
    for lost in [1, 2, 3] {
        let path = format!("_ledger/{lost}.json");
        let count = std::sync::atomic::AtomicUsize::new(0);
        let proxy = FaultyProxy::start(&server.url(), move |request| {
            let lose = is_entry(request) && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < lost;
            if lose { Fault::AnswerLost } else { Fault::None }
        });
        let (unlucky, other) = (writer(&runtime, &proxy.url()), writer(&runtime, &server.url()));
        assert!(unlucky.put_if_absent(&path, b"same").expect("writes"), "it is there, and it is its own");
        assert!(!other.put_if_absent(&path, b"same").expect("writes"));
        assert!(!unlucky.put_if_absent(&path, b"same").expect("writes"), "another call is another writer");
        assert!(proxy.seen().iter().any(|(_, fault)| *fault == Fault::AnswerLost));
    }
}

/// Asks until the lock is free.
fn wait_for(place: &dyn Storage, path: &str) -> Lock {
    for _ in 0..400 {
        if let Some(lock) = place.lock(path).expect("locks") {
            return lock;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{path} is held for ever");
}

#[test]
fn a_lease_is_taken_over_when_its_holder_is_gone() {
    let (mine, theirs) = (runtime(), runtime());
    let Some(server) = server_with_bucket(&mine) else { return };
    let (a, b) = (writer(&theirs, &server.url()), writer(&mine, &server.url()));
    let lock = a.lock("_ledger/x.lock").expect("locks").expect("free");
    assert!(b.lock("_ledger/x.lock").expect("locks").is_none());
    // Killed: nothing is refreshed, nothing given back.
    theirs.shutdown_background();
    let started = Instant::now();
    let taken = wait_for(b.as_ref(), "_ledger/x.lock");
    let took = started.elapsed();
    assert!(took + SHORT.refreshed_every >= SHORT.lasts, "taken from a holder who may live, after {took:?}");
    assert!(took < SHORT.lasts * 3, "{took:?}");
    // The end of the first one's guard is no end of the second one's lease.
    drop(lock);
    let c = writer(&mine, &server.url());
    assert!(c.lock("_ledger/x.lock").expect("locks").is_none());
    drop(taken);
    assert!(c.lock("_ledger/x.lock").expect("locks").is_some());
}

/// Somebody who never saw the holder alive tells by the server's two times that it is gone.
#[test]
fn an_old_lease_is_free_at_first_sight() {
    let (mine, theirs) = (runtime(), runtime());
    let Some(server) = server_with_bucket(&mine) else { return };
    let a = writer(&theirs, &server.url());
    let lock = a.lock("_ledger/x.lock").expect("locks").expect("free");
    theirs.shutdown_background();
    std::thread::sleep(SHORT.lasts * 2 + Duration::from_secs(2));
    assert!(writer(&mine, &server.url()).lock("_ledger/x.lock").expect("locks").is_some());
    drop(lock);
}

/// A process that was stopped for longer than its lease lasts must not commit: what it staged may be gone.
#[test]
fn who_has_lost_a_lease_commits_nothing() {
    let (mine, theirs) = (runtime(), runtime());
    let Some(server) = server_with_bucket(&mine) else { return };
    let cut_off = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let plan = Arc::clone(&cut_off);
    let proxy = FaultyProxy::start(&server.url(), move |_| {
        if plan.load(std::sync::atomic::Ordering::Relaxed) { Fault::Closed } else { Fault::None }
    });
    let (stopped, heir) = (writer(&theirs, &proxy.url()), writer(&mine, &server.url()));
    let lock = stopped.lock("_staging/w/alive").expect("locks").expect("free");
    assert!(stopped.put_if_absent("_ledger/1.json", b"1").expect("writes"));
    cut_off.store(true, std::sync::atomic::Ordering::Relaxed);
    let taken = wait_for(heir.as_ref(), "_staging/w/alive");
    cut_off.store(false, std::sync::atomic::Ordering::Relaxed);
    let error = stopped.put_if_absent("_ledger/2.json", b"2").expect_err("the lease is lost");
    assert!(matches!(error, LakeError::LeaseLost(_)), "{error}");
    assert!(error.to_string().contains("s3://lake/out/_staging/w/alive"), "{error}");
    assert_eq!(heir.get("_ledger/2.json").expect("reads"), None);
    drop((lock, taken));
    assert!(stopped.put_if_absent("_ledger/2.json", b"2").expect("writes"), "it holds nothing now");
}

/// Uploads run beside each other: a file that did not make it stops the entry that would name it.
#[test]
fn a_file_that_could_not_be_staged_is_never_committed() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let proxy = FaultyProxy::start(&server.url(), |request| {
        if request.target.contains("/bad") { Fault::Denied } else { Fault::Late(Duration::from_millis(50)) }
    });
    let place = writer(&runtime, &proxy.url());
    let started = Instant::now();
    for number in 0..40 {
        place.stage(&format!("_staging/w/{number}"), b"x").expect("stages");
    }
    assert!(place.put_if_absent("_ledger/1.json", b"1").expect("writes"));
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "one after the other: {took:?}");
    assert_eq!(place.list("_staging").expect("lists").len(), 40);
    let _ = place.stage("_staging/w/bad", b"x");
    // Whatever is done in between, it is not forgotten.
    place.remove("_staging/w/1").expect("removes");
    let error = place.put_if_absent("_ledger/2.json", b"2").expect_err("a file is missing");
    assert!(error.to_string().contains("_staging/w/bad"), "{error}");
    assert_eq!(place.get("_ledger/2.json").expect("reads"), None);
    place.remove_folder("_staging").expect("removes");
    assert!(place.put_if_absent("_ledger/2.json", b"2").expect("writes"), "told once");
}

#[test]
fn errors_name_the_object_and_the_permission() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let proxy = FaultyProxy::start(&server.url(), |_| Fault::Denied);
    let place = writer(&runtime, &proxy.url());
    for (error, says) in [
        (
            place.put("keys/x", b"secret").expect_err("denied"),
            "write s3://lake/out/keys/x: AccessDenied: as planned; grant s3:PutObject",
        ),
        (place.get("keys/x").expect_err("denied"), "s3:GetObject"),
        (
            place.list("keys").expect_err("denied"),
            "list s3://lake/out/keys/: AccessDenied: as planned; grant s3:ListBucket",
        ),
        (place.remove("keys/x").expect_err("denied"), "s3:DeleteObject"),
        (place.publish(&[("a", "keys/x")]).expect_err("denied"), "publish s3://lake/out/keys/x"),
    ] {
        assert!(error.to_string().contains(says) && !error.to_string().contains("secret"), "{error}");
    }
    let none = Bucket::new(
        runtime.block_on(client(&server.url())),
        runtime.handle().clone(),
        "lake",
        "none",
        Settings::default(),
    );
    assert!(matches!(none.existing(), Err(LakeError::NoOutput(place)) if place == "s3://lake/none/"));
}
