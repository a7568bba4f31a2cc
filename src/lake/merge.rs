//! Merges sorted files of a table into one, a few thousand rows of each at a time; partial counts of
//! the same dimensions become one.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, new_null_array};
use arrow_schema::{ArrowError, Schema};
use arrow_select::interleave::interleave;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;

use super::LakeError;
use super::parquet::{File, Merged};
use super::schema::{By, Table};

/// Files that are open at once. More are merged in several passes.
const FAN_IN: usize = 32;
/// Most rows that are read of a file at a time, and most bytes, nearly.
const ROWS: usize = 2_048;
const BYTES: usize = 1 << 20;
/// A merged file.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) content: Vec<u8>,
    pub(crate) rows: u64,
}

/// Merges `files`, each read by `get` when its turn comes; equal rows stay in their order. At most `held`
/// bytes of decoded rows wait for their row group, and what was read with them.
///
/// # Errors
/// If one cannot be read, or has columns that this version does not know: they would be lost.
pub(crate) fn merge<T: Table, F>(
    files: &[F],
    held: usize,
    mut get: impl FnMut(&F) -> Result<Vec<u8>, LakeError>,
) -> Result<Whole, LakeError> {
    let mut runs = Vec::new();
    for files in files.chunks(FAN_IN) {
        let contents = files.iter().map(&mut get).collect::<Result<Vec<_>, _>>()?;
        runs.push(once::<T>(contents, held)?);
    }
    while runs.len() > 1 {
        let mut merged = Vec::new();
        let mut rest = runs.into_iter();
        loop {
            let contents: Vec<_> = rest.by_ref().take(FAN_IN).map(|run| run.content).collect();
            if contents.is_empty() {
                break;
            }
            merged.push(once::<T>(contents, held)?);
        }
        runs = merged;
    }
    runs.pop().map_or_else(|| once::<T>(Vec::new(), held), Ok)
}

fn once<T: Table>(contents: Vec<Vec<u8>>, held: usize) -> Result<Whole, LakeError> {
    let mut output = Output::<T>::create(held)?;
    let mut streams = Vec::new();
    for content in contents {
        streams.push(Stream::open::<T>(content, &output.file.schema().clone())?);
    }
    // Streams by their next rows, least first.
    let mut order: Vec<usize> = Vec::new();
    for at in 0..streams.len() {
        if output.next(&mut streams[at])? {
            insert(&mut order, &streams, at);
        }
    }
    while let Some(&least) = order.first() {
        output.take(&mut streams, least)?;
        order.remove(0);
        if streams[least].row < streams[least].len || output.next(&mut streams[least])? {
            insert(&mut order, &streams, least);
        }
    }
    output.finish()
}

fn insert(order: &mut Vec<usize>, streams: &[Stream], at: usize) {
    let place = order.partition_point(|other| {
        let (a, b) = (&streams[*other], &streams[at]);
        compare(&a.keys, a.row, &b.keys, b.row).then(other.cmp(&at)).is_lt()
    });
    order.insert(place, at);
}

/// A file, some rows at a time.
struct Stream {
    reader: ParquetRecordBatchReader,
    schema: Arc<Schema>,
    keys: Arc<[Key]>,
    /// Which of the held batches its rows are in.
    batch: usize,
    row: usize,
    len: usize,
}

