//! FindCoordinator, the group protocol and committed offsets on the wire.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, GroupId, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{code, text};
use crate::group::{
    Claim, Committed, JoinReply, JoinRequest, LeaveRequest, SyncReply, SyncRequest,
};
use crate::shared::{Caller, Shared};
use crate::sync::now_ms;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) async fn find_coordinator(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let outcome: Result<(), (ResponseError, &str)> = match request.key_type {
        // A transactional client asks for its coordinator first, and librdkafka asks again and
        // again unless it gets one; the answer that ends it is InitProducerId's.
        GROUP | TRANSACTION => Ok(()),
        2 => Err((
            ResponseError::UnsupportedVersion,
            "this broker has no share groups",
        )),
        _ => Err((ResponseError::InvalidRequest, "the key type is unknown")),
    };
    let node = BrokerId(shared.config.node_id);
    if version >= 4 {
        let coordinators = request
            .coordinator_keys
            .into_iter()
            .map(|key| {
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
    match outcome {
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

fn check_group(group: &GroupId) -> Result<(), ResponseError> {
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
        check_group(&request.group_id).and_then(|()| match allowed.contains(&session_timeout) {
            true => Ok(()),
            false => Err(ResponseError::InvalidSessionTimeout),
        });
    let reply = match checked {
        Err(error) => JoinReply::error(request.member_id, error),
        Ok(()) => {
            let member_id = request.member_id.clone();
            let join = JoinRequest {
                member_id: request.member_id,
                instance_id: request.group_instance_id,
                client_id: caller.client_id.clone(),
                client_host: caller.client_host.clone(),
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
    _caller: &Caller,
    _version: i16,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let outcome: Result<SyncReply, ResponseError> = match check_group(&request.group_id) {
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
    _caller: &Caller,
    _version: i16,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let outcome = check_group(&request.group_id).and_then(|()| {
        shared
            .coordinator
            .heartbeat(&request.group_id.0, claim, request.generation_id)
    });
    HeartbeatResponse::default().with_error_code(code(&outcome))
}

pub(super) async fn leave_group(
    shared: &Arc<Shared>,
    _caller: &Caller,
    version: i16,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let group = &request.group_id;
    if let Err(error) = check_group(group) {
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

pub(super) async fn offset_commit(
    shared: &Arc<Shared>,
    _caller: &Caller,
    _version: i16,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let group = &request.group_id;
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let allowed = check_group(group).and_then(|()| {
        let generation = request.generation_id_or_member_epoch;
        shared.coordinator.check_commit(&group.0, claim, generation)
    });
    let now = now_ms();
    let mut accepted = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let metadata = asked.committed_metadata.unwrap_or_default();
            let known = shared.topics.partition(&topic.name, asked.partition_index);
            let outcome = allowed.and_then(|()| match known {
                None => Err(ResponseError::UnknownTopicOrPartition),
                Some(_) if metadata.len() > shared.config.offset_metadata_max_bytes => {
                    Err(ResponseError::OffsetMetadataTooLarge)
                }
                Some(_) => Ok(()),
            });
            if outcome.is_ok() {
                let committed = Committed {
                    offset: asked.committed_offset,
                    leader_epoch: asked.committed_leader_epoch,
                    metadata: metadata.to_string(),
                    committed_ms: now,
                };
                accepted.push((topic.name.to_string(), asked.partition_index, committed));
            }
            partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(&outcome)),
            );
        }
        topics.push(
            OffsetCommitResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions),
        );
    }
    if let Err(error) = shared.offsets.commit(group, accepted).await {
        let stored = topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
            .filter(|partition| partition.error_code == 0);
        for partition in stored {
            partition.error_code = error.code();
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

pub(super) async fn offset_fetch(
    shared: &Arc<Shared>,
    _caller: &Caller,
    version: i16,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if version >= 8 {
        let groups = request
            .groups
            .into_iter()
            .map(|asked| {
                let outcome = check_group(&asked.group_id);
                let topics = match outcome {
                    Ok(()) => committed(shared, &asked.group_id, asked.topics),
                    Err(_) => Vec::new(),
                };
                OffsetFetchResponseGroup::default()
                    .with_group_id(asked.group_id)
                    .with_topics(topics)
                    .with_error_code(code(&outcome))
            })
            .collect();
        return OffsetFetchResponse::default().with_groups(groups);
    }
    let asked = request.topics.map(|topics| {
        topics
            .into_iter()
            .map(|topic| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic.name)
                    .with_partition_indexes(topic.partition_indexes)
            })
            .collect()
    });
    if let Err(error) = check_group(&request.group_id) {
        return OffsetFetchResponse::default().with_error_code(error.code());
    }
    let topics = committed(shared, &request.group_id, asked)
        .into_iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .into_iter()
                .map(|partition| {
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(partition.partition_index)
                        .with_committed_offset(partition.committed_offset)
                        .with_committed_leader_epoch(partition.committed_leader_epoch)
                        .with_metadata(partition.metadata)
                })
                .collect();
            OffsetFetchResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        })
        .collect();
    OffsetFetchResponse::default().with_topics(topics)
}

fn committed(
    shared: &Shared,
    group: &GroupId,
    asked: Option<Vec<OffsetFetchRequestTopics>>,
) -> Vec<OffsetFetchResponseTopics> {
    let answer = |index: i32, committed: Option<Committed>| {
        let partition = OffsetFetchResponsePartitions::default().with_partition_index(index);
        match committed {
            Some(committed) => partition
                .with_committed_offset(committed.offset)
                .with_committed_leader_epoch(committed.leader_epoch)
                .with_metadata(text(committed.metadata)),
            None => partition
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(StrBytes::default())),
        }
    };
    if let Some(asked) = asked {
        return asked
            .into_iter()
            .map(|topic| {
                let partitions = topic
                    .partition_indexes
                    .iter()
                    .map(|index| answer(*index, shared.offsets.get(group, &topic.name, *index)))
                    .collect();
                OffsetFetchResponseTopics::default()
                    .with_name(topic.name)
                    .with_partitions(partitions)
            })
            .collect();
    }
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for ((name, index), committed) in shared.offsets.all(group) {
        let partition = answer(index, Some(committed));
        match topics.last_mut() {
            Some(last) if last.name.as_str() == name => last.partitions.push(partition),
            _ => topics.push(
                OffsetFetchResponseTopics::default()
                    .with_name(TopicName(StrBytes::from_string(name)))
                    .with_partitions(vec![partition]),
            ),
        }
    }
    topics
}
