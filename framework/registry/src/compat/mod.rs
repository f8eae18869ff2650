//! Schemas and the question whether one can read what another wrote. No I/O.
//!
//! [`AnySchema`] is a schema of any type; its variants do the work: [`Schema`] for Avro,
//! [`json::JsonSchema`] and [`protobuf::ProtobufSchema`]. What follows is of Avro.
//!
//! [`Schema::parse`] reads a schema as the Avro 1.12 specification defines it and refuses
//! what the specification forbids, with a JSON pointer to the place. [`Schema::canonical`]
//! writes it the way Java's `Schema.toString` does: documentation, aliases, defaults and
//! unknown properties stay, white space and the order of reserved keys do not count. Two
//! schemas are "the same" when these strings are equal.
//!
//! [`can_read`] decides one pair under the specification's "Schema Resolution" and reaches
//! the verdict of Java's `SchemaCompatibility`; [`check`] applies a [`Compatibility`] level
//! to the versions of a subject.
//!
//! Where the specification and Java differ:
//! - two decimals must agree in precision and scale, as the specification demands; Java
//!   ignores logical types, and a reader would shift the decimal point unnoticed;
//! - a type must be defined before it is used, a full name is defined once, and names are
//!   ASCII, as the specification demands and as readers in other languages rely on;
//! - a default must be readable: an enum's default names one of its symbols, the default
//!   of a `fixed` has its size, and those of `bytes` and `fixed` hold code points 0 to 255.

mod any;
mod canonical;
mod check;
mod defaults;
mod difference;
pub mod json;
mod level;
mod name;
mod parse;
pub mod protobuf;
mod schema;

pub use any::{AnySchema, Reference, SchemaType};
pub use check::can_read;
pub use difference::{Difference, Rule};
pub use level::{Compatibility, Direction, Incompatibility, Previous, check};
pub use schema::Schema;

/// The longest schema text that is read, in bytes, with the texts that it refers to.
pub const MAX_SCHEMA_BYTES: usize = 1 << 20;
