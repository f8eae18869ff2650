//! Parquet files: the schema in the metadata at their end (parquet-format 2.11). No value is
//! read, so personal data are guessed from names alone.

mod thrift;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use mesh_core::contract::{Field, TimeUnit, Type};
use mesh_core::{Error, ErrorKind, Result};

use self::thrift::Struct;
use super::{open, stem};
use crate::draft::{
    self, Choice, Columns, DEEPEST, Draft, Imported, field, integer, list, object, text,
};

/// The most of a file's metadata that is read; the schema stands at its start.
const MOST_METADATA: u64 = 32 << 20;

/// Reads the schema of the Parquet file at `path`.
///
/// # Errors
/// If the file is no Parquet file, is encrypted or cut short, or has columns that no type of
/// the mesh can hold.
pub fn read_parquet(path: &Path, choice: &Choice) -> Result<Imported> {
    let metadata = metadata(path)?;
    let (elements, rows) = thrift::schema(&metadata).ok_or_else(|| damaged(path))?;
    let shown = path.file_name().map(|name| name.to_string_lossy());
    let source = format!("the Parquet file {}", shown.as_deref().unwrap_or_default());
    let mut draft = Draft::new(source, &stem(path), choice);
    draft.note(
        "",
        format!("the schema of {rows} rows was read, and none of their values"),
    );
    let mut elements = elements.iter();
    let root = elements.next().ok_or_else(|| damaged(path))?;
    let mut reader = Reader { elements, draft };
    let fields = reader.fields(root, "", 0, path)?;
    reader.draft.finish(fields)
}

fn damaged(path: &Path) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "the metadata of the file cannot be read",
    )
    .with("file", path.display())
    .mend("write the file anew; it is damaged")
}

fn metadata(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let not_parquet = || {
        Error::invalid("this is no Parquet file")
            .with("file", path.display())
            .mend("give a file that begins and ends with the letters PAR1")
    };
    let unreadable = |error: std::io::Error| {
        Error::invalid("the file cannot be read")
            .with("file", path.display())
            .with("reason", error.kind())
            .mend("check that it is a file that may be read")
            .because(error)
    };
    let size = file.metadata().map_err(unreadable)?.len();
    if size < 12 {
        return Err(not_parquet());
    }
    let mut tail = [0; 8];
    at(&mut file, SeekFrom::End(-8), &mut tail).map_err(unreadable)?;
    match &tail[4..] {
        b"PAR1" => {}
        b"PARE" => {
            return Err(
                Error::new(ErrorKind::Unsupported, "the file's metadata is encrypted")
                    .with("file", path.display())
                    .mend("give a file that is not encrypted"),
            );
        }
        _ => return Err(not_parquet()),
    }
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let start = size.checked_sub(8 + length).ok_or_else(|| damaged(path))?;
    let most = usize::try_from(length.min(MOST_METADATA)).map_err(|_| damaged(path))?;
    let mut bytes = vec![0; most];
    at(&mut file, SeekFrom::Start(start), &mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn at(file: &mut File, place: SeekFrom, bytes: &mut [u8]) -> std::io::Result<()> {
    file.seek(place)?;
    file.read_exact(bytes)
}

/// The repetition of an element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repetition {
    Required,
    Optional,
    Repeated,
}

/// An element of a Parquet schema, a column or a group.
struct Element {
    name: String,
    physical: Option<i64>,

    repetition: Repetition,
    children: usize,
    converted: Option<i64>,
    scale: i64,
    precision: i64,
    /// The number of the logical type and its parameters.
    logical: Option<(i16, Struct)>,
}

impl Element {
    /// Reads a `SchemaElement`, by the numbers of its fields in parquet.thrift.
    fn read(fields: &Struct) -> Option<Self> {
        Some(Self {
            name: fields.text(4)?,
            physical: fields.whole(1),
            repetition: match fields.whole(3) {
                Some(2) => Repetition::Repeated,
                Some(1) => Repetition::Optional,
                _ => Repetition::Required,
            },
            children: usize::try_from(fields.whole(5).unwrap_or(0)).ok()?,
            converted: fields.whole(6),
            scale: fields.whole(7).unwrap_or(0),
            precision: fields.whole(8).unwrap_or(0),
            logical: fields.inner(10).and_then(|logical| {
                let (number, parameters) = logical.first()?;
                Some((number, parameters.clone()))
            }),
        })
    }

    fn is(&self, logical: i16, converted: i64) -> bool {
        match &self.logical {
            Some((number, _)) => *number == logical,
            None => self.converted == Some(converted),
        }
    }
}

struct Reader<'a> {
    elements: std::slice::Iter<'a, Element>,
    draft: Draft,
}

