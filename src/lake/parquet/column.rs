//! Writes a column as its pages: a dictionary and numbers where values recur, else the values.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::dictionary::{Integers, Texts};
use super::hybrid;
use crate::lake::schema::{Cell, Column, Table, Type};

/// Longer texts are left out of the statistics: no engine prunes by them, and footers stay small.
const LONGEST_STATISTIC: usize = 256;

/// Writes columns, with memory that it keeps from one to the next.
pub(super) struct Writer {
    zstd: zstd::bulk::Compressor<'static>,
    level: ZstdLevel,
    /// 1 where a row has a value, 0 where it is null.
    present: Vec<u32>,
    /// Numbers of the values in the dictionary, where there is one; of booleans, their bits.
    numbers: Vec<u32>,
    /// The page that is being made.
    page: Vec<u8>,
    /// The values, as Parquet has them: of the dictionary, or of the rows.
    values: Vec<u8>,
}

/// What is known of a column when its rows were seen.
struct Seen {
    /// How many values its dictionary has.
    distinct: Option<usize>,
    statistics: Statistics,
    compression: Compression,
}

impl Writer {
    pub(super) fn new(level: i32) -> Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(level).map_err(|e| ParquetError::External(Box::new(e)))?,
            level: ZstdLevel::try_new(level)?,
            present: Vec::new(),
            numbers: Vec::new(),
            page: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Whether columns of this type are written here.
    pub(super) const fn writes(kind: Type) -> bool {
        !matches!(kind, Type::TextList | Type::Bytes)
    }

    /// Appends a column of some rows to their row group.
    pub(super) fn append<T: Table>(
        &mut self,
        column: &Column<T>,
        rows: &[T::Row<'_>],
        descriptor: ColumnDescPtr,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    ) -> Result<()> {
        self.present.clear();
        self.numbers.clear();
        self.values.clear();
        let cells = rows.iter().map(|row| (column.value)(row));
        let seen = match column.kind {
            Type::Integer | Type::Timestamp => self.integers(cells),
            Type::Boolean => self.booleans(cells),
            Type::Id => self.ids(cells)?,
            _ => self.texts(cells)?,
        };
        let (chunk, close) = self.chunk(seen, descriptor)?;
        group.append_column(&chunk, close)
    }

    fn texts<'r>(&mut self, cells: impl Iterator<Item = Cell<'r>>) -> Result<Seen> {
        let mut dictionary = Texts::default();
        for cell in cells {
            let number = match cell {
                Cell::Symbol(strings, symbol) => dictionary.number_of(strings, symbol),
                Cell::Text(text) if !text.is_empty() => Some(dictionary.number(text)),
                _ => None,
            };
            self.present.push(u32::from(number.is_some()));
            self.numbers.extend(number);
        }
        let texts = dictionary.texts();
        texts.iter().try_for_each(|text| put_text(text, &mut self.values))?;
        let statistics = text_statistics(texts.iter().copied(), self.nulls());
        Ok(Seen { distinct: Some(texts.len()), statistics, compression: Compression::ZSTD(self.level) })
    }

