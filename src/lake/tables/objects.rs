//! `objects`: every source file and what became of it.

use super::columns;
use crate::lake::schema::{Column, Table};
use crate::model::r#yield::Yield;

/// The table.
pub enum Objects {}

fn count(records: u64) -> Option<i64> {
    i64::try_from(records).ok()
}

impl Table for Objects {
    type Row<'a> = &'a Yield;
    const NAME: &'static str = "objects";
    const DOC: &'static str = "One source file. The five counts add up to its records. A file that failed and was mended since \
        has a second row.";
    const PARTITIONED: bool = true;
    #[rustfmt::skip]
    const COLUMNS: &'static [Column<Self>] = columns![o;
        bucket: Text = &o.object.bucket, "Bucket; null for a local file.";
        key: Id = &o.object.key, "Key, or absolute path of a local file.";
        etag: Id = &o.object.etag, "Version of the content: ETag, or size and modification time of a local file.";
        size: Integer = count(o.object.size), "Bytes as stored.";
        json_bytes: Integer = count(o.json_bytes), "Bytes of JSON after decompression.";
        log_date: Timestamp = o.object.name.date, "Day of delivery, from the path.";
        account_id: Text = o.object.name.account.as_deref().unwrap_or_default(), "Account, from the path.";
        region: Text = o.object.name.region.as_deref().unwrap_or_default(), "Region, from the path.";
        status: Text = o.status.as_str(), "done, skipped (no log file) or failed.";
        reason: Text = &o.reason, "Why it was skipped or failed.";
        records_analysed: Integer = count(o.records.analysed), "Records counted in usage.";
        records_not_relevant: Integer = count(o.records.not_relevant), "Records that neither use, administer nor name a KMS key.";
        records_other_kind: Integer = count(o.records.other_kind), "Insights, network activity and aggregated records.";
        records_duplicate: Integer = count(o.records.duplicate), "Records of events that were read before.";
        records_malformed: Integer = count(o.records.malformed), "Records that could not be read; see rejects.";
    ];
}
