//! Delimited text with a header (RFC 4180).

use std::fs::File;
use std::path::{Path, PathBuf};

use mesh_contract::Type;
use mesh_core::{Descriptor, Error, Result};
use serde_json::{Map, Value as Json};

use super::columns::{Column, Columns};
use super::{FileRow, ends_a_line, line_at, unreadable};

pub(super) struct Delimited {
    path: PathBuf,
    header: Vec<Column>,
    reader: csv::Reader<File>,
    record: csv::StringRecord,
}

impl Delimited {
    /// Opens the file, reads its header and goes to the row at the byte `position`.
    pub(super) fn open(
        path: &Path,
        delimiter: u8,
        position: u64,
        columns: &Columns,
    ) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
        let line = line_at(&mut file, path, position)?;
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            // A row ends at LF, so that its end tells whether it is whole; a CR before it is
            // taken off below. Lengths are checked below too, for the sake of empty lines.
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            .from_reader(file);
        let mut header: Vec<Column> = Vec::new();
        let names = reader
            .headers()
            .map_err(|error| malformed(path, &error))?
            .clone();
        for (at, name) in names.iter().enumerate() {
            let name = match at {
                0 => name.trim_start_matches('\u{feff}').trim(),
                _ => name.trim(),
            };
            let column = columns
                .get(name)
                .map_err(|error| error.with("file", path.display()))?;
            let twice = header.iter().any(|known| match (known, &column) {
                (Column::Field(known), Column::Field(field)) => known.name == field.name,
                (Column::Deleted, Column::Deleted) => true,
                _ => false,
            });
            if twice {
                return Err(Error::invalid("a column stands in the header twice")
                    .with("field", name)
                    .with("file", path.display())
                    .mend("remove one of the two"));
            }
            header.push(column);
        }
        columns
            .check_header(&header)
            .map_err(|error| error.with("file", path.display()))?;
        if position > 0 {
            let mut from = csv::Position::new();
            from.set_byte(position).set_line(line);
            reader.seek(from).map_err(|error| malformed(path, &error))?;
        }
        Ok(Self {
            path: path.to_owned(),
            header,
            reader,
            record: csv::StringRecord::new(),
        })
    }

    pub(super) fn at(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next row; `None` at the end, and, where `growing` is the length of a file that
    /// is being written, before a row that is not whole yet.
    pub(super) fn next(&mut self, growing: Option<u64>) -> Result<Option<FileRow>> {
        loop {
            let more = self
                .reader
                .read_record(&mut self.record)
                .map_err(|error| malformed(&self.path, &error))?;
            if !more {
                return Ok(None);
            }
            let end = self.reader.position().byte();
            if growing.is_some_and(|length| end >= length) && !ends_a_line(&self.path, end)? {
                return Ok(None);
            }
            if self.record.len() == 1 && self.record[0].trim().is_empty() && self.header.len() > 1 {
                continue;
            }
            let line = self.record.position().map_or(0, csv::Position::line);
            let (row, gone) = self.row().map_err(|error| {
                error
                    .with("file", self.path.display())
                    .with("line", line)
                    .mend("mend the row in the file; check the source's `delimiter`")
            })?;
            return Ok(Some(FileRow {
                line,
                end,
                gone,
                row,
            }));
        }
    }

    /// The row, and whether it is gone: then only the cells that are not blank are read.
    fn row(&self) -> Result<(Map<String, Json>, bool)> {
        let cells = self.record.len();
        if cells != self.header.len() {
            return Err(
                Error::invalid("a row has another number of cells than the header")
                    .with("cells", cells)
                    .with("header", self.header.len()),
            );
        }
        let gone = self.gone()?;
        let mut row = Map::with_capacity(cells);
        for (at, (column, text)) in self.header.iter().zip(self.record.iter()).enumerate() {
            let Column::Field(field) = column else {
                continue;
            };
            // Blanks around a text may be meant, around a number they are not.
            let text = match field.ty {
                Type::String { .. } if at + 1 == cells => text.strip_suffix('\r').unwrap_or(text),
                Type::String { .. } => text,
                _ => text.trim(),
            };
            if gone && text.is_empty() {
                continue;
            }
            row.insert(field.name.clone(), Descriptor::cell(field, text)?);
        }
        Ok((row, gone))
    }

    /// Whether the row is gone; a blank cell says no.
    fn gone(&self) -> Result<bool> {
        let at = self
            .header
            .iter()
            .position(|column| matches!(column, Column::Deleted));
        match at.map_or("", |at| self.record[at].trim()) {
            "" | "0" => Ok(false),
            "1" => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            _ => Err(Error::invalid(
                "whether a row is gone is told by true, false, 1 or 0",
            )),
        }
    }
}

/// What is wrong with the text; its cells are not told.
fn malformed(path: &Path, error: &csv::Error) -> Error {
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "a row is not UTF-8",
        csv::ErrorKind::UnequalLengths { .. } => {
            "a row has another number of cells than the header"
        }
        csv::ErrorKind::Io(_) => "a file of the source cannot be read",
        _ => "a row cannot be read",
    };
    let wrong = Error::invalid(what)
        .with("file", path.display())
        .mend("mend the row in the file; check the source's `delimiter`");
    match error.position() {
        Some(position) => wrong.with("line", position.line()),
        None => wrong,
    }
}
