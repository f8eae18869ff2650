//! State tables over a topic that is really written, in a process that is really killed.
//!
//! The tests run on an embedded broker, or on the cluster that `MESH_KAFKA_BOOTSTRAP` names.
#![allow(clippy::unwrap_used)]

mod accounts;
mod harness;
mod kill;
mod measure;
mod model;
mod readers;
mod restart;
mod rows;
mod scan;
mod topics;
