//! ListOffsets: earliest, latest, by time, and that of the largest time.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::log::{LEADER_EPOCH, Partition, TimedOffset};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

const READ_COMMITTED: i8 = 1;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub(super) async fn list_offsets(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let committed = request.isolation_level == READ_COMMITTED;
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let allowed = shared.check(caller, Operation::Describe, Resource::Topic(&topic.name));
            let found = shared.topics.by_name(&topic.name);
            let mut seen = HashSet::new();
            let twice: HashSet<i32> = topic
                .partitions
                .iter()
                .map(|asked| asked.partition_index)
                .filter(|index| !seen.insert(*index))
                .collect();
            let partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let outcome = match twice.contains(&asked.partition_index) {
                        true => Err(ResponseError::InvalidRequest),
                        false => allowed
                            .and(
                                found
                                    .as_ref()
                                    .and_then(|topic| topic.partition(asked.partition_index))
                                    .ok_or(ResponseError::UnknownTopicOrPartition),
                            )
                            .and_then(|partition| look_up(partition, asked, version, committed)),
                    };
                    answer(asked, outcome, version)
                })
                .collect();
            ListOffsetsTopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        })
        .collect();
    ListOffsetsResponse::default().with_topics(topics)
}

fn look_up(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    version: i16,
    committed: bool,
) -> Result<Option<TimedOffset>, ResponseError> {
    super::check_leader_epoch(asked.current_leader_epoch)?;
    let untimed = |offset| {
        Ok(Some(TimedOffset {
            timestamp: -1,
            offset,
        }))
    };
    let end = match committed {
        true => partition.last_stable_offset(),
        false => partition.high_watermark(),
    };
    // A record that the reader does not see is none.
    let visible = |found: Option<TimedOffset>| found.filter(|found| found.offset < end);
    match asked.timestamp {
        LATEST => untimed(end),
        EARLIEST => untimed(partition.log_start()),
        MAX_TIMESTAMP if version >= 7 => partition.offset_of_max_time().map(visible),
        // Without tiered storage all of the log is local.
        EARLIEST_LOCAL if version >= 8 => untimed(partition.log_start()),
        LATEST_TIERED if version >= 9 => Ok(None),
        0.. => partition.offset_for_time(asked.timestamp).map(visible),
        _ => Err(ResponseError::UnsupportedVersion),
    }
}

fn answer(
    asked: &ListOffsetsPartition,
    outcome: Result<Option<TimedOffset>, ResponseError>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let (error_code, found) = match outcome {
        Ok(found) => (0, found),
        Err(error) => (error.code(), None),
    };
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(error_code)
        .with_timestamp(found.map_or(-1, |found| found.timestamp))
        .with_offset(found.map_or(-1, |found| found.offset));
    match version {
        // The field came with version 4, and the codec refuses it before.
        4.. if found.is_some() => response.with_leader_epoch(LEADER_EPOCH),
        _ => response,
    }
}
