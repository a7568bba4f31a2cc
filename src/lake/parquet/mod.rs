//! Rows become a Parquet file: plain types, zstd, dictionaries and statistics, in memory.
//!
//! Most columns are texts that recur, and most of their rows show texts that lie in one place of
//! memory. The library looks every row's text up by its content, and sets a compressor up for each
//! column; `column` looks a text up once, has one compressor, and writes all columns but lists and
//! bytes.

mod arrays;
mod column;
mod dictionary;
mod hybrid;

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;

use super::LakeError;
use super::schema::{Column, Table};

/// The fastest that zstd has: files are written once a minute and read for years, but reading costs
/// the same at every level, and higher ones save few bytes of what is mostly ids.
const ZSTD_LEVEL: i32 = 1;

/// Writes `rows`, in the order given, as one Parquet file.
///
/// # Errors
/// If the rows do not fit the table's schema: a mistake in the table's definition.
pub fn write<T: Table>(rows: &[T::Row<'_>]) -> std::result::Result<Vec<u8>, LakeError> {
    let mut file = File::<T>::create()?;
    rows.chunks(File::<T>::GROUP).try_for_each(|rows| file.append(rows))?;
    file.finish()
}

/// A file in the making, for rows that are too many to be there at once.
pub struct File<T: Table> {
    file: SerializedFileWriter<Vec<u8>>,
    plain: column::Writer,
    /// The columns that are left to the library.
    others: SchemaRef,
    of_others: ArrowRowGroupWriterFactory,
    groups: usize,
    table: PhantomData<T>,
}

impl<T: Table> File<T> {
    /// Rows in a row group: small enough that statistics prune within a file, and that what is being
    /// built stays small beside the rows themselves.
    pub const GROUP: usize = 32_768;

    /// Starts a file.
    ///
    /// # Errors
    /// As [`write()`].
    pub fn create() -> std::result::Result<Self, LakeError> {
        let start = || {
            let (file, _) = writers(schema::<T>(|_| true))?;
            let others = schema::<T>(|column| !column::Writer::writes(column.kind));
            let (_, of_others) = writers(Arc::clone(&others))?;
            Ok(Self { file, plain: column::Writer::new(ZSTD_LEVEL)?, others, of_others, groups: 0, table: PhantomData })
        };
        start().map_err(|error| fail::<T>(&error))
    }

    /// Appends rows as a row group; all but the last should have [`File::GROUP`], or as many as fit where
    /// rows are large.
    ///
    /// # Errors
    /// As [`write()`].
    pub fn append(&mut self, rows: &[T::Row<'_>]) -> std::result::Result<(), LakeError> {
        self.group(rows).map_err(|error| fail::<T>(&error))
    }

    /// The whole file.
    ///
    /// # Errors
    /// As [`write()`].
    pub fn finish(self) -> std::result::Result<Vec<u8>, LakeError> {
        self.file.into_inner().map_err(|error| fail::<T>(&error))
    }

    fn group(&mut self, rows: &[T::Row<'_>]) -> Result<()> {
        // No column has more than one leaf: places among columns and among leaves are the same.
        let leaves = self.file.schema_descr().columns().to_vec();
        let writers = self.of_others.create_column_writers(self.groups)?;
        let mut others = self.others.fields().iter().zip(writers);
        let mut group = self.file.next_row_group()?;
        for (column, leaf) in T::COLUMNS.iter().zip(leaves) {
            if column::Writer::writes(column.kind) {
                self.plain.append::<T>(column, rows, leaf, &mut group)?;
            } else if let Some((field, mut writer)) = others.next() {
                let array = arrays::build::<T>(column, rows);
                for values in compute_leaves(field, &array)? {
                    writer.write(&values)?;
                }
                writer.close()?.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
        self.groups += 1;
        Ok(())
    }
}

/// A file in the making, of rows that are columns already: those of other files, put together.
pub(super) struct Merged<T: Table> {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    table: PhantomData<T>,
}

impl<T: Table> Merged<T> {
    /// Starts a file.
    ///
    /// # Errors
    /// As [`write()`].
    pub(super) fn create() -> std::result::Result<Self, LakeError> {
        let schema = schema::<T>(|_| true);
        let start = || ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties()?));
        let writer = start().map_err(|error| fail::<T>(&error))?;
        Ok(Self { schema, writer, table: PhantomData })
    }

    /// The columns that it wants.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Appends rows as a row group.
    ///
    /// # Errors
    /// As [`write()`].
    pub(super) fn append(&mut self, rows: &RecordBatch) -> std::result::Result<(), LakeError> {
        self.writer.write(rows).and_then(|()| self.writer.flush()).map_err(|error| fail::<T>(&error))
    }

    /// The whole file.
    ///
    /// # Errors
    /// As [`write()`].
    pub(super) fn finish(self) -> std::result::Result<Vec<u8>, LakeError> {
        self.writer.into_inner().map_err(|error| fail::<T>(&error))
    }
}

fn fail<T: Table>(error: &ParquetError) -> LakeError {
    LakeError::Parquet { path: T::NAME.to_owned(), reason: error.to_string() }
}

/// The library's writers of a file and of its columns.
fn writers(schema: SchemaRef) -> Result<(SerializedFileWriter<Vec<u8>>, ArrowRowGroupWriterFactory)> {
    ArrowWriter::try_new(Vec::new(), schema, Some(properties()?))?.into_serialized_writer()
}

fn properties() -> Result<WriterProperties> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // A column of a row group is one page, or nearly: an index of pages would say nothing.
        .set_offset_index_disabled(true)
        .set_created_by(concat!("keytrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .build())
}

fn schema<T: Table>(wanted: impl Fn(&Column<T>) -> bool) -> SchemaRef {
    let columns = T::COLUMNS.iter().filter(|column| wanted(column));
    let fields = columns.map(|column| Field::new(column.name, arrays::data_type(column.kind), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
