//! Scaffolding: what is written, what is refused, and that nothing is half written.
#![allow(clippy::unwrap_used)]

mod consumers;
mod domains;
mod products;
mod samples;
mod support;
mod templates;
mod writing;
