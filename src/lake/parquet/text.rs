//! Writes a column of recurring text: a dictionary page, then one page of numbers.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::dictionary::Dictionary;
use super::hybrid;
use crate::lake::schema::{Cell, Column, Table};

/// Longer texts are left out of the statistics: no engine prunes by them, and footers stay small.
const LONGEST_STATISTIC: usize = 256;

/// Writes columns, with memory that it keeps from one to the next.
pub(super) struct Writer {
    zstd: zstd::bulk::Compressor<'static>,
    level: ZstdLevel,
    /// 1 where a row has a text, 0 where it is null.
    present: Vec<u32>,
    numbers: Vec<u32>,
    page: Vec<u8>,
}

impl Writer {
    pub(super) fn new(level: i32) -> Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(level).map_err(|e| ParquetError::External(Box::new(e)))?,
            level: ZstdLevel::try_new(level)?,
            present: Vec::new(),
            numbers: Vec::new(),
            page: Vec::new(),
        })
    }

    /// Appends a column of some rows to their row group.
    pub(super) fn append<T: Table>(
        &mut self,
        column: &Column<T>,
        rows: &[T::Row<'_>],
        descriptor: ColumnDescPtr,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    ) -> Result<()> {
        let mut dictionary = Dictionary::default();
        self.present.clear();
        self.numbers.clear();
        for row in rows {
            let text = if let Cell::Text(text) = (column.value)(row) { text } else { "" };
            self.present.push(u32::from(!text.is_empty()));
            if !text.is_empty() {
                self.numbers.push(dictionary.number(text));
            }
        }
        let (chunk, close) = self.chunk(&dictionary, descriptor)?;
        group.append_column(&chunk, close)
    }

    fn chunk(&mut self, dictionary: &Dictionary<'_>, descriptor: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        let rows = self.present.len();
        let count = u32::try_from(rows).unwrap_or(u32::MAX);
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut sink);

        self.page.clear();
        for text in dictionary.texts() {
            self.page.extend_from_slice(&length(text.len())?);
            self.page.extend_from_slice(text.as_bytes());
        }
        let num_values = u32::try_from(dictionary.texts().len()).unwrap_or(u32::MAX);
        let first = pages.write_page(self.compressed(|buf| Page::DictionaryPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        })?)?;

        self.page.clear();
        // Levels say their length before them.
        self.page.extend_from_slice(&[0; 4]);
        hybrid::encode(&self.present, 1, &mut self.page);
        let levels = length(self.page.len() - 4)?;
        self.page[..4].copy_from_slice(&levels);
        let width = hybrid::width(num_values.saturating_sub(1));
        self.page.push(width);
        hybrid::encode(&self.numbers, width, &mut self.page);
        let second = pages.write_page(self.compressed(|buf| Page::DataPage {
            buf,
            num_values: count,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?)?;

        let compressed = first.compressed_size + second.compressed_size;
        let nulls = (rows - self.numbers.len()) as u64;
        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(Compression::ZSTD(self.level))
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
            .set_num_values(i64::from(count))
            .set_total_compressed_size(signed(compressed))
            .set_total_uncompressed_size(signed(first.uncompressed_size + second.uncompressed_size))
            .set_dictionary_page_offset(Some(signed(usize::try_from(first.offset).unwrap_or_default())))
            .set_data_page_offset(signed(usize::try_from(second.offset).unwrap_or_default()))
            .set_statistics(statistics(dictionary.texts(), nulls))
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: compressed as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((Bytes::from(sink.into_inner()?), close))
    }

    /// What stands in `page`, compressed, as the page that `make` makes of it.
    fn compressed(&mut self, make: impl FnOnce(Bytes) -> Page) -> Result<CompressedPage> {
        let compressed = self.zstd.compress(&self.page).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(CompressedPage::new(make(Bytes::from(compressed)), self.page.len()))
    }
}

fn length(len: usize) -> Result<[u8; 4]> {
    let len = u32::try_from(len).map_err(|_| ParquetError::General("a page over 4 GiB".to_owned()))?;
    Ok(len.to_le_bytes())
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Least and greatest text, and how many rows have none.
fn statistics(texts: &[&str], nulls: u64) -> Statistics {
    let bound =
        |text: Option<&&str>| text.filter(|text| text.len() <= LONGEST_STATISTIC).map(|text| ByteArray::from(*text));
    // As bytes: so Parquet orders text, and so Rust does.
    let (least, greatest) = (bound(texts.iter().min()), bound(texts.iter().max()));
    Statistics::ByteArray(ValueStatistics::new(least, greatest, None, Some(nulls), false))
}
