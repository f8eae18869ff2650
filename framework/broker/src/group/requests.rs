//! What members ask a group, and its answers.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

/// A request to join.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    pub(crate) member_id: StrBytes,
    pub(crate) client_id: StrBytes,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    /// Whether a new member is first told its id and asked to come again with it (KIP-394).
    pub(crate) require_known_member: bool,
}

/// The answer to a join.
#[derive(Debug, Clone, Default)]
pub(crate) struct JoinReply {
    pub(crate) error: Option<ResponseError>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) leader: StrBytes,
    pub(crate) member_id: StrBytes,
    /// For the leader only.
    pub(crate) members: Vec<(StrBytes, Bytes)>,
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
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) assignments: Vec<(StrBytes, Bytes)>,
}

/// The answer to a sync.
#[derive(Debug, Clone)]
pub(crate) struct SyncReply {
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocol: StrBytes,
    pub(crate) assignment: Bytes,
}
