//! A schema of any type that the registry serves: the one place where types are told apart.

use std::fmt;

use mesh_core::Result;
use serde::{Deserialize, Serialize};

use super::check::can_read;
use super::difference::Difference;
use super::json::{self, JsonSchema};
use super::protobuf::{self, ProtobufSchema};
use super::schema::Schema;

/// The language that a schema is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SchemaType {
    /// Apache Avro.
    #[default]
    Avro,
    /// JSON Schema.
    Json,
    /// Protocol Buffers.
    Protobuf,
}

impl SchemaType {
    /// The types whose schemas can be read and checked.
    pub const SERVED: [Self; 3] = [Self::Avro, Self::Json, Self::Protobuf];

    /// The type's name as requests and answers have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }

    /// The type of that name; case does not count.
    pub fn of(text: &str) -> Option<Self> {
        Self::SERVED
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a schema uses of another subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The name by which the schema calls it: a type in Avro, an address in JSON Schema, a
    /// path of an import in Protobuf.
    pub name: String,
    /// The subject in which it is registered.
    pub subject: String,
    /// Its version there.
    pub version: u32,
}

/// A schema of any type.
#[derive(Debug, Clone)]
pub enum AnySchema {
    /// An Avro schema.
    Avro(Schema),
    /// A JSON Schema.
    Json(JsonSchema),
    /// A Protobuf schema.
    Protobuf(ProtobufSchema),
}

impl AnySchema {
    /// Reads a schema. `references` are the name and the text of all that it refers to,
    /// also by way of others, each after those that it uses itself.
    ///
    /// # Errors
    /// [`InvalidInput`](mesh_core::ErrorKind::InvalidInput) with the place,
    /// [`ResourceExhausted`](mesh_core::ErrorKind::ResourceExhausted) if it is too large
    /// together with what it refers to.
    pub fn parse(kind: SchemaType, text: &str, references: &[(String, String)]) -> Result<Self> {
        match kind {
            SchemaType::Avro => Schema::parse_with(text, references).map(Self::Avro),
            SchemaType::Json => JsonSchema::parse(text, references).map(Self::Json),
            SchemaType::Protobuf => ProtobufSchema::parse(text, references).map(Self::Protobuf),
        }
    }

    /// The language that it is written in.
    pub fn kind(&self) -> SchemaType {
        match self {
            Self::Avro(_) => SchemaType::Avro,
            Self::Json(_) => SchemaType::Json,
            Self::Protobuf(_) => SchemaType::Protobuf,
        }
    }

    /// The text by which two schemas with the same references are the same.
    pub fn canonical(&self) -> String {
        match self {
            Self::Avro(schema) => schema.canonical(),
            Self::Json(schema) => schema.canonical(),
            Self::Protobuf(schema) => schema.canonical(),
        }
    }

    /// The text that is registered when a client asks to `normalize`.
    pub fn normalized(&self) -> String {
        match self {
            Self::Avro(schema) => schema.normalized(),
            Self::Json(schema) => schema.normalized(),
            Self::Protobuf(schema) => schema.normalized(),
        }
    }

    /// The text with all that it refers to written into it, where the language can say that.
    pub fn inlined(&self) -> Option<String> {
        match self {
            Self::Avro(schema) => schema.inlined(),
            Self::Json(_) | Self::Protobuf(_) => None,
        }
    }

    /// The schema in the binary form of its language, as base64, where it has one.
    pub fn serialized(&self) -> Option<String> {
        match self {
            Self::Protobuf(schema) => Some(schema.serialized()),
            Self::Avro(_) | Self::Json(_) => None,
        }
    }

    /// Every reason why this schema, as the reader's, cannot read what `writer` wrote.
    ///
    /// # Errors
    /// If the two are too complex to compare.
    pub fn can_read(&self, writer: &Self) -> Result<Vec<Difference>> {
        match (self, writer) {
            (Self::Avro(reader), Self::Avro(writer)) => can_read(reader, writer),
            (Self::Json(reader), Self::Json(writer)) => json::can_read(reader, writer),
            (Self::Protobuf(reader), Self::Protobuf(writer)) => protobuf::can_read(reader, writer),
            (reader, writer) => Ok(vec![Difference::of_types(
                reader.kind().as_str(),
                writer.kind().as_str(),
            )]),
        }
    }
}
