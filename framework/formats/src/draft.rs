//! What an import makes: a record of the mesh's types before it is a contract.

use std::collections::BTreeMap;

use mesh_core::contract::{
    ArrayType, EnumSymbol, EnumType, Field, MapType, ObjectType, Type, upper_camel,
};
use mesh_core::{Error, ErrorKind, Result};

use crate::names::{Namer, record_name, valid};
use crate::personal::{self, Pattern};

/// The custom property that marks a column's classification as a guess and says why.
pub const GUESS: &str = "guess";
/// The custom property that keeps the column's name in the source where it had to change.
pub const SOURCE_NAME: &str = "sourceName";
/// The most columns of one record, nested ones included.
const MOST_COLUMNS: usize = 2_000;
/// The deepest nesting of records and lists.
pub(crate) const DEEPEST: usize = 16;

/// What the author chooses of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The record, message or table, where the source has several; for a sample the record's
    /// name.
    pub record: Option<String>,
    /// Columns to leave out, by their paths in the mesh.
    pub without: Vec<String>,
}

/// A record read from a sample or a schema, not yet a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// What it was read from, in words: `the CSV sample orders.csv`.
    pub source: String,
    /// The record's name in the singular.
    pub name: String,
    /// The product's name that the source suggests.
    pub product: String,
    /// The domain that the source suggests: a namespace, a package, a schema.
    pub domain: Option<String>,
    /// What the source says about the record.
    pub description: Option<String>,
    /// The columns, with valid and distinct names.
    pub fields: Vec<Field>,
    /// The columns of the key; empty if none was found.
    pub key: Vec<String>,
    /// Whether the source states the key (a primary key), so that it is no guess.
    pub key_stated: bool,
    /// The column with the time of the event, if one looks like it.
    pub event_time: Option<String>,
    /// How many rows were looked at; `None` for a schema.
    pub rows: Option<u64>,
    /// The columns of whose values some came more than once in those rows.
    pub repeated: Vec<String>,
    /// The columns that seem to hold personal data.
    pub guesses: Vec<Guess>,
    /// What could not be carried over and what was assumed.
    pub notes: Vec<Note>,
}

/// A column that seems to hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The column's path, such as `customer.email`.
    pub column: String,
    /// What it seems to be: `e-mail address`, `birth date`, …
    pub what: &'static str,
    /// Why; never with a value.
    pub why: String,
}

/// A word about one place of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where: a column's path, a line, or empty for the whole.
    pub place: String,
    /// What was assumed or left out there.
    pub text: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.place, self.text)
        }
    }
}

/// A column of type `ty` without any further promise.
pub(crate) fn field(name: &str, ty: Type, nullable: bool) -> Field {
    Field {
        name: name.to_owned(),
        ty,
        nullable,
        primary_key: None,
        partition_key: None,
        description: None,
        business_name: None,
        classification: None,
        tags: Vec::new(),
        examples: Vec::new(),
        unique: false,
        critical: false,
        deprecated: false,
        quality: Vec::new(),
        relationships: Vec::new(),
        custom: BTreeMap::new(),
    }
}

/// Text of any length.
pub(crate) fn text() -> Type {
    Type::String {
        min_length: None,
        max_length: None,
    }
}

/// An integer of 32 or 64 bits without limits.
pub(crate) fn integer(long: bool) -> Type {
    let (minimum, maximum) = (None, None);
    if long {
        Type::Int64 { minimum, maximum }
    } else {
        Type::Int32 { minimum, maximum }
    }
}

/// A list.
pub(crate) fn list(items: Type, nullable: bool) -> Type {
    Type::Array(Box::new(ArrayType { items, nullable }))
}

/// Values by text keys.
pub(crate) fn map(values: Type, nullable: bool) -> Type {
    Type::Map(Box::new(MapType { values, nullable }))
}

/// A nested record.
pub(crate) fn object(fields: Vec<Field>) -> Type {
    Type::Object(ObjectType { fields })
}

/// Whether `values` can be the symbols of an enumeration: Avro names that stay apart as Rust
/// names.
pub(crate) fn are_symbols<'a>(values: impl IntoIterator<Item = &'a str>) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    values.into_iter().all(|value| {
        value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !upper_camel(value).is_empty()
            && seen.insert(upper_camel(value))
    })
}

