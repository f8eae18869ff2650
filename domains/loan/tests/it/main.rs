//! The loan domain: its files, its rules, and the life of a loan.
#![allow(clippy::unwrap_used)]

mod contracts;
mod decisions;
mod files;
mod lives;
mod mesh;
mod references;
mod servicing;
mod support;
