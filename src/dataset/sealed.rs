//! Records as Parquet: sealed rounds, each an immutable file in Hive partitions, and files of many rounds.
//!
//! By Hive's convention the vantage stands in the path and not in a column of the file: readers of the
//! folder make the column from the path, and some refuse a folder that has both. So that a file on its
//! own still says who measured, it also stands in the file's metadata.

use std::fs::File;
use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once};

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;
use parquet::file::statistics::Statistics;

use super::batch::Row;
use super::columns::{self, COLUMNS, COLUMNS_ONCE, Cell, Column, ColumnType, FORMAT_VERSION};
use super::disk::DiskFile;
use super::quick::{Batch, Meanings};
use super::round::{RoundHeader, SealedFile};
use super::{DatasetError, ProbeRecord, folder};
use crate::model::Name;

/// The key under which a file says its format version.
const VERSION_KEY: &str = "tetherline.format";

/// The key under which it says who measured.
const VANTAGE_KEY: &str = "tetherline.vantage";

/// The column that says who measured.
const VANTAGE_COLUMN: &Column = &COLUMNS[0];

/// Records of a row group, which a writer holds until it is full.
const ROW_GROUP: usize = 256 * 1024;

/// Files of fewer records are not compressed: that would make them hardly shorter, and whoever reads them would have to
/// make ready to unpack for every column, which takes longer than to read what is in it.
const WORTH_COMPRESSING: u64 = 256;

/// Records that a writer holds at a time.
const BATCH: usize = 8192;

/// Records that are read at a time: so few that they are still at hand when they are worked on.
const AT_A_TIME: usize = 2048;

/// Files of no more bytes are read at once: of each column a reader would otherwise ask the system for several pieces.
const AT_ONCE: u64 = 16 << 20;

/// Where a round's file lies within the dataset: the folders, outermost first, and the file. The date
/// is the UTC date on which the round began, by the campaign's wall clock.
pub(super) fn place(vantage: &str, header: &RoundHeader) -> ([String; 3], String) {
    let started = header.started_at.to_string();
    let date = started.split('T').next().unwrap_or_default();
    let folders = ["rounds".to_owned(), format!("vantage={vantage}"), format!("date={date}")];
    (folders, format!("{:08}.parquet", header.id.0))
}

/// Writes records to a file of their own.
pub(super) struct Writer<W: Write + Send = DiskFile> {
    parquet: ArrowWriter<Summed<W>>,
    schema: Arc<Schema>,
    /// How many of the first columns the file leaves out.
    left_out: usize,
    builders: Vec<Builder>,
    /// How many rows the builders hold.
    held: usize,
    rows: u64,
}

impl Writer {
    /// A file of one vantage, which its folder names, for about so many records.
    pub(super) fn new(file: DiskFile, vantage: &str, records: u64) -> Result<Self, ParquetError> {
        let vantage = KeyValue::new(VANTAGE_KEY.to_owned(), vantage.to_owned());
        let compression = if records < WORTH_COMPRESSING { Compression::UNCOMPRESSED } else { zstd() };
        Self::begin(file, (1, compression), Some(vantage))
    }

    /// A file of several vantages, with a column that names them.
    pub(super) fn of_several(file: DiskFile) -> Result<Self, ParquetError> {
        Self::begin(file, (0, zstd()), None)
    }

    /// Ends the file, makes it durable, and says what is in it.
    pub(super) fn finish(mut self, name: String) -> Result<SealedFile, ParquetError> {
        let rows = self.end()?;
        let summed = self.parquet.inner();
        summed.inner.sync()?;
        Ok(SealedFile { name, rows, bytes: summed.bytes, crc32: summed.crc.sum() })
    }
}

