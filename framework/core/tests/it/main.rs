//! The path from a contract file to Avro and Arrow, for every type of the type table.
#![allow(clippy::unwrap_used)]

mod compile;
mod diagnostics;
mod rows;
mod types;
