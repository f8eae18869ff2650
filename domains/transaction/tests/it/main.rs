//! The transaction domain: its files, its ledger, payouts and transfers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod contracts;
mod files;
mod ledger;
mod mesh;
mod orders;
mod settings;
mod support;
mod thousands;
mod transfers;
