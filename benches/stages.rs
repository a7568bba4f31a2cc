//! Each stage by itself, in CPU seconds and bytes of JSON a second, as a multiple of inflating.
//!
//! `KEYTRAIL_BENCH_TRAIL=FOLDER cargo bench --bench stages`; without the variable over a trail that
//! `benches/generate_trail.py` makes.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench stops on what it does not expect, and prints"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use keytrail::analyze::{Analyzer, Plan, Selection};
use keytrail::decode::event::Decoder;
use keytrail::decode::framing::{Framing, Section};
use keytrail::decode::gunzip::{Buffer, Gunzip};
use keytrail::decode::interest::Interest;
use keytrail::decode::scan::{Found, Stop, Way, scan_by, ways};
use keytrail::folding;
use keytrail::lake::Lake;
use keytrail::lake::local::LocalFolder;
use keytrail::model::event::Event;
use keytrail::model::object::ObjectRef;
use keytrail::model::r#yield::Yield;
use keytrail::rules::index::Index;
use keytrail::rules::settings::Settings;
use keytrail::source::local;
use rustc_hash::FxHashSet;

mod support;

const ROUNDS: usize = 5;
const CAP: usize = 1 << 30;

fn main() {
    let trail = support::trail();
    let files: Vec<(ObjectRef, Vec<u8>)> = local::list(&[trail], None)
        .expect("the trail is listed")
        .objects
        .into_iter()
        .map(|object| (object.clone(), std::fs::read(&object.key).expect("a file of the trail")))
        .collect();
    let interest = Index::default()
        .events()
        .fold(Interest::default().and_source(Event::KMS), |wanted, (source, name)| wanted.and_event(source, name));
    // The first is what the program takes.
    let scans: Vec<(String, Way)> =
        ways().into_iter().map(|way| (format!("2 inflate, scan by {}", way.name), way)).collect();
    let widest = scans[0].1;
    let mut seconds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut json_bytes = 0;
    for _ in 0..ROUNDS {
        let mut note = |stage, since: f64| seconds.entry(stage).or_default().push(support::cpu_seconds() - since);
        json_bytes = 0;
        let start = support::cpu_seconds();
        each_buffer(&files, |buffer| json_bytes += buffer.json().len());
        note("1 inflate", start);
        for (stage, way) in &scans {
            let start = support::cpu_seconds();
            each_buffer(&files, |buffer| scan_all(*way, buffer, &interest, &mut |_| {}));
            note(stage, start);
        }
        let start = support::cpu_seconds();
        let mut decoder = Decoder::default();
        each_buffer(&files, |buffer| {
            scan_all(widest, buffer, &interest, &mut |record| _ = decoder.decode(record, |event| event.is_ok()));
        });
        note("3 inflate, scan, parse", start);
        let start = support::cpu_seconds();
        let mut yields = analyse(&files);
        note("4 analyse (all of the above, rules, usage)", start);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut lake = Lake::open(Arc::new(LocalFolder::create(folder.path()).expect("an output"))).expect("a lake");
        let start = support::cpu_seconds();
        lake.commit_batch(&mut yields).expect("commits");
        note("5 commit (merge, sort, Parquet)", start);
        let start = support::cpu_seconds();
        folding::fold(&mut lake, &Settings::default(), &[]).expect("folds");
        note("6 fold", start);
    }
    support::report(&seconds, json_bytes);
}

fn each_buffer(files: &[(ObjectRef, Vec<u8>)], mut with: impl FnMut(&Buffer)) {
    let mut gunzip = Gunzip::new(CAP).expect("memory");
    let mut buffer = Buffer::default();
    for (_, stored) in files {
        gunzip.read(stored, &mut buffer).expect("the trail is sound");
        with(&buffer);
    }
}

fn scan_all(way: Way, buffer: &Buffer, interest: &Interest, with: &mut dyn FnMut(&[u8])) {
    let mut found = Found::default();
    let mut framing = Framing::new(buffer.json());
    while let Section::Records { start, list } = framing.next_section().expect("the trail is sound") {
        let mut at = start;
        loop {
            found.clear();
            let stop = scan_by(way, (buffer.padded(), at), list, interest, 4_096, &mut found);
            found.selected.iter().for_each(|selected| with(&buffer.json()[selected.range.clone()]));
            match stop {
                Stop::Full(next) => at = next,
                Stop::End(end) | Stop::Cut(end) => break framing.resume_behind(end),
            }
        }
    }
}

fn analyse(files: &[(ObjectRef, Vec<u8>)]) -> Vec<Yield> {
    let plan = Plan::new(Settings::default(), Selection::Fast);
    let mut analyzer = Analyzer::new(CAP).expect("memory");
    let nothing = FxHashSet::default();
    files.iter().map(|(object, stored)| analyzer.analyze(&plan, object, stored, &nothing)).collect()
}
