//! Rows become a Parquet file: plain types, zstd, dictionaries and statistics, in memory.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, TimestampMillisecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::LakeError;
use super::schema::{Cell, Column, Table, Type};

/// Rows turned into columns at once: bounds what building costs beside the rows themselves.
const CHUNK: usize = 8_192;
/// Rows in a row group: small enough that statistics prune within a file.
const ROW_GROUP: usize = 32_768;

/// Writes `rows`, in the order given, as one Parquet file.
///
/// # Errors
/// If the rows do not fit the table's schema: a mistake in the table's definition.
pub fn write<T: Table>(rows: &[T::Row<'_>]) -> Result<Vec<u8>, LakeError> {
    let schema = Arc::new(Schema::new(T::COLUMNS.iter().map(field).collect::<Vec<_>>()));
    let properties = T::COLUMNS
        .iter()
        .filter(|column| column.kind == Type::Id)
        .fold(WriterProperties::builder(), |builder, column| {
            builder.set_column_dictionary_enabled(ColumnPath::from(column.name), false)
        })
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_created_by(concat!("keytrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let fail = |reason: String| LakeError::Parquet { path: T::NAME.to_owned(), reason };
    let mut writer =
        ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties)).map_err(|e| fail(e.to_string()))?;
    for chunk in rows.chunks(CHUNK) {
        let columns = T::COLUMNS.iter().map(|column| array::<T>(column, chunk)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|e| fail(e.to_string()))?;
        writer.write(&batch).map_err(|e| fail(e.to_string()))?;
    }
    writer.into_inner().map_err(|e| fail(e.to_string()))
}

fn field<T: Table>(column: &Column<T>) -> Field {
    Field::new(column.name, data_type(column.kind), true)
}

/// The Arrow type of a column.
#[must_use]
pub fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Text | Type::Id => DataType::Utf8,
        Type::Integer => DataType::Int64,
        Type::Boolean => DataType::Boolean,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        Type::TextList => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        Type::Bytes => DataType::Binary,
    }
}

/// One column of a chunk. A cell of another type than its column's would be null: a test holds
/// that no table has one.
fn array<T: Table>(column: &Column<T>, rows: &[T::Row<'_>]) -> ArrayRef {
    let cells = rows.iter().map(|row| (column.value)(row));
    match column.kind {
        Type::Text | Type::Id => {
            let mut builder = StringBuilder::new();
            cells.for_each(|cell| match cell {
                Cell::Text(text) | Cell::Id(text) if !text.is_empty() => builder.append_value(text),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        Type::Integer => {
            let mut builder = Int64Builder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Integer(value) = cell { value } else { None }));
            Arc::new(builder.finish())
        }
        Type::Boolean => {
            let mut builder = BooleanBuilder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Boolean(value) = cell { value } else { None }));
            Arc::new(builder.finish())
        }
        Type::Timestamp => {
            let mut builder = TimestampMillisecondBuilder::new();
            cells.for_each(|cell| match cell {
                Cell::Timestamp(Some(time)) => builder.append_value(time.0 * 1_000),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        Type::TextList => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            cells.for_each(|cell| match cell {
                Cell::TextList(items) => builder.append_value(items.into_iter().map(Some)),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        Type::Bytes => {
            let mut builder = BinaryBuilder::new();
            cells.for_each(|cell| match cell {
                Cell::Bytes(bytes) => builder.append_value(bytes),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
    }
}
