//! A domain that is a folder: from its sources to its topics.
#![allow(clippy::unwrap_used)]

mod bridge;
mod files;
mod harness;
mod http;
mod loading;
mod parquet;
mod postgres;
#[path = "../../../runtime/tests/support/postgres.rs"]
mod server;
