//! JSON samples: one list of objects, objects after each other (JSON Lines), or one object.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use indexmap::IndexMap;
use mesh_core::contract::Type;
use mesh_core::{Error, Result};
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::infer::Profile;
use super::{Capped, Limits, looked_at, open, stem};
use crate::draft::{Choice, Columns, DEEPEST, Draft, Imported, field, list, object, text};

/// The most names of one object; more are values that stand as names.
const MOST_NAMES: usize = 2_000;

/// Reads the JSON sample at `path` and infers its columns.
///
/// # Errors
/// If the file cannot be read, is no JSON, holds something else than objects, or objects whose
/// members have no one type, with the line or the member.
pub fn read_json(path: &Path, choice: &Choice, limits: Limits) -> Result<Imported> {
    let mut file = BufReader::new(Capped::new(open(path)?, limits.bytes));
    let first = first_byte(&mut file, path)?;
    let mut rows = Rows {
        shape: Shape::default(),
        count: 0,
        most: limits.rows,
        stopped: false,
        odd: None,
    };
    let outcome = if first == b'[' {
        read_list(&mut file, &mut rows)
    } else {
        read_lines(&mut file, &mut rows)
    };
    if let Some(odd) = rows.odd {
        return Err(Error::invalid(format!("expected objects, found {odd}"))
            .with("file", path.display())
            .with("row", rows.count + 1)
            .mend("give a list of objects, or one object on each line"));
    }
    let cut = file.get_ref().cut;
    // A value that the cap cut in two is no fault of the file.
    if let Err(error) = outcome
        && !rows.stopped
        && !(cut && error.is_eof())
    {
        return Err(Error::invalid("the file is no sound JSON")
            .with("file", path.display())
            .with("line", error.line())
            .with("column", error.column())
            .mend("mend the syntax at this line"));
    }
    if rows.count == 0 {
        return Err(Error::invalid("the file holds no object")
            .with("file", path.display())
            .mend("give a sample with at least one object"));
    }
    let shown = path.file_name().map(|name| name.to_string_lossy());
    let source = format!("the JSON sample {}", shown.as_deref().unwrap_or_default());
    let mut draft = Draft::new(source, &stem(path), choice);
    draft.rows = Some(rows.count);
    draft.note("", looked_at(rows.count, !rows.stopped && !cut));
    let fields = rows.shape.columns("", path, &mut draft, 0)?;
    draft.finish(fields)
}

/// The first byte that is no space, which stays unread; a byte order mark is skipped.
fn first_byte(file: &mut BufReader<impl Read>, path: &Path) -> Result<u8> {
    let mut at_start = true;
    loop {
        let buffer = file.fill_buf().map_err(|error| {
            Error::invalid("the file cannot be read")
                .with("file", path.display())
                .with("reason", error.kind())
                .mend("check that it is a file that may be read")
                .because(error)
        })?;
        if at_start && buffer.starts_with(b"\xef\xbb\xbf") {
            file.consume(3);
            at_start = false;
            continue;
        }
        at_start = false;
        if buffer.is_empty() {
            return Err(Error::invalid("the file is empty")
                .with("file", path.display())
                .mend("give a sample with at least one object"));
        }
        // Spaces are left to the parser, which counts lines.
        if let Some(byte) = buffer.iter().find(|b| !b.is_ascii_whitespace()) {
            return Ok(*byte);
        }
        let spaces = buffer.len();
        file.consume(spaces);
    }
}

struct Rows {
    shape: Shape,
    count: u64,
    most: u64,
    /// Whether the limit of rows was met while there was more.
    stopped: bool,
    /// What stands where an object is expected.
    odd: Option<&'static str>,
}

impl Rows {
    /// Takes one row; false if no more are wanted.
    fn take(&mut self, row: &Json) -> bool {
        if self.count == self.most {
            self.stopped = true;
            return false;
        }
        if !row.is_object() {
            self.odd = Some(kind(row));
            return false;
        }
        self.shape.add(row, 0);
        self.count += 1;
        true
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn read_lines(file: impl Read, rows: &mut Rows) -> std::result::Result<(), serde_json::Error> {
    for row in serde_json::Deserializer::from_reader(file).into_iter::<Json>() {
        if !rows.take(&row?) {
            break;
        }
    }
    Ok(())
}

fn read_list(file: impl Read, rows: &mut Rows) -> std::result::Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_reader(file);
    let outcome = Elements(rows).deserialize(&mut parser);
    outcome.and_then(|()| parser.end())
}

/// Takes the elements of one list, one at a time.
struct Elements<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        while let Some(row) = list.next_element::<Json>()? {
            if !self.0.take(&row) {
                // The parser takes the unread rest for an error, which `stopped` and `odd`
                // explain.
                break;
            }
        }
        Ok(())
    }
}

/// What is known of the values at one place.
#[derive(Default)]
struct Shape {
    /// Objects, lists and scalars seen here, and nulls.
    objects: u64,
    lists: u64,
    nulls: u64,
    /// Strings, numbers and booleans, each as text.
    strings: u64,
    numbers: u64,
    booleans: u64,
    profile: Profile,
    members: IndexMap<String, Shape>,
    elements: Option<Box<Shape>>,
    /// Whether an object has more members, or nests deeper, than is read.
    overflow: bool,
}

