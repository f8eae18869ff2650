//! Statements that run on as records come.
//!
//! | file | holds |
//! |---|---|
//! | `shape` | which statements can, and how |
//! | `rounds` | one statement, run over what has come since the last round |

mod rounds;
mod shape;

pub use rounds::{Follow, FollowFrom, FollowOptions, Position, Round};
