//! Why one schema cannot read another: the rule, the place, and the words for both.

use std::fmt;

use super::{json, protobuf};

/// The rule that a difference breaks. Those of Avro's schema resolution are named as Java
/// names them, the others as Confluent's registry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Two named types differ in name and no alias joins them.
    NameMismatch,
    /// Two fixed differ in size.
    FixedSizeMismatch,
    /// The writer's enum has symbols that the reader's has not, and that has no default.
    MissingEnumSymbols,
    /// The reader needs a field that the writer does not write, without a default.
    ReaderFieldMissingDefaultValue,
    /// The types differ and no promotion joins them, or two decimals differ.
    TypeMismatch,
    /// No branch of the reader's union reads what the writer writes.
    MissingUnionBranch,
    /// A field of the reader matches several fields of the writer by name and aliases.
    AmbiguousFieldAlias,
    /// The two schemas are of different types: Avro, JSON Schema, Protobuf.
    SchemaTypeChanged,
    /// A rule of JSON Schemas.
    Json(json::Rule),
    /// A rule of Protobuf schemas.
    Protobuf(protobuf::Rule),
}

impl Rule {
    /// The rule's name as it stands in a compatibility message (`errorType`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NameMismatch => "NAME_MISMATCH",
            Self::FixedSizeMismatch => "FIXED_SIZE_MISMATCH",
            Self::MissingEnumSymbols => "MISSING_ENUM_SYMBOLS",
            Self::ReaderFieldMissingDefaultValue => "READER_FIELD_MISSING_DEFAULT_VALUE",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::MissingUnionBranch => "MISSING_UNION_BRANCH",
            Self::AmbiguousFieldAlias => "AMBIGUOUS_FIELD_ALIAS",
            Self::SchemaTypeChanged => "SCHEMA_TYPE_CHANGED",
            Self::Json(rule) => rule.as_str(),
            Self::Protobuf(rule) => rule.as_str(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason why the reader cannot read what the writer writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The rule that is broken.
    pub rule: Rule,
    /// JSON pointer into the reader's schema, as Java gives it: `/fields/1/type`. In Protobuf
    /// the message and the field: `Order.Item.price`.
    pub path: String,
    /// The names of the fields on the way, joined by dots; empty at the outermost type.
    pub field: String,
    /// What differs, with `{reader}` and `{writer}` where the two schemas are named.
    pub(super) what: String,
    /// What would join the two, with the same places.
    pub(super) mend: String,
    /// The names, sizes or symbols in question: Java's `additionalInfo`.
    pub info: String,
}

impl Difference {
    pub(super) fn of_types(reader: &str, writer: &str) -> Self {
        Self {
            rule: Rule::SchemaTypeChanged,
            path: "/".to_owned(),
            field: String::new(),
            what: format!("{{reader}} is of type {reader} and {{writer}} of type {writer}"),
            mend: "keep the type, or use another subject".to_owned(),
            info: format!("expected: {writer}, found: {reader}"),
        }
    }

    /// What differs, in words that call the two schemas `reader` and `writer`.
    pub fn describe(&self, reader: &str, writer: &str) -> String {
        named(&self.what, reader, writer)
    }

    /// What would make the pair compatible, in the same words.
    pub fn mend(&self, reader: &str, writer: &str) -> String {
        named(&self.mend, reader, writer)
    }
}

/// Puts the names in place in one pass, so that a text of the schema is never a place.
fn named(text: &str, reader: &str, writer: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{reader}") {
            out.push_str(reader);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{writer}") {
            out.push_str(writer);
            rest = after;
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}
