//! CSV samples (RFC 4180, any of four delimiters).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use mesh_core::{Error, Result};

use super::infer::{Profile, is_missing};
use super::{Capped, Limits, looked_at, open, stem};
use crate::draft::{Choice, Columns, Draft, Imported, field};

/// The bytes that the delimiter and the header are told from.
const SNIFFED: u64 = 64 << 10;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const MOST_COLUMNS: usize = 2_000;

/// What is known of a CSV file; the rest is told from its first rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// The byte between two fields.
    pub delimiter: Option<u8>,
    /// Whether the first row holds the names.
    pub header: Option<bool>,
}

/// Reads the CSV sample at `path` and infers its columns.
///
/// # Errors
/// If the file cannot be read, is not UTF-8, is empty or has rows of different lengths, with
/// the line.
pub fn read_csv(
    path: &Path,
    options: &CsvOptions,
    choice: &Choice,
    limits: Limits,
) -> Result<Imported> {
    let (mut file, start, head) = opened(path)?;
    let delimiter = options.delimiter.unwrap_or_else(|| delimiter(&head));
    let layout = Layout::of(&head, delimiter, options.header);
    file.seek(std::io::SeekFrom::Start(start))
        .map_err(|error| unreadable(path, error))?;
    read(path, file, delimiter, &layout, choice, limits)
}

/// How a CSV file is written, as its first rows tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvLayout {
    /// The byte between two fields.
    pub delimiter: u8,
    /// Whether the first row names every column.
    pub header: bool,
}

/// Tells how the CSV file at `path` is written, as [`read_csv`] takes it.
///
/// # Errors
/// If the file cannot be read, is empty or no text.
pub fn csv_layout(path: &Path, options: &CsvOptions) -> Result<CsvLayout> {
    let (_, _, head) = opened(path)?;
    let delimiter = options.delimiter.unwrap_or_else(|| delimiter(&head));
    let layout = Layout::of(&head, delimiter, options.header);
    Ok(CsvLayout {
        delimiter,
        header: layout.header && !layout.unnamed_first,
    })
}

/// The file at `path`, where its rows begin, and its first rows.
fn opened(path: &Path) -> Result<(BufReader<File>, u64, Vec<u8>)> {
    let mut file = BufReader::new(open(path)?);
    skip_mark(&mut file, path)?;
    let start = file
        .stream_position()
        .map_err(|error| unreadable(path, error))?;
    let mut head = Vec::new();
    let mut sniffed = Capped::new(&mut file, SNIFFED);
    sniffed
        .read_to_end(&mut head)
        .map_err(|error| unreadable(path, error))?;
    let cut = sniffed.cut;
    if cut {
        // The last line of the head is not whole.
        let end = head.iter().rposition(|b| *b == b'\n').unwrap_or(head.len());
        head.truncate(end);
    }
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::invalid("the file holds no row")
            .with("file", path.display())
            .mend("give a sample with at least one row"));
    }
    refuse_binary(&head, path)?;
    Ok((file, start, head))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::invalid("the file cannot be read")
        .with("file", path.display())
        .with("reason", error.kind())
        .mend("check that it is a file that may be read")
        .because(error)
}

/// Skips the byte order mark that spreadsheets write before UTF-8.
fn skip_mark(file: &mut BufReader<File>, path: &Path) -> Result<()> {
    let head = file.fill_buf().map_err(|error| unreadable(path, error))?;
    if head.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    Ok(())
}

fn refuse_binary(head: &[u8], path: &Path) -> Result<()> {
    let what = if head.starts_with(b"\x1f\x8b") || head.starts_with(b"\x28\xb5\x2f\xfd") {
        "the file is compressed"
    } else if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        "the file is written in UTF-16"
    } else if head.contains(&0) {
        "the file is not text"
    } else {
        return Ok(());
    };
    Err(Error::invalid(what)
        .with("file", path.display())
        .mend("give the sample as plain text in UTF-8"))
}

/// The rows of `head`, as far as they can be read.
fn rows(head: &[u8], delimiter: u8) -> impl Iterator<Item = ByteRecord> + '_ {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(head)
        .into_byte_records()
        .map_while(std::result::Result::ok)
        .take(100)
}

/// The delimiter that cuts most rows of `head` in the same number of fields, and in the most.
fn delimiter(head: &[u8]) -> u8 {
    let score = |delimiter: u8| {
        let widths: Vec<usize> = rows(head, delimiter).map(|row| row.len()).collect();
        let last = widths.last().copied().unwrap_or(1);
        let same = widths.iter().filter(|width| **width == last).count();
        if last < 2 || same * 10 < widths.len() * 9 {
            return (0, 0);
        }
        (same * 100 / widths.len(), last)
    };
    // The first of equals: the comma before the others.
    let mut best = (DELIMITERS[0], (0, 0));
    for candidate in DELIMITERS {
        let found = score(candidate);
        if found > best.1 {
            best = (candidate, found);
        }
    }
    best.0
}

/// How the first rows are laid out.
struct Layout {
    /// Whether the first row holds the names.
    header: bool,
    /// Whether the header leaves out the name of the first column, as R writes row names.
    unnamed_first: bool,
}

impl Layout {
    fn of(head: &[u8], delimiter: u8, header: Option<bool>) -> Self {
        let rows: Vec<ByteRecord> = rows(head, delimiter).collect();
        let header = header.unwrap_or_else(|| rows.first().is_some_and(is_header));
        let unnamed_first =
            header && rows.len() > 1 && rows[1..].iter().all(|row| row.len() == rows[0].len() + 1);
        Self {
            header,
            unnamed_first,
        }
    }
}

