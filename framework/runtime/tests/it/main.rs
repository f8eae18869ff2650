//! The host end to end: on an embedded broker, registry and catalog, or on the cluster and the
//! registry that `MESH_KAFKA_BOOTSTRAP` (see `cluster.rs`) and `MESH_TEST_REGISTRY_URL` name.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod api;
mod child;
#[path = "../../../stream/tests/it/cluster.rs"]
mod cluster;
mod config;
mod crash;
mod flow;
mod peers;
mod platform;
mod relay;
mod shop;
mod state;
mod transform;
mod trouble;
