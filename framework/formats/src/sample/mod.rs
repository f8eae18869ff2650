//! Samples of data: their columns' types are inferred from the rows.

mod csv;
mod infer;
mod json;
mod parquet;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use mesh_core::{Error, ErrorKind, Result};

pub use csv::{CsvLayout, CsvOptions, csv_layout, read_csv};
pub use json::read_json;
pub use parquet::read_parquet;

/// How much of a sample is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows at most.
    pub rows: u64,
    /// Bytes at most.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 10_000,
            bytes: 64 << 20,
        }
    }
}

/// Opens the sample at `path`.
pub(crate) fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::InvalidInput,
        };
        Error::new(kind, "the file cannot be opened")
            .with("file", path.display())
            .with("reason", error.kind())
            .mend("name a file that is there and may be read")
            .because(error)
    })?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(Error::invalid("this is a folder")
            .with("file", path.display())
            .mend("name a file"));
    }
    Ok(file)
}

/// The file's name without folder and endings, as a name for what it holds.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.as_deref().unwrap_or_default();
    name.split('.')
        .find(|part| !part.is_empty())
        .unwrap_or("records")
        .to_owned()
}

/// Reads at most a number of bytes and remembers that there were more.
pub(crate) struct Capped<R> {
    inner: R,
    left: u64,
    /// Whether the cap was met while the source had more.
    pub(crate) cut: bool,
}

impl<R: Read> Capped<R> {
    pub(crate) fn new(inner: R, bytes: u64) -> Self {
        Self {
            inner,
            left: bytes,
            cut: false,
        }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.cut {
            return Ok(0);
        }
        if self.left == 0 {
            self.cut = self.inner.read(&mut [0; 1])? > 0;
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// The note on how much of a sample was looked at.
pub(crate) fn looked_at(rows: u64, all: bool) -> String {
    let rows = match rows {
        1 => "1 row was".to_owned(),
        rows => format!("{rows} rows were"),
    };
    if all {
        format!("{rows} looked at, all that there are")
    } else {
        format!("{rows} looked at; the file holds more, which may differ")
    }
}
