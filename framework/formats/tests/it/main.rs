//! Samples and schemas of others become contracts, and contracts become theirs.
//!
//! `UPDATE_GOLDEN=1` writes the golden files anew.
#![allow(clippy::unwrap_used)]

mod export;
mod imports;
mod parquet;
mod protobuf;
mod render;
mod round_trips;
mod samples;
mod support;
