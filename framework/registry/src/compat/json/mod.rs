//! JSON Schemas and the question whether one accepts what another accepts. No I/O.
//!
//! [`JsonSchema::parse`] reads drafts 4, 6, 7, 2019-09 and 2020-12; a schema that names none
//! is of draft 7, as in Confluent's registry. [`can_read`] answers with the differences by
//! which a document that the writer's schema accepts may be refused by the reader's, named
//! as Confluent's registry names them.
//!
//! The answer errs on the safe side: no difference means that every document fits. It may
//! happen that a difference is told where a closer look would find that every document fits
//! (patterns are compared by their text, `$dynamicRef` is not compared). `format` and
//! `content…` are annotations and count for nothing, as titles and descriptions do.
//!
//! Where Confluent's documented rules take what a validator would refuse, the validator is
//! right here:
//! - a required property with a `default`, added to a closed content model, is refused:
//!   validators do not fill defaults in, so documents of the writer lack the property;
//! - an alternative added to `oneOf` is taken only where the alternatives exclude each other,
//!   for a document that fits two alternatives is refused (`SUM_TYPE_OVERLAPS`);
//! - `not` and `if` are compared by what they accept, not by whether they were there;
//! - an `allOf` may gain a branch that demands nothing new.
//!
//! And where Confluent's rules refuse what a validator takes, it is taken: a changed pattern
//! where the writer lists its values, a property removed from a closed content model where
//! its schema was `false`, alternatives merged into one that takes them all.

mod alike;
mod arrays;
mod chains;
mod check;
mod combined;
mod compile;
mod explain;
mod known;
mod node;
mod number;
mod objects;
mod parse;
mod pattern;
mod properties;
mod rule;
mod scalars;
mod text;

use serde_json::Value;

pub use check::can_read;
pub use rule::Rule;

/// A JSON Schema, with what it refers to.
#[derive(Debug, Clone)]
pub struct JsonSchema {
    nodes: Vec<node::Node>,
    root: node::Id,
    json: Value,
    /// The documents that the schema refers to, by the name it uses.
    references: Vec<(String, Value)>,
}
