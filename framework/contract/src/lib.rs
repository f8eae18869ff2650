//! Data contracts and data products as their authors write them.
//!
//! This crate reads Bitol ODCS v3.2.0 contracts and ODPS v1.0.0 products into a typed model
//! ([`Contract`], [`Product`], [`DataProduct`]) and holds the rules for their names and
//! logical types. It does no I/O and knows neither Avro nor Arrow: it takes texts with
//! their file names and answers with a model or with [`Diagnostics`] that name file, line,
//! field and mend. What it does not understand it refuses; nothing is dropped.
//! [`diff`] tells what changed between two versions, and what that asks of the version number.

mod contract;
mod data_product;
mod diagnostic;
pub mod diff;
mod names;
mod node;
mod product;
mod schema;
mod source;
mod types;

pub use contract::{Contract, Description, Server, ServiceLevel, Support, Team, TeamMember};
pub use data_product::{DataProduct, ProductId, TopicName};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use names::{check_name, upper_camel};
pub use product::{InputPort, OutputPort, Product};
pub use schema::{Field, KeySchema, ProductKind, Retention, Schema};
pub use semver::Version;
pub use source::{DeclaredSource, FileFormat, FileSource, SourceKind};
pub use types::{ArrayType, EnumSymbol, EnumType, ObjectType, TimeUnit, Type};
