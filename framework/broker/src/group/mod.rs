//! Consumer groups: the classic protocol and committed offsets.

mod coordinator;
mod offset_log;
mod offsets;
mod requests;
mod state;

pub(crate) use coordinator::Coordinator;
pub(crate) use offsets::{Committed, Offsets};
pub(crate) use requests::{JoinReply, JoinRequest, SyncReply, SyncRequest};
