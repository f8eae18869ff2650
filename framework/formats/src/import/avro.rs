//! Avro schemas (1.12).

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, Name, RecordSchema, UnionSchema};
use mesh_core::contract::{Field, TimeUnit, Type};
use mesh_core::{Error, Result};

use super::{domain, parse_json};
use crate::draft::{
    Choice, Columns, DEEPEST, Draft, Imported, are_symbols, description, field, integer, list, map,
    object, symbols, text,
};

/// Reads the Avro schema `source` of the file called `file`.
///
/// # Errors
/// If it is no Avro schema, no record, or has fields that no type of the mesh can hold.
pub fn read_avro(file: &str, source: &str, choice: &Choice) -> Result<Imported> {
    let document = parse_json(file, source)?;
    let schema = Schema::parse(&document).map_err(|error| {
        Error::invalid("this is no Avro schema")
            .with("file", file)
            .with("reason", &error)
            .mend("mend it as the Avro specification says, with all named types in the one file")
    })?;
    let mut named = HashMap::new();
    collect(&schema, &mut named);
    let record = match (&choice.record, &schema) {
        (Some(asked), _) => named
            .values()
            .find_map(|schema| match schema {
                Schema::Record(record) if record.name.name() == asked => Some(record),
                _ => None,
            })
            .ok_or_else(|| {
                let mut names: Vec<&str> = named.keys().map(|name| name.name()).collect();
                names.sort_unstable();
                super::choose(file, "record", Some(asked), &names)
            })?,
        (None, Schema::Record(record)) => record,
        _ => {
            return Err(Error::invalid("the schema is no record")
                .with("file", file)
                .mend("give the schema of the values, a record, or name a record by --record"));
        }
    };
    let plain = Choice {
        record: None,
        without: choice.without.clone(),
    };
    let mut draft = Draft::new(
        format!("the Avro schema {file}"),
        record.name.name(),
        &plain,
    );
    draft.domain = record.name.namespace().and_then(domain);
    draft.description = description(record.doc.as_deref());
    let mut reader = Reader {
        named,
        open: vec![record.name.clone()],
        draft,
    };
    let fields = reader.fields(record, "")?;
    reader.draft.finish(fields)
}

/// All named types in `schema`.
fn collect<'a>(schema: &'a Schema, named: &mut HashMap<Name, &'a Schema>) {
    match schema {
        Schema::Record(record) => {
            named.insert(record.name.clone(), schema);
            for field in &record.fields {
                collect(&field.schema, named);
            }
        }
        Schema::Enum(kind) => {
            named.insert(kind.name.clone(), schema);
        }
        Schema::Fixed(fixed) | Schema::Duration(fixed) => {
            named.insert(fixed.name.clone(), schema);
        }
        Schema::Array(array) => collect(&array.items, named),
        Schema::Map(map) => collect(&map.types, named),
        Schema::Union(union) => union.variants().iter().for_each(|one| collect(one, named)),
        Schema::Decimal(decimal) => {
            if let apache_avro::schema::InnerDecimalSchema::Fixed(fixed) = &decimal.inner {
                named.insert(fixed.name.clone(), schema);
            }
        }
        Schema::Uuid(apache_avro::schema::UuidSchema::Fixed(fixed)) => {
            named.insert(fixed.name.clone(), schema);
        }
        _ => {}
    }
}

struct Reader<'a> {
    named: HashMap<Name, &'a Schema>,
    /// The records that are being read, to see a record that holds itself.
    open: Vec<Name>,
    draft: Draft,
}

/// A type, or why there is none.
type Fit<T> = std::result::Result<T, String>;

impl<'a> Reader<'a> {
    fn fields(&mut self, record: &'a RecordSchema, at: &str) -> Result<Vec<Field>> {
        let mut columns = Columns::at(at);
        for source in &record.fields {
            let Some((name, path)) = columns.next(&source.name, &mut self.draft)? else {
                continue;
            };
            match self.nullable(&source.schema, &path)? {
                Ok((ty, nullable)) => {
                    let mut column = field(&name, ty, nullable);
                    column.description = description(source.doc.as_deref());
                    if source
                        .default
                        .as_ref()
                        .is_some_and(|value| !value.is_null())
                    {
                        self.draft.note(&path, "its default is not carried over");
                    }
                    if !source.aliases.is_empty() {
                        self.draft.note(&path, "its aliases are not carried over");
                    }
                    columns.push(&source.name, column, &mut self.draft);
                }
                Err(reason) => self.draft.unfit(&path, reason),
            }
        }
        Ok(columns.fields)
    }

