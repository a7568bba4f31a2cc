//! Tables as data: each column's name, type, meaning and value stand once, and the writer, the
//! documentation and the SQL statements are made from them.

use crate::model::strings::{Strings, Symbol};
use crate::model::time::Seconds;

/// Types of columns, as every engine reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// UTF-8 text of few values: written with a dictionary.
    Text,
    /// UTF-8 text that hardly recurs.
    Id,
    /// 64-bit integer.
    Integer,
    /// Boolean.
    Boolean,
    /// UTC time in milliseconds, not adjusted: engines show it as it is, in whatever zone they are.
    Timestamp,
    /// List of text.
    TextList,
    /// Bytes.
    Bytes,
}

impl Type {
    /// Name in the documentation and in `DuckDB`.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Text | Self::Id => "VARCHAR",
            Self::Integer => "BIGINT",
            Self::Boolean => "BOOLEAN",
            Self::Timestamp => "TIMESTAMP",
            Self::TextList => "VARCHAR[]",
            Self::Bytes => "BLOB",
        }
    }
}

/// A value of a column. Empty text and absent values are null.
#[derive(Debug, Clone)]
pub enum Cell<'a> {
    /// Text; empty is null.
    Text(&'a str),
    /// Text that stands in an arena; empty is null.
    Symbol(&'a Strings, Symbol),
    /// Text; empty is null.
    Id(&'a str),
    /// Integer.
    Integer(Option<i64>),
    /// Boolean.
    Boolean(Option<bool>),
    /// Time.
    Timestamp(Option<Seconds>),
    /// List; empty is an empty list.
    TextList(Vec<&'a str>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl Cell<'_> {
    /// The type of the cell.
    #[must_use]
    pub const fn kind(&self) -> Type {
        match self {
            Self::Text(_) | Self::Symbol(..) => Type::Text,
            Self::Id(_) => Type::Id,
            Self::Integer(_) => Type::Integer,
            Self::Boolean(_) => Type::Boolean,
            Self::Timestamp(_) => Type::Timestamp,
            Self::TextList(_) => Type::TextList,
            Self::Bytes(_) => Type::Bytes,
        }
    }
}

/// A table.
pub trait Table: 'static {
    /// What a row is made from.
    type Row<'a>;
    /// Name of the table and of its folder.
    const NAME: &'static str;
    /// What a row is, for the documentation.
    const DOC: &'static str;
    /// Whether files lie in `date=YYYY-MM-DD` folders.
    const PARTITIONED: bool;
    /// The columns, in order.
    const COLUMNS: &'static [Column<Self>];
    /// What the rows of a file are sorted by; without, they stand as they came.
    const ORDER: &'static [By] = &[];
    /// Whether rows that are equal in all of [`Table::ORDER`] are partial counts of one thing, as
    /// `usage` has them.
    const COUNTS: bool = false;
}

/// A column that rows are sorted by; null comes first.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// Text by its bytes, times by themselves.
    Value(&'static str),
    /// Words by their places in a list; others after them.
    Words(&'static str, &'static [&'static str]),
}

/// A column of table `T`.
pub struct Column<T: Table + ?Sized> {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// What it means: one sentence, with units.
    pub doc: &'static str,
    /// Its value in a row.
    pub value: for<'r, 'a> fn(&'r T::Row<'a>) -> Cell<'r>,
}

/// A table without its rows: what documentation and SQL need.
#[derive(Debug)]
pub struct Description {
    /// Name.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Whether partitioned by date.
    pub partitioned: bool,
    /// Name, type and meaning of each column.
    pub columns: Vec<(&'static str, Type, &'static str)>,
}

/// Describes a table.
#[must_use]
pub fn describe<T: Table>() -> Description {
    Description {
        name: T::NAME,
        doc: T::DOC,
        partitioned: T::PARTITIONED,
        columns: T::COLUMNS.iter().map(|column| (column.name, column.kind, column.doc)).collect(),
    }
}

/// Final path of a file of table `T`; the date of rows without one is Hive's own word for that.
#[must_use]
pub fn path<T: Table>(day: Option<i64>, file: &str) -> String {
    if !T::PARTITIONED {
        return format!("{}/{file}.parquet", T::NAME);
    }
    let date = day.map_or_else(|| "__HIVE_DEFAULT_PARTITION__".to_owned(), |day| Seconds(day * Seconds::DAY).date());
    format!("{}/date={date}/{file}.parquet", T::NAME)
}
