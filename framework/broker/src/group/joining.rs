//! How members come into a group.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

use super::member::{Member, Phase};
use super::requests::{JoinReply, JoinRequest};
use super::state::Group;

/// How long a member that has just joined may wait for its first generation, whatever its
/// session time-out, since it cannot send heartbeats while it waits.
const NEW_MEMBER_PATIENCE: Duration = Duration::from_secs(300);

/// Under which id a request may join.
enum Admitted {
    /// A new member.
    New(StrBytes),
    /// A member that joins again.
    Known(StrBytes),
    /// A static member that has started again; the id it had is fenced from now on.
    Instead { old: StrBytes, new: StrBytes },
}

impl Group {
    /// Takes a join; the answer comes through `reply`, at once or when the group is ready.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        request: JoinRequest,
        reply: oneshot::Sender<JoinReply>,
    ) {
        match self.admit(now, &request) {
            Ok(Admitted::New(id)) => self.take_in(now, id, request, reply),
            Ok(Admitted::Known(id)) => self.join_again(now, id, request, reply),
            Ok(Admitted::Instead { old, new }) => {
                self.take_over(now, &old, new, request, reply);
            }
            Err(error) => {
                // Whoever asked may have gone meanwhile; there is nobody else to tell.
                let _ = reply.send(*error);
            }
        }
    }

    fn admit(&mut self, now: Instant, request: &JoinRequest) -> Result<Admitted, Box<JoinReply>> {
        let refuse = |error| Err(Box::new(JoinReply::error(request.member_id.clone(), error)));
        if matches!(self.phase, Phase::Dead) {
            return refuse(ResponseError::CoordinatorNotAvailable);
        }
        if let Err(error) = self.check_protocols(request) {
            return refuse(error);
        }
        if !request.member_id.is_empty() {
            // Only a member without a name is asked to come again with its id.
            if request.instance_id.is_none() && self.pending.remove(&request.member_id).is_some() {
                return Ok(Admitted::New(request.member_id.clone()));
            }
            return match self.check_claim(request.claim()) {
                Ok(()) => Ok(Admitted::Known(request.member_id.clone())),
                Err(error) => refuse(error),
            };
        }
        if let Some(instance) = &request.instance_id {
            let new = fresh_id(instance);
            return Ok(match self.instances.get(instance) {
                Some(old) => Admitted::Instead {
                    old: old.clone(),
                    new,
                },
                None => Admitted::New(new),
            });
        }
        let fresh = fresh_id(&request.client_id);
        if request.require_known_member {
            self.pending
                .insert(fresh.clone(), now + request.session_timeout);
            return Err(Box::new(JoinReply::error(
                fresh,
                ResponseError::MemberIdRequired,
            )));
        }
        Ok(Admitted::New(fresh))
    }

    fn check_protocols(&self, request: &JoinRequest) -> Result<(), ResponseError> {
        if request.protocols.is_empty() || request.protocol_type.is_empty() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if self.members.is_empty() {
            return Ok(());
        }
        let itself = match &request.instance_id {
            Some(instance) => self.instances.get(instance).unwrap_or(&request.member_id),
            None => &request.member_id,
        };
        let others_support = |name: &StrBytes| {
            self.members
                .iter()
                .filter(|(id, _)| *id != itself)
                .all(|(_, member)| member.supports(name))
        };
        let same_type = self.protocol_type.as_ref() == Some(&request.protocol_type);
        let common = request
            .protocols
            .iter()
            .any(|(name, _)| others_support(name));
        match same_type && common {
            true => Ok(()),
            false => Err(ResponseError::InconsistentGroupProtocol),
        }
    }

    fn take_in(
        &mut self,
        now: Instant,
        id: StrBytes,
        request: JoinRequest,
        reply: oneshot::Sender<JoinReply>,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type);
        }
        if let Some(instance) = &request.instance_id {
            self.instances.insert(instance.clone(), id.clone());
        }
        let member = Member {
            instance_id: request.instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
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
        self.rebalance(now);
    }

    fn join_again(
        &mut self,
        now: Instant,
        id: StrBytes,
        request: JoinRequest,
        reply: oneshot::Sender<JoinReply>,
    ) {
        let is_leader = self.leader.as_ref() == Some(&id);
        let Some(member) = self.members.get_mut(&id) else {
            let _ = reply.send(JoinReply::error(id, ResponseError::UnknownMemberId));
            return;
        };
        let same = member.protocols == request.protocols;
        let rejoins = match self.phase {
            // A member that has not got the answer asks again for the same generation.
            Phase::Completing => !same,
            Phase::Stable => is_leader || !same,
            Phase::Empty | Phase::Preparing { .. } | Phase::Dead => true,
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
        self.rebalance(now);
    }

    /// Gives a static member's place to the process that has started under its name. A
    /// stable group goes on without a rebalance as long as its protocol stays the same.
    fn take_over(
        &mut self,
        now: Instant,
        old: &StrBytes,
        new: StrBytes,
        request: JoinRequest,
        reply: oneshot::Sender<JoinReply>,
    ) {
        let leader_before = self.leader.clone();
        let Some((at, _, mut member)) = self.members.shift_remove_full(old) else {
            let _ = reply.send(JoinReply::error(new, ResponseError::UnknownMemberId));
            return;
        };
        member.turn_away(old, ResponseError::FencedInstanceId);
        member.client_id = request.client_id;
        member.client_host = request.client_host;
        member.protocols = request.protocols;
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.expires = now + request.session_timeout;
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), new.clone());
        }
        self.members.shift_insert(at, new.clone(), member);
        if leader_before.as_ref() == Some(old) {
            self.leader = Some(new.clone());
        }
        if self.is_stable() && self.vote() == self.protocol {
            let mut joined = self.joined(&new);
            if request.may_skip_assignment {
                joined.skip_assignment = self.leader.as_ref() == Some(&new);
            } else {
                // An older client cannot be told to skip the assignment, so it is not told
                // that it leads: the leader it hears of is the one it was before.
                joined.members.clear();
                joined.leader = leader_before.unwrap_or_default();
            }
            self.after_save.push((reply, joined));
            self.unsaved = true;
            return;
        }
        if let Some(member) = self.members.get_mut(&new) {
            member.joining = Some(reply);
        }
        self.rebalance(now);
    }
}

fn fresh_id(prefix: &StrBytes) -> StrBytes {
    StrBytes::from_string(format!("{}-{}", prefix.as_str(), uuid::Uuid::new_v4()))
}
