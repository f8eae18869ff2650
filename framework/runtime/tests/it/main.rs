//! The host end to end: on an embedded broker, registry and catalog, or on the cluster and the
//! registry that `MESH_KAFKA_BOOTSTRAP` (see `cluster.rs`) and `MESH_TEST_REGISTRY_URL` name;
//! with the domain's store in SQLite, or in Postgres with `MESH_TEST_STORE=postgres`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod api;
mod child;
#[path = "../../../stream/tests/it/cluster.rs"]
mod cluster;
mod config;
mod crash;
mod ends;
mod flow;
mod peers;
mod platform;
mod postgres;
mod rebalance;
mod relay;
mod replay;
mod shop;
mod state;
mod store;
mod transform;
mod trouble;
