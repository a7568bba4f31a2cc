//! A record that cannot be read costs only itself.

use keytrail::analyze::Plan;

use super::files::{Framing, framed};
use super::{FAST, STRICT, analyse, written_plainly};

/// A KMS record with the key's ARN in it.
const WITH_ARN: usize = 0;
/// A KMS record whose source alone makes it one.
const WITHOUT_ARN: usize = 1;
/// A KMS record with a bare key id.
const WITH_ID: usize = 3;
/// A record that nobody wants.
const OTHER: usize = 7;

/// What is spoilt in turn.
const VICTIMS: [usize; 3] = [WITH_ARN, WITHOUT_ARN, OTHER];

/// Good records, three on each side of a spoilt one.
const NEIGHBOURS: [[usize; 6]; 3] = [
    [WITH_ARN, WITHOUT_ARN, OTHER, WITHOUT_ARN, WITH_ARN, OTHER],
    [WITHOUT_ARN, OTHER, WITHOUT_ARN, WITHOUT_ARN, OTHER, WITHOUT_ARN],
    [OTHER, OTHER, OTHER, WITH_ID, OTHER, OTHER],
];

type Spoil = fn(&str) -> String;

/// Ways to spoil a record, each at one place.
const DAMAGES: [(&str, Spoil); 9] = [
    ("a quote is missing", |record| record.replacen("\"us-east-1\"", "\"us-east-1", 1)),
    ("the opening quote of a name is missing", |record| record.replacen("\"awsRegion\"", "awsRegion\"", 1)),
    ("its last brace is missing", |record| record[..record.len() - 1].to_owned()),
    ("an inner brace is missing", |record| record.replacen("}}},", "}},", 1)),
    ("there is a brace too many", |record| format!("{record}}}")),
    ("there is a bracket too many", |record| format!("{record}]")),
    ("it is cut off in a string", |record| record[..record.len() / 2].to_owned()),
    ("a value is missing", |record| record.replacen("\"us-east-1\"", "", 1)),
    ("a line break stands in a string", |record| record.replacen("us-east-1", "us-\neast-1", 1)),
];

#[test]
fn a_spoilt_record_costs_only_itself() {
    let tried = DAMAGES.iter().flat_map(|damage| VICTIMS.map(|victim| (damage, victim)));
    let tried = tried.flat_map(|(damage, victim)| NEIGHBOURS.map(|around| (damage, victim, around)));
    assert_none(tried.filter_map(|((what, spoil), victim, around)| {
        let records = with_neighbours(&around, spoil(&written_plainly(victim, 99)));
        let why = nothing_lost(&records, &around).and_then(|()| one_at_most(&records, victim != OTHER)).err()?;
        Some(format!("{what}, kind {victim} among {around:?}: {why}"))
    }));
}

#[test]
fn a_record_without_its_first_brace_hides_no_other() {
    assert_none(VICTIMS.into_iter().filter_map(|victim| {
        let records = with_neighbours(&NEIGHBOURS[1], written_plainly(victim, 99)[1..].to_owned());
        nothing_lost(&records, &NEIGHBOURS[1]).err().map(|why| format!("kind {victim}: {why}"))
    }));
}

/// Between two of another service, the fast path may be blind: `--strict` is for that.
#[test]
fn two_spoilt_records_hide_nothing_between_them() {
    let (what, spoil) = DAMAGES[0];
    assert_none([WITH_ARN, WITHOUT_ARN].into_iter().filter_map(|victim| {
        let mut records = with_neighbours(&NEIGHBOURS[1], spoil(&written_plainly(victim, 99)));
        records.insert(5, spoil(&written_plainly(victim, 98)));
        nothing_lost(&records, &NEIGHBOURS[1]).err().map(|why| format!("{what} twice, kind {victim}: {why}"))
    }));
}

#[test]
fn what_is_no_record_is_rejected_once() {
    // The second record lacks a brace, and the third has it: together they end where they should.
    let mut records: Vec<String> =
        [WITH_ARN, WITHOUT_ARN, WITH_ARN, WITHOUT_ARN].iter().enumerate().map(good).collect();
    records[1].pop();
    records[2].push('}');
    records.insert(3, "17".to_owned());
    for plan in [&*STRICT, &*FAST] {
        let drawn = analyse(plan, framed(Framing::Records, &records).as_bytes());
        let reasons: Vec<&str> = drawn.rejects.iter().map(|reject| reject.reason.as_str()).collect();
        // The record without its brace, the brace, and the number.
        assert_eq!((drawn.records.analysed, drawn.records.malformed), (3, 3), "{reasons:?}");
    }
}

fn good((id, kind): (usize, &usize)) -> String {
    written_plainly(*kind, id)
}

fn with_neighbours(kinds: &[usize; 6], spoilt: String) -> Vec<String> {
    let mut records: Vec<String> = kinds.iter().enumerate().map(good).collect();
    records.insert(3, spoilt);
    records
}

/// Checks that all good records of KMS are read, by both selections.
fn nothing_lost(records: &[String], neighbours: &[usize; 6]) -> Result<(), String> {
    let file = framed(Framing::Records, records);
    let wanted: Vec<String> = neighbours.iter().enumerate().filter(|(_, kind)| **kind != OTHER).map(good).collect();
    let expected = analyse(&STRICT, framed(Framing::Records, &wanted).as_bytes()).seen;
    for (which, plan) in both() {
        let drawn = analyse(plan, file.as_bytes());
        let lost = expected.iter().filter(|event| !drawn.seen.contains(event)).count();
        if lost > 0 || expected.len() != wanted.len() {
            return Err(format!("{which} loses {lost} of {} good records ({:?})", wanted.len(), drawn.records));
        }
    }
    Ok(())
}

/// Checks that one record at most is rejected. What nobody wants, the fast path may pass over
/// without seeing that it is spoilt.
fn one_at_most(records: &[String], wanted: bool) -> Result<(), String> {
    let file = framed(Framing::Records, records);
    for (which, plan) in both() {
        let counts = analyse(plan, file.as_bytes()).records;
        let least = u64::from(wanted || which == "strict");
        // What is spoilt may be a surplus behind a record that is as good as any other.
        let total = records.len() as u64..=records.len() as u64 + 1;
        if !(least..=1).contains(&counts.malformed) || !total.contains(&counts.total()) {
            return Err(format!("{which} gives {counts:?}"));
        }
    }
    Ok(())
}

fn both() -> [(&'static str, &'static Plan); 2] {
    [("strict", &STRICT), ("fast", &FAST)]
}

fn assert_none(failures: impl Iterator<Item = String>) {
    let failures: Vec<_> = failures.collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
