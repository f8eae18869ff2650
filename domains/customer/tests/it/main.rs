//! The customer domain: its files, its scorecard, its contracts.
#![allow(clippy::unwrap_used)]

mod clients;
mod contracts;
mod scores;
mod support;
