//! Streams against the embedded broker and registry, or against the cluster and the registry
//! that `MESH_KAFKA_BOOTSTRAP` (see `cluster.rs`) and `MESH_TEST_REGISTRY` name.
#![allow(clippy::unwrap_used)]

mod admin;
mod arrow;
mod cluster;
mod decode;
mod failover;
mod follow;
mod group;
mod login;
mod measure;
mod partition;
mod platform;
mod reader;
mod records;
mod restart;
mod round_trip;
mod transaction;
