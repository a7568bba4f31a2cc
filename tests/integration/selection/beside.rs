//! What stands before, between and behind lists of records costs only itself.

use keytrail::decode::gunzip::Buffer;
use keytrail::decode::interest::Interest;
use keytrail::decode::scan::{Found, List, Stop, pieces, scan};
use keytrail::model::object::ObjectStatus;
use keytrail::model::r#yield::Reject;

use super::files::{Framing, framed};
use super::{FAST, STRICT, analyse, written_plainly};

const DIGEST: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-02T09:00:00Z","logFiles":[]}"#;

/// First lines that are no records, and hide none.
const FIRST_LINES: [&str; 12] = [
    "{}",
    "# comment",
    "null",
    "42",
    r#"{"eventVersion":"1.08"}"#,
    r#"{"meta":1}"#,
    r#"{"meta":{"eventSource":"#,
    r#"{"meta":"#,
    r#"kms:us-east-1:111122223333:key/1"},"eventID":"abc","readOnly":true}"#,
    r#"{"type":"AssumedRole","arn":"x"},"eventID":"abc","readOnly":true}"#,
    r#""a string""#,
    r#"{"meta":1} # comment"#,
];

/// What follows the first line: the same two records of KMS, in each way that files have.
fn following() -> Vec<String> {
    let records = records();
    let indented: Vec<String> =
        records.iter().map(|record| record.replacen("{\"eventVersion\":", "{\n  \"eventVersion\" : ", 1)).collect();
    vec![
        framed(Framing::Records, &records),
        framed(Framing::Lines, &records),
        framed(Framing::Array, &records),
        framed(Framing::Documents, &records),
        framed(Framing::Sequence, &records),
        framed(Framing::Lines, &indented),
        framed(Framing::Records, &indented),
    ]
}

fn records() -> [String; 2] {
    [written_plainly(0, 1), written_plainly(1, 2)]
}

/// Analysed, malformed, of another kind.
fn counts(file: &str) -> [(ObjectStatus, u64, u64, u64); 2] {
    [&*FAST, &*STRICT].map(|plan| {
        let drawn = analyse(plan, file.as_bytes());
        let records = drawn.records;
        assert_eq!(drawn.rejects.len() as u64, records.malformed, "{file}");
        (drawn.status, records.analysed, records.malformed, records.other_kind)
    })
}

#[test]
fn a_first_line_that_is_no_record_costs_only_itself() {
    for first in FIRST_LINES {
        for rest in following() {
            let file = format!("{first}\n{rest}");
            assert_eq!(counts(&file), [(ObjectStatus::Done, 2, 1, 0); 2], "{file}");
        }
    }
}

#[test]
fn a_digest_beside_records_is_counted_and_hides_none() {
    for rest in following() {
        for file in [format!("{DIGEST}\n{rest}"), format!("{rest}\n{DIGEST}\n"), format!("{DIGEST}{rest}")] {
            assert_eq!(counts(&file), [(ObjectStatus::Done, 2, 0, 1); 2], "{file}");
        }
    }
}

#[test]
fn a_document_among_records_is_read() {
    let [first, second] = records();
    let third = written_plainly(0, 3);
    let file =
        format!("{first}\n{{\"Records\":[{second}],\"more\":[{{}}],\"Records\":[]}}\n{{\"Records\":[]}}\n{third}\n");
    assert_eq!(counts(&file), [(ObjectStatus::Done, 3, 0, 0); 2], "{file}");
}

/// It is not parsed as one record; what frames it costs some rejects.
#[test]
fn a_large_document_among_records_is_read() {
    const MANY: usize = 7_000;
    let record = |id| written_plainly(1, id).replacen('{', "{\"apiVersion\":null,", 1);
    let many: Vec<String> = (1..MANY).map(record).collect();
    let file = format!("{}\n{}\n{}", record(0), framed(Framing::Records, &many), record(MANY));
    for (status, analysed, malformed, _) in counts(&file) {
        assert_eq!((status, analysed, malformed), (ObjectStatus::Done, MANY as u64 + 1, 3));
    }
}

#[test]
fn what_stands_between_documents_hides_none() {
    let [first, second] = records();
    for between in ["{}", "null", "# comment", r#"{"meta":"#] {
        let file = format!("{{\"Records\":[{first}]}}\n{between}\n{{\"Records\":[{second}]}}\n");
        assert_eq!(counts(&file), [(ObjectStatus::Done, 2, 1, 0); 2], "{file}");
    }
    let file = format!("{{\"Records\":[{first}]}},\n{{\"Records\":[{second}]}}\n");
    assert_eq!(counts(&file), [(ObjectStatus::Done, 2, 0, 0); 2], "{file}");
}

#[test]
fn a_list_whose_start_is_lost_is_read() {
    let [first, second] = records();
    let file = format!("\"x\"}},\"readOnly\":true}},{first},{second}]}}\n{{\"Records\":[{}]}}", written_plainly(0, 3));
    assert_eq!(counts(&file), [(ObjectStatus::Done, 3, 1, 0); 2], "{file}");
}

