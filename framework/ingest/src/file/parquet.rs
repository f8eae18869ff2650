//! Rows of a Parquet file; a position in it counts rows.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mesh_core::{Error, ErrorKind, Result};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value as Json};

use super::columns::{Column, Columns, is_gone};
use super::{BATCH_ROWS, FileRow};

/// What a file can be read in on a machine that has other things to do, in bytes; a larger
/// group of rows is refused, since it is held as a whole.
const GROUP_BYTES: i64 = 1 << 30;

/// A Parquet file that is being read.
pub(super) struct ParquetRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    /// What stands under each column of the file.
    columns: Vec<(String, Column)>,
    batch: Option<RecordBatch>,
    row: usize,
    /// Rows before the next one.
    at: u64,
    /// Rows of the whole file.
    pub(super) rows: u64,
}

impl ParquetRows {
    /// # Errors
    /// A file that is none, that is shorter than what was read of it, or whose columns are
    /// not those of the contract.
    pub(super) fn open(path: &Path, position: u64, columns: &Columns) -> Result<Self> {
        let file = File::open(path).map_err(|error| super::unreadable(path, error))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| broken(path, error))?;
        let metadata = builder.metadata();
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
        if rows < position {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the file has fewer rows than were read of it",
            )
            .with("file", path.display())
            .with("rows", rows)
            .with("read", position)
            .mend("put back the file that was there; a new file needs a source of a new name"));
        }
        let largest = metadata
            .row_groups()
            .iter()
            .map(|group| group.total_byte_size());
        if let Some(bytes) = largest.max().filter(|bytes| *bytes > GROUP_BYTES) {
            return Err(
                Error::new(ErrorKind::ResourceExhausted, "a row group is too large")
                    .with("file", path.display())
                    .with("bytes", bytes)
                    .with("limit", GROUP_BYTES)
                    .mend("write the file with smaller row groups"),
            );
        }
        let mut named = Vec::new();
        for field in builder.schema().fields() {
            let column = columns
                .get(field.name())
                .map_err(|error| error.with("file", path.display()))?;
            named.push((field.name().clone(), column));
        }
        let header: Vec<&Column> = named.iter().map(|(_, column)| column).collect();
        columns
            .check_names(&header)
            .map_err(|error| error.with("file", path.display()))?;
        let reader = builder
            .with_batch_size(BATCH_ROWS)
            .with_offset(usize::try_from(position).unwrap_or(usize::MAX))
            .build()
            .map_err(|error| broken(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            columns: named,
            batch: None,
            row: 0,
            at: position,
            rows,
        })
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// If the file is damaged, or holds a type that rows do not have.
    pub(super) fn next(&mut self) -> Result<Option<FileRow>> {
        loop {
            match &self.batch {
                Some(batch) if self.row < batch.num_rows() => break,
                _ => match self.reader.next() {
                    None => return Ok(None),
                    Some(batch) => {
                        let batch = batch.map_err(|error| broken(&self.path, error))?;
                        (self.batch, self.row) = (Some(batch), 0);
                    }
                },
            }
        }
        let Some(batch) = &self.batch else {
            return Ok(None);
        };
        let mut row = Map::new();
        let mut gone = false;
        for ((name, column), array) in self.columns.iter().zip(batch.columns()) {
            if matches!(column, Column::Ignored) {
                continue;
            }
            let cell = cell(array, self.row)
                .map_err(|error| error.with("file", self.path.display()).with("field", name))?;
            match column {
                Column::Field(field) => {
                    row.insert(field.name.clone(), cell);
                }
                Column::Deleted => {
                    gone = is_gone(name, &cell).map_err(|error| {
                        error
                            .with("file", self.path.display())
                            .with("row", self.at + 1)
                    })?;
                }
                Column::Ignored => {}
            }
        }
        self.row += 1;
        self.at += 1;
        Ok(Some(FileRow {
            line: self.at,
            end: self.at,
            gone,
            row,
        }))
    }
}

fn broken(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "the file is no Parquet file that can be read",
    )
    .with("file", path.display())
    .mend("write it anew with Parquet's own tools")
    .because(error)
}

/// A value as rows have it in JSON.
fn cell(array: &ArrayRef, row: usize) -> Result<Json> {
    if array.is_null(row) {
        return Ok(Json::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Json::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys()[row];
            cell(dictionary.values(), key)?
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let members = fields.iter().zip(columns);
            members
                .map(|(field, column)| Ok((field.name().clone(), cell(column, row)?)))
                .collect::<Result<Map<_, _>>>()?
                .into()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            (0..entries.len())
                .map(|at| match cell(keys, at)? {
                    Json::String(key) => Ok((key, cell(values, at)?)),
                    _ => Err(unsupported("a map whose keys are no strings")),
                })
                .collect::<Result<Map<_, _>>>()?
                .into()
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => return Err(unsupported("bytes")),
        DataType::Interval(_) | DataType::Duration(_) | DataType::Union(..) => {
            return Err(unsupported("a type that rows do not have"));
        }
        ty => {
            let text = text(array, row)?;
            match ty {
                _ if ty.is_integer() => match text.parse::<i64>() {
                    Ok(number) => number.into(),
                    // More than 63 bits go into a decimal only.
                    Err(_) => text.into(),
                },
                DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                    match text
                        .parse::<f64>()
                        .ok()
                        .and_then(serde_json::Number::from_f64)
                    {
                        Some(number) => Json::Number(number),
                        None => text.into(),
                    }
                }
                _ => text.into(),
            }
        }
    })
}

fn list(items: &ArrayRef) -> Result<Json> {
    (0..items.len()).map(|at| cell(items, at)).collect()
}

/// A scalar as text: timestamps without a zone are UTC.
fn text(array: &ArrayRef, row: usize) -> Result<String> {
    const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";
    let options = FormatOptions::new()
        .with_timestamp_format(Some(INSTANT))
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f%:z"))
        .with_time_format(Some("%H:%M:%S%.f"));
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)
        .map_err(|error| unsupported("a type that has no text").because(error))?;
    Ok(formatter.value(row).to_string())
}

fn unsupported(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the column holds {what}"))
        .mend("list it under `ignore` of the source, or write the file with another type")
}