impl<W: Write + Send> Writer<W> {
    fn begin(
        file: W,
        (left_out, compression): (usize, Compression),
        vantage: Option<KeyValue>,
    ) -> Result<Self, ParquetError> {
        let columns = || COLUMNS.iter().skip(left_out);
        let schema = Arc::new(Schema::new(columns().map(field).collect::<Vec<_>>()));
        let version = KeyValue::new(VERSION_KEY.to_owned(), FORMAT_VERSION.to_string());
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_key_value_metadata(Some([version].into_iter().chain(vantage).collect()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by(concat!("tetherline ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let parquet = ArrowWriter::try_new(Summed::new(file), Arc::clone(&schema), Some(properties))?;
        let builders = columns().map(|column| Builder::new(column.holds)).collect();
        Ok(Self { parquet, schema, left_out, builders, held: 0, rows: 0 })
    }

    /// How many records it has, those that are held among them.
    pub(super) fn rows(&self) -> u64 {
        self.rows.saturating_add(u64::try_from(self.held).unwrap_or(u64::MAX))
    }

    /// Adds records.
    pub(super) fn write(&mut self, records: &[ProbeRecord]) -> Result<(), ParquetError> {
        records.iter().try_for_each(|record| self.push(&columns::cells(record)))
    }

    /// Ends the file. Gives how many records are in it.
    fn end(&mut self) -> Result<u64, ParquetError> {
        if self.held > 0 {
            self.pass_on()?;
        }
        self.parquet.finish()?;
        Ok(self.rows)
    }

    /// Adds the cells of a record.
    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), ParquetError> {
        for (builder, cell) in self.builders.iter_mut().zip(row.iter().skip(self.left_out)) {
            builder.push(cell);
        }
        self.held = self.held.saturating_add(1);
        if self.held >= BATCH { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> Result<(), ParquetError> {
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        self.parquet.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
        self.rows = self.rows.saturating_add(u64::try_from(self.held).unwrap_or(u64::MAX));
        self.held = 0;
        Ok(())
    }
}

fn zstd() -> Compression {
    Compression::ZSTD(parquet::basic::ZstdLevel::default())
}

fn field(column: &Column) -> Field {
    Field::new(column.name, data_type(column.holds), column.optional)
}

const fn data_type(holds: ColumnType) -> DataType {
    match holds {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Real => DataType::Float64,
    }
}

/// A column in the making.
enum Builder {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Real(Float64Builder),
}

impl Builder {
    fn new(holds: ColumnType) -> Self {
        match holds {
            ColumnType::Text => Self::Text(StringBuilder::new()),
            ColumnType::Bool => Self::Bool(BooleanBuilder::new()),
            ColumnType::Int32 => Self::Int32(Int32Builder::new()),
            ColumnType::Int64 => Self::Int64(Int64Builder::new()),
            ColumnType::Real => Self::Real(Float64Builder::new()),
        }
    }

    /// A cell of another type becomes an empty one; a column that may not be empty then refuses the batch.
    fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Bool(builder), Cell::Bool(truth)) => builder.append_value(*truth),
            (Self::Bool(builder), _) => builder.append_null(),
            (Self::Int32(builder), Cell::Int(number)) => builder.append_option(i32::try_from(*number).ok()),
            (Self::Int32(builder), _) => builder.append_null(),
            (Self::Int64(builder), Cell::Int(number)) => builder.append_value(*number),
            (Self::Int64(builder), _) => builder.append_null(),
            (Self::Real(builder), Cell::Real(number)) => builder.append_value(*number),
            (Self::Real(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Real(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Writes records of any vantages as one Parquet file, wherever it goes. Gives back how many.
///
/// # Errors
/// The first record that cannot be read, or the system's reason for not taking what is written.
pub fn write_parquet(
    out: &mut dyn Write,
    records: impl IntoIterator<Item = Result<ProbeRecord, DatasetError>>,
) -> Result<u64, DatasetError> {
    let path = Path::new("the Parquet file");
    let failed = |error| write_error(path, error);
    let passed_on = Arc::new(Mutex::new(Vec::new()));
    let mut writer = Writer::begin(Buffer(Arc::clone(&passed_on)), (0, zstd()), None).map_err(failed)?;
    let mut pass_on = |passed_on: &Mutex<Vec<u8>>| {
        let bytes = passed_on.lock().map(|mut bytes| std::mem::take(&mut *bytes)).unwrap_or_default();
        out.write_all(&bytes).map_err(|error| DatasetError::from_io(path, "write", error))
    };
    let mut batch = Vec::with_capacity(BATCH);
    for record in records {
        batch.push(record?);
        if batch.len() == BATCH {
            writer.write(&batch).map_err(failed)?;
            batch.clear();
            pass_on(&passed_on)?;
        }
    }
    writer.write(&batch).map_err(failed)?;
    let rows = writer.end().map_err(failed)?;
    pass_on(&passed_on)?;
    Ok(rows)
}

/// What a writer wrote, until it is passed on.
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = self.0.lock().map_err(|_| io::Error::other("a writer has gone"))?;
        buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that sums up what is written to it.
struct Summed<W> {
    inner: W,
    crc: flate2::Crc,
    bytes: u64,
}

impl<W> Summed<W> {
    fn new(inner: W) -> Self {
        Self { inner, crc: flate2::Crc::new(), bytes: 0 }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Puts an error of the Parquet writer into the variant that tells the user what to do.
pub(super) fn write_error(path: &Path, error: ParquetError) -> DatasetError {
    let source = match error {
        ParquetError::External(source) => source,
        other => other.into(),
    };
    let source = source.downcast().map_or_else(io::Error::other, |source| *source);
    DatasetError::from_io(path, "write", source)
}

/// Reads a sealed file, a batch of records at a time.
pub(super) struct Reader {
    batches: ParquetRecordBatchReader,
    path: PathBuf,
    /// Who measured; `None` where a column says it.
    vantage: Option<Name>,
    /// Columns of texts in which nothing stands.
    empty: Vec<&'static str>,
    meanings: Meanings,
    row: u64,
}

impl Reader {
    /// Opens a file that must be what the catalogue says: of this length and checksum. Nothing of a file
    /// that is not reaches the Parquet reader.
    pub(super) fn open(dataset: &Path, sealed: &SealedFile) -> Result<Self, DatasetError> {
        let path = dataset.join(&sealed.name);
        let file = folder::open_plain(&path, false)?;
        if sealed.bytes > AT_ONCE {
            check_sum(&file, &path, sealed, &mut io::sink())?;
            return Self::read(file, &path);
        }
        let mut bytes = Vec::new();
        check_sum(&file, &path, sealed, &mut bytes)?;
        Self::read(Bytes::from(bytes), &path)
    }

    /// Reads whatever is in a file.
    pub(super) fn read(file: impl ChunkReader + 'static, path: &Path) -> Result<Self, DatasetError> {
        contained(path, || Self::begin(file, path))?
    }

    fn begin(file: impl ChunkReader + 'static, path: &Path) -> Result<Self, DatasetError> {
        let damaged = |error: ParquetError| DatasetError::damaged(path, error);
        let metadata = shared_texts(&file).map_err(damaged)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let pairs = pairs.map_or(&[] as &[KeyValue], Vec::as_slice);
        check_version(path, pairs)?;
        let has_column = builder.schema().column_with_name(VANTAGE_COLUMN.name).is_some();
        let vantage = if has_column { None } else { Some(vantage(path, pairs)?) };
        let empty = empty_texts(builder.metadata());
        let columns = builder.parquet_schema().columns().iter().enumerate();
        let full = columns.filter(|(_, column)| !empty.contains(&column.name())).map(|(index, _)| index);
        let full = ProjectionMask::leaves(builder.parquet_schema(), full.collect::<Vec<_>>());
        let batches = builder.with_projection(full).with_batch_size(AT_A_TIME).build().map_err(damaged)?;
        let meanings = Meanings::default();
        Ok(Self { batches, path: path.to_owned(), vantage, empty, meanings, row: 0 })
    }

    /// The next records; `None` at the end. Nothing can be read after an error.
    pub(super) fn next_batch(&mut self) -> Option<Result<Vec<ProbeRecord>, DatasetError>> {
        let batch = contained(&self.path, || self.batches.next()).transpose()?;
        let batch = batch.and_then(|read| read.map_err(|error| DatasetError::damaged(&self.path, error)));
        Some(batch.and_then(|batch| self.records(&batch)))
    }

    fn records(&mut self, batch: &RecordBatch) -> Result<Vec<ProbeRecord>, DatasetError> {
        let columns = read_columns(&self.path, batch, (usize::from(self.vantage.is_some()), &self.empty))?;
        let vantage = self.vantage.as_ref();
        let quick = Batch::new(&mut self.meanings, vantage, &columns);
        let record = |index| {
            self.row = self.row.saturating_add(1);
            if let Some(record) = quick.as_ref().and_then(|quick| quick.record(index)) {
                return Ok(record);
            }
            columns::record(&row_of(vantage, &columns, index))
                .map_err(|bad| DatasetError::damaged(&self.path, format_args!("row {}: {bad}", self.row)))
        };
        // Room is made at once: that some may be errors does not let the list be made as long as it will be.
        let mut records = Vec::with_capacity(batch.num_rows());
        for record in (0..batch.num_rows()).map(record) {
            records.push(record?);
        }
        Ok(records)
    }
}

fn row_of<'a>(vantage: Option<&'a Name>, columns: &[ColumnArray<'a>], index: usize) -> Vec<Cell<'a>> {
    let vantage = vantage.map(|name| Cell::Text(name.as_str().into()));
    vantage.into_iter().chain(columns.iter().map(|column| column.cell(index))).collect()
}

/// What a file says of itself; its columns of texts are read with each text once, and rows that share it.
fn shared_texts(file: &impl ChunkReader) -> Result<ArrowReaderMetadata, ParquetError> {
    let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
    let shared = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => {
            let shared = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(Field::new(field.name(), shared, field.is_nullable()))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = metadata.schema().fields().iter().map(shared).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)
}

/// The columns of texts of which a file says that nothing stands in them. Not to read them saves much: what is empty has no
/// texts that rows could share, and each row would be looked up.
fn empty_texts(metadata: &ParquetMetaData) -> Vec<&'static str> {
    let is_empty = |chunk: &ColumnChunkMetaData| {
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(chunk.num_values()))
    };
    let says_nothing = |column: &&Column| {
        let mut chunks = metadata
            .row_groups()
            .iter()
            .map(|group| group.columns().iter().find(|chunk| chunk.column_descr().name() == column.name));
        column.holds == ColumnType::Text && chunks.all(|chunk| chunk.is_some_and(is_empty))
    };
    COLUMNS.iter().filter(says_nothing).map(|column| column.name).collect()
}

fn vantage(path: &Path, pairs: &[KeyValue]) -> Result<Name, DatasetError> {
    let name = metadata(path, pairs, VANTAGE_KEY)?;
    name.parse().map_err(|bad| DatasetError::damaged(path, format_args!("{VANTAGE_KEY}: {bad}")))
}

thread_local! {
    /// Whether this thread is inside the Parquet reader, whose panics are answers.
    static CONTAINED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Takes a panic of the Parquet reader for what it is: its answer to some files that nobody wrote with a
/// Parquet writer. The checksum cannot keep these out, since whoever forges a file can forge its sum.
fn contained<T>(path: &Path, read: impl FnOnce() -> T) -> Result<T, DatasetError> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                usual(info);
            }
        }));
    });
    CONTAINED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    CONTAINED.set(false);
    result.map_err(|_| DatasetError::damaged(path, "no file that a Parquet writer would write"))
}

/// What was read goes `to` somebody.
fn check_sum(
    mut file: &File,
    path: &Path,
    sealed: &SealedFile,
    to: &mut dyn Write,
) -> Result<(), DatasetError> {
    let failed = |error| DatasetError::from_io(path, "read", error);
    let mut sum = Summed::new(to);
    let mut limited = file.take(sealed.bytes.saturating_add(1));
    io::copy(&mut limited, &mut sum).map_err(failed)?;
    if sum.bytes != sealed.bytes || sum.crc.sum() != sealed.crc32 {
        let (is, was) = (sum.crc.sum(), sealed.crc32);
        let reason = match sum.bytes.cmp(&sealed.bytes) {
            std::cmp::Ordering::Less => format!("{} bytes of {}", sum.bytes, sealed.bytes),
            std::cmp::Ordering::Equal => format!("its CRC-32 is {is:08x}, it was sealed with {was:08x}"),
            std::cmp::Ordering::Greater => {
                format!("longer than the {} bytes that were sealed", sealed.bytes)
            }
        };
        return Err(DatasetError::damaged(path, reason));
    }
    io::Seek::rewind(&mut file).map_err(failed)
}

pub(super) fn check_version(path: &Path, pairs: &[KeyValue]) -> Result<(), DatasetError> {
    let text = metadata(path, pairs, VERSION_KEY)?;
    match text.parse::<u64>() {
        Err(_) => Err(DatasetError::damaged(path, format_args!("{VERSION_KEY} is {text:?}"))),
        Ok(found) if found > u64::from(FORMAT_VERSION) => {
            Err(DatasetError::Newer { path: path.to_owned(), found, known: FORMAT_VERSION })
        }
        Ok(_) => Ok(()),
    }
}

fn metadata<'a>(path: &Path, pairs: &'a [KeyValue], key: &str) -> Result<&'a str, DatasetError> {
    let pair = pairs.iter().find(|pair| pair.key == key);
    let value = pair.and_then(|pair| pair.value.as_deref());
    value.ok_or_else(|| DatasetError::damaged(path, format_args!("no {key} in its metadata")))
}

/// A column of a batch.
pub(super) enum ColumnArray<'a> {
    Text(&'a DictionaryArray<Int32Type>),
    Bool(&'a BooleanArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Real(&'a Float64Array),
    /// There was no such column yet, or nothing stands in it.
    Absent,
}

impl<'a> ColumnArray<'a> {
    fn cell(&self, index: usize) -> Cell<'a> {
        match self {
            Self::Text(array) => text(array, index).map_or(Cell::Empty, |text| Cell::Text(text.into())),
            Self::Bool(array) if array.is_valid(index) => Cell::Bool(array.value(index)),
            Self::Int32(array) if array.is_valid(index) => Cell::Int(array.value(index).into()),
            Self::Int64(array) if array.is_valid(index) => Cell::Int(array.value(index)),
            Self::Real(array) if array.is_valid(index) => Cell::Real(array.value(index)),
            _ => Cell::Empty,
        }
    }

