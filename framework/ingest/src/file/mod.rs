//! Rows of a file, read in batches from where the last committed batch ended: a byte, or a
//! row of a Parquet file.

mod columns;
mod delimited;
mod lines;
mod parquet;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mesh_contract::{FileFormat, FileSource};
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};
use serde_json::{Map, Value as Json};

pub(crate) use self::columns::{Column, Columns, check_deleted};
use self::delimited::Delimited;
use self::lines::Lines;
use self::parquet::ParquetRows;

/// Rows of one batch at most.
const BATCH_ROWS: usize = 1_000;
/// Bytes of the file in one batch, about.
const BATCH_BYTES: u64 = 4 << 20;

/// A declared file as a source; its position is the byte behind the last row taken.
pub(crate) struct FileRows {
    inner: Arc<Inner>,
}

struct Inner {
    descriptor: &'static Descriptor,
    source: FileSource,
    columns: Columns,
    /// The reader as the last batch left it; after a restart, or when something went wrong,
    /// the file is opened anew.
    open: Mutex<Option<Reader>>,
}

/// One row and where it stands.
struct FileRow {
    line: u64,
    /// The byte behind it.
    end: u64,
    /// Whether the row of this key is gone.
    gone: bool,
    row: Map<String, Json>,
}

enum Reader {
    Delimited(Delimited),
    Lines(Lines),
    Parquet(Box<ParquetRows>),
}

impl Reader {
    fn at(&self) -> u64 {
        match self {
            Self::Delimited(reader) => reader.at(),
            Self::Lines(reader) => reader.at(),
            Self::Parquet(reader) => reader.at(),
        }
    }

    /// The next row; `None` at the end, and, where `growing` is the length of a file that
    /// is being written, before a row that is not whole yet.
    fn next(&mut self, columns: &Columns, growing: Option<u64>) -> Result<Option<FileRow>> {
        match self {
            Self::Delimited(reader) => reader.next(growing),
            Self::Lines(reader) => reader.next(columns, growing.is_some()),
            Self::Parquet(reader) => reader.next(),
        }
    }
}

impl FileRows {
    /// The rows of `source` for the product of `descriptor`.
    ///
    /// # Errors
    /// If the declaration names a column that the contract does not have.
    pub(crate) fn new(descriptor: &'static Descriptor, source: &FileSource) -> Result<Self> {
        Ok(Self {
            inner: Arc::new(Inner {
                columns: Columns::new(descriptor, source)?,
                descriptor,
                source: source.clone(),
                open: Mutex::new(None),
            }),
        })
    }
}

#[async_trait]
impl Source for FileRows {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        let inner = Arc::clone(&self.inner);
        let path = dir.join(&inner.source.path);
        tokio::task::spawn_blocking(move || inner.batch(&path, position))
            .await
            .map_err(|error| Error::internal("reading a source's file stopped").because(error))?
    }
}

impl Inner {
    fn batch(&self, path: &Path, position: u64) -> Result<SourceBatch> {
        if self.source.format == FileFormat::Parquet {
            return self.parquet(path, position);
        }
        let length = length(path)?;
        if length < position {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the file is shorter than what was read of it",
            )
            .with("file", path.display())
            .with("bytes", length)
            .with("read", position)
            .mend("put back what was there and add rows at its end; a new file needs a source of a new name"));
        }
        if length == position && self.source.follow {
            return Ok(SourceBatch::wait(position));
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match open.take().filter(|reader| reader.at() == position) {
            Some(reader) => reader,
            None => self.reader(path, position)?,
        };
        let mut effects = Effects::new();
        let mut next = position;
        let mut rows = 0;
        while rows < BATCH_ROWS && next - position < BATCH_BYTES {
            let growing = self.source.follow.then_some(length);
            let Some(row) = reader.next(&self.columns, growing)? else {
                let batch = SourceBatch {
                    effects,
                    next,
                    total: Some(length),
                    done: !self.source.follow,
                    ..SourceBatch::default()
                };
                // Opened anew when the file has grown: a reader does not look behind its end.
                return Ok(batch);
            };
            self.add(&mut effects, &row, path, "line")?;
            next = row.end;
            rows += 1;
        }
        *open = Some(reader);
        Ok(SourceBatch::more(effects, next).of_total(length))
    }

    /// A Parquet file is written as a whole, so that all of its rows are there at once.
    fn parquet(&self, path: &Path, position: u64) -> Result<SourceBatch> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match open.take() {
            Some(Reader::Parquet(reader)) if reader.at() == position => reader,
            _ => Box::new(ParquetRows::open(path, position, &self.columns)?),
        };
        let mut effects = Effects::new();
        for _ in 0..BATCH_ROWS {
            let Some(row) = reader.next()? else {
                return Ok(SourceBatch {
                    effects,
                    next: reader.at(),
                    total: Some(reader.rows),
                    done: true,
                    ..SourceBatch::default()
                });
            };
            self.add(&mut effects, &row, path, "row")?;
        }
        let (next, total) = (reader.at(), reader.rows);
        *open = Some(Reader::Parquet(reader));
        Ok(SourceBatch::more(effects, next).of_total(total))
    }

    /// Adds a row, which stands at `what` of the file.
    fn add(
        &self,
        effects: &mut Effects,
        row: &FileRow,
        path: &Path,
        what: &'static str,
    ) -> Result<()> {
        let added = match row.gone {
            false => effects.add_row(self.descriptor, None, &row.row),
            true => effects.add_row_delete(self.descriptor, &row.row),
        };
        added.map_err(|error| {
            error
                .with("file", path.display())
                .with(what, row.line)
                .mend("mend the row in the file, or map its columns in `mesh.sources`")
        })
    }

    fn reader(&self, path: &Path, position: u64) -> Result<Reader> {
        Ok(match self.source.format {
            FileFormat::Csv { delimiter } => {
                Reader::Delimited(Delimited::open(path, delimiter, position, &self.columns)?)
            }
            FileFormat::JsonLines => Reader::Lines(Lines::open(path, position)?),
            FileFormat::Parquet => {
                Reader::Parquet(Box::new(ParquetRows::open(path, position, &self.columns)?))
            }
        })
    }
}

fn length(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path)
        .map_err(|error| unreadable(path, error))?
        .len())
}

/// The line on which the byte at `position` stands, from 1.
fn line_at(file: &mut File, path: &Path, position: u64) -> Result<u64> {
    let mut counted = BufReader::with_capacity(1 << 16, file.take(position));
    let mut lines = 1;
    let mut buffer = [0; 1 << 16];
    loop {
        let read = counted
            .read(&mut buffer)
            .map_err(|error| unreadable(path, error))?;
        if read == 0 {
            break;
        }
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    file.seek(SeekFrom::Start(position))
        .map_err(|error| unreadable(path, error))?;
    Ok(lines)
}

/// Whether the byte before `end` ends a line, so that the row before it is whole.
fn ends_a_line(path: &PathBuf, end: u64) -> Result<bool> {
    let mut last = [0];
    let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
    file.seek(SeekFrom::Start(end.saturating_sub(1)))
        .and_then(|_| file.read_exact(&mut last))
        .map_err(|error| unreadable(path, error))?;
    Ok(last == *b"\n")
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::FailedPrecondition,
    };
    Error::new(kind, "a file of the source cannot be read")
        .with("file", path.display())
        .mend("put the file into the source directory and let this process read it")
        .because(error)
}
