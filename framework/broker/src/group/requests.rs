//! What members ask a group, and its answers.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

/// Who a member says it is, with every request after its join.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) member_id: &'a StrBytes,
    /// The name of a static member (`group.instance.id`).
    pub(crate) instance_id: Option<&'a StrBytes>,
}

/// A request to join.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    pub(crate) member_id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    /// Whether a new member is first told its id and asked to come again with it (KIP-394).
    pub(crate) require_known_member: bool,
    /// Whether a leader that comes back can be told to leave the assignment as it is (KIP-814).
    pub(crate) may_skip_assignment: bool,
}

impl JoinRequest {
    pub(super) fn claim(&self) -> Claim<'_> {
        Claim {
            member_id: &self.member_id,
            instance_id: self.instance_id.as_ref(),
        }
    }
}

/// A member as the leader learns of it.
#[derive(Debug, Clone)]
pub(crate) struct JoinedMember {
    pub(crate) id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) metadata: Bytes,
}

/// The answer to a join.
#[derive(Debug, Clone, Default)]
pub(crate) struct JoinReply {
    pub(crate) error: Option<ResponseError>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) leader: StrBytes,
    pub(crate) skip_assignment: bool,
    pub(crate) member_id: StrBytes,
    /// For the leader only.
    pub(crate) members: Vec<JoinedMember>,
}

impl JoinReply {
    pub(crate) fn error(member_id: StrBytes, error: ResponseError) -> Self {
        Self {
            error: Some(error),
            generation: -1,
            member_id,
            ..Self::default()
        }
    }
}

/// A request for the assignment, with the assignments when the leader sends it.
#[derive(Debug, Clone)]
pub(crate) struct SyncRequest {
    pub(crate) member_id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignments: Vec<(StrBytes, Bytes)>,
}

impl SyncRequest {
    pub(super) fn claim(&self) -> Claim<'_> {
        Claim {
            member_id: &self.member_id,
            instance_id: self.instance_id.as_ref(),
        }
    }
}

/// The answer to a sync.
#[derive(Debug, Clone)]
pub(crate) struct SyncReply {
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocol: StrBytes,
    pub(crate) assignment: Bytes,
}

/// Who shall leave: a member by its id, or a static one by its name alone, as an
/// administrator asks for it.
#[derive(Debug, Clone)]
pub(crate) struct LeaveRequest {
    pub(crate) member_id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
}
