//! Columns as Arrow has them: their types, and those that the library writes as arrays.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder};
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
    if column.kind == Type::TextList {
        let mut builder = ListBuilder::new(StringBuilder::new());
        cells.for_each(|cell| match cell {
            Cell::TextList(items) => builder.append_value(items.into_iter().map(Some)),
            _ => builder.append_null(),
        });
        Arc::new(builder.finish())
    } else {
        let mut builder = BinaryBuilder::new();
        cells.for_each(|cell| match cell {
            Cell::Bytes(bytes) => builder.append_value(bytes),
            _ => builder.append_null(),
        });
        Arc::new(builder.finish())
    }
}
