//! SQL over products on an embedded platform.
#![allow(clippy::unwrap_used)]

mod door;
mod ends;
mod harness;
mod limits;
mod postgres;
mod postgres_logins;
mod safety;
mod state;
mod tables;
mod transactions;
