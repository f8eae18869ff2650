//! The host end to end: on an embedded broker, registry and catalog, or on those that
//! `MESH_TEST_BOOTSTRAP` and `MESH_TEST_REGISTRY_URL` name; with the domain's store in SQLite, or
//! in Postgres with `MESH_TEST_STORE=postgres`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod api;
mod child;
mod config;
mod crash;
mod flow;
mod peers;
mod platform;
mod postgres;
mod relay;
mod shop;
mod state;
mod store;
mod transform;
mod trouble;
