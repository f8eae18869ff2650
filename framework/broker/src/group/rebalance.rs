//! From one generation of a group to the next: who is in, which protocol, who leads, and
//! the leader's assignments.

use std::time::{Duration, Instant};

use bytes::Bytes;
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

use super::member::{Phase, SyncAnswer};
use super::requests::{JoinReply, JoinedMember, SyncReply, SyncRequest};
use super::state::Group;
use crate::sync::steady_ms;

impl Group {
    fn longest_rebalance(&self) -> Duration {
        self.members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    /// Begins a rebalance, unless one is being prepared, and ends it if all are there.
    pub(super) fn rebalance(&mut self, now: Instant) {
        let longest = self.longest_rebalance();
        match self.phase {
            Phase::Preparing { .. } | Phase::Dead => {}
            Phase::Empty if !self.initial_delay.is_zero() => {
                self.phase = Phase::Preparing {
                    deadline: now + self.initial_delay.min(longest),
                    gather_until: Some(now + longest),
                    joined_since: false,
                };
            }
            Phase::Empty | Phase::Stable | Phase::Completing => {
                for member in self.members.values_mut() {
                    if let Some(syncing) = member.syncing.take() {
                        let _ = syncing.send(Err(ResponseError::RebalanceInProgress));
                        member.expires = now + member.session_timeout;
                    }
                    member.assignment = Bytes::new();
                }
                self.sync_by = None;
                self.phase = Phase::Preparing {
                    deadline: now + longest,
                    gather_until: None,
                    joined_since: false,
                };
            }
        }
        self.complete_join_if_all_are_there(now);
    }

    pub(super) fn complete_join_if_all_are_there(&mut self, now: Instant) {
        let gathered = matches!(
            self.phase,
            Phase::Preparing {
                gather_until: None,
                ..
            }
        );
        let all_joined = self.members.values().all(|member| member.joining.is_some());
        if gathered && (self.members.is_empty() || (all_joined && self.pending.is_empty())) {
            self.complete_join(now);
        }
    }

    pub(super) fn complete_join(&mut self, now: Instant) {
        // A static member that is late keeps its place until its session ends.
        self.members
            .retain(|_, member| member.joining.is_some() || member.instance_id.is_some());
        let longest = self.longest_rebalance();
        if self.members.is_empty() {
            self.generation += 1;
            self.become_empty();
            return;
        }
        let joined = |id: &StrBytes| {
            self.members
                .get(id)
                .is_some_and(|member| member.joining.is_some())
        };
        let leader = self.leader.as_ref().filter(|id| joined(id)).cloned();
        let Some(leader) = leader.or_else(|| self.members.keys().find(|id| joined(id)).cloned())
        else {
            // Only static members are left and none has come: there is nobody to lead.
            self.phase = Phase::Preparing {
                deadline: now + longest,
                gather_until: None,
                joined_since: false,
            };
            return;
        };
        self.leader = Some(leader);
        self.generation += 1;
        self.protocol = self.vote();
        self.phase = Phase::Completing;
        self.sync_by = Some(now + longest);
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.expires = now + member.session_timeout;
                member.synced = false;
                if let Some(joining) = member.joining.take() {
                    let _ = joining.send(joined);
                }
            }
        }
    }

    fn become_empty(&mut self) {
        self.phase = Phase::Empty;
        self.leader = None;
        self.protocol = None;
        self.empty_since_ms = Some(steady_ms());
        self.unsaved = true;
    }

    /// The protocol that all members know and most of them like best.
    pub(super) fn vote(&self) -> Option<StrBytes> {
        let known_to_all =
            |name: &StrBytes| self.members.values().all(|member| member.supports(name));
        let mut votes: IndexMap<StrBytes, usize> = IndexMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| known_to_all(name)) {
                *votes.entry(name.clone()).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        votes
            .into_iter()
            .find(|(_, count)| *count == most)
            .map(|(name, _)| name)
    }

    pub(super) fn joined(&self, id: &StrBytes) -> JoinReply {
        let members = match self.leader.as_ref() == Some(id) {
            true => self
                .members
                .iter()
                .map(|(id, member)| JoinedMember {
                    id: id.clone(),
                    instance_id: member.instance_id.clone(),
                    metadata: member.metadata(self.protocol.as_ref()),
                })
                .collect(),
            false => Vec::new(),
        };
        JoinReply {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: id.clone(),
            members,
        }
    }

    /// Takes a sync; the answer comes when the leader has sent the assignments and they are
    /// stored.
    pub(crate) fn sync(
        &mut self,
        now: Instant,
        request: SyncRequest,
        reply: oneshot::Sender<SyncAnswer>,
    ) {
        if let Err(error) = self.check_sync(&request) {
            let _ = reply.send(Err(error));
            return;
        }
        let is_leader = self.leader.as_ref() == Some(&request.member_id);
        if let Some(member) = self.members.get_mut(&request.member_id) {
            member.expires = now + member.session_timeout;
            member.synced = true;
            member.syncing = Some(reply);
        }
        if self.members.values().all(|member| member.synced) && (is_leader || self.is_stable()) {
            self.sync_by = None;
        }
        if self.is_stable() {
            self.hand_out(now);
        } else if is_leader {
            for (id, assignment) in request.assignments {
                if let Some(member) = self.members.get_mut(&id) {
                    member.assignment = assignment;
                }
            }
            self.phase = Phase::Stable;
            self.empty_since_ms = None;
            self.unsaved = true;
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), ResponseError> {
        self.check_claim(request.claim())?;
        if request.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let differs = |asked: &Option<StrBytes>, ours: &Option<StrBytes>| {
            asked.is_some() && asked.as_ref() != ours.as_ref()
        };
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol, &self.protocol)
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.phase {
            Phase::Empty | Phase::Dead => Err(ResponseError::UnknownMemberId),
            Phase::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Completing | Phase::Stable => Ok(()),
        }
    }

    pub(super) fn hand_out(&mut self, now: Instant) {
        let protocol_type = self.protocol_type.clone().unwrap_or_default();
        let protocol = self.protocol.clone().unwrap_or_default();
        for member in self.members.values_mut() {
            if let Some(syncing) = member.syncing.take() {
                member.expires = now + member.session_timeout;
                let _ = syncing.send(Ok(SyncReply {
                    protocol_type: protocol_type.clone(),
                    protocol: protocol.clone(),
                    assignment: member.assignment.clone(),
                }));
            }
        }
    }
}
