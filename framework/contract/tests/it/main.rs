//! Contracts and products: written back, edited, and refused when broken.

#![allow(clippy::unwrap_used)]

mod broken;
mod edit;
mod memory;
mod support;
