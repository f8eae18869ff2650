//! Whether what a writer's schema says can be read as the reader's contract says.
//!
//! Avro's resolution and the decoders look at the base types; what a decimal's bytes or a
//! timestamp's number mean they do not compare, and money would silently change by a factor
//! of a hundred. So it is compared here, once per schema id.

use std::borrow::Cow;
use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{Name, NamespaceRef};
use mesh_core::{Error, ErrorKind};

/// Why a writer's schema is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discord {
    column: String,
    reason: Cow<'static, str>,
}

impl Discord {
    /// The error of a record whose writer's schema is refused.
    pub(crate) fn error(&self, schema_id: u32) -> Error {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the writer's schema cannot be read as the contract says",
        )
        .with("schema_id", schema_id)
        .with("column", &self.column)
        .with("reason", &self.reason)
        .mend(
            "publish under the contract; a column's meaning changes only with a new major version",
        )
    }
}

/// Checks the writer's schema against the reader's.
pub(crate) fn check(reader: &Schema, writer: &Schema) -> Result<(), Discord> {
    let mut names = Names::default();
    names.collect(writer, None);
    compare(reader, writer, &names, "", 0)
}

/// Checks that what is written under the schema `writer` can be read as `reader` says.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if one of them is no Avro schema,
/// [`ErrorKind::FailedPrecondition`] with the column and the reason if it cannot.
pub fn check_readable(reader: &str, writer: &str) -> mesh_core::Result<()> {
    let parse = |text: &str| {
        Schema::parse_str(text)
            .map_err(|error| Error::invalid("a schema is no Avro schema").because(error))
    };
    check(&parse(reader)?, &parse(writer)?).map_err(|discord| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the schema cannot be read as the contract says",
        )
        .with("column", &discord.column)
        .with("reason", &discord.reason)
    })
}

#[derive(Default)]
struct Names<'a>(HashMap<Name, &'a Schema>);

impl<'a> Names<'a> {
    fn collect(&mut self, schema: &'a Schema, space: NamespaceRef<'a>) {
        match schema {
            Schema::Record(record) => {
                let name = record.name.fully_qualified_name(space).into_owned();
                let inner = record.name.namespace().or(space);
                self.0.insert(name, schema);
                for field in &record.fields {
                    self.collect(&field.schema, inner);
                }
            }
            Schema::Enum(kind) => {
                let name = kind.name.fully_qualified_name(space).into_owned();
                self.0.insert(name, schema);
            }
            Schema::Array(array) => self.collect(&array.items, space),
            Schema::Map(map) => self.collect(&map.types, space),
            Schema::Union(union) => {
                for variant in union.variants() {
                    self.collect(variant, space);
                }
            }
            _ => {}
        }
    }

    fn resolve(&self, schema: &'a Schema) -> &'a Schema {
        match schema {
            Schema::Ref { name } => self.0.get(name).copied().unwrap_or(schema),
            _ => schema,
        }
    }
}

/// The type beneath a nullable union, and whether it is nullable.
fn plain(schema: &Schema) -> (&Schema, bool) {
    if let Schema::Union(union) = schema {
        match union.variants() {
            [Schema::Null, other] | [other, Schema::Null] => return (other, true),
            _ => {}
        }
    }
    (schema, false)
}

fn compare(
    reader: &Schema,
    writer: &Schema,
    names: &Names<'_>,
    column: &str,
    depth: u32,
) -> Result<(), Discord> {
    let refuse = |reason: Cow<'static, str>| {
        Err(Discord {
            column: column.to_owned(),
            reason,
        })
    };
    let (reader, _) = plain(reader);
    let (writer, _) = plain(writer);
    let writer = names.resolve(writer);
    match (reader, writer) {
        (Schema::Record(ours), Schema::Record(theirs)) => {
            if depth > 64 {
                return refuse("the schema is nested too deeply".into());
            }
            for field in &ours.fields {
                let path = if column.is_empty() {
                    field.name.clone()
                } else {
                    format!("{column}.{}", field.name)
                };
                match theirs.fields.iter().find(|other| other.name == field.name) {
                    Some(other) => {
                        compare(&field.schema, &other.schema, names, &path, depth + 1)?;
                    }
                    None if plain(&field.schema).1 => {}
                    None => {
                        return Err(Discord {
                            column: path,
                            reason: "the writer has no such column and it is not nullable".into(),
                        });
                    }
                }
            }
            Ok(())
        }
        (Schema::Array(ours), Schema::Array(theirs)) => {
            compare(&ours.items, &theirs.items, names, column, depth + 1)
        }
        (Schema::Map(ours), Schema::Map(theirs)) => {
            compare(&ours.types, &theirs.types, names, column, depth + 1)
        }
        (Schema::Decimal(ours), Schema::Decimal(theirs)) => {
            if ours.scale != theirs.scale {
                refuse(format!("scale {} is not scale {}", theirs.scale, ours.scale).into())
            } else if theirs.precision > ours.precision {
                refuse(
                    format!(
                        "precision {} does not fit precision {}",
                        theirs.precision, ours.precision
                    )
                    .into(),
                )
            } else {
                Ok(())
            }
        }
        // Any other union is judged record by record.
        (_, Schema::Union(_)) => Ok(()),
        (Schema::Boolean, Schema::Boolean)
        | (Schema::Int, Schema::Int)
        | (Schema::Long, Schema::Long | Schema::Int)
        | (Schema::Float, Schema::Float | Schema::Int)
        | (Schema::Double, Schema::Double | Schema::Float | Schema::Int | Schema::Long)
        | (Schema::String, Schema::String)
        | (Schema::Uuid(_), Schema::Uuid(_) | Schema::String)
        | (Schema::Enum(_), Schema::Enum(_))
        | (Schema::Date, Schema::Date | Schema::Int)
        | (Schema::TimeMillis, Schema::TimeMillis)
        | (Schema::TimeMicros, Schema::TimeMicros)
        | (Schema::TimestampMillis, Schema::TimestampMillis)
        | (Schema::TimestampMicros, Schema::TimestampMicros) => Ok(()),
        (ours, theirs) => refuse(format!("{} is not {}", word(theirs), word(ours)).into()),
    }
}

/// A schema's type in one word; never more, since a schema may hold defaults.
fn word(schema: &Schema) -> &'static str {
    match schema {
        Schema::Null => "null",
        Schema::Boolean => "boolean",
        Schema::Int => "int",
        Schema::Long => "long",
        Schema::Float => "float",
        Schema::Double => "double",
        Schema::Bytes => "bytes",
        Schema::String => "string",
        Schema::Array(_) => "array",
        Schema::Map(_) => "map",
        Schema::Union(_) => "union",
        Schema::Record(_) => "record",
        Schema::Enum(_) => "enum",
        Schema::Fixed(_) => "fixed",
        Schema::Decimal(_) | Schema::BigDecimal => "decimal",
        Schema::Uuid(_) => "uuid",
        Schema::Date => "date",
        Schema::TimeMillis => "time-millis",
        Schema::TimeMicros => "time-micros",
        Schema::TimestampMillis => "timestamp-millis",
        Schema::TimestampMicros => "timestamp-micros",
        Schema::TimestampNanos => "timestamp-nanos",
        Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => "local-timestamp",
        Schema::Duration(_) => "duration",
        Schema::Ref { .. } => "a named type",
    }
}
