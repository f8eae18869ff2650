//! A JSON object on each line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value as Json};

use super::columns::{Column, Columns, is_gone};
use super::{FileRow, line_at, unreadable};

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 16 << 20;

pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    at: u64,
    line: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens the file and goes to the row at the byte `position`.
    pub(super) fn open(path: &Path, position: u64) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
        let line = line_at(&mut file, path, position)?;
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 16, file),
            at: position,
            line,
            buffer: Vec::new(),
        })
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next row; `None` at the end, and, where the file is being written, before a row
    /// that is not whole yet.
    pub(super) fn next(&mut self, columns: &Columns, growing: bool) -> Result<Option<FileRow>> {
        loop {
            self.buffer.clear();
            let mut limited = std::io::Read::take(&mut self.reader, MAX_LINE);
            let read = limited
                .read_until(b'\n', &mut self.buffer)
                .map_err(|error| unreadable(&self.path, error))? as u64;
            let whole = self.buffer.ends_with(b"\n");
            if read == 0 || (growing && !whole && read < MAX_LINE) {
                return Ok(None);
            }
            let line = self.line;
            let refuse = |kind, message: &'static str, mend: &'static str| {
                Error::new(kind, message)
                    .with("file", self.path.display())
                    .with("line", line)
                    .mend(mend)
            };
            if !whole && read == MAX_LINE {
                return Err(refuse(
                    ErrorKind::ResourceExhausted,
                    "a line is longer than what is read",
                    "write one JSON object on each line, of 16 MiB at most",
                ));
            }
            self.at += read;
            self.line += 1;
            let text = self.buffer.trim_ascii();
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            if text.is_empty() {
                continue;
            }
            let Ok(Json::Object(object)) = serde_json::from_slice(text) else {
                return Err(refuse(
                    ErrorKind::InvalidInput,
                    "a line is no JSON object",
                    "write one JSON object on each line",
                ));
            };
            let mut row = Map::with_capacity(object.len());
            let mut gone = false;
            let place = |error: Error| error.with("file", self.path.display()).with("line", line);
            for (name, cell) in object {
                match columns.get(&name).map_err(place)? {
                    Column::Field(field) => {
                        row.insert(field.name.clone(), cell);
                    }
                    Column::Deleted => gone = is_gone(&name, &cell).map_err(place)?,
                    Column::Ignored => {}
                }
            }
            return Ok(Some(FileRow {
                line,
                end: self.at,
                gone,
                row,
            }));
        }
    }
}
