//! Delimited files as banks deliver them: `;` between the columns, a header, text in double quotes or
//! none, CRLF or LF, plain or gzip (by the name's ending).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;
use flate2::read::MultiGzDecoder;
use mesh_core::{Error, ErrorKind, Result};

/// A file that is read row by row.
pub struct Table {
    file: Arc<str>,
    columns: Vec<(&'static str, usize)>,
    reader: csv::Reader<Box<dyn Read + Send>>,
    record: csv::StringRecord,
}

impl Table {
    /// Opens `file` in `dir`; its header must hold `columns`, in any order.
    ///
    /// # Errors
    /// If the file is not there, cannot be read, or lacks a column.
    pub fn open(dir: &Path, file: &str, columns: &[&'static str]) -> Result<Self> {
        let path = dir.join(file);
        let raw = File::open(&path).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::FailedPrecondition,
            };
            Error::new(kind, "a file of the source cannot be opened")
                .with("file", path.display())
                .mend("put the file into the source directory and let this process read it")
                .because(error)
        })?;
        let bytes: Box<dyn Read + Send> = if file.ends_with(".gz") {
            Box::new(MultiGzDecoder::new(raw))
        } else {
            Box::new(raw)
        };
        Self::read(file, bytes, columns)
    }

    /// Reads a table from `bytes`; `file` stands in errors.
    ///
    /// # Errors
    /// If the header cannot be read or lacks one of `columns`.
    pub fn read(file: &str, bytes: Box<dyn Read + Send>, columns: &[&'static str]) -> Result<Self> {
        // Lines end at LF, so that errors count them right; a CR before it is trimmed as a blank.
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b';')
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(bytes);
        let header = reader
            .headers()
            .map_err(|error| unreadable(file, error))?
            .clone();
        let columns = columns
            .iter()
            .map(|&column| {
                let at = header.iter().position(|name| name.trim() == column);
                at.map(|at| (column, at)).ok_or_else(|| {
                    Error::invalid("a column is missing in the header")
                        .with("file", file)
                        .with("field", column)
                        .mend("use the file as it is delivered, with its header")
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            file: file.into(),
            columns,
            reader,
            record: csv::StringRecord::new(),
        })
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// If the row has another number of columns than the header or is not text.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        let more = self
            .reader
            .read_record(&mut self.record)
            .map_err(|error| unreadable(&self.file, error))?;
        Ok(more.then_some(Row { table: self }))
    }
}

fn unreadable(file: &str, error: csv::Error) -> Error {
    let line = error.position().map(csv::Position::line);
    let wrong = Error::invalid("a row cannot be read").with("file", file);
    match line {
        Some(line) => wrong.with("line", line),
        None => wrong,
    }
    .mend("make the row as long as the header, and the file ASCII or UTF-8")
    .because(error)
}

/// One row of a [`Table`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
}

impl Row<'_> {
    /// The text of `column`, without blanks around it.
    ///
    /// # Errors
    /// If the table was opened without that column.
    pub fn text(&self, column: &'static str) -> Result<&str> {
        self.table
            .columns
            .iter()
            .find(|(name, _)| *name == column)
            .and_then(|(_, at)| self.table.record.get(*at))
            .map(str::trim)
            .ok_or_else(|| {
                Error::internal("a column is read that was not asked for").with("field", column)
            })
    }

    /// The value of `column`; `expected` says in an error what should stand there.
    ///
    /// # Errors
    /// If it is no `T`, by file, line and field.
    pub fn parse<T: FromStr>(&self, column: &'static str, expected: &'static str) -> Result<T> {
        self.text(column)?
            .parse()
            .map_err(|_| self.refuse(column, expected))
    }

    /// The day in `column`, `YYMMDD` in the 1900s.
    ///
    /// # Errors
    /// If it is no such day.
    pub fn date(&self, column: &'static str) -> Result<NaiveDate> {
        let text = self.text(column)?;
        let parse = || {
            if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let number: u32 = text.parse().ok()?;
            let year = i32::try_from(1900 + number / 10_000).ok()?;
            NaiveDate::from_ymd_opt(year, number / 100 % 100, number % 100)
        };
        parse().ok_or_else(|| self.refuse(column, "a day of the form YYMMDD"))
    }

    /// Where the row stands.
    pub fn place(&self) -> Place {
        Place {
            file: self.table.file.clone(),
            line: self.table.record.position().map_or(0, csv::Position::line),
        }
    }

    /// The error that `column` of this row is not `expected`; it holds no value of the row.
    pub fn refuse(&self, column: &'static str, expected: &'static str) -> Error {
        self.place().refuse(column, expected)
    }
}

/// Where a row stands, for an error about it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    file: Arc<str>,
    line: u64,
}

impl Place {
    /// The error that `column` of the row at this place is not `expected`.
    pub fn refuse(&self, column: &'static str, expected: &'static str) -> Error {
        Error::invalid(format!("a field is not {expected}"))
            .with("file", &self.file)
            .with("line", self.line)
            .with("field", column)
            .mend(format!(
                "write {expected} at this place, or leave the row out"
            ))
    }
}