/// An enumeration of `values`, each with what it means if that is known.
pub(crate) fn symbols(values: impl IntoIterator<Item = (String, Option<String>)>) -> Type {
    Type::Enum(EnumType {
        symbols: values
            .into_iter()
            .map(|(value, description)| EnumSymbol { value, description })
            .collect(),
    })
}

/// `text` as a description: trimmed, one line, `None` if nothing is left.
pub(crate) fn description(text: Option<&str>) -> Option<String> {
    let words: Vec<&str> = text?.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Collects the columns of one record, whose names become valid and distinct.
#[derive(Default)]
pub(crate) struct Columns {
    path: String,
    namer: Namer,
    seen: usize,
    pub(crate) fields: Vec<Field>,
}

impl Columns {
    /// The columns of the record that stands at `path`; empty for the top.
    pub(crate) fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// The name and the path for the next column, called `name` in the source; `None` if it is
    /// to be left out.
    pub(crate) fn next(
        &mut self,
        name: &str,
        draft: &mut Draft,
    ) -> Result<Option<(String, String)>> {
        // Counted while reading, because references can make a small source a vast record.
        draft.columns += 1;
        if draft.columns > MOST_COLUMNS {
            return Err(
                Error::invalid(format!("there are more than {MOST_COLUMNS} columns"))
                    .with("source", &draft.source)
                    .mend("take those that readers need"),
            );
        }
        self.seen += 1;
        let made = self.namer.name(name, self.seen);
        let path = join(&self.path, &made);
        if draft.without.contains(&path) {
            draft.left_out.push(path.clone());
            draft.note(path, "left out, as asked");
            return Ok(None);
        }
        Ok(Some((made, path)))
    }

    /// Adds the column that [`Columns::next`] named.
    pub(crate) fn push(&mut self, source_name: &str, mut field: Field, draft: &mut Draft) {
        if matches!(field.ty.innermost(), Type::Object(object) if object.fields.is_empty()) {
            draft.note(join(&self.path, &field.name), "left out: it has no columns");
            return;
        }
        if field.name != source_name {
            let kept: String = source_name.chars().filter(|c| !c.is_control()).collect();
            if !kept.trim().is_empty() {
                draft.note(
                    join(&self.path, &field.name),
                    format!("is called `{kept}` in the source"),
                );
                field.custom.insert(SOURCE_NAME.into(), kept.into());
            }
        }
        self.fields.push(field);
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Collects notes while a source is read, and makes the [`Imported`] of it.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) product: String,
    pub(crate) domain: Option<String>,
    pub(crate) description: Option<String>,
    /// The columns of the stated primary key, by their names in the mesh.
    pub(crate) key: Vec<String>,
    pub(crate) rows: Option<u64>,
    /// Top-level columns whose values were all different, and there were some.
    pub(crate) unique: Vec<String>,
    /// Top-level columns of whose values some came more than once.
    pub(crate) repeated: Vec<String>,
    /// What the values of a column look like, by its path.
    pub(crate) patterns: BTreeMap<String, Pattern>,
    pub(crate) notes: Vec<Note>,
    /// Columns that no type of the mesh can hold, each with the reason.
    unfit: Vec<Note>,
    without: Vec<String>,
    left_out: Vec<String>,
    columns: usize,
}

impl Draft {
    /// A draft of what is called `name` in `source`.
    pub(crate) fn new(source: String, name: &str, choice: &Choice) -> Self {
        Self {
            source,
            name: record_name(choice.record.as_deref().unwrap_or(name)),
            product: valid(name, "records"),
            without: choice.without.clone(),
            ..Self::default()
        }
    }

    /// Says that no type of the mesh can hold the column at `path`.
    pub(crate) fn unfit(&mut self, path: &str, reason: impl Into<String>) {
        self.unfit.push(Note {
            place: path.to_owned(),
            text: reason.into(),
        });
    }

    fn check_complete(&self) -> Result<()> {
        if !self.unfit.is_empty() {
            let paths: Vec<&str> = self.unfit.iter().map(|note| note.place.as_str()).collect();
            let reasons: Vec<String> = self.unfit.iter().map(Note::to_string).collect();
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a contract cannot hold all of these columns",
            )
            .with("source", &self.source)
            .with("columns", reasons.join("; "))
            .mend(format!(
                "change them at the source, or leave them out by --without {}",
                paths.join(",")
            )));
        }
        if let Some(unknown) = self
            .without
            .iter()
            .find(|path| !self.left_out.contains(path))
        {
            return Err(
                Error::invalid(format!("`{unknown}` is no column to leave out"))
                    .with("source", &self.source)
                    .mend("name columns by their names here in --without, nested ones with a dot"),
            );
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.notes.push(Note {
            place: place.into(),
            text: text.into(),
        });
    }

    /// The record with `fields`, with guesses of its key, its time and its personal data.
    pub(crate) fn finish(mut self, mut fields: Vec<Field>) -> Result<Imported> {
        self.check_complete()?;
        if fields.is_empty() {
            return Err(Error::invalid("there is no column")
                .with("source", &self.source)
                .mend("give a source with at least one column"));
        }
        let mut guesses = Vec::new();
        personal::mark(&mut fields, "", &self.name, &self.patterns, &mut guesses);
        let key_stated = !self.key.is_empty();
        if !key_stated && let Some(column) = self.likely_key(&fields) {
            self.key = vec![column];
        }
        let event_time = likely_event_time(&fields);
        Ok(Imported {
            source: self.source,
            name: self.name,
            product: self.product,
            domain: self.domain,
            description: self.description,
            fields,
            key: self.key,
            key_stated,
            event_time,
            rows: self.rows,
            repeated: self.repeated,
            guesses,
            notes: self.notes,
        })
    }

    /// The one column that is named like an identifier of this record and may be its key.
    fn likely_key(&self, fields: &[Field]) -> Option<String> {
        let could = |field: &&Field| {
            !field.nullable
                && matches!(
                    field.ty,
                    Type::String { .. } | Type::Uuid | Type::Int32 { .. } | Type::Int64 { .. }
                )
                && !self.repeated.contains(&field.name)
        };
        let own = [
            format!("{}_id", self.name),
            "id".to_owned(),
            format!("{}_uuid", self.name),
            "uuid".to_owned(),
            format!("{}_number", self.name),
            format!("{}_no", self.name),
            format!("{}_key", self.name),
            format!("{}_code", self.name),
            "event_id".to_owned(),
            "key".to_owned(),
        ];
        for name in &own {
            if let Some(field) = fields
                .iter()
                .filter(could)
                .find(|field| field.name == *name)
            {
                return Some(field.name.clone());
            }
        }
        // Without a telling name only a sample can say that an identifier is one of each row.
        let mut unique = fields.iter().filter(could).filter(|field| {
            self.unique.contains(&field.name)
                && (["_id", "_uuid", "_key", "_no", "_number"]
                    .iter()
                    .any(|end| field.name.ends_with(end))
                    || field.ty == Type::Uuid)
        });
        match (unique.next(), unique.next()) {
            (Some(only), None) => Some(only.name.clone()),
            _ => None,
        }
    }
}

