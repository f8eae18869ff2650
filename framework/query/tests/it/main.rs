//! SQL over products on an embedded platform.
#![allow(clippy::unwrap_used)]

mod door;
mod ends;
mod flight;
mod flight_clients;
mod harness;
mod limits;
mod safety;
mod state;
mod statements;
mod tables;
mod transactions;
