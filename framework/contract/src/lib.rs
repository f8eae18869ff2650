//! Data contracts and data products as their authors write them.
//!
//! This crate reads Bitol ODCS contracts (v3.0.0 to v3.2.0) and ODPS products (v1.0.0 and
//! v1.1.0). [`standard`] holds every field that the standards have; [`Contract`],
//! [`Product`] and [`DataProduct`] are what the framework can publish, checked against its
//! rules for names, keys and logical types, and lead back to the whole document. The crate
//! opens no files and knows neither Avro nor Arrow: it takes texts with their file names
//! and answers with a model or with [`Diagnostics`] that name file, line, field and mend.
//! What the standard does not have it refuses; nothing is dropped.
//! [`diff`] tells what changed between two versions, and what that asks of the version number.

mod contract;
mod custom;
mod data_product;
mod declared;
mod diagnostic;
pub mod diff;
mod field;
mod lifecycle;
mod logical;
mod names;
mod node;
mod product;
mod reader;
mod schema;
mod source;
pub mod standard;
mod text;
mod types;
mod write;
mod yaml;

pub use contract::{Contract, Description, Server, ServiceLevel, Support, Team, TeamMember};
pub use data_product::{DataProduct, ProductId, TopicName};
pub use declared::{
    DeclaredSource, FileFormat, FileSource, PostgresSource, ProductSource, SourceKind, SqlSource,
};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use field::Field;
pub use lifecycle::{Lifecycle, Stage};
pub use names::{check_name, upper_camel};
pub use product::{InputPort, OutputPort, Product};
pub use schema::{KeySchema, ProductKind, Retention, Schema};
pub use semver::Version;
pub use source::Source;
pub use text::{MAX_BYTES, read_text};
pub use types::{ArrayType, EnumSymbol, EnumType, MapType, ObjectType, TimeUnit, Type};