impl Stream {
    fn open<T: Table>(content: Vec<u8>, schema: &Arc<Schema>) -> Result<Self, LakeError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).map_err(fail::<T>)?;
        let known = |name: &str| schema.column_with_name(name).is_some();
        if let Some(field) = builder.schema().fields().iter().find(|field| !known(field.name())) {
            return Err(fail::<T>(format!(
                "a file has the column {}, which this version of keytrail does not know; update the one that compacts",
                field.name()
            )));
        }
        let metadata = builder.metadata();
        let bytes: i64 = metadata.row_groups().iter().map(RowGroupMetaData::total_byte_size).sum();
        let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or_default().max(1);
        let each = (usize::try_from(bytes).unwrap_or_default() / rows).max(1);
        let at_once = (BYTES / each).clamp(1, ROWS);
        Ok(Self {
            reader: builder.with_batch_size(at_once).build().map_err(fail::<T>)?,
            schema: Arc::clone(schema),
            keys: Arc::from([]),
            batch: 0,
            row: 0,
            len: 0,
        })
    }

    /// Reads on; older files lack newer columns.
    fn read<T: Table>(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        for batch in self.reader.by_ref() {
            let batch = batch.map_err(fail::<T>)?;
            if batch.num_rows() == 0 {
                continue;
            }
            let columns = self.schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), batch.num_rows()),
            });
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect()).map_err(fail::<T>)?;
            self.keys = T::ORDER.iter().map(|by| Key::of::<T>(&batch, *by)).collect::<Result<_, _>>()?;
            (self.row, self.len) = (0, batch.num_rows());
            return Ok(Some(batch));
        }
        self.len = 0;
        Ok(None)
    }
}

/// A column that rows are compared by.
enum Key {
    Text(StringArray),
    Time(TimestampMillisecondArray),
    Words(StringArray, &'static [&'static str]),
}

impl Key {
    fn of<T: Table>(batch: &RecordBatch, by: By) -> Result<Self, LakeError> {
        let (By::Value(name) | By::Words(name, _)) = by;
        let wrong = LakeError::Column { table: T::NAME, column: name };
        let Some(column) = batch.column_by_name(name) else { return Err(wrong) };
        match (by, column.as_string_opt::<i32>(), column.as_primitive_opt::<TimestampMillisecondType>()) {
            (By::Value(_), Some(texts), _) => Ok(Self::Text(texts.clone())),
            (By::Words(_, words), Some(texts), _) => Ok(Self::Words(texts.clone(), words)),
            (By::Value(_), _, Some(times)) => Ok(Self::Time(times.clone())),
            _ => Err(wrong),
        }
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => text(a, row).cmp(text(b, other_row)),
            (Self::Time(a), Self::Time(b)) => time(a, row).cmp(&time(b, other_row)),
            (Self::Words(a, words), Self::Words(b, _)) => {
                let place = |word: &str| words.iter().position(|known| *known == word).unwrap_or(words.len());
                let (a, b) = (text(a, row), text(b, other_row));
                (place(a), a).cmp(&(place(b), b))
            }
            _ => Ordering::Equal,
        }
    }
}

