//! Plans and their application: the planner by tables and golden files, the rest against the
//! embedded broker, registry and catalog, or the cluster that `MESH_KAFKA_BOOTSTRAP` names.
#![allow(clippy::unwrap_used)]

mod adopt;
mod apply;
mod folder;
mod golden;
mod kill;
mod owned;
mod planner;
mod platform;
mod wish;