/// Names are there, and none is a number, a date, a time or the like.
fn is_header(row: &ByteRecord) -> bool {
    let named = row.iter().all(|cell| {
        let Ok(cell) = std::str::from_utf8(cell) else {
            return false;
        };
        let mut profile = Profile::default();
        profile.add(cell.trim());
        profile.is_plain_text()
    });
    named && row.iter().any(|cell| !cell.trim_ascii().is_empty())
}

fn read(
    path: &Path,
    file: impl Read,
    delimiter: u8,
    layout: &Layout,
    choice: &Choice,
    limits: Limits,
) -> Result<Imported> {
    let mut capped = Capped::new(file, limits.bytes);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(&mut capped);
    let mut names: Option<Vec<String>> = None;
    let mut profiles: Vec<Profile> = Vec::new();
    let (mut rows, mut all) = (0, true);
    // One row behind, because the last row before the cap may be half a row.
    let mut pending: Option<ByteRecord> = None;
    loop {
        let mut record = ByteRecord::new();
        let more = reader
            .read_byte_record(&mut record)
            .map_err(|error| broken(path, &error))?;
        let whole = more || !reader.get_ref().cut;
        if let Some(row) = pending.take().filter(|_| whole) {
            match &names {
                None if layout.header => names = Some(header(path, &row, layout)?),
                _ => {
                    let width = names
                        .get_or_insert_with(|| vec![String::new(); row.len()])
                        .len();
                    take(path, &row, width, &mut profiles)?;
                    rows += 1;
                }
            }
        }
        all &= whole;
        if !more {
            break;
        }
        if rows == limits.rows {
            all = false;
            break;
        }
        pending = Some(record);
    }
    let names = names.filter(|_| rows > 0).ok_or_else(|| {
        Error::invalid("the file holds no row under its header")
            .with("file", path.display())
            .mend("give a sample with at least one row of data, or --header no if the first row is one")
    })?;
    let mut draft = head(path, delimiter, layout, choice);
    draft.rows = Some(rows);
    draft.note("", looked_at(rows, all));
    fill(draft, &names, profiles)
}

fn header(path: &Path, row: &ByteRecord, layout: &Layout) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if layout.unnamed_first {
        names.push(String::new());
    }
    for cell in row {
        names.push(utf8(path, row, cell)?.trim().to_owned());
    }
    if names.len() > MOST_COLUMNS {
        return Err(Error::invalid(format!("there are {} columns", names.len()))
            .with("file", path.display())
            .mend(format!(
                "a product holds at most {MOST_COLUMNS}; take those that readers need"
            )));
    }
    Ok(names)
}

fn line(row: &ByteRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn utf8<'a>(path: &Path, row: &ByteRecord, cell: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(cell).map_err(|_| {
        Error::invalid("the file is not UTF-8")
            .with("file", path.display())
            .with("line", line(row))
            .mend("save it as UTF-8")
    })
}

fn take(path: &Path, row: &ByteRecord, width: usize, profiles: &mut Vec<Profile>) -> Result<()> {
    if row.len() != width {
        return Err(Error::invalid(format!(
            "a row has {} fields and the others have {width}",
            row.len()
        ))
        .with("file", path.display())
        .with("line", line(row))
        .mend("quote fields that hold the delimiter or a line break, or name the delimiter by --delimiter"));
    }
    profiles.resize_with(width, Profile::default);
    for (cell, profile) in row.iter().zip(profiles) {
        let value = utf8(path, row, cell)?.trim();
        if is_missing(value) {
            profile.missing += 1;
        } else {
            profile.add(value);
        }
    }
    Ok(())
}

fn broken(path: &Path, error: &csv::Error) -> Error {
    let at = error.position().map_or(0, csv::Position::line);
    // The library's words may hold a value, so they are not kept.
    Error::invalid("the file is no sound CSV")
        .with("file", path.display())
        .with("line", at)
        .mend("write it as RFC 4180 says: fields with delimiters, quotes or line breaks in double quotes")
}

/// A draft with what there is to say about the file as a whole.
fn head(path: &Path, delimiter: u8, layout: &Layout, choice: &Choice) -> Draft {
    let shown = path.file_name().map(|name| name.to_string_lossy());
    let source = format!("the CSV sample {}", shown.as_deref().unwrap_or_default());
    let mut draft = Draft::new(source, &stem(path), choice);
    if delimiter != b',' {
        let shown = if delimiter == b'\t' {
            "tabs".to_owned()
        } else {
            format!("`{}`", char::from(delimiter))
        };
        draft.note("", format!("the fields are told apart by {shown}"));
    }
    if !layout.header {
        draft.note("", "the first row holds no names: columns are numbered");
    }
    if layout.unnamed_first {
        draft.note("", "the header has no name for the first column");
    }
    draft
}

fn fill(mut draft: Draft, names: &[String], profiles: Vec<Profile>) -> Result<Imported> {
    let mut columns = Columns::default();
    for (source_name, profile) in names.iter().zip(profiles) {
        let Some((name, path)) = columns.next(source_name, &mut draft)? else {
            continue;
        };
        let inferred = profile.infer(&name, &draft.name);
        for note in inferred.notes {
            draft.note(&path, note);
        }
        if profile.repeats() {
            draft.repeated.push(name.clone());
        } else if profile.is_unique() {
            draft.unique.push(name.clone());
        }
        if let Some(pattern) = profile.pattern() {
            draft.patterns.insert(path, pattern);
        }
        let column = field(
            &name,
            inferred.ty,
            profile.missing > 0 || profile.values == 0,
        );
        columns.push(source_name, column, &mut draft);
    }
    draft.finish(columns.fields)
}
