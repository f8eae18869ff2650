//! The domain user_behavior on a platform in this process, and its contracts.
#![allow(clippy::unwrap_used)]

mod contracts;
mod mesh;
// mesh new: tests
