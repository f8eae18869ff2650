//! The transaction domain: its files, its ledger, the payout.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod contracts;
mod files;
mod ledger;
mod settings;
mod support;
