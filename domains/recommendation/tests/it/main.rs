//! The domain recommendation: its model alone, and all of it on a platform in this process.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod contracts;
mod files;
mod lists;
mod memory;
mod mesh;
mod model;
mod quality;
mod settings;
mod support;
// mesh new: tests
