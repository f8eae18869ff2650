//! Samples and schemas of others become contracts, and contracts become theirs.
//!
//! `UPDATE_GOLDEN=1` writes the golden files anew.
#![allow(clippy::unwrap_used)]

mod advice;
#[path = "../../../contract/tests/it/support.rs"]
mod documents;
mod export;
mod imports;
mod names;
mod parquet;
mod protobuf;
mod render;
mod round_trips;
mod samples;
mod standard;
mod support;