/// The column that seems to tell when the event happened: a timestamp that is named so, else
/// the only timestamp, else the only date.
fn likely_event_time(fields: &[Field]) -> Option<String> {
    const NAMES: [&str; 13] = [
        "event_time",
        "event_timestamp",
        "occurred_at",
        "happened_at",
        "event_at",
        "at",
        "timestamp",
        "ts",
        "time",
        "created_at",
        "created",
        "recorded_at",
        "datetime",
    ];
    let unfit = |name: &str| {
        [
            "birth", "born", "dob", "updated", "modified", "deleted", "valid", "expire", "expires",
            "expiry", "due", "until", "to",
        ]
        .iter()
        .any(|word| name.split('_').any(|token| token == *word))
    };
    let times: Vec<&Field> = fields
        .iter()
        .filter(|field| matches!(field.ty, Type::Timestamp(_)) && !unfit(&field.name))
        .collect();
    let named = NAMES
        .iter()
        .find_map(|name| times.iter().find(|field| field.name == *name));
    if let Some(field) = named {
        return Some(field.name.clone());
    }
    let dates: Vec<&Field> = fields
        .iter()
        .filter(|field| field.ty == Type::Date && !unfit(&field.name))
        .collect();
    match (times.as_slice(), dates.as_slice()) {
        ([only], _) | ([], [only]) => Some(only.name.clone()),
        _ => None,
    }
}