/// A type, or why there is none.
type Fit = std::result::Result<Type, String>;

impl<'a> Reader<'a> {
    fn next(&mut self, path: &Path) -> Result<&'a Element> {
        self.elements.next().ok_or_else(|| damaged(path))
    }

    fn fields(
        &mut self,
        group: &Element,
        at: &str,
        depth: usize,
        file: &Path,
    ) -> Result<Vec<Field>> {
        if depth > DEEPEST {
            return Err(
                Error::invalid(format!("groups are nested more than {DEEPEST} deep"))
                    .with("file", file.display())
                    .mend("flatten the columns"),
            );
        }
        let mut columns = Columns::at(at);
        for _ in 0..group.children {
            let element = self.next(file)?;
            let named = columns.next(&element.name, &mut self.draft)?;
            let Some((name, path)) = named else {
                self.skip(element, file)?;
                continue;
            };
            let fit = self.element(element, &path, depth, file)?;
            match fit {
                Ok(ty) => {
                    let nullable = element.repetition == Repetition::Optional;
                    columns.push(&element.name, field(&name, ty, nullable), &mut self.draft);
                }
                Err(reason) => self.draft.unfit(&path, reason),
            }
        }
        Ok(columns.fields)
    }

    /// Passes over what stands below `element`.
    fn skip(&mut self, element: &Element, file: &Path) -> Result<()> {
        let mut left = element.children;
        while left > 0 {
            left = left - 1 + self.next(file)?.children;
        }
        Ok(())
    }

    fn element(&mut self, element: &Element, path: &str, depth: usize, file: &Path) -> Result<Fit> {
        let fit = if element.children > 0 {
            self.group(element, path, depth, file)?
        } else {
            self.scalar(element, path)
        };
        // Without the mark of a list a repeated element is a list of itself.
        Ok(match element.repetition {
            Repetition::Repeated => fit.map(|ty| list(ty, false)),
            _ => fit,
        })
    }

    fn group(&mut self, element: &Element, path: &str, depth: usize, file: &Path) -> Result<Fit> {
        if element.is(2, 1) || element.converted == Some(2) {
            return self.map(element, path, depth, file);
        }
        if !element.is(3, 3) || element.children != 1 {
            return Ok(Ok(object(self.fields(element, path, depth + 1, file)?)));
        }
        let repeated = self.next(file)?;
        // The rules for lists of older writers: parquet-format, LogicalTypes.md.
        let is_item = repeated.children != 1
            || repeated.name == "array"
            || repeated.name == format!("{}_tuple", element.name);
        if is_item {
            let items = if repeated.children > 0 {
                self.group(repeated, path, depth + 1, file)?
            } else {
                self.scalar(repeated, path)
            };
            return Ok(items.map(|ty| list(ty, false)));
        }
        let item = self.next(file)?;
        let items = self.element(item, path, depth + 1, file)?;
        Ok(items.map(|ty| list(ty, item.repetition == Repetition::Optional)))
    }

    /// A map: one repeated group of a key and a value (parquet-format, LogicalTypes.md).
    fn map(&mut self, element: &Element, path: &str, depth: usize, file: &Path) -> Result<Fit> {
        let entries = match element.children {
            1 => self.next(file)?,
            _ => {
                self.skip(element, file)?;
                return Ok(Err("a map without entries".into()));
            }
        };
        if entries.children != 2 {
            self.skip(entries, file)?;
            return Ok(Err(
                "a map without values; make it a list of its keys".into()
            ));
        }
        let key = self.next(file)?;
        if key.children > 0 || !key.is(1, 0) {
            self.skip(key, file)?;
            let value = self.next(file)?;
            self.skip(value, file)?;
            return Ok(Err(
                "a map whose keys are no strings; make it a list of groups with a key and a value"
                    .into(),
            ));
        }
        let value = self.next(file)?;
        let values = self.element(value, path, depth + 1, file)?;
        Ok(values.map(|ty| draft::map(ty, value.repetition == Repetition::Optional)))
    }

    fn scalar(&mut self, element: &Element, path: &str) -> Fit {
        const NUMBERS: [(i64, i16); 20] = [
            (0, 1),
            (4, 4),
            (5, 5),
            (6, 6),
            (7, 7),
            (8, 7),
            (9, 8),
            (10, 8),
            (11, 10),
            (12, 10),
            (13, 10),
            (14, 10),
            (15, 10),
            (16, 10),
            (17, 10),
            (18, 10),
            (19, 12),
            (20, 13),
            (21, 100),
            (1, 2),
        ];
        let logical = match &element.logical {
            Some((number, _)) => Some(*number),
            None => element
                .converted
                .and_then(|old| NUMBERS.iter().find(|(converted, _)| *converted == old))
                .map(|(_, number)| *number),
        };
        let mut note = |text: &str| self.draft.note(path, text);
        match logical {
            Some(1) => return Ok(text()),
            Some(4) => {
                note("an enumeration whose symbols the file does not list: taken as text");
                return Ok(text());
            }
            Some(5) => return decimal(element),
            Some(6) => return Ok(Type::Date),
            Some(7) => {
                let (unit, _) = timestamp(element);
                if unit == 3 {
                    note("nanoseconds become microseconds");
                }
                return Ok(Type::Time(match unit {
                    1 => TimeUnit::Millis,
                    _ => TimeUnit::Micros,
                }));
            }
            Some(8) => {
                let (unit, zoned) = timestamp(element);
                if !zoned {
                    note("local time is taken as UTC");
                }
                if unit == 3 {
                    note("nanoseconds become microseconds");
                }
                return Ok(Type::Timestamp(if unit == 1 {
                    TimeUnit::Millis
                } else {
                    TimeUnit::Micros
                }));
            }
            Some(10) => {
                let (bits, signed) = whole_number(element);
                return Ok(match (bits, signed) {
                    (64, false) => {
                        note("64 bits without a sign are carried as decimal(20,0)");
                        Type::Decimal {
                            precision: 20,
                            scale: 0,
                        }
                    }
                    (64, true) | (32, false) => integer(true),
                    _ => integer(false),
                });
            }
            Some(12) => {
                note("JSON is carried as text");
                return Ok(text());
            }
            Some(14) => return Ok(Type::Uuid),
            Some(15) => {
                note("16-bit numbers are carried as 32-bit ones");
                return Ok(Type::Float32);
            }
            Some(100) => return Err("an interval; write it as a number".into()),
            _ => {}
        }
        match element.physical {
            Some(0) => Ok(Type::Boolean),
            Some(1) => Ok(integer(false)),
            Some(2) => Ok(integer(true)),
            Some(3) => {
                note("96-bit times are taken as UTC, in microseconds");
                Ok(Type::Timestamp(TimeUnit::Micros))
            }
            Some(4) => Ok(Type::Float32),
            Some(5) => Ok(Type::Float64),
            _ => Err("bytes; write them as text".into()),
        }
    }
}

