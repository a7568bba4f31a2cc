//! Reads tables back: for the fold the files that the ledger names, for commands those that have their
//! final names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, BooleanArray, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

use serde_json::{Map, Value};

use super::LakeError;
use super::entry::FileEntry;
use super::ledger::Ledger;
use super::schema::{Description, Table, Type, describe};
use super::storage::Storage;
use crate::model::time::Seconds;

/// Rows of one file of a table. Text stays in dictionaries: a value that recurs is held once.
pub struct Rows {
    table: &'static str,
    bytes: u64,
    without_values: Vec<&'static str>,
    batches: Vec<RecordBatch>,
}

/// The Parquet files of a table, by date where it is partitioned.
///
/// # Errors
/// If the folder cannot be listed.
pub fn files<T: Table>(storage: &dyn Storage) -> Result<BTreeMap<String, Vec<String>>, LakeError> {
    let mut by_date: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in storage.list(T::NAME)?.into_iter().filter(|path| path.ends_with(".parquet")) {
        by_date.entry(date_of(&path).to_owned()).or_default().push(path);
    }
    Ok(by_date)
}

/// The files of a table that count, by date.
#[must_use]
pub fn committed_files<T: Table>(ledger: &Ledger) -> BTreeMap<String, Vec<FileEntry>> {
    let mut by_date: BTreeMap<String, Vec<FileEntry>> = BTreeMap::new();
    for file in ledger.files().filter(|file| file.table == T::NAME) {
        by_date.entry(date_of(&file.path).to_owned()).or_default().push(file.clone());
    }
    by_date
}

/// Reads a committed file of table `T`, wherever it is: its writer may be about to publish it.
///
/// # Errors
/// If it cannot be read, or is nowhere.
pub fn committed_rows<T: Table>(
    storage: &dyn Storage,
    file: &FileEntry,
    columns: Columns<'_>,
) -> Result<Rows, LakeError> {
    wherever(file, |path| rows::<T>(storage, path, columns))
}

pub(super) fn date_of(path: &str) -> &str {
    path.split('/').find_map(|part| part.strip_prefix("date=")).unwrap_or_default()
}

/// Rows of a batch: no fewer than a row group has, so that one dictionary serves all of it.
const BATCH: usize = 32_768;

/// Which columns are read.
#[derive(Debug, Clone, Copy)]
pub enum Columns<'c> {
    /// All.
    All,
    /// Those with these names, if there is a value in them: nulls need not be read.
    These(&'c [&'static str]),
}

/// Reads a file of table `T`; `None` if it is gone.
///
/// # Errors
/// If it cannot be read.
pub fn rows<T: Table>(storage: &dyn Storage, path: &str, columns: Columns<'_>) -> Result<Option<Rows>, LakeError> {
    let Some(Opened { bytes, without_values, reader }) = open::<T>(storage, path, columns)? else { return Ok(None) };
    let batches = reader.collect::<Result<_, _>>().map_err(|e| unreadable(path, &e))?;
    Ok(Some(Rows { table: T::NAME, bytes, without_values, batches }))
}

/// Shows a committed file of table `T` batch by batch: files of compacted days are large.
///
/// # Errors
/// If it cannot be read, or is nowhere; or what `with` says.
pub fn each_batch<T: Table>(
    storage: &dyn Storage,
    file: &FileEntry,
    columns: Columns<'_>,
    mut with: impl FnMut(Batch<'_>) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let Opened { without_values, reader, .. } = wherever(file, |path| open::<T>(storage, path, columns))?;
    for batch in reader {
        let batch = batch.map_err(|e| unreadable(&file.path, &e))?;
        with(Batch { table: T::NAME, without_values: &without_values, batch: &batch })?;
    }
    Ok(())
}

/// What `get` finds of a committed file, in one of the places where it may be.
pub(super) fn wherever<R>(
    file: &FileEntry,
    mut get: impl FnMut(&str) -> Result<Option<R>, LakeError>,
) -> Result<R, LakeError> {
    // Between looking at the one place and the other it may have moved: final, staged, final.
    for path in [&file.path, &file.staged, &file.path] {
        if let Some(found) = get(path)? {
            return Ok(found);
        }
    }
    Err(LakeError::Missing(file.path.clone()))
}

/// A file that is about to be read.
struct Opened {
    bytes: u64,
    /// Columns that need not be read, since all that they hold is null.
    without_values: Vec<&'static str>,
    reader: ParquetRecordBatchReader,
}

fn open<T: Table>(storage: &dyn Storage, path: &str, columns: Columns<'_>) -> Result<Option<Opened>, LakeError> {
    let Some(content) = storage.get(path)? else { return Ok(None) };
    let bytes = content.len() as u64;
    let content = Bytes::from(content);
    let metadata = ArrowReaderMetadata::load(&content, ArrowReaderOptions::new()).map_err(|e| unreadable(path, &e))?;
    let without_values = without_values::<T>(&metadata);
    let options = ArrowReaderOptions::new().with_schema(with_dictionaries::<T>(&metadata, &without_values));
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(content, options)
        .and_then(|builder| {
            let wanted = match columns {
                Columns::All => ProjectionMask::all(),
                Columns::These(names) => {
                    let with_values = names.iter().copied().filter(|name| !without_values.contains(name));
                    ProjectionMask::columns(builder.parquet_schema(), with_values)
                }
            };
            builder.with_projection(wanted).with_batch_size(BATCH).build()
        })
        .map_err(|e| unreadable(path, &e))?;
    Ok(Some(Opened { bytes, without_values, reader }))
}

fn unreadable(path: &str, reason: &dyn std::fmt::Display) -> LakeError {
    LakeError::Parquet { path: path.to_owned(), reason: reason.to_string() }
}

/// The columns of a file that hold nothing but nulls, as its statistics tell.
fn without_values<T: Table>(metadata: &ArrowReaderMetadata) -> Vec<&'static str> {
    let groups = metadata.metadata().row_groups();
    let all_null = |column: &ColumnChunkMetaData| {
        column.statistics().and_then(Statistics::null_count_opt) == u64::try_from(column.num_values()).ok()
    };
    // No column has more than one leaf. An empty list counts as a value that is null.
    let fields = metadata.schema().fields().iter().enumerate().filter(|(_, field)| !field.data_type().is_nested());
    let empty = fields.filter(|(leaf, _)| groups.iter().all(|group| all_null(group.column(*leaf))));
    let known = |name: &str| T::COLUMNS.iter().map(|column| column.name).find(|known| *known == name);
    empty.filter_map(|(_, field)| known(field.name())).collect()
}

