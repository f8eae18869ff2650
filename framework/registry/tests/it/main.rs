//! The registry over real HTTP, its durability, and Avro's rules as tables.
#![allow(clippy::unwrap_used, missing_docs)]

mod compatibility;
mod contract_diff;
mod deletion;
mod durability;
mod harness;
mod java;
mod registration;
mod resolution;
mod settings;
mod validity;