    pub(super) const fn text(&self) -> Option<&'a DictionaryArray<Int32Type>> {
        if let Self::Text(array) = self { Some(array) } else { None }
    }

    pub(super) const fn truth(&self) -> Option<&'a BooleanArray> {
        if let Self::Bool(array) = self { Some(array) } else { None }
    }

    pub(super) const fn int32(&self) -> Option<&'a Int32Array> {
        if let Self::Int32(array) = self { Some(array) } else { None }
    }

    pub(super) const fn int64(&self) -> Option<&'a Int64Array> {
        if let Self::Int64(array) = self { Some(array) } else { None }
    }

    pub(super) const fn real(&self) -> Option<&'a Float64Array> {
        if let Self::Real(array) = self { Some(array) } else { None }
    }
}

fn text(array: &DictionaryArray<Int32Type>, index: usize) -> Option<&str> {
    let texts = array.values().as_any().downcast_ref::<StringArray>()?;
    let key = array.key(index).filter(|key| *key < texts.len() && texts.is_valid(*key))?;
    Some(texts.value(key))
}

fn read_columns<'a>(
    path: &Path,
    batch: &'a RecordBatch,
    (left_out, empty): (usize, &[&str]),
) -> Result<Vec<ColumnArray<'a>>, DatasetError> {
    let column = |(place, column): (usize, &Column)| {
        let array = batch.column_by_name(column.name);
        if array.is_none() && (place >= COLUMNS_ONCE || empty.contains(&column.name)) {
            return Ok(ColumnArray::Absent);
        }
        let array = array.and_then(|array| match column.holds {
            ColumnType::Text => array.as_dictionary_opt::<Int32Type>().map(ColumnArray::Text),
            ColumnType::Bool => array.as_boolean_opt().map(ColumnArray::Bool),
            ColumnType::Int32 => array.as_primitive_opt::<Int32Type>().map(ColumnArray::Int32),
            ColumnType::Int64 => array.as_primitive_opt::<Int64Type>().map(ColumnArray::Int64),
            ColumnType::Real => array.as_primitive_opt::<Float64Type>().map(ColumnArray::Real),
        });
        array.ok_or_else(|| {
            let reason = format_args!("no column {} of type {:?}", column.name, column.holds).to_string();
            DatasetError::damaged(path, reason)
        })
    };
    COLUMNS.iter().enumerate().skip(left_out).map(column).collect()
}

/// A row as it comes back from a file, read the quick way and the long way.
#[cfg(test)]
pub(super) fn both_ways(row: &Row<'_>) -> (Option<ProbeRecord>, Result<ProbeRecord, columns::BadCell>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let mut writer = Writer::begin(Buffer(Arc::clone(&written)), (0, zstd()), None).unwrap();
    writer.push(row).unwrap();
    writer.end().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&written.lock().unwrap()).unwrap();
    let mut reader = Reader::begin(file, Path::new("row")).unwrap();
    let batch = reader.batches.next().unwrap().unwrap();
    let columns = read_columns(&reader.path, &batch, (0, &reader.empty)).unwrap();
    let quick = Batch::new(&mut reader.meanings, None, &columns).unwrap().record(0);
    (quick, columns::record(&row_of(None, &columns, 0)))
}