/// Asks for dictionaries of the columns that were written with one. Of a column without values the
/// reader would make one, row by row.
fn with_dictionaries<T: Table>(metadata: &ArrowReaderMetadata, without_values: &[&str]) -> Arc<Schema> {
    let recurs = |name: &str| {
        T::COLUMNS.iter().any(|column| column.name == name && column.kind == Type::Text)
            && !without_values.contains(&name)
    };
    let fields: Vec<_> = metadata
        .schema()
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 if recurs(field.name()) => {
                let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                Arc::new(Field::new(field.name(), dictionary, field.is_nullable()))
            }
            _ => Arc::clone(field),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

impl Rows {
    /// Size of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The batches of the file.
    pub fn batches(&self) -> impl Iterator<Item = Batch<'_>> {
        self.batches.iter().map(|batch| Batch { table: self.table, without_values: &self.without_values, batch })
    }
}

/// Some rows of a file, column by column.
#[derive(Clone, Copy)]
pub struct Batch<'b> {
    table: &'static str,
    without_values: &'b [&'static str],
    batch: &'b RecordBatch,
}

impl<'b> Batch<'b> {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A column; `None` if it was not read, because it holds nothing but nulls.
    fn column(&self, name: &'static str) -> Result<Option<&'b dyn Array>, LakeError> {
        match self.batch.column_by_name(name) {
            Some(column) => Ok(Some(column.as_ref())),
            None if self.without_values.contains(&name) => Ok(None),
            None => Err(LakeError::Column { table: self.table, column: name }),
        }
    }

    /// A column of text.
    ///
    /// # Errors
    /// If there is none of this name and type.
    pub fn text(&self, name: &'static str) -> Result<Text<'b>, LakeError> {
        let wrong = LakeError::Column { table: self.table, column: name };
        let Some(column) = self.column(name)? else { return Ok(Text::Missing) };
        match column.as_dictionary_opt::<Int32Type>() {
            Some(keys) => keys.values().as_string_opt().map(|values| Text::of_dictionary(keys, values)).ok_or(wrong),
            None => column.as_string_opt().map(Text::Plain).ok_or(wrong),
        }
    }

    /// A column of text that files of older versions may lack: then every row is null.
    ///
    /// # Errors
    /// If there is one of this name that is no text.
    pub fn added_text(&self, name: &'static str) -> Result<Text<'b>, LakeError> {
        self.text(name)
            .or_else(|error| if self.batch.column_by_name(name).is_some() { Err(error) } else { Ok(Text::Missing) })
    }

    /// A column of integers.
    ///
    /// # Errors
    /// If there is none of this name and type.
    pub fn integers(&self, name: &'static str) -> Result<Integers<'b>, LakeError> {
        let wrong = LakeError::Column { table: self.table, column: name };
        let Some(column) = self.column(name)? else { return Ok(Integers(None)) };
        column.as_primitive_opt::<Int64Type>().map(|column| Integers(Some(column))).ok_or(wrong)
    }

    /// A column of booleans.
    ///
    /// # Errors
    /// If there is none of this name and type.
    pub fn booleans(&self, name: &'static str) -> Result<Booleans<'b>, LakeError> {
        let wrong = LakeError::Column { table: self.table, column: name };
        let Some(column) = self.column(name)? else { return Ok(Booleans(None)) };
        column.as_boolean_opt().map(|column| Booleans(Some(column))).ok_or(wrong)
    }

    /// A column of times.
    ///
    /// # Errors
    /// If there is none of this name and type.
    pub fn times(&self, name: &'static str) -> Result<Times<'b>, LakeError> {
        let wrong = LakeError::Column { table: self.table, column: name };
        let Some(column) = self.column(name)? else { return Ok(Times(None)) };
        column.as_primitive_opt::<TimestampMillisecondType>().map(|column| Times(Some(column))).ok_or(wrong)
    }

    /// A column of lists of text.
    ///
    /// # Errors
    /// If there is none of this name and type.
    pub fn lists(&self, name: &'static str) -> Result<Lists<'b>, LakeError> {
        let wrong = LakeError::Column { table: self.table, column: name };
        self.column(name)?.and_then(|column| column.as_list_opt::<i32>()).map(Lists).ok_or(wrong)
    }
}

/// A column of text; null is empty.
#[derive(Clone)]
pub enum Text<'b> {
    /// Each distinct text once.
    Dictionary {
        /// Which text each row has.
        keys: Cow<'b, [i32]>,
        /// The texts, and the empty one.
        values: Vec<&'b str>,
    },
    /// A text a row.
    Plain(&'b StringArray),
    /// No text in any row, or no column: the file is older.
    Missing,
}

impl<'b> Text<'b> {
    fn of_dictionary(keys: &'b DictionaryArray<Int32Type>, values: &'b StringArray) -> Self {
        let none = i32::try_from(values.len()).unwrap_or(i32::MAX);
        let keys = match keys.keys() {
            keys if keys.null_count() == 0 => Cow::Borrowed(keys.values().as_ref()),
            keys => keys.iter().map(|key| key.unwrap_or(none)).collect(),
        };
        let values = values.iter().map(Option::unwrap_or_default).chain([""]).collect();
        Self::Dictionary { keys, values }
    }

    /// The text in a row.
    #[must_use]
    #[inline]
    pub fn at(&self, row: usize) -> &'b str {
        match self {
            Self::Dictionary { keys, values } => {
                usize::try_from(keys[row]).ok().and_then(|key| values.get(key)).copied().unwrap_or_default()
            }
            Self::Plain(values) if values.is_valid(row) => values.value(row),
            Self::Plain(_) | Self::Missing => "",
        }
    }
}

/// A column of times.
#[derive(Clone, Copy)]
pub struct Times<'b>(Option<&'b TimestampMillisecondArray>);

impl Times<'_> {
    /// The time in a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<Seconds> {
        let column = self.0.filter(|column| column.is_valid(row))?;
        Some(Seconds(column.value(row).div_euclid(1_000)))
    }
}

/// A column of integers.
#[derive(Clone, Copy)]
pub struct Integers<'b>(Option<&'b Int64Array>);

impl Integers<'_> {
    /// The number in a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<i64> {
        self.0.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }
}