fn compare(a: &[Key], row: usize, b: &[Key], other_row: usize) -> Ordering {
    let mut columns = a.iter().zip(b).map(|(a, b)| a.compare(row, b, other_row));
    columns.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn text(column: &StringArray, row: usize) -> &str {
    if column.is_valid(row) { column.value(row) } else { "" }
}

fn time(column: &TimestampMillisecondArray, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

/// A row of the output.
struct Pick {
    /// Where it stands: a held batch and a row of it.
    at: (usize, usize),
    counted: Counted,
}

/// What is added up, where a table has counts.
#[derive(Clone, Copy, Default)]
struct Counted {
    requests: i64,
    first: i64,
    last: i64,
}

/// The columns of counts in a batch.
struct Counts {
    requests: Int64Array,
    first: TimestampMillisecondArray,
    last: TimestampMillisecondArray,
    sample: StringArray,
}

impl Counts {
    const REQUESTS: &'static str = "requests";
    const LAST: &'static str = "last_event_time";

    fn of<T: Table>(batch: &RecordBatch) -> Result<Self, LakeError> {
        let column = |name| batch.column_by_name(name).ok_or(LakeError::Column { table: T::NAME, column: name });
        Ok(Self {
            requests: column(Self::REQUESTS)?.as_primitive::<Int64Type>().clone(),
            first: column("first_event_time")?.as_primitive().clone(),
            last: column(Self::LAST)?.as_primitive().clone(),
            sample: column("sample_event_id")?.as_string().clone(),
        })
    }

    fn at(&self, row: usize) -> Counted {
        Counted { requests: self.requests.value(row), first: self.first.value(row), last: self.last.value(row) }
    }
}

/// Rows that were read, and those of them that wait for their row group.
struct Output<T: Table> {
    file: Merged<T>,
    held: Vec<(RecordBatch, Option<Counts>)>,
    bytes: usize,
    bytes_at_most: usize,
    picks: Vec<Pick>,
    /// Keys of the last pick.
    last: Option<(Arc<[Key]>, usize)>,
    rows: u64,
}

impl<T: Table> Output<T> {
    fn create(bytes_at_most: usize) -> Result<Self, LakeError> {
        let file = Merged::create()?;
        Ok(Self { file, held: Vec::new(), bytes: 0, bytes_at_most, picks: Vec::new(), last: None, rows: 0 })
    }

    /// Reads a stream's next rows; false if it has ended.
    fn next(&mut self, stream: &mut Stream) -> Result<bool, LakeError> {
        let Some(batch) = stream.read::<T>()? else { return Ok(false) };
        stream.batch = self.held.len();
        self.bytes += batch.get_array_memory_size();
        let counts = if T::COUNTS { Some(Counts::of::<T>(&batch)?) } else { None };
        self.held.push((batch, counts));
        Ok(true)
    }

    /// Takes the next row of a stream.
    fn take(&mut self, streams: &mut [Stream], from: usize) -> Result<(), LakeError> {
        let (at, counted) = {
            let stream = &streams[from];
            let counts = self.held[stream.batch].1.as_ref();
            ((stream.batch, stream.row), counts.map(|counts| counts.at(stream.row)).unwrap_or_default())
        };
        let stream = &streams[from];
        let same = T::COUNTS
            && self.last.as_ref().is_some_and(|(keys, row)| compare(keys, *row, &stream.keys, stream.row).is_eq());
        if !same {
            if self.picks.len() >= File::<T>::GROUP || self.bytes > self.bytes_at_most {
                self.flush(streams)?;
                return self.take(streams, from);
            }
            self.last = Some((Arc::clone(&stream.keys), stream.row));
            self.picks.push(Pick { at, counted });
        } else if let Some(pick) = self.picks.last_mut() {
            let sample = |(batch, row): (usize, usize)| {
                self.held[batch].1.as_ref().map(|counts| text(&counts.sample, row)).unwrap_or_default()
            };
            // As `CountedRow` does: the earliest speaks for all; of several the smallest id.
            if (counted.first, sample(at)) < (pick.counted.first, sample(pick.at)) {
                (pick.at, pick.counted.first) = (at, counted.first);
            }
            pick.counted.requests = pick.counted.requests.saturating_add(counted.requests);
            pick.counted.last = pick.counted.last.max(counted.last);
        }
        streams[from].row += 1;
        Ok(())
    }

    /// Writes what waits, and forgets the batches whose rows were all taken.
    fn flush(&mut self, streams: &mut [Stream]) -> Result<(), LakeError> {
        if !self.picks.is_empty() {
            let rows = self.rows().map_err(fail::<T>)?;
            self.file.append(&rows)?;
            self.rows += rows.num_rows() as u64;
            self.picks.clear();
        }
        let mut held: Vec<_> = std::mem::take(&mut self.held).into_iter().map(Some).collect();
        self.bytes = 0;
        self.last = None;
        for stream in streams.iter_mut().filter(|stream| stream.row < stream.len) {
            if let Some(batch) = held.get_mut(stream.batch).and_then(Option::take) {
                stream.batch = self.held.len();
                self.held.push(batch);
            }
        }
        Ok(())
    }

    fn rows(&self) -> Result<RecordBatch, ArrowError> {
        let places: Vec<_> = self.picks.iter().map(|pick| pick.at).collect();
        let counted = || self.picks.iter().map(|pick| pick.counted);
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (number, field) in self.file.schema().fields().iter().enumerate() {
            columns.push(match field.name().as_str() {
                Counts::REQUESTS if T::COUNTS => Arc::new(Int64Array::from_iter_values(counted().map(|c| c.requests))),
                Counts::LAST if T::COUNTS => {
                    Arc::new(TimestampMillisecondArray::from_iter_values(counted().map(|c| c.last)))
                }
                _ => {
                    let arrays: Vec<&dyn Array> =
                        self.held.iter().map(|(batch, _)| batch.column(number).as_ref()).collect();
                    interleave(&arrays, &places)?
                }
            });
        }
        RecordBatch::try_new(Arc::clone(self.file.schema()), columns)
    }

    fn finish(mut self) -> Result<Whole, LakeError> {
        self.flush(&mut [])?;
        Ok(Whole { content: self.file.finish()?, rows: self.rows })
    }
}

#[allow(clippy::needless_pass_by_value, reason = "so it is given to map_err")]
fn fail<T: Table>(error: impl ToString) -> LakeError {
    LakeError::Parquet { path: T::NAME.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::parquet;
    use crate::lake::tables::key_changes::KeyChanges;
    use crate::lake::tables::rejects::{self, Rejects};
    use crate::lake::tables::usage::{self, Usage};
    use crate::model::key_change::KeyChange;
    use crate::model::object::{ObjectName, ObjectRef};
    use crate::model::time::Seconds;
    use crate::model::usage::{KeyEvidence, Side, UsageCounts, UsageKey, UsageRows};
    use crate::model::r#yield::Reject;

    const HELD: usize = 64 << 20;
    fn read(content: Vec<u8>) -> Vec<RecordBatch> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).expect("Parquet").build();
        reader.expect("a reader").collect::<Result<_, _>>().expect("rows")
    }

    /// More files than are open at once, more rows than a row group holds.
    #[test]
    fn many_files_become_one_in_order() {
        let files: Vec<Vec<u8>> = (0..70_u32)
            .map(|file| {
                let rows: Vec<KeyChange> = (0..1_000)
                    .map(|row| KeyChange {
                        event_id: format!("{file}-{row}"),
                        key_arn: format!("key{:04}", row / 10),
                        event_time: Seconds(i64::from(file * 7 % 70) + i64::from(row % 10) * 100),
                        ..KeyChange::default()
                    })
                    .collect();
                parquet::write::<KeyChanges>(&rows.iter().collect::<Vec<_>>()).expect("writes")
            })
            .collect();
        let whole = merge::<KeyChanges, _>(&files, HELD, |file| Ok(file.clone())).expect("merges");
        assert_eq!(whole.rows, 70_000);
        let (mut last, mut ids) = ((String::new(), None), std::collections::BTreeSet::new());
        for batch in read(whole.content) {
            let column = |name| batch.column_by_name(name).expect("a column");
            let (keys, names) = (column("key_arn").as_string::<i32>(), column("event_id").as_string::<i32>());
            let times = column("event_time").as_primitive::<TimestampMillisecondType>();
            for row in 0..batch.num_rows() {
                let next = (keys.value(row).to_owned(), Some(times.value(row)));
                assert!(last <= next, "{last:?} before {next:?}");
                last = next;
                ids.insert(names.value(row).to_owned());
            }
        }
        assert_eq!(ids.len(), 70_000, "each row once");
    }

    /// What stands as it came is put together in the order of the files; large rows are read in small
    /// numbers, and do not wait for 32,768 of them.
    #[test]
    fn large_rows_are_few_at_a_time() {
        let (bucket, key, etag, name) = (String::new(), "k".to_owned(), String::new(), ObjectName::default());
        let object = ObjectRef { bucket, key, etag, size: 0, name };
        let reject = |offset: u64| {
            // Hardly compressible.
            let raw = (0..(256 << 10) / 8)
                .flat_map(|n: u64| xxhash_rust::xxh3::xxh3_64(&(n ^ offset << 32).to_le_bytes()).to_le_bytes());
            Reject { offset, reason: "r".to_owned(), raw: raw.collect() }
        };
        let files: Vec<Vec<u8>> = (0..40)
            .map(|file| {
                let rejects: Vec<_> = (0..16).map(|row| reject(file * 16 + row)).collect();
                let rows: Vec<_> = rejects
                    .iter()
                    .map(|reject| rejects::Row { source_object: "o".to_owned(), object: &object, reject })
                    .collect();
                parquet::write::<Rejects>(&rows).expect("writes")
            })
            .collect();
        let whole = merge::<Rejects, _>(&files, HELD, |file| Ok(file.clone())).expect("merges");
        let metadata = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(whole.content.clone())).expect("Parquet");
        let groups = metadata.metadata().row_groups().iter();
        let largest = groups.map(RowGroupMetaData::total_byte_size).max().expect("groups");
        assert!(largest < 3 * i64::try_from(HELD).expect("small") / 2, "{largest} bytes at once");
        let offsets: Vec<i64> = read(whole.content)
            .iter()
            .flat_map(|batch| {
                batch.column_by_name("byte_offset").expect("offsets").as_primitive::<Int64Type>().values().to_vec()
            })
            .collect();
        assert_eq!(offsets, (0..640).collect::<Vec<i64>>());
    }

    fn usage_of(requests: &[(&str, Side, i64, &str)]) -> Vec<u8> {
        let mut counts = UsageCounts::default();
        for (key, side, time, event) in requests {
            let key_arn = counts.strings.intern(key);
            let key = UsageKey { key_arn, side: *side, key_evidence: KeyEvidence::Resource, ..UsageKey::default() };
            counts.count(key, Seconds(*time), event);
        }
        let rows = UsageRows::of([&counts].into_iter());
        let rows: Vec<_> = rows.rows().iter().map(|counted| usage::Row { strings: rows.strings(), counted }).collect();
        parquet::write::<Usage>(&rows).expect("writes")
    }

    /// Whatever order the files have: requests are added up, the earliest event speaks for all.
    #[test]
    fn partial_counts_become_one() {
        // `local` stands before `caller`, against the alphabet.
        let files = [
            usage_of(&[("k", Side::Local, 50, "e"), ("k", Side::Local, 60, "f"), ("k", Side::Caller, 1, "x")]),
            usage_of(&[("k", Side::Local, 10, "c"), ("l", Side::Local, 7, "y")]),
            usage_of(&[("k", Side::Local, 10, "b"), ("k", Side::Local, 90, "d"), ("k", Side::Owner, 2, "z")]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let whole = merge::<Usage, _>(&order, HELD, |file| Ok(files[*file].clone())).expect("merges");
            let batch = read(whole.content).remove(0);
            let column = |name| batch.column_by_name(name).expect("a column");
            let texts = |name| column(name).as_string::<i32>().iter().flatten().collect::<Vec<_>>();
            let times = |name| column(name).as_primitive::<TimestampMillisecondType>().values().to_vec();
            assert_eq!(texts("key_arn"), ["k", "k", "k", "l"], "{order:?}");
            assert_eq!(texts("side"), ["local", "caller", "owner", "local"]);
            assert_eq!(column("requests").as_primitive::<Int64Type>().values().to_vec(), [5, 1, 1, 1]);
            assert_eq!(times("first_event_time"), [10_000, 1_000, 2_000, 7_000]);
            assert_eq!(times("last_event_time"), [90_000, 1_000, 2_000, 7_000]);
            assert_eq!(texts("sample_event_id"), ["b", "x", "z", "y"]);
        }
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let content = parquet::write::<Rejects>(&[]).expect("writes");
        let error = merge::<KeyChanges, _>(&[content], HELD, |file| Ok(file.clone())).expect_err("would lose a column");
        assert!(error.to_string().contains("etag"), "{error}");
    }
}
