//! The conformance suite: what every advertised API version does, and scenarios of groups,
//! producers and logs, on any cluster that speaks the protocol of Kafka.
//!
//! By default the broker under test is an embedded one, started here. With
//! `MESH_KAFKA_BOOTSTRAP=host:port` it is that cluster, and `MESH_KAFKA_LOGINS=host:port` its
//! listener for logins; Apache Kafka must pass, started by
//! `deploy/kafka/cluster start DIR --tests`. Each (API, version) has three cases: a success,
//! an error and an edge. It is a failure when an advertised API has no cases, when an advertised
//! version is not among those that they are run at, when a case does not send its API in its
//! version, and when an error case sees nothing refused. A case that Apache Kafka fails is
//! wrong, one that only the embedded broker fails is a bug.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod api;
mod batch;
mod check;
mod scenarios;
#[path = "../it/support.rs"]
#[allow(dead_code)]
mod support;
mod target;
