//! The catalog over real HTTP: registration, lists, details, durability and its OpenAPI
//! document.
#![allow(clippy::unwrap_used, missing_docs)]

mod caching;
mod detail;
mod domains;
mod durability;
mod harness;
mod lifecycle;
mod listing;
mod openapi;
mod refusals;
mod registration;
mod removal;
mod switch;
