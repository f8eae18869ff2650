//! The domain user_behavior: its files, sessions and patterns, and all of it on a platform in this
//! process.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod contracts;
mod files;
mod import;
mod live;
mod mesh;
mod sessions;
mod settings;
mod support;
// mesh new: tests