fn decimal(element: &Element) -> Fit {
    let (precision, scale) = match &element.logical {
        Some((_, parameters)) => (
            parameters.whole(2).unwrap_or(0),
            parameters.whole(1).unwrap_or(0),
        ),
        None => (element.precision, element.scale),
    };
    let fitting = u8::try_from(precision).ok().zip(u8::try_from(scale).ok());
    let (precision, scale) = fitting
        .filter(|(precision, scale)| (1..=38).contains(precision) && scale <= precision)
        .ok_or("a decimal has at most 38 digits, and a scale within them")?;
    Ok(Type::Decimal { precision, scale })
}

/// The unit (1 to 3: thousandths, millionths, billionths) and whether the time is UTC.
fn timestamp(element: &Element) -> (i16, bool) {
    match &element.logical {
        Some((_, parameters)) => (
            parameters
                .inner(2)
                .and_then(Struct::first)
                .map_or(1, |(unit, _)| unit),
            parameters.flag(1),
        ),
        // Of both timestamps and times the one in thousandths.
        None => (
            if matches!(element.converted, Some(7 | 9)) {
                1
            } else {
                2
            },
            true,
        ),
    }
}

/// The bits and whether there is a sign.
fn whole_number(element: &Element) -> (i64, bool) {
    match (&element.logical, element.converted) {
        (Some((_, parameters)), _) => (parameters.whole(1).unwrap_or(64), parameters.flag(2)),
        (None, Some(old @ 11..=14)) => (8 << (old - 11), false),
        (None, Some(old @ 15..=18)) => (8 << (old - 15), true),
        _ => (64, true),
    }
}
