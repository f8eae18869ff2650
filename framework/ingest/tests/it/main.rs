//! A domain that is a folder: from its sources to its topics.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bridge;
mod deletions;
mod files;
mod harness;
mod http;
mod loading;
mod parquet;
mod postgres;
#[path = "../../../runtime/tests/support/postgres.rs"]
mod server;
