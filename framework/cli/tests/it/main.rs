//! The program as people use it: `mesh demo` and `mesh sql` as processes, the domains as
//! processes, judged by a client that is not ours.
//!
//! `MESH_CLIENT_PYTHON` names a Python that has `tests/clients/requirements.txt`, and
//! `MESH_SHARED` a folder with `data/berka`. What needs them says that it skips without
//! them; where `CI` is set, a missing one fails.
#![allow(clippy::unwrap_used)]

mod away;
mod contract;
mod contract_diff;
mod demo;
mod derived;
mod errors;
mod harness;
mod kafka;
mod kill;
mod plan;
mod plan_apply;
mod receipts;
mod replay;
mod scaffold;
mod sql;
