//! The state machine of one group (the classic protocol as Kafka's GroupCoordinator runs
//! it): no clock, no task and no lock of its own, so that tests drive it step by step.
//!
//! What must outlive the broker is marked with `unsaved`; the coordinator stores it and
//! reports back with [`Group::saved`] or [`Group::not_saved`]. Answers that rest on it wait
//! until then.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

use super::member::{Member, Phase};
use super::requests::{Claim, JoinReply, LeaveRequest};

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) initial_delay: Duration,
    pub(super) phase: Phase,
    pub(super) generation: i32,
    /// Kept when the last member goes: it tells a group of consumers from offsets that
    /// were committed without one.
    pub(super) protocol_type: Option<StrBytes>,
    pub(super) protocol: Option<StrBytes>,
    pub(super) leader: Option<StrBytes>,
    pub(super) members: IndexMap<StrBytes, Member>,
    /// The member ids of static members by their names.
    pub(super) instances: HashMap<StrBytes, StrBytes>,
    /// Ids given out with MEMBER_ID_REQUIRED and not yet used.
    pub(super) pending: HashMap<StrBytes, Instant>,
    /// Until when every member must have asked for its assignment.
    pub(super) sync_by: Option<Instant>,
    /// When the last member went, in milliseconds since 1970.
    pub(super) empty_since_ms: Option<i64>,
    pub(super) unsaved: bool,
    /// Answers to joins that wait until the group is stored.
    pub(super) after_save: Vec<(oneshot::Sender<JoinReply>, JoinReply)>,
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
            instances: HashMap::new(),
            pending: HashMap::new(),
            sync_by: None,
            empty_since_ms: None,
            unsaved: false,
            after_save: Vec::new(),
        }
    }

    /// Whether the clock has something to watch.
    pub(crate) fn has_members(&self) -> bool {
        !self.members.is_empty() || !self.pending.is_empty()
    }

    /// Whether the group is more than a name: it has or had members.
    pub(crate) fn exists(&self) -> bool {
        !matches!(self.phase, Phase::Dead) && (self.generation > 0 || !self.members.is_empty())
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.phase, Phase::Empty)
    }

    pub(super) fn is_stable(&self) -> bool {
        matches!(self.phase, Phase::Stable)
    }

    /// Takes the group out of use.
    pub(crate) fn kill(&mut self) {
        self.phase = Phase::Dead;
        self.pending.clear();
    }

    /// Checks that a member is who it says: a static member's name belongs to its latest id.
    pub(super) fn check_claim(&self, claim: Claim<'_>) -> Result<(), ResponseError> {
        if let Some(instance) = claim.instance_id {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(id) if id != claim.member_id => {
                    return Err(ResponseError::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        match self.members.contains_key(claim.member_id) {
            true => Ok(()),
            false => Err(ResponseError::UnknownMemberId),
        }
    }

    /// Takes a heartbeat.
    pub(crate) fn heartbeat(
        &mut self,
        now: Instant,
        claim: Claim<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check_claim(claim)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        self.keep_alive(now, claim.member_id);
        match self.phase {
            Phase::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    fn keep_alive(&mut self, now: Instant, id: &StrBytes) {
        if let Some(member) = self.members.get_mut(id) {
            member.expires = now + member.session_timeout;
        }
    }

    /// Lets a member go.
    pub(crate) fn leave(
        &mut self,
        now: Instant,
        request: &LeaveRequest,
    ) -> Result<(), ResponseError> {
        if self.pending.remove(&request.member_id).is_some() {
            self.complete_join_if_all_are_there(now);
            return Ok(());
        }
        let id = match &request.instance_id {
            // An administrator removes a static member by its name alone.
            Some(instance) if request.member_id.is_empty() => self
                .instances
                .get(instance)
                .cloned()
                .ok_or(ResponseError::UnknownMemberId)?,
            instance => {
                self.check_claim(Claim {
                    member_id: &request.member_id,
                    instance_id: instance.as_ref(),
                })?;
                request.member_id.clone()
            }
        };
        self.remove(now, &id, ResponseError::UnknownMemberId);
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Instant, member_id: &StrBytes, why: ResponseError) {
        // The order of the others is kept: the eldest becomes leader.
        let Some(mut member) = self.members.shift_remove(member_id) else {
            return;
        };
        if let Some(instance) = &member.instance_id {
            self.instances.remove(instance);
        }
        member.turn_away(member_id, why);
        if self.leader.as_ref() == Some(member_id) {
            self.leader = None;
        }
        match self.phase {
            Phase::Empty | Phase::Dead => {}
            Phase::Stable | Phase::Completing => self.rebalance(now),
            Phase::Preparing { .. } => self.complete_join_if_all_are_there(now),
        }
    }

    /// Checks whether offsets may be committed with this membership.
    pub(crate) fn check_commit(
        &mut self,
        now: Instant,
        claim: Claim<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        // A consumer with assigned partitions commits without being a member.
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        self.check_claim(claim)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        match self.phase {
            Phase::Completing => Err(ResponseError::RebalanceInProgress),
            _ => {
                self.keep_alive(now, claim.member_id);
                Ok(())
            }
        }
    }

    /// Checks whether offsets may be committed in a transaction with this membership.
    /// Unlike other commits they may come from nobody in particular, and while the group
    /// waits for its assignment.
    pub(crate) fn check_transactional_commit(
        &self,
        claim: Claim<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let from_nobody = claim.member_id.is_empty() && claim.instance_id.is_none();
        if generation < 0 && (self.is_empty() || from_nobody) {
            return Ok(());
        }
        self.check_claim(claim)?;
        match generation == self.generation {
            true => Ok(()),
            false => Err(ResponseError::IllegalGeneration),
        }
    }

    pub(crate) fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.unsaved)
    }

    /// Gives the answers that have waited for the group to be stored.
    pub(crate) fn saved(&mut self, now: Instant) {
        for (asked, reply) in self.after_save.drain(..) {
            let _ = asked.send(reply);
        }
        if self.is_stable() {
            self.hand_out(now);
        }
    }

    /// The group could not be stored: an assignment that a restart would forget is not
    /// given out, the members begin again.
    pub(crate) fn not_saved(&mut self, now: Instant) {
        for (asked, reply) in self.after_save.drain(..) {
            let refused = JoinReply::error(reply.member_id, ResponseError::CoordinatorNotAvailable);
            let _ = asked.send(refused);
        }
        if self.is_stable() {
            for (id, member) in &mut self.members {
                member.turn_away(id, ResponseError::CoordinatorNotAvailable);
            }
            self.rebalance(now);
        }
    }
}
