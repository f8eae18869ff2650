//! The loan domain: its files and its rules.
#![allow(clippy::unwrap_used)]

mod contracts;
mod decisions;
mod files;
mod support;
