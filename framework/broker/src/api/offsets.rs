//! Committed offsets on the wire. Unlike the group protocol they take an empty group id, as
//! Kafka does for clients of old.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{code, once, text};
use crate::group::{Claim, Committed};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::sync::steady_ms;

/// Since this version of OffsetCommit clients are told that there is no such group.
const NOT_FOUND_SINCE: i16 = 9;
const METADATA_TOO_LARGE: i16 = ResponseError::OffsetMetadataTooLarge.code();

pub(super) async fn offset_commit(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let group = &request.group_id;
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let generation = request.generation_id_or_member_epoch;
    let permitted = shared.check(caller, Operation::Read, Resource::Group(group));
    let now = steady_ms();
    // Clients of versions 2 to 4 may say how long an offset is kept.
    let expires_ms = match request.retention_time_ms {
        -1 => None,
        kept => Some(now.saturating_add(kept)),
    };
    let mut accepted = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let readable = shared.check(caller, Operation::Read, Resource::Topic(&topic.name));
        let allowed = permitted.and(readable);
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
                    expires_ms,
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
    if permitted.is_ok() {
        let stored = shared
            .coordinator
            .commit(&group.0, claim, generation, accepted);
        if let Err(error) = stored.await {
            let error = match error {
                ResponseError::GroupIdNotFound if version < NOT_FOUND_SINCE => {
                    ResponseError::IllegalGeneration
                }
                other => other,
            };
            let codes = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            refuse(codes.map(|partition| &mut partition.error_code), error);
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

/// Answers with an error of the group where the request itself was right, and where only the
/// metadata was too large, which Kafka looks at later.
pub(super) fn refuse<'a>(codes: impl Iterator<Item = &'a mut i16>, error: ResponseError) {
    for code in codes {
        if matches!(*code, 0 | METADATA_TOO_LARGE) {
            *code = error.code();
        }
    }
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
        let question = |asked: &OffsetFetchRequestGroup| {
            let topics = asked.topics.iter().flatten();
            let topics = topics.map(|topic| (topic.name.clone(), topic.partition_indexes.clone()));
            let all = asked.topics.is_none();
            (asked.group_id.clone(), all, topics.collect::<Vec<_>>())
        };
        let groups = once(request.groups, question)
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
        let mut seen = HashSet::new();
        return asked
            .into_iter()
            .map(|topic| {
                let allowed = allowed(&topic.name);
                let partitions = topic
                    .partition_indexes
                    .iter()
                    .filter(|index| seen.insert((topic.name.clone(), **index)))
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
