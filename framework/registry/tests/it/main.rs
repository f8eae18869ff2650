//! The registry over real HTTP, its durability, and Avro's rules as tables.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod access;
mod client;
mod compatibility;
mod contexts;
mod contract_diff;
mod deletion;
mod durability;
mod harness;
mod import;
mod java;
mod metadata;
mod migration;
mod references;
mod registration;
mod resolution;
mod settings;
mod shared;
mod validity;
