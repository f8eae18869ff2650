//! OffsetForLeaderEpoch: where the log of a leader epoch ends. There is one epoch.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::code;
use crate::log::{LEADER_EPOCH, Partition};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

pub(super) async fn offset_for_leader_epoch(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    // Brokers may ask for any topic.
    let is_broker = shared.may(caller, Operation::ClusterAction, Resource::Cluster);
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let allowed = match is_broker {
                true => Ok(()),
                false => shared.check(caller, Operation::Describe, Resource::Topic(&topic.topic)),
            };
            let partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let found = shared.topics.partition(&topic.topic, asked.partition);
                    let outcome = allowed
                        .and_then(|()| found.ok_or(ResponseError::UnknownTopicOrPartition))
                        .and_then(|partition| end_of(&partition, asked));
                    let (epoch, offset) = outcome.unwrap_or((-1, -1));
                    EpochEndOffset::default()
                        .with_partition(asked.partition)
                        .with_error_code(code(&outcome))
                        .with_leader_epoch(epoch)
                        .with_end_offset(offset)
                })
                .collect();
            OffsetForLeaderTopicResult::default()
                .with_topic(topic.topic)
                .with_partitions(partitions)
        })
        .collect();
    OffsetForLeaderEpochResponse::default().with_topics(topics)
}

/// The epoch and its end; -1 and -1 when the epoch asked for is not known.
fn end_of(
    partition: &Partition,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ResponseError> {
    super::check_leader_epoch(asked.current_leader_epoch)?;
    Ok(match asked.leader_epoch == LEADER_EPOCH {
        true => (LEADER_EPOCH, partition.high_watermark()),
        false => (-1, -1),
    })
}