/// A column of booleans.
#[derive(Clone, Copy)]
pub struct Booleans<'b>(Option<&'b BooleanArray>);

impl Booleans<'_> {
    /// What a row says.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<bool> {
        self.0.filter(|column| column.is_valid(row)).map(|column| column.value(row))
    }
}

/// A column of lists of text.
#[derive(Clone, Copy)]
pub struct Lists<'b>(&'b ListArray);

impl Lists<'_> {
    /// The list in a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Vec<String> {
        if self.0.is_null(row) {
            return Vec::new();
        }
        let items = self.0.value(row);
        items
            .as_string_opt::<i32>()
            .map(|items| items.iter().flatten().map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

impl Batch<'_> {
    /// A row with all columns of its table, as JSON: times in RFC 3339, nulls left out.
    ///
    /// # Errors
    /// If a column is missing.
    pub fn record(&self, table: &Description, row: usize) -> Result<Map<String, Value>, LakeError> {
        let mut record = Map::new();
        // Columns are added from version to version: older files lack the newer ones.
        let there = |name: &str| self.batch.column_by_name(name).is_some();
        for (name, kind, _) in table.columns.iter().filter(|(name, ..)| there(name)) {
            let value = match kind {
                Type::Text | Type::Id => {
                    Some(self.text(name)?.at(row)).filter(|text| !text.is_empty()).map(Value::from)
                }
                Type::Integer => self.integers(name)?.at(row).map(Value::from),
                Type::Boolean => self.booleans(name)?.at(row).map(Value::from),
                Type::Timestamp => self.times(name)?.at(row).map(|time| Value::from(time.rfc3339())),
                Type::TextList => Some(Value::from(self.lists(name)?.at(row))),
                Type::Bytes => None,
            };
            record.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        Ok(record)
    }
}

/// Reads all rows of a table that `keep` wants, as JSON.
///
/// # Errors
/// If a file cannot be read.
pub fn records<T: Table>(
    storage: &dyn Storage,
    mut keep: impl FnMut(&Map<String, Value>) -> bool,
) -> Result<Vec<Map<String, Value>>, LakeError> {
    let table = describe::<T>();
    let mut records = Vec::new();
    for file in files::<T>(storage)?.values().flatten() {
        let Some(rows) = rows::<T>(storage, file, Columns::All)? else { continue };
        for batch in rows.batches() {
            for row in 0..batch.len() {
                records.extend(Some(batch.record(&table, row)?).filter(|record| keep(record)));
            }
        }
    }
    Ok(records)
}
