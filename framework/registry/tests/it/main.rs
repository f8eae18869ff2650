//! The registry over real HTTP, its durability, and the rules of each schema type as tables.
#![allow(clippy::unwrap_used, missing_docs)]

mod compatibility;
mod deletion;
mod durability;
mod harness;
mod java;
mod json_combined;
mod json_input;
mod json_schema;
mod json_soundness;
mod protobuf;
mod protobuf_input;
mod registration;
mod resolution;
mod settings;
mod validity;