    fn ids<'r>(&mut self, cells: impl Iterator<Item = Cell<'r>>) -> Result<Seen> {
        let mut ends: Option<(&str, &str)> = None;
        for cell in cells {
            let text = if let Cell::Id(text) = cell { text } else { "" };
            self.present.push(u32::from(!text.is_empty()));
            if !text.is_empty() {
                put_text(text, &mut self.values)?;
                let (least, greatest) = ends.unwrap_or((text, text));
                ends = Some((least.min(text), greatest.max(text)));
            }
        }
        let ends = ends.into_iter().flat_map(|(least, greatest)| [least, greatest]);
        let statistics = text_statistics(ends, self.nulls());
        Ok(Seen { distinct: None, statistics, compression: Compression::ZSTD(self.level) })
    }

    fn integers<'r>(&mut self, cells: impl Iterator<Item = Cell<'r>>) -> Seen {
        let mut dictionary = Integers::default();
        for cell in cells {
            let value = match cell {
                Cell::Integer(value) => value,
                Cell::Timestamp(time) => time.map(|time| time.0 * 1_000),
                _ => None,
            };
            self.present.push(u32::from(value.is_some()));
            self.numbers.extend(value.map(|value| dictionary.number(value)));
        }
        let integers = dictionary.integers();
        integers.iter().for_each(|integer| self.values.extend_from_slice(&integer.to_le_bytes()));
        let (least, greatest) = (integers.iter().min().copied(), integers.iter().max().copied());
        let statistics = Statistics::Int64(ValueStatistics::new(least, greatest, None, Some(self.nulls()), false));
        // Packed by their dictionary already: zstd would cost more than it saves.
        Seen { distinct: Some(integers.len()), statistics, compression: Compression::UNCOMPRESSED }
    }

    fn booleans<'r>(&mut self, cells: impl Iterator<Item = Cell<'r>>) -> Seen {
        for cell in cells {
            let value = if let Cell::Boolean(value) = cell { value } else { None };
            self.present.push(u32::from(value.is_some()));
            self.numbers.extend(value.map(u32::from));
        }
        let bits = |eight: &[u32]| (0..).zip(eight).fold(0, |bits, (at, bit)| bits | bit << at).to_le_bytes()[0];
        self.values.extend(self.numbers.chunks(8).map(bits));
        let bound = |bound: Option<&u32>| bound.map(|bit| *bit == 1);
        let (least, greatest) = (bound(self.numbers.iter().min()), bound(self.numbers.iter().max()));
        let statistics = Statistics::Boolean(ValueStatistics::new(least, greatest, None, Some(self.nulls()), false));
        Seen { distinct: None, statistics, compression: Compression::UNCOMPRESSED }
    }

    fn nulls(&self) -> u64 {
        self.present.iter().map(|present| u64::from(1 - present)).sum()
    }

    fn chunk(&mut self, seen: Seen, descriptor: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        let Seen { distinct, statistics, compression } = seen;
        let num_values = count(self.present.len());
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut sink);
        let dictionary = match distinct {
            Some(distinct) => Some(self.dictionary_page(distinct, compression, &mut pages)?),
            None => None,
        };
        self.start_data_page()?;
        let encoding = if let Some(distinct) = distinct {
            let width = hybrid::width(count(distinct.saturating_sub(1)));
            self.page.push(width);
            hybrid::encode(&self.numbers, width, &mut self.page);
            Encoding::RLE_DICTIONARY
        } else {
            self.page.append(&mut self.values);
            Encoding::PLAIN
        };
        let data = pages.write_page(self.finished(compression, |buf| Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?)?;

        let size_of = |size: fn(&PageWriteSpec) -> usize| dictionary.as_ref().map_or(0, size) + size(&data);
        let compressed = size_of(|page| page.compressed_size);
        let mut encodings = vec![Encoding::PLAIN, Encoding::RLE];
        encodings.extend(distinct.map(|_| Encoding::RLE_DICTIONARY));
        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(compression)
            .set_encodings(encodings)
            .set_num_values(i64::from(num_values))
            .set_total_compressed_size(signed(compressed))
            .set_total_uncompressed_size(signed(size_of(|page| page.uncompressed_size)))
            .set_dictionary_page_offset(dictionary.as_ref().map(offset))
            .set_data_page_offset(offset(&data))
            .set_statistics(statistics)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: compressed as u64,
            rows_written: self.present.len() as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((Bytes::from(sink.into_inner()?), close))
    }

    fn dictionary_page(
        &mut self,
        distinct: usize,
        compression: Compression,
        pages: &mut SerializedPageWriter<'_, Vec<u8>>,
    ) -> Result<PageWriteSpec> {
        self.page.clear();
        self.page.append(&mut self.values);
        let (num_values, encoding) = (count(distinct), Encoding::PLAIN);
        let page = |buf| Page::DictionaryPage { buf, num_values, encoding, is_sorted: false };
        pages.write_page(self.finished(compression, page)?)
    }

    /// Which rows have a value, after the length of that.
    fn start_data_page(&mut self) -> Result<()> {
        self.page.clear();
        self.page.extend_from_slice(&[0; 4]);
        hybrid::encode(&self.present, 1, &mut self.page);
        let levels = length(self.page.len() - 4)?;
        self.page[..4].copy_from_slice(&levels);
        Ok(())
    }

    /// What stands in `page`, as the page that `make` makes of it.
    fn finished(&mut self, compression: Compression, make: impl FnOnce(Bytes) -> Page) -> Result<CompressedPage> {
        let stored = match compression {
            Compression::UNCOMPRESSED => self.page.clone(),
            _ => self.zstd.compress(&self.page).map_err(|e| ParquetError::External(Box::new(e)))?,
        };
        Ok(CompressedPage::new(make(Bytes::from(stored)), self.page.len()))
    }
}

/// Appends a text as it stands in a page: its length before it.
fn put_text(text: &str, page: &mut Vec<u8>) -> Result<()> {
    page.extend_from_slice(&length(text.len())?);
    page.extend_from_slice(text.as_bytes());
    Ok(())
}

fn length(len: usize) -> Result<[u8; 4]> {
    let len = u32::try_from(len).map_err(|_| ParquetError::General("a page over 4 GiB".to_owned()))?;
    Ok(len.to_le_bytes())
}

/// There are no more values than rows in a group.
fn count(values: usize) -> u32 {
    u32::try_from(values).unwrap_or(u32::MAX)
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn offset(page: &PageWriteSpec) -> i64 {
    i64::try_from(page.offset).unwrap_or(i64::MAX)
}

/// Least and greatest text, and how many rows have none.
fn text_statistics<'t>(texts: impl Iterator<Item = &'t str> + Clone, nulls: u64) -> Statistics {
    let bound = |text: Option<&str>| text.filter(|text| text.len() <= LONGEST_STATISTIC).map(ByteArray::from);
    // As bytes: so Parquet orders text, and so Rust does.
    let (least, greatest) = (bound(texts.clone().min()), bound(texts.max()));
    Statistics::ByteArray(ValueStatistics::new(least, greatest, None, Some(nulls), false))
}