#[test]
fn files_of_another_kind_stay_what_they_are() {
    let [first, _] = records();
    let said = |file: &str| {
        let drawn = analyse(&FAST, file.as_bytes());
        assert_eq!((drawn.records.total(), drawn.rejects.len()), (0, 0), "{file}");
        (drawn.status, drawn.reason)
    };
    for file in [DIGEST.to_owned(), format!("{DIGEST}\n{DIGEST}"), format!("{DIGEST}\n{{\"eventSource\":1}}")] {
        assert_eq!(said(&file), (ObjectStatus::Skipped, "CloudTrail digest file".to_owned()), "{file}");
    }
    let lines = "{\"level\":\"info\",\"eventSource\":\"x\"}\n".repeat(3);
    for (file, reason) in [
        (format!("12:00 INFO got {first}\n12:01 INFO got {{\"Records\":[{first}]}}\n"), "not JSON: offset 0 has"),
        (lines, "no record's members, in the object at offset 0"),
        ("{}\n{\"Records\":[]}".to_owned(), "in the object at offset 0"),
        ("{}\n{\"Records\":[17,{\"eventSource\":1}]}".to_owned(), "in the object at offset 0"),
        ("{\"meta\":\n".repeat(4), "JSON ends early, inside of the value at offset 0"),
    ] {
        let (status, said) = said(&file);
        assert!(status == ObjectStatus::Failed && said.contains(reason), "{file}: {said}");
    }
}

/// Brackets, numbers, tiny objects: a file of them has no more rejects than any other, but all are counted.
#[test]
fn malformed_records_are_all_counted_and_the_first_are_kept() {
    const MANY: usize = 20_000;
    let [first, second] = records();
    for one in ["1", "{}", "]}", "\"\""] {
        let many = vec![one; MANY].join(",");
        // A bracket of an array would end it.
        let file = format!("{first}\n{many}\n{second}");
        for plan in [&*FAST, &*STRICT] {
            let drawn = analyse(plan, file.as_bytes());
            let things = if one == "]}" { 2 * MANY } else { MANY };
            assert_eq!((drawn.records.analysed, drawn.records.malformed), (2, things as u64), "{one}");
            assert_eq!(drawn.rejects.len(), Reject::MAX_OF_OBJECT, "{one}");
            let last = &drawn.rejects[Reject::MAX_OF_OBJECT - 1].reason;
            assert!(last.contains(&format!("{} more", things - Reject::MAX_OF_OBJECT)), "{last}");
        }
    }
}

#[test]
fn a_scan_lists_little_at_a_time_whatever_the_file() {
    const LIMIT: usize = 100;
    let everything = Interest::in_everything();
    for text in ["1,".repeat(10_000), "]".repeat(10_000), "{}".repeat(10_000), "1{}".repeat(10_000)] {
        let (mut buffer, mut found, mut at, mut strays) = (Buffer::default(), Found::default(), 0, 0);
        buffer.fill(text.as_bytes());
        loop {
            found.clear();
            let stop = scan(buffer.padded(), at, List::TopLevel, &everything, LIMIT, &mut found);
            // What one batch of 256 bytes holds comes on top.
            assert!(found.selected.len() + found.strays.len() < LIMIT + 256, "{stop:?}");
            strays += found.strays.iter().flat_map(|stray| pieces(buffer.json(), stray.clone())).count();
            let Stop::Full(next) = stop else { break };
            at = next;
        }
        assert_eq!(strays, text.matches(['1', ']']).count());
    }
}

#[test]
fn the_kind_of_a_list_is_that_of_its_first_record_whatever_stands_before_it() {
    let insight = written_plainly(10, 1).replace("ec2.", "quiet.").replace("RunInstances", "Quiet");
    let file = framed(Framing::Records, &["1".to_owned(), insight.clone(), insight]);
    assert_eq!(counts(&file)[0].3, 2, "{file}");
}

/// Each of these would take minutes if the rest of the file were looked at for each line.
#[test]
fn what_does_not_end_is_not_walked_again_and_again() {
    let [first, second] = records();
    let started = std::time::Instant::now();
    for line in [
        "{\"a\":\n",
        "{\"a\":[\n",
        "{\"Records\":[]}!\n",
        ",\n{\"Records\":[]}",
        "{\"a\":\"\n",
        "{}!",
        "# comment\n{\n",
    ] {
        let lines = line.repeat(40_000);
        for file in [
            format!("{lines}\n{first}"),
            format!("{first}\n{lines}\n{second}"),
            format!("{{\"Records\":[{first}]}}{lines}"),
        ] {
            let _ = analyse(&FAST, file.as_bytes());
        }
    }
    assert!(started.elapsed().as_secs() < 60, "it took {:?}", started.elapsed());
}
