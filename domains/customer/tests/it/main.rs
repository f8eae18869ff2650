//! The customer domain: its files, its scorecard and how that does, its contracts, and the whole of
//! it on a platform in this process.
#![allow(clippy::unwrap_used)]

mod backtest;
mod clients;
mod contracts;
mod drift;
mod erasure;
mod mesh;
mod scores;
mod support;
