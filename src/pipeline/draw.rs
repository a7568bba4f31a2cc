//! One object through fetching and analysis; whatever goes wrong is that object's failure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustc_hash::FxHashSet;

use crate::analyze::{Analyzer, Plan};
use crate::model::object::{ObjectRef, ObjectStatus};
use crate::model::r#yield::Yield;
use crate::source::{FetchError, Store};

/// Fetches and analyses an object.
pub(super) fn fetch_and_analyze(
    object: &ObjectRef,
    store: &dyn Store,
    (analyzer, plan): (&mut Analyzer, &Plan),
    stored: &mut Vec<u8>,
    seen: &FxHashSet<u64>,
) -> Yield {
    match store.fetch(object, stored) {
        Err(error) => failed(object, &error),
        Ok(()) => analyze(object, stored, (analyzer, plan), seen),
    }
}

/// Analyses an object. A panic is that object's failure, not the run's.
pub(super) fn analyze(
    object: &ObjectRef,
    stored: &[u8],
    (analyzer, plan): (&mut Analyzer, &Plan),
    seen: &FxHashSet<u64>,
) -> Yield {
    catch_unwind(AssertUnwindSafe(|| analyzer.analyze(plan, object, stored, seen))).unwrap_or_else(|_| {
        let reason = "keytrail itself failed on this object: please report it".to_owned();
        Yield::without_records(object.clone(), ObjectStatus::Failed, reason)
    })
}

/// What becomes of an object that could not be had.
pub(super) fn failed(object: &ObjectRef, error: &FetchError) -> Yield {
    Yield::without_records(object.clone(), ObjectStatus::Failed, error.to_string())
}
