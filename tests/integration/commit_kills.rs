//! Commits and folds that are cut off between any two steps: staged, entered, half published, published.
//! Who reads then sees committed rows only, each once; who comes next finishes, and nothing is lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use keytrail::lake::bucket::{Bucket, Settings};
use keytrail::lake::storage::Storage;
use keytrail::lake::tables::findings::Findings;
use keytrail::lake::tables::key_changes::KeyChanges;
use keytrail::lake::tables::objects::Objects;
use keytrail::model::object::ObjectRef;

use crate::bucket::{SHORT, runtime, server_with_bucket};
use crate::bucket_lake::{analyse_in, download, trail};
use crate::compaction::{STORE, expected, local};
use crate::dying::Dying;
use crate::s3_source::{QUICK, client};
use crate::support::{Row, Tables, assert_holds, number, rows, tables, temp_dir, text, usage};

/// Objects of a batch: two commits and a fold for the objects of these tests.
const BATCH: usize = 12;

/// Whoever globs at this moment sees no row twice, and nothing that is not in the expected tables.
fn assert_readable(out: &Path, expected: &Tables, what: &str) {
    let once = |rows: Vec<Row>, columns: &[&str]| {
        let all = rows.len();
        let distinct: BTreeSet<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|column| text(row, column).to_owned()).collect()).collect();
        assert_eq!(distinct.len(), all, "{what}: rows are seen twice ({columns:?})");
    };
    once(rows::<Objects>(out), &["key"]);
    once(rows::<KeyChanges>(out), &["event_id", "change", "key_arn", "alias", "account_id", "source_object"]);
    once(rows::<Findings>(out), &["finding_id", "source_object"]);
    let requests = |rows: &[Row]| rows.iter().map(|row| number(row, "requests")).sum::<i64>();
    assert!(requests(&usage(out)) <= requests(&expected.0["usage"]), "{what}: requests are counted twice");
}

/// Kills behind every step of two commits and a fold, in a new place each time.
fn killed_everywhere(
    open: &dyn Fn(usize) -> Arc<dyn Storage>,
    objects: &[ObjectRef],
    expected: &Tables,
    every: usize,
) -> usize {
    let mut kills = 0;
    for last in (0..).step_by(every) {
        let mut is_over = false;
        for last_is_done in [false, true] {
            let what = format!("behind step {last}, done: {last_is_done}");
            let here = || open(kills);
            let dying = Dying::behind(here(), last, last_is_done);
            let ended = analyse_in(Arc::clone(&dying) as _, objects, &STORE, BATCH);
            // Of the last steps nobody needs the outcome: what they leave is cleared away by the next.
            assert!(dying.is_lost() || ended.is_ok(), "{what}");
            is_over = !dying.is_lost();
            drop((ended, dying));
            let look = |check: &dyn Fn(&Path)| {
                let copy = temp_dir();
                download(here().as_ref(), copy.path());
                if copy.path().join("_ledger").is_dir() {
                    check(copy.path());
                }
            };
            look(&|out| assert_readable(out, expected, &what));
            analyse_in(here(), objects, &STORE, BATCH).expect("goes on");
            look(&|out| {
                assert_holds(out);
                expected.assert_same(&tables(out), &what);
            });
            assert!(here().list("_staging").expect("lists").is_empty(), "{what}: something is left");
            kills += 1;
        }
        if is_over {
            break;
        }
    }
    kills
}

#[test]
fn in_a_folder() {
    let folder = temp_dir();
    let objects: Vec<_> = trail(folder.path()).into_iter().step_by(3).collect();
    let expected = expected(folder.path(), &objects);
    let places = temp_dir();
    let kills = killed_everywhere(&|number| local(&places.path().join(number.to_string())), &objects, &expected, 1);
    assert!(kills > 40, "{kills} kills");
}

#[test]
fn in_a_bucket() {
    let runtime = runtime();
    let Some(server) = server_with_bucket(&runtime) else { return };
    let folder = temp_dir();
    let objects: Vec<_> = trail(folder.path()).into_iter().step_by(3).collect();
    let expected = expected(folder.path(), &objects);
    let open = |number: usize| -> Arc<dyn Storage> {
        let settings = Settings { retries: QUICK, leases: SHORT };
        let client = runtime.block_on(client(&server.url()));
        Arc::new(Bucket::new(client, runtime.handle().clone(), "lake", &format!("/{number}/"), settings))
    };
    let kills = killed_everywhere(&open, &objects, &expected, 3);
    assert!(kills > 12, "{kills} kills");
}
