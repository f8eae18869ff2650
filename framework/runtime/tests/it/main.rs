//! The host end to end: on an embedded broker, registry and catalog, or on those that
//! `MESH_TEST_BOOTSTRAP` and `MESH_TEST_REGISTRY_URL` name.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod api;
mod child;
mod config;
mod crash;
mod flow;
mod peers;
mod platform;
mod relay;
mod replay;
mod shop;
mod state;
mod transform;
mod trouble;
