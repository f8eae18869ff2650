//! Protobuf schemas and the question whether one reads what another wrote. No I/O.
//!
//! [`ProtobufSchema::parse`] reads a `.proto` text of syntax proto2 or proto3, or a
//! `FileDescriptorProto` in base64, as some serializers register it. Imports are found among
//! the references that were given by name; those of `google/protobuf/` and `confluent/` are
//! built in.
//!
//! The canonical text is printed from the resolved file, so that two spellings of one schema
//! are the same: comments and white space do not count, types stand with their full names,
//! options by number, and messages come before enums, extensions and services. The order of
//! messages and fields stays. A text and its descriptor have the same canonical text.
//!
//! [`can_read`] follows Protobuf's own rules ("Updating A Message Type" of the language
//! guides). Compatible are, as there: fields added or removed, renamed fields, the integer
//! types among each other and with enums, `string` with `bytes`, singular with repeated for
//! strings, bytes and messages, a map with its repeated entry, one field moved into a new
//! oneof; and a change of the package, as in Confluent's registry. Extensions and services
//! are not compared.
//!
//! Where the verdict differs from Confluent's registry, it is for safety's sake:
//! - a message type that changes its place is refused: the framing of records calls types
//!   by their place, and a serializer that uses the latest registered version with its own
//!   compiled types would name the wrong one;
//! - a field that keeps its name under another number is refused, and so is the use of a
//!   reserved number or name: old data under the number would be read as the new field;
//! - a field moved into an existing oneof is refused if the writer may set both;
//! - a closed enum (proto2) must keep its numbers: data of a number that it does not know are
//!   dropped. Open enums (proto3) may lose them.

mod builtin;
mod check;
mod options;
mod parse;
mod rule;
mod text;
mod words;

use prost_reflect::FileDescriptor;

pub use check::can_read;
pub use rule::Rule;

/// A Protobuf schema, with what it imports.
#[derive(Debug, Clone)]
pub struct ProtobufSchema {
    file: FileDescriptor,
}
