//! FindCoordinator and the group protocol on the wire.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, GroupId, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{code, text};
use crate::group::{Claim, JoinReply, JoinRequest, LeaveRequest, SyncReply, SyncRequest};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// Since this version there are share groups.
const SHARE_SINCE: i16 = 6;

pub(super) async fn find_coordinator(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let outcome: Result<(), (ResponseError, &str)> = match request.key_type {
        GROUP | TRANSACTION => Ok(()),
        SHARE if version >= SHARE_SINCE => Err((
            ResponseError::UnsupportedVersion,
            "this broker has no share groups",
        )),
        _ => Err((ResponseError::InvalidRequest, "the key type is unknown")),
    };
    let outcome_of = |key: &str| {
        outcome?;
        let resource = match request.key_type {
            GROUP => Resource::Group(key),
            _ => Resource::TransactionalId(key),
        };
        shared
            .check(caller, Operation::Describe, resource)
            .map_err(|error| (error, "access is denied"))
    };
    let node = BrokerId(shared.config.node_id);
    if version >= 4 {
        let coordinators = request
            .coordinator_keys
            .into_iter()
            .map(|key| {
                let outcome = outcome_of(&key);
                let coordinator = Coordinator::default().with_key(key);
                match outcome {
                    Ok(()) => coordinator
                        .with_node_id(node)
                        .with_host(caller.host.clone())
                        .with_port(caller.port),
                    Err((error, why)) => coordinator
                        .with_node_id(BrokerId(-1))
                        .with_port(-1)
                        .with_error_code(error.code())
                        .with_error_message(text(why)),
                }
            })
            .collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    match outcome_of(&request.key) {
        Ok(()) => FindCoordinatorResponse::default()
            .with_node_id(node)
            .with_host(caller.host.clone())
            .with_port(caller.port),
        Err((error, why)) => FindCoordinatorResponse::default()
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(error.code())
            .with_error_message(text(why)),
    }
}

/// Whether there can be such a group, and the caller may do this to it.
pub(super) fn check_group(
    shared: &Shared,
    caller: &Caller,
    operation: Operation,
    group: &GroupId,
) -> Result<(), ResponseError> {
    shared.check(caller, operation, Resource::Group(group))?;
    match group.is_empty() {
        true => Err(ResponseError::InvalidGroupId),
        false => Ok(()),
    }
}

pub(super) async fn join_group(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let millis = |value: i32| Duration::from_millis(u64::try_from(value).unwrap_or(0));
    let session_timeout = millis(request.session_timeout_ms);
    let config = &shared.config;
    let allowed = config.group_min_session_timeout..=config.group_max_session_timeout;
    let checked =
        check_group(shared, caller, Operation::Read, &request.group_id).and_then(
            |()| match allowed.contains(&session_timeout) {
                true => Ok(()),
                false => Err(ResponseError::InvalidSessionTimeout),
            },
        );
    let reply = match checked {
        Err(error) => JoinReply::error(request.member_id, error),
        Ok(()) => {
            let member_id = request.member_id.clone();
            let join = JoinRequest {
                member_id: request.member_id,
                instance_id: request.group_instance_id,
                client_id: caller.client_id.clone(),
                // As Kafka writes it: behind the name, which is left out.
                client_host: StrBytes::from_string(format!("/{}", caller.peer_host)),
                session_timeout,
                // Version 0 has no rebalance time-out and means the session's.
                rebalance_timeout: match request.rebalance_timeout_ms {
                    ..=0 => session_timeout,
                    given => millis(given),
                },
                protocol_type: request.protocol_type,
                protocols: request
                    .protocols
                    .into_iter()
                    .map(|protocol| (protocol.name, protocol.metadata))
                    .collect(),
                require_known_member: version >= 4,
                may_skip_assignment: version >= 9,
            };
            tokio::select! {
                reply = shared.coordinator.join(&request.group_id.0, join) => reply,
                () = shared.stop.cancelled() => {
                    JoinReply::error(member_id, ResponseError::NotCoordinator)
                }
            }
        }
    };
    let members = reply
        .members
        .into_iter()
        .map(|member| {
            JoinGroupResponseMember::default()
                .with_member_id(member.id)
                // The codec refuses the field before version 5, which has no such members.
                .with_group_instance_id(member.instance_id.filter(|_| version >= 5))
                .with_metadata(member.metadata)
        })
        .collect();
    // Before version 7 the protocol's name cannot be absent.
    let protocol = reply.protocol.or((version < 7).then(StrBytes::default));
    JoinGroupResponse::default()
        .with_error_code(reply.error.map_or(0, |error| error.code()))
        .with_generation_id(reply.generation)
        .with_protocol_type(reply.protocol_type)
        .with_protocol_name(protocol)
        .with_leader(reply.leader)
        .with_skip_assignment(reply.skip_assignment)
        .with_member_id(reply.member_id)
        .with_members(members)
}

pub(super) async fn sync_group(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let checked = check_group(shared, caller, Operation::Read, &request.group_id);
    let outcome: Result<SyncReply, ResponseError> = match checked {
        Err(error) => Err(error),
        Ok(()) => {
            let sync = SyncRequest {
                member_id: request.member_id,
                instance_id: request.group_instance_id,
                generation: request.generation_id,
                protocol_type: request.protocol_type,
                protocol: request.protocol_name,
                assignments: request
                    .assignments
                    .into_iter()
                    .map(|given| (given.member_id, given.assignment))
                    .collect(),
            };
            tokio::select! {
                reply = shared.coordinator.sync(&request.group_id.0, sync) => reply,
                () = shared.stop.cancelled() => Err(ResponseError::NotCoordinator),
            }
        }
    };
    match outcome {
        Ok(reply) => SyncGroupResponse::default()
            .with_protocol_type(Some(reply.protocol_type))
            .with_protocol_name(Some(reply.protocol))
            .with_assignment(reply.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

pub(super) async fn heartbeat(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let checked = check_group(shared, caller, Operation::Read, &request.group_id);
    let outcome = checked.and_then(|()| {
        shared
            .coordinator
            .heartbeat(&request.group_id.0, claim, request.generation_id)
    });
    HeartbeatResponse::default().with_error_code(code(&outcome))
}

pub(super) async fn leave_group(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let group = &request.group_id;
    if let Err(error) = check_group(shared, caller, Operation::Read, group) {
        return LeaveGroupResponse::default().with_error_code(error.code());
    }
    if version < 3 {
        let leave = LeaveRequest {
            member_id: request.member_id,
            instance_id: None,
        };
        let outcome = shared.coordinator.leave(&group.0, &leave);
        return LeaveGroupResponse::default().with_error_code(code(&outcome));
    }
    let members = request
        .members
        .into_iter()
        .map(|member| {
            let leave = LeaveRequest {
                member_id: member.member_id,
                instance_id: member.group_instance_id,
            };
            let outcome = shared.coordinator.leave(&group.0, &leave);
            MemberResponse::default()
                .with_member_id(leave.member_id)
                .with_group_instance_id(leave.instance_id)
                .with_error_code(code(&outcome))
        })
        .collect();
    LeaveGroupResponse::default().with_members(members)
}
