//! The rules of compatibility between Protobuf schemas, named as Confluent's registry names
//! them where it has them.

use std::fmt;

/// What a change to a Protobuf schema did that stops the reader from reading a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The reader lacks a message type of the writer.
    MessageRemoved,
    /// A message type stands at another place, by which the framing of records calls it.
    MessageMoved,
    /// A field has a kind of type that is written in another way (message, scalar, map).
    FieldKindChanged,
    /// A field has a scalar type that is written in another way.
    FieldScalarKindChanged,
    /// A field has another message or enum type.
    FieldNamedTypeChanged,
    /// A field of numbers became repeated, or stopped being so.
    FieldNumericLabelChanged,
    /// A field kept its name and has another number.
    FieldNumberChanged,
    /// A field uses a number or a name that was reserved.
    ReservedFieldReused,
    /// The reader requires a field that the writer may leave out.
    RequiredFieldAdded,
    /// The reader's oneof lacks a field that the writer may set in it.
    OneofFieldRemoved,
    /// Fields that the writer may set together exclude each other for the reader.
    MultipleFieldsMovedToOneof,
    /// The reader's closed enum lacks a number of the writer's.
    EnumConstRemoved,
}

impl Rule {
    /// The rule's name as it stands in a compatibility message (`errorType`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageRemoved => "MESSAGE_REMOVED",
            Self::MessageMoved => "MESSAGE_MOVED",
            Self::FieldKindChanged => "FIELD_KIND_CHANGED",
            Self::FieldScalarKindChanged => "FIELD_SCALAR_KIND_CHANGED",
            Self::FieldNamedTypeChanged => "FIELD_NAMED_TYPE_CHANGED",
            Self::FieldNumericLabelChanged => "FIELD_NUMERIC_LABEL_CHANGED",
            Self::FieldNumberChanged => "FIELD_NUMBER_CHANGED",
            Self::ReservedFieldReused => "RESERVED_FIELD_REUSED",
            Self::RequiredFieldAdded => "REQUIRED_FIELD_ADDED",
            Self::OneofFieldRemoved => "ONEOF_FIELD_REMOVED",
            Self::MultipleFieldsMovedToOneof => "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
            Self::EnumConstRemoved => "ENUM_CONST_REMOVED",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
