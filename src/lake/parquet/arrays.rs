//! One column of some rows as an Arrow array: of all types but recurring text.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, TimestampMillisecondBuilder,
};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::lake::schema::{Cell, Column, Table, Type};

/// The Arrow type of a column.
pub(super) fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Text | Type::Id => DataType::Utf8,
        Type::Integer => DataType::Int64,
        Type::Boolean => DataType::Boolean,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        Type::TextList => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        Type::Bytes => DataType::Binary,
    }
}

/// A cell of another type than its column's would be null: a test holds that no table has one.
pub(super) fn build<T: Table>(column: &Column<T>, rows: &[T::Row<'_>]) -> ArrayRef {
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
