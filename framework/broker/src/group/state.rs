//! The state machine of one group (the classic protocol as Kafka's GroupCoordinator runs
//! it): no clock, no task and no lock of its own, so that tests drive it step by step.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

use super::requests::{JoinReply, JoinRequest, SyncReply, SyncRequest};

/// How long a member that has just joined may wait for its first generation, whatever its
/// session time-out, since it cannot send heartbeats while it waits.
const NEW_MEMBER_PATIENCE: Duration = Duration::from_secs(300);

type SyncAnswer = Result<SyncReply, ResponseError>;

#[derive(Debug)]
enum Phase {
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
    Completing {
        deadline: Instant,
    },
    Stable,
}

#[derive(Debug)]
struct Member {
    session_timeout: Duration,
    rebalance_timeout: Duration,
    protocols: Vec<(StrBytes, Bytes)>,
    assignment: Bytes,
    expires: Instant,
    joining: Option<oneshot::Sender<JoinReply>>,
    syncing: Option<oneshot::Sender<SyncAnswer>>,
    synced: bool,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    initial_delay: Duration,
    phase: Phase,
    generation: i32,
    protocol_type: Option<StrBytes>,
    protocol: Option<StrBytes>,
    leader: Option<StrBytes>,
    members: IndexMap<StrBytes, Member>,
    /// Ids given out with MEMBER_ID_REQUIRED and not yet used.
    pending: HashMap<StrBytes, Instant>,
}

impl Group {
    pub(crate) fn new(initial_delay: Duration) -> Self {
        Self {
            initial_delay,
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: IndexMap::new(),
            pending: HashMap::new(),
        }
    }

    pub(crate) fn has_members(&self) -> bool {
        !self.members.is_empty() || !self.pending.is_empty()
    }

