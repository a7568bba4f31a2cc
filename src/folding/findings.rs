//! Findings of a fold on their way into files: of what was judged long ago, rows of a file wait, which
//! take a tenth.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::Written;
use crate::lake::schema::{Table, path};
use crate::lake::tables::findings::Findings;
use crate::lake::{FOLD_FILE, LakeError, merge, parquet};
use crate::model::finding::Finding;
use crate::model::severity::Severity;

/// Findings that wait as they are until they are written into files: some 1.5 KB each.
const MANY: usize = 2_048;

/// Rows of a file: how many, and the file.
type Rows = (usize, Vec<u8>);

/// Findings by day. A day's are in order when it becomes a file.
#[derive(Debug)]
pub(super) struct Judged {
    many: usize,
    waiting: BTreeMap<i64, Vec<Finding>>,
    written: BTreeMap<i64, Vec<Rows>>,
    by_severity: [u64; Severity::ALL.len()],
}

impl Default for Judged {
    fn default() -> Self {
        Self::many(MANY)
    }
}

impl Judged {
    /// None yet. When so many wait, they are written; what comes out does not depend on it.
    fn many(many: usize) -> Self {
        Self { many, waiting: BTreeMap::new(), written: BTreeMap::new(), by_severity: Default::default() }
    }

    /// Takes findings, of any days.
    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.by_severity[finding.severity as usize] += 1;
            self.waiting.entry(finding.event_time.day()).or_default().push(finding);
        }
    }

    /// Writes those that wait if they are many: for when hardly another of their days will come.
    ///
    /// # Errors
    /// If the rows do not fit the table: a mistake in its definition.
    pub(super) fn settle(&mut self) -> Result<(), LakeError> {
        if self.waiting.values().map(Vec::len).sum::<usize>() >= self.many {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), LakeError> {
        for (day, mut findings) in std::mem::take(&mut self.waiting) {
            findings.sort_unstable_by(|a, b| Findings::order(a).cmp(&Findings::order(b)));
            let rows: Vec<_> = findings.iter().collect();
            self.written.entry(day).or_default().push((rows.len(), parquet::write::<Findings>(&rows)?));
        }
        Ok(())
    }

    /// How many there are by severity, mildest first.
    pub(super) fn by_severity(&self) -> [u64; Severity::ALL.len()] {
        self.by_severity
    }

    /// A file for each day.
    ///
    /// # Errors
    /// As [`Judged::settle`].
    pub(super) fn files(mut self) -> Result<Vec<Written>, LakeError> {
        self.write()?;
        let mut files = Vec::new();
        for (day, written) in self.written {
            let (rows, content) = one(written)?;
            files.push((Findings::NAME, path::<Findings>(Some(day), FOLD_FILE), rows, content));
        }
        Ok(files)
    }
}

/// Bytes of decoded rows that are there at once while files are merged, nearly.
const HELD: usize = 4 << 20;

/// One file of all.
fn one(mut written: Vec<Rows>) -> Result<Rows, LakeError> {
    if written.len() == 1
        && let Some(file) = written.pop()
    {
        return Ok(file);
    }
    let contents: Vec<_> = written.into_iter().map(|(_, content)| Cell::new(content)).collect();
    let whole = merge::merge::<Findings, _>(&contents, HELD, |content| Ok(content.take()))?;
    Ok((usize::try_from(whole.rows).unwrap_or(usize::MAX), whole.content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::{Outcome, Subject};
    use crate::model::time::Seconds;
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use bytes::Bytes;

    fn finding(number: i64, day: i64) -> Finding {
        Finding {
            finding_id: format!("{:03}", number * 7 % 100),
            rule_id: "a-rule",
            family: "a-family",
            severity: if number % 3 == 0 { Severity::High } else { Severity::Info },
            outcome: Outcome::Success,
            title: "A title",
            message: format!("finding {number}"),
            event_time: Seconds(day * Seconds::DAY + number % 5),
            last_event_time: Seconds(0),
            event_count: number,
            evidence: String::new(),
            mitre: &["T1486"],
            subject: Subject { key_arn: format!("key {}", number * 13 % 7), ..Subject::default() },
            source_object: String::new(),
        }
    }

    fn rows(content: Vec<u8>) -> RecordBatch {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).expect("Parquet");
        builder.build().expect("reads").next().expect("rows").expect("reads")
    }

    #[test]
    fn files_are_the_same_however_few_findings_wait() {
        let files = |many| {
            let mut judged = Judged::many(many);
            for number in 0..100 {
                judged.add([finding(number, number / 40), finding(number + 100, number % 3)]);
                judged.settle().expect("writes");
            }
            let by_severity = judged.by_severity();
            let files = judged.files().expect("writes").into_iter();
            (by_severity, files.map(|(_, path, count, content)| (path, count, rows(content))).collect::<Vec<_>>())
        };
        let (by_severity, all) = files(usize::MAX);
        assert_eq!((by_severity, all.len()), ([133, 0, 0, 67, 0], 3));
        for (path, count, rows) in &all {
            let keys = rows.column_by_name("key_arn").expect("keys").as_string::<i32>();
            assert!(rows.num_rows() == *count && keys.iter().is_sorted(), "{path}");
        }
        for many in [1, 7, 64] {
            assert_eq!(files(many), (by_severity, all.clone()), "{many}");
        }
    }
}
