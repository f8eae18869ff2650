//! Consumer groups: the classic protocol and committed offsets.

mod clock;
mod commits;
mod coordinator;
mod expiry;
mod joining;
mod member;
mod offset_state;
mod offsets;
mod rebalance;
mod requests;
mod state;
mod stored;
mod subscription;
mod view;

pub(crate) use coordinator::Coordinator;
pub(crate) use expiry::expire_offsets;
pub(crate) use offset_state::Committed;
pub(crate) use offsets::Offsets;
pub(crate) use requests::{Claim, JoinReply, JoinRequest, LeaveRequest, SyncReply, SyncRequest};
pub(crate) use view::{GroupPhase, GroupView};