    /// Takes a join; the answer comes through `reply`, at once or when the group is ready.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        request: JoinRequest,
        reply: oneshot::Sender<JoinReply>,
    ) {
        match self.admit(now, &request) {
            Ok(member_id) => self.take_in(now, member_id, request, reply),
            Err(error) => {
                // Whoever asked may have gone meanwhile; there is nobody else to tell.
                let _ = reply.send(*error);
            }
        }
    }

    /// The id under which the request may join.
    fn admit(&mut self, now: Instant, request: &JoinRequest) -> Result<StrBytes, Box<JoinReply>> {
        let refuse = |error| Err(Box::new(JoinReply::error(request.member_id.clone(), error)));
        if request.protocols.is_empty() || request.protocol_type.is_empty() {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        if !self.members.is_empty() {
            let others_support = |name: &StrBytes| {
                self.members
                    .iter()
                    .filter(|(id, _)| **id != request.member_id)
                    .all(|(_, member)| member.protocols.iter().any(|(other, _)| other == name))
            };
            let same_type = self.protocol_type.as_ref() == Some(&request.protocol_type);
            let common = request
                .protocols
                .iter()
                .any(|(name, _)| others_support(name));
            if !same_type || !common {
                return refuse(ResponseError::InconsistentGroupProtocol);
            }
        }
        if !request.member_id.is_empty() {
            let known = self.members.contains_key(&request.member_id)
                || self.pending.remove(&request.member_id).is_some();
            return match known {
                true => Ok(request.member_id.clone()),
                false => refuse(ResponseError::UnknownMemberId),
            };
        }
        let fresh = format!("{}-{}", request.client_id.as_str(), uuid::Uuid::new_v4());
        let fresh = StrBytes::from_string(fresh);
        if request.require_known_member {
            self.pending
                .insert(fresh.clone(), now + request.session_timeout);
            return Err(Box::new(JoinReply::error(
                fresh,
                ResponseError::MemberIdRequired,
            )));
        }
        Ok(fresh)
    }

    fn take_in(
        &mut self,
        now: Instant,
        id: StrBytes,
        request: JoinRequest,
        reply: oneshot::Sender<JoinReply>,
    ) {
        let is_leader = self.leader.as_ref() == Some(&id);
        if let Some(member) = self.members.get_mut(&id) {
            let same = member.protocols == request.protocols;
            let rejoins = match self.phase {
                // A member that has not got the answer asks again for the same generation.
                Phase::Completing { .. } => !same,
                Phase::Stable => is_leader || !same,
                Phase::Empty | Phase::Preparing { .. } => true,
            };
            member.expires = now + request.session_timeout;
            if !rejoins {
                let _ = reply.send(self.joined(&id));
                return;
            }
            member.protocols = request.protocols;
            member.session_timeout = request.session_timeout;
            member.rebalance_timeout = request.rebalance_timeout;
            member.joining = Some(reply);
        } else {
            if self.members.is_empty() {
                self.protocol_type = Some(request.protocol_type);
            }
            let member = Member {
                session_timeout: request.session_timeout,
                rebalance_timeout: request.rebalance_timeout,
                protocols: request.protocols,
                assignment: Bytes::new(),
                expires: now + NEW_MEMBER_PATIENCE,
                joining: Some(reply),
                syncing: None,
                synced: false,
            };
            self.members.insert(id, member);
            if let Phase::Preparing { joined_since, .. } = &mut self.phase {
                *joined_since = true;
            }
        }
        self.rebalance(now);
    }

    /// Begins a rebalance, unless one is being prepared, and ends it if all are there.
    fn rebalance(&mut self, now: Instant) {
        let longest = self
            .members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default();
        match self.phase {
            Phase::Preparing { .. } => {}
            Phase::Empty if !self.initial_delay.is_zero() => {
                self.phase = Phase::Preparing {
                    deadline: now + self.initial_delay.min(longest),
                    gather_until: Some(now + longest),
                    joined_since: false,
                };
            }
            Phase::Empty | Phase::Stable | Phase::Completing { .. } => {
                for member in self.members.values_mut() {
                    if let Some(syncing) = member.syncing.take() {
                        let _ = syncing.send(Err(ResponseError::RebalanceInProgress));
                        member.expires = now + member.session_timeout;
                    }
                    member.assignment = Bytes::new();
                }
                self.phase = Phase::Preparing {
                    deadline: now + longest,
                    gather_until: None,
                    joined_since: false,
                };
            }
        }
        self.complete_join_if_all_are_there(now);
    }

    fn complete_join_if_all_are_there(&mut self, now: Instant) {
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

    fn complete_join(&mut self, now: Instant) {
        self.members.retain(|_, member| member.joining.is_some());
        self.generation += 1;
        if self.members.is_empty() {
            self.become_empty();
            return;
        }
        self.protocol = self.vote();
        let leader_stays = self
            .leader
            .as_ref()
            .is_some_and(|leader| self.members.contains_key(leader));
        if !leader_stays {
            self.leader = self.members.keys().next().cloned();
        }
        let longest = self
            .members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default();
        self.phase = Phase::Completing {
            deadline: now + longest,
        };
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
        self.protocol_type = None;
    }

    /// The protocol that all members know and most of them like best.
    fn vote(&self) -> Option<StrBytes> {
        let known_to_all = |name: &StrBytes| {
            self.members
                .values()
                .all(|member| member.protocols.iter().any(|(other, _)| other == name))
        };
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

    fn joined(&self, id: &StrBytes) -> JoinReply {
        let members = match self.leader.as_ref() == Some(id) {
            true => self
                .members
                .iter()
                .map(|(id, member)| {
                    let metadata = member
                        .protocols
                        .iter()
                        .find(|(name, _)| Some(name) == self.protocol.as_ref())
                        .map_or_else(Bytes::new, |(_, metadata)| metadata.clone());
                    (id.clone(), metadata)
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
            member_id: id.clone(),
            members,
        }
    }

    /// Takes a sync; the answer comes when the leader has sent the assignments.
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
        let stable = matches!(self.phase, Phase::Stable);
        if let Some(member) = self.members.get_mut(&request.member_id) {
            member.expires = now + member.session_timeout;
            member.synced = true;
            member.syncing = Some(reply);
        }
        if is_leader && !stable {
            for (id, assignment) in request.assignments {
                if let Some(member) = self.members.get_mut(&id) {
                    member.assignment = assignment;
                }
            }
            self.phase = Phase::Stable;
        }
        if matches!(self.phase, Phase::Stable) {
            self.hand_out(now);
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), ResponseError> {
        if !self.members.contains_key(&request.member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
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
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Completing { .. } | Phase::Stable => Ok(()),
        }
    }

    fn hand_out(&mut self, now: Instant) {
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

    /// Takes a heartbeat.
    pub(crate) fn heartbeat(
        &mut self,
        now: Instant,
        member_id: &StrBytes,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let member = self
            .members
            .get_mut(member_id)
            .ok_or(ResponseError::UnknownMemberId)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        member.expires = now + member.session_timeout;
        match self.phase {
            Phase::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Lets a member go.
    pub(crate) fn leave(
        &mut self,
        now: Instant,
        member_id: &StrBytes,
    ) -> Result<(), ResponseError> {
        if self.pending.remove(member_id).is_some() {
            self.complete_join_if_all_are_there(now);
            return Ok(());
        }
        if !self.members.contains_key(member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(now, member_id, ResponseError::UnknownMemberId);
        Ok(())
    }

    fn remove(&mut self, now: Instant, member_id: &StrBytes, why: ResponseError) {
        // The order of the others is kept: the eldest becomes leader.
        let Some(mut member) = self.members.shift_remove(member_id) else {
            return;
        };
        if let Some(joining) = member.joining.take() {
            let _ = joining.send(JoinReply::error(member_id.clone(), why));
        }
        if let Some(syncing) = member.syncing.take() {
            let _ = syncing.send(Err(why));
        }
        if self.leader.as_ref() == Some(member_id) {
            self.leader = None;
        }
        match self.phase {
            Phase::Empty => {}
            Phase::Stable | Phase::Completing { .. } => self.rebalance(now),
            Phase::Preparing { .. } => self.complete_join_if_all_are_there(now),
        }
    }

    /// Checks whether offsets may be committed with this membership.
    pub(crate) fn check_commit(
        &mut self,
        now: Instant,
        member_id: &StrBytes,
        generation: i32,
    ) -> Result<(), ResponseError> {
        // A consumer with assigned partitions commits without being a member.
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        if self.members.is_empty() && self.generation == 0 && member_id.is_empty() {
            return Err(ResponseError::IllegalGeneration);
        }
        let member = self
            .members
            .get_mut(member_id)
            .ok_or(ResponseError::UnknownMemberId)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        match self.phase {
            Phase::Completing { .. } => Err(ResponseError::RebalanceInProgress),
            _ => {
                member.expires = now + member.session_timeout;
                Ok(())
            }
        }
    }

    /// Checks whether offsets may be committed in a transaction with this membership.
    /// Unlike other commits they may come from nobody in particular, and while the group
    /// waits for its assignment.
    pub(crate) fn check_transactional_commit(
        &self,
        member_id: &StrBytes,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if generation < 0 && (self.members.is_empty() || member_id.is_empty()) {
            return Ok(());
        }
        if !self.members.contains_key(member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        match generation == self.generation {
            true => Ok(()),
            false => Err(ResponseError::IllegalGeneration),
        }
    }

    /// Does what is due and returns when something will be due next.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        let before = self.pending.len();
        self.pending.retain(|_, expires| *expires > now);
        if self.pending.len() != before {
            self.complete_join_if_all_are_there(now);
        }
        // Waiting members cannot send heartbeats, so their session does not run.
        let waiting = |member: &Member| member.joining.is_some() || member.syncing.is_some();
        let silent: Vec<StrBytes> = self
            .members
            .iter()
            .filter(|(_, member)| !waiting(member) && member.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in silent {
            tracing::info!(member = %id, "group member timed out");
            self.remove(now, &id, ResponseError::UnknownMemberId);
        }
        self.phase_due(now);
        let sessions = self
            .members
            .values()
            .filter(|member| !waiting(member))
            .map(|member| member.expires);
        let phase = match self.phase {
            Phase::Preparing { deadline, .. } | Phase::Completing { deadline } => Some(deadline),
            Phase::Empty | Phase::Stable => None,
        };
        sessions
            .chain(self.pending.values().copied())
            .chain(phase)
            .min()
    }

    fn phase_due(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Preparing {
                deadline,
                gather_until,
                joined_since,
            } if *deadline <= now => match *gather_until {
                Some(until) if *joined_since && until > now => {
                    *joined_since = false;
                    *deadline = until.min(now + self.initial_delay);
                }
                _ => self.complete_join(now),
            },
            Phase::Completing { deadline } if *deadline <= now => {
                // Those who never asked for their assignment are gone.
                let lost: Vec<StrBytes> = self
                    .members
                    .iter()
                    .filter(|(_, member)| !member.synced)
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in &lost {
                    self.remove(now, id, ResponseError::UnknownMemberId);
                }
                if let Phase::Completing { .. } = self.phase {
                    self.rebalance(now);
                }
            }
            _ => {}
        }
    }
}
