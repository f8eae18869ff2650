//! The broker as its clients see it: librdkafka, and a raw client for errors and edges.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod alter_configs;
mod cluster;
mod configs;
mod fetch;
mod group_admin;
mod group_transactions;
mod groups;
mod idempotence;
mod kill;
mod list_offsets;
mod partitions;
mod produce;
mod rdkafka_client;
mod recovery;
mod security;
mod security_acls;
mod security_admin;
mod security_apis;
mod security_sasl;
mod security_support;
mod security_tls;
mod security_transactions;
mod start;
mod static_members;
mod support;
mod throughput;
mod topics;
mod transactional_clients;
mod transactions;
mod transactions_at_random;
mod transactions_killed;
mod transactions_recovery;
mod txn_support;
mod wire;
