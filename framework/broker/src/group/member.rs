//! One member of a group, and the phases that a group goes through.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

use super::requests::{JoinReply, SyncReply};

pub(super) type SyncAnswer = Result<SyncReply, ResponseError>;

#[derive(Debug)]
pub(super) enum Phase {
    Empty,
    /// Waiting for the members to join.
    Preparing {
        deadline: Instant,
        /// The first generation waits a little for more members, again and again while
        /// they come, until this instant.
        gather_until: Option<Instant>,
        joined_since: bool,
    },
    /// Waiting for the leader's assignment, and for each member to ask for its own.
    Completing,
    Stable,
    /// Deleted. Whoever still holds it finds a new group by the same name.
    Dead,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<StrBytes>,
    pub(super) client_id: StrBytes,
    pub(super) client_host: StrBytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
    pub(super) assignment: Bytes,
    pub(super) expires: Instant,
    pub(super) joining: Option<oneshot::Sender<JoinReply>>,
    pub(super) syncing: Option<oneshot::Sender<SyncAnswer>>,
    pub(super) synced: bool,
}

impl Member {
    pub(super) fn supports(&self, protocol: &StrBytes) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// What the member says about itself under a protocol.
    pub(super) fn metadata(&self, protocol: Option<&StrBytes>) -> Bytes {
        self.protocols
            .iter()
            .find(|(name, _)| Some(name) == protocol)
            .map_or_else(Bytes::new, |(_, metadata)| metadata.clone())
    }

    /// A waiting member cannot send heartbeats, so its session does not run.
    pub(super) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// Ends whatever the member waits for.
    pub(super) fn turn_away(&mut self, id: &StrBytes, why: ResponseError) {
        // Whoever asked may have gone meanwhile; there is nobody else to tell.
        if let Some(joining) = self.joining.take() {
            let _ = joining.send(JoinReply::error(id.clone(), why));
        }
        if let Some(syncing) = self.syncing.take() {
            let _ = syncing.send(Err(why));
        }
    }
}
