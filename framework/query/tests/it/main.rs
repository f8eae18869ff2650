//! SQL over products on an embedded platform.
#![allow(clippy::unwrap_used)]

mod connection;
mod continuous;
mod door;
mod ends;
mod flight;
mod flight_clients;
mod harness;
mod kept;
mod limits;
mod lineage;
mod narrow;
mod postgres;
mod postgres_logins;
mod safety;
mod sound;
mod state;
mod statements;
mod tables;
mod transactions;
