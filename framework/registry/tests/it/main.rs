//! The registry over real HTTP, its durability, and the rules of each schema type as tables.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod access;
mod avro_changes;
mod avro_model;
mod avro_text;
mod client;
mod compatibility;
mod contexts;
mod contract_diff;
mod deletion;
mod durability;
mod harness;
mod import;
mod java;
mod json_combined;
mod json_input;
mod json_schema;
mod json_soundness;
mod metadata;
mod migration;
mod protobuf;
mod protobuf_input;
mod references;
mod registration;
mod resolution;
mod schema_types;
mod settings;
mod shared;
mod validity;
