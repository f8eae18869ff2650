//! Consumer groups: the classic protocol and committed offsets.

mod coordinator;
mod offset_state;
mod offsets;
mod requests;
mod state;

pub(crate) use coordinator::Coordinator;
pub(crate) use offset_state::Committed;
pub(crate) use offsets::Offsets;
pub(crate) use requests::{JoinReply, JoinRequest, SyncReply, SyncRequest};
