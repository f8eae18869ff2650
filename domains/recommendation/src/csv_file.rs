//! Comma-separated files with a header, CRLF or LF.

use std::fs::File;
use std::io::{ErrorKind as Io, Read};
use std::path::Path;
use std::str::FromStr;

use mesh_core::{Error, ErrorKind, Result};

/// A file that is read row by row.
pub struct CsvFile {
    name: String,
    columns: Vec<(&'static str, usize)>,
    reader: csv::Reader<Box<dyn Read + Send>>,
    record: csv::StringRecord,
}

/// Whether `file` is in `dir`.
///
/// # Errors
/// If the folder cannot be read.
pub fn is_there(dir: &Path, file: &str) -> Result<bool> {
    dir.join(file).try_exists().map_err(|error| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the source directory cannot be read",
        )
        .with("directory", dir.display())
        .mend("name a directory that this process may read")
        .because(error)
    })
}

impl CsvFile {
    /// Opens `file` in `dir`; its header must hold `columns`, in any order.
    ///
    /// # Errors
    /// If the file is not there, cannot be read, or lacks a column.
    pub fn open(dir: &Path, file: &str, columns: &[&'static str]) -> Result<Self> {
        let raw = File::open(dir.join(file)).map_err(|error| {
            let kind = match error.kind() {
                Io::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::FailedPrecondition,
            };
            Error::new(kind, "a file of the source cannot be opened")
                .with("file", dir.join(file).display())
                .mend("put the file into the source directory and let this process read it")
                .because(error)
        })?;
        Self::read(file, Box::new(raw), columns)
    }

    /// Reads a file from `bytes`; `name` stands in errors.
    ///
    /// # Errors
    /// If the header cannot be read or lacks one of `columns`.
    pub fn read(name: &str, bytes: Box<dyn Read + Send>, columns: &[&'static str]) -> Result<Self> {
        // Lines end at LF, so that errors count them right; a CR before it is trimmed as a blank.
        let mut reader = csv::ReaderBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(bytes);
        let header = reader.headers().map_err(|error| unreadable(name, error))?;
        let columns = columns
            .iter()
            .map(|&column| {
                let at = header.iter().position(|name| name.trim() == column);
                at.map(|at| (column, at)).ok_or_else(|| {
                    Error::invalid("a column is missing in the header")
                        .with("file", name)
                        .with("field", column)
                        .mend("use the file as it is delivered, with its header")
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            name: name.to_owned(),
            columns,
            reader,
            record: csv::StringRecord::new(),
        })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Goes to the next row; `false` at the end.
    ///
    /// # Errors
    /// If the row has another number of columns than the header or is not text.
    pub fn next_row(&mut self) -> Result<bool> {
        self.reader
            .read_record(&mut self.record)
            .map_err(|error| unreadable(&self.name, error))
    }

    /// The line of the row, counted from 1.
    pub fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// The text of `column` in the row, without blanks around it.
    ///
    /// # Errors
    /// If the file was opened without that column.
    pub fn text(&self, column: &'static str) -> Result<&str> {
        self.columns
            .iter()
            .find(|(name, _)| *name == column)
            .and_then(|(_, at)| self.record.get(*at))
            .map(str::trim)
            .ok_or_else(|| {
                Error::internal("a column is read that was not asked for").with("field", column)
            })
    }

    /// The value of `column` in the row, which has to be as `allowed`; `expected` says in an
    /// error what should stand there.
    ///
    /// # Errors
    /// If it is not, by file, line and field.
    pub fn parse<T: FromStr>(
        &self,
        column: &'static str,
        expected: &'static str,
        allowed: impl Fn(&T) -> bool,
    ) -> Result<T> {
        self.text(column)?
            .parse()
            .ok()
            .filter(allowed)
            .ok_or_else(|| refuse(&self.name, self.line(), column, expected))
    }
}

/// The error that `column` in a line is not `expected`; it holds no value of the row.
pub fn refuse(file: &str, line: u64, column: &'static str, expected: &'static str) -> Error {
    Error::invalid(format!("a field is not {expected}"))
        .with("file", file)
        .with("line", line)
        .with("field", column)
        .mend(format!(
            "write {expected} at this place, or leave the row out"
        ))
}

fn unreadable(file: &str, error: csv::Error) -> Error {
    let line = error.position().map(csv::Position::line);
    let wrong = Error::invalid("a row cannot be read").with("file", file);
    match line {
        Some(line) => wrong.with("line", line),
        None => wrong,
    }
    .mend("make the row as long as the header, and the file UTF-8")
    .because(error)
}