    /// A type and whether it may be null, out of a union with null or a plain type.
    fn nullable(&mut self, schema: &'a Schema, path: &str) -> Result<Fit<(Type, bool)>> {
        let Schema::Union(union) = schema else {
            return Ok(self.ty(schema, path)?.map(|ty| (ty, false)));
        };
        match other_than_null(union).as_slice() {
            [] => Ok(Err("null alone is no type".into())),
            [one] => Ok(self
                .ty(one, path)?
                .map(|ty| (ty, union.variants().len() > 1))),
            several => Ok(Err(format!(
                "a union of {} types; a column has one",
                several.len()
            ))),
        }
    }

    fn ty(&mut self, schema: &'a Schema, path: &str) -> Result<Fit<Type>> {
        let mut note = |text: &str| self.draft.note(path, text);
        Ok(Ok(match schema {
            Schema::Null => return Ok(Err("null alone is no type".into())),
            Schema::Boolean => Type::Boolean,
            Schema::Int => integer(false),
            Schema::Long => integer(true),
            Schema::Float => Type::Float32,
            Schema::Double => Type::Float64,
            Schema::String => text(),
            Schema::Uuid(_) => Type::Uuid,
            Schema::Date => Type::Date,
            Schema::TimestampMillis => Type::Timestamp(TimeUnit::Millis),
            Schema::TimestampMicros => Type::Timestamp(TimeUnit::Micros),
            Schema::TimestampNanos => {
                note("nanoseconds become microseconds");
                Type::Timestamp(TimeUnit::Micros)
            }
            Schema::LocalTimestampMillis => {
                note("local time is taken as UTC");
                Type::Timestamp(TimeUnit::Millis)
            }
            Schema::LocalTimestampMicros | Schema::LocalTimestampNanos => {
                note("local time is taken as UTC, in microseconds");
                Type::Timestamp(TimeUnit::Micros)
            }
            Schema::Decimal(decimal) => {
                let (Ok(precision), Ok(scale)) =
                    (u8::try_from(decimal.precision), u8::try_from(decimal.scale))
                else {
                    return Ok(Err("a decimal has at most 38 digits".into()));
                };
                if !(1..=38).contains(&precision) || scale > precision {
                    return Ok(Err("a decimal has at most 38 digits".into()));
                }
                Type::Decimal { precision, scale }
            }
            Schema::Enum(kind) => return Ok(self.enumeration(kind, path)),
            Schema::Array(array) => {
                return Ok(self
                    .nullable(&array.items, path)?
                    .map(|(items, nullable)| list(items, nullable)));
            }
            Schema::Record(record) => return self.record(record, path),
            Schema::Ref { name } => {
                return match self.named.get(name).copied() {
                    Some(schema) => self.ty(schema, path),
                    None => Ok(Err(format!(
                        "the type `{}` is not in the file",
                        name.name()
                    ))),
                };
            }
            Schema::Union(_) => return Ok(Err("a union in a union".into())),
            Schema::Map(values) => {
                return Ok(self
                    .nullable(&values.types, path)?
                    .map(|(values, nullable)| map(values, nullable)));
            }
            Schema::TimeMillis => Type::Time(TimeUnit::Millis),
            Schema::TimeMicros => Type::Time(TimeUnit::Micros),
            Schema::Bytes => return Ok(Err("bytes; write them as text".into())),
            Schema::Fixed(_) => return Ok(Err("fixed bytes; write them as text".into())),
            Schema::BigDecimal => return Ok(Err("a decimal without precision and scale".into())),
            Schema::Duration(_) => return Ok(Err("a duration; write it as a number".into())),
        }))
    }

    fn record(&mut self, record: &'a RecordSchema, path: &str) -> Result<Fit<Type>> {
        if self.open.contains(&record.name) {
            return Ok(Err(format!(
                "the record `{}` holds itself",
                record.name.name()
            )));
        }
        if self.open.len() > DEEPEST {
            return Ok(Err(format!("records are nested more than {DEEPEST} deep")));
        }
        self.open.push(record.name.clone());
        let fields = self.fields(record, path);
        self.open.pop();
        Ok(Ok(object(fields?)))
    }

    fn enumeration(&mut self, kind: &EnumSchema, path: &str) -> Fit<Type> {
        if !are_symbols(kind.symbols.iter().map(String::as_str)) {
            return Err("symbols that differ only in case or underscores".into());
        }
        if kind.default.is_some() {
            self.draft
                .note(path, "the default symbol is not carried over");
        }
        Ok(symbols(
            kind.symbols.iter().map(|symbol| (symbol.clone(), None)),
        ))
    }
}

fn other_than_null(union: &UnionSchema) -> Vec<&Schema> {
    let others = union.variants().iter();
    others.filter(|one| !matches!(one, Schema::Null)).collect()
}
