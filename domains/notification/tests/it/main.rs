//! The domain notification on a platform in this process, its texts, settings and contracts.
#![allow(clippy::unwrap_used)]

mod contracts;
mod emails;
mod events;
mod kills;
mod mesh;
mod plain;
mod preferences;
mod smtp;
// mesh new: tests
