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
use crate::group::{Committed, JoinReply, JoinRequest, SyncReply, SyncRequest};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::sync::now_ms;

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

/// Static members come with the next step; Kafka answers so where they are switched off.
pub(super) fn check_dynamic(instance: Option<&StrBytes>) -> Result<(), ResponseError> {
    match instance {
        Some(_) => Err(ResponseError::UnsupportedVersion),
        None => Ok(()),
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
    let checked = check_group(shared, caller, Operation::Read, &request.group_id)
        .and_then(|()| check_dynamic(request.group_instance_id.as_ref()))
        .and_then(|()| match allowed.contains(&session_timeout) {
            true => Ok(()),
            false => Err(ResponseError::InvalidSessionTimeout),
        });
    let reply = match checked {
        Err(error) => JoinReply::error(request.member_id, error),
        Ok(()) => {
            let member_id = request.member_id.clone();
            let join = JoinRequest {
                member_id: request.member_id,
                client_id: caller.client_id.clone(),
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
        .map(|(id, metadata)| {
            JoinGroupResponseMember::default()
                .with_member_id(id)
                .with_metadata(metadata)
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
        .with_member_id(reply.member_id)
        .with_members(members)
}

pub(super) async fn sync_group(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let checked = check_group(shared, caller, Operation::Read, &request.group_id)
        .and_then(|()| check_dynamic(request.group_instance_id.as_ref()));
    let outcome: Result<SyncReply, ResponseError> = match checked {
        Err(error) => Err(error),
        Ok(()) => {
            let sync = SyncRequest {
                member_id: request.member_id,
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
    let outcome = check_group(shared, caller, Operation::Read, &request.group_id)
        .and_then(|()| check_dynamic(request.group_instance_id.as_ref()))
        .and_then(|()| {
            shared.coordinator.heartbeat(
                &request.group_id.0,
                &request.member_id,
                request.generation_id,
            )
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
        let outcome = shared.coordinator.leave(&group.0, &request.member_id);
        return LeaveGroupResponse::default().with_error_code(code(&outcome));
    }
    let members = request
        .members
        .into_iter()
        .map(|member| {
            let outcome = check_dynamic(member.group_instance_id.as_ref())
                .and_then(|()| shared.coordinator.leave(&group.0, &member.member_id));
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code(&outcome))
        })
        .collect();
    LeaveGroupResponse::default().with_members(members)
}

pub(super) async fn offset_commit(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let group = &request.group_id;
    // Offsets may be kept under the empty group, as simple consumers of old do.
    let allowed = shared
        .check(caller, Operation::Read, Resource::Group(group))
        .and_then(|()| check_dynamic(request.group_instance_id.as_ref()))
        .and_then(|()| {
            shared.coordinator.check_commit(
                &group.0,
                &request.member_id,
                request.generation_id_or_member_epoch,
            )
        });
    let now = now_ms();
    let mut accepted = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let readable = shared.check(caller, Operation::Read, Resource::Topic(&topic.name));
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let metadata = asked.committed_metadata.unwrap_or_default();
            let known = shared.topics.partition(&topic.name, asked.partition_index);
            let outcome = allowed.and(readable).and_then(|()| match known {
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
    caller: &Caller,
    version: i16,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let stable = request.require_stable;
    let may_describe =
        |group: &str| shared.check(caller, Operation::Describe, Resource::Group(group));
    if version >= 8 {
        let groups = request
            .groups
            .into_iter()
            .map(|asked| {
                let outcome = may_describe(&asked.group_id);
                let topics = match outcome {
                    Ok(()) => committed(shared, caller, &asked.group_id, asked.topics, stable),
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
    let refused = may_describe(&request.group_id).err();
    if let Some(error) = refused.filter(|_| version >= 2) {
        return OffsetFetchResponse::default().with_error_code(error.code());
    }
    let mut topics = committed(shared, caller, &request.group_id, asked, stable);
    if let Some(error) = refused {
        // Before version 2 the group's error stands at each partition, and nothing else.
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            *partition = OffsetFetchResponsePartitions::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(-1)
                .with_metadata(Some(StrBytes::default()))
                .with_error_code(error.code());
        }
    }
    let topics = topics
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
                        .with_error_code(partition.error_code)
                })
                .collect();
            OffsetFetchResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        })
        .collect();
    OffsetFetchResponse::default().with_topics(topics)
}

/// A group's offsets. `stable` asks not to be told of one that an open transaction is
/// about to change.
fn committed(
    shared: &Shared,
    caller: &Caller,
    group: &GroupId,
    asked: Option<Vec<OffsetFetchRequestTopics>>,
    stable: bool,
) -> Vec<OffsetFetchResponseTopics> {
    let answer = |topic: &str, index: i32, committed: Option<Committed>| {
        let partition = OffsetFetchResponsePartitions::default().with_partition_index(index);
        if stable && shared.offsets.is_pending(group, topic, index) {
            return partition
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(StrBytes::default()))
                .with_error_code(ResponseError::UnstableOffsetCommit.code());
        }
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
    let allowed = |topic: &str| shared.check(caller, Operation::Describe, Resource::Topic(topic));
    if let Some(asked) = asked {
        return asked
            .into_iter()
            .map(|topic| {
                let allowed = allowed(&topic.name);
                let partitions = topic
                    .partition_indexes
                    .iter()
                    .map(|index| {
                        let found = || shared.offsets.get(group, &topic.name, *index);
                        match allowed {
                            Ok(()) => answer(&topic.name, *index, found()),
                            Err(error) => {
                                answer(&topic.name, *index, None).with_error_code(error.code())
                            }
                        }
                    })
                    .collect();
                OffsetFetchResponseTopics::default()
                    .with_name(topic.name)
                    .with_partitions(partitions)
            })
            .collect();
    }
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    let visible = shared.offsets.all(group).into_iter();
    for ((name, index), committed) in visible.filter(|((name, _), _)| allowed(name).is_ok()) {
        let partition = answer(&name, index, Some(committed));
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
