//! What changed between two versions of a contract, its class, and the version it asks for.
#![allow(clippy::unwrap_used, missing_docs)]

mod columns;
mod consumers;
mod contract;
mod docs;
mod locate;
mod product;
mod rules;
mod support;
mod versions;
