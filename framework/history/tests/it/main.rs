//! The history against the embedded broker, or the Kafka that `MESH_KAFKA_BOOTSTRAP` names.
#![allow(clippy::unwrap_used)]

mod exactly;
mod harness;
mod kill;
mod measure;
mod records;
mod s3;
mod shape;
mod state;
mod stranger;
mod travel;