impl Shape {
    fn add(&mut self, value: &Json, depth: usize) {
        if depth > DEEPEST {
            self.overflow = true;
            return;
        }
        match value {
            Json::Null => self.nulls += 1,
            Json::Bool(value) => {
                self.booleans += 1;
                self.profile.add(if *value { "true" } else { "false" });
            }
            Json::Number(number) => {
                self.numbers += 1;
                self.profile.add(&number.to_string());
            }
            Json::String(value) => {
                self.strings += 1;
                self.profile.add_text(value);
            }
            Json::Array(items) => {
                self.lists += 1;
                let elements = self.elements.get_or_insert_default();
                for item in items {
                    elements.add(item, depth + 1);
                }
            }
            Json::Object(entries) => {
                self.objects += 1;
                for (name, value) in entries {
                    if self.members.len() >= MOST_NAMES && !self.members.contains_key(name) {
                        self.overflow = true;
                        return;
                    }
                    self.members
                        .entry(name.clone())
                        .or_default()
                        .add(value, depth + 1);
                }
            }
        }
    }

    /// The columns of the objects seen here.
    fn columns(
        &self,
        at: &str,
        file: &Path,
        draft: &mut Draft,
        depth: usize,
    ) -> Result<Vec<mesh_core::contract::Field>> {
        if self.overflow {
            return Err(Error::invalid(format!(
                "there are more than {MOST_NAMES} names, or more than {DEEPEST} levels"
            ))
            .with("file", file.display())
            .with("member", at)
            .mend("write names that vary from row to row as a list of objects with a name and a value"));
        }
        let mut columns = Columns::at(at);
        for (source_name, shape) in &self.members {
            let Some((name, path)) = columns.next(source_name, draft)? else {
                continue;
            };
            let record = if depth == 0 {
                draft.name.clone()
            } else {
                at.rsplit('.').next().unwrap_or(at).to_owned()
            };
            let ty = shape.ty(&name, &path, &record, file, draft, depth)?;
            let present =
                shape.objects + shape.lists + shape.strings + shape.numbers + shape.booleans;
            if depth == 0 && shape.profile.values > 0 {
                if shape.profile.repeats() {
                    draft.repeated.push(name.clone());
                } else if shape.profile.is_unique() && present == self.objects {
                    draft.unique.push(name.clone());
                }
            }
            let column = field(&name, ty, present < self.objects);
            columns.push(source_name, column, draft);
        }
        Ok(columns.fields)
    }

    fn ty(
        &self,
        name: &str,
        path: &str,
        record: &str,
        file: &Path,
        draft: &mut Draft,
        depth: usize,
    ) -> Result<Type> {
        let scalars = self.strings + self.numbers + self.booleans;
        let kinds = [self.objects, self.lists, scalars];
        if kinds.iter().filter(|count| **count > 0).count() > 1 {
            return Err(
                Error::invalid("a member is an object, a list or a plain value by turns")
                    .with("file", file.display())
                    .with("member", path)
                    .mend("give it one shape in every row, or leave it out of the sample"),
            );
        }
        if self.objects > 0 {
            if self.members.is_empty() {
                draft.note(path, "is an object without members: taken as text");
                return Ok(text());
            }
            return Ok(object(self.columns(path, file, draft, depth + 1)?));
        }
        if let Some(elements) = &self.elements {
            let empty = elements.objects + elements.lists == 0 && elements.profile.values == 0;
            if empty {
                draft.note(path, "every list is empty: taken as a list of texts");
                return Ok(list(text(), false));
            }
            let items = elements.ty(name, path, record, file, draft, depth + 1)?;
            return Ok(list(items, elements.nulls > 0));
        }
        if self.overflow {
            return Err(
                Error::invalid(format!("there are more than {DEEPEST} levels"))
                    .with("file", file.display())
                    .with("member", path)
                    .mend("flatten the objects"),
            );
        }
        if let Some(pattern) = self.profile.pattern() {
            draft.patterns.insert(path.to_owned(), pattern);
        }
        let mixed = [self.strings, self.numbers, self.booleans]
            .iter()
            .filter(|count| **count > 0)
            .count()
            > 1;
        if mixed {
            draft.note(path, "holds strings and numbers or booleans: taken as text");
            return Ok(text());
        }
        let inferred = self.profile.infer(name, record);
        // JSON's numbers are doubles, so digits after the point say nothing about money.
        if self.numbers > 0 && matches!(inferred.ty, Type::Decimal { .. }) {
            return Ok(Type::Float64);
        }
        for note in inferred.notes {
            draft.note(path, note);
        }
        Ok(match inferred.ty {
            // A whole number beyond 64 bits with a sign is text to the profile.
            Type::String { .. } if self.numbers > 0 => {
                draft.note(
                    path,
                    "holds whole numbers beyond 64 bits with a sign: taken as decimal(20,0)",
                );
                Type::Decimal {
                    precision: 20,
                    scale: 0,
                }
            }
            ty => ty,
        })
    }
}
