//! Streams against the embedded broker and registry, or against those that
//! `MESH_TEST_BOOTSTRAP` and `MESH_TEST_REGISTRY` name.
#![allow(clippy::unwrap_used)]

mod admin;
mod arrow;
mod decode;
mod group;
mod measure;
mod partition;
mod platform;
mod reader;
mod records;
mod restart;
mod round_trip;
mod transaction;
