//! `rejects`: records that could not be read, as they stood.

use super::columns;
use crate::lake::schema::{Column, Table};
use crate::model::object::ObjectRef;
use crate::model::r#yield::Reject;

/// The table.
pub enum Rejects {}

/// A reject and where it comes from.
pub struct Row<'a> {
    /// URI of the object.
    pub source_object: String,
    /// The object.
    pub object: &'a ObjectRef,
    /// What was rejected.
    pub reject: &'a Reject,
}

impl Table for Rejects {
    type Row<'a> = Row<'a>;
    const NAME: &'static str = "rejects";
    const DOC: &'static str = "One record that could not be read as a CloudTrail record, kept raw: of each object the first 1,000, and 16 MiB of bytes.";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![r;
        source_object: Text = &r.source_object, "Object that it stands in.";
        etag: Text = &r.object.etag, "Version of the object's content.";
        byte_offset: Integer = i64::try_from(r.reject.offset).ok(), "Offset in the decompressed object.";
        reason: Text = &r.reject.reason, "Why it could not be read; in the last row of an object that had more than are kept, also how many.";
        raw: Bytes = &r.reject.raw, "Its bytes, 256 KiB at most.";
    ];
}
