//! Fetch: whole batches as they are stored, with a long poll.
//!
//! There are no incremental fetch sessions: a client that asks for one is answered with
//! session id 0, which tells it to send full requests (KIP-227).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use tokio::time::Instant;

use crate::log::{Aborted, Partition, Waiter};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topics::Topic;

/// Since this version topics are named by their id.
const TOPIC_ID_SINCE: i16 = 13;
/// Bytes of records after which an answer is sent, though the client would take more: so
/// much stays in the processor's cache from the file over the check of its CRC to the
/// socket, and the client unpacks one answer while the next is read.
const RESPONSE_BYTES: usize = 1 << 20;
/// The session epochs that go with session id 0: none, and the first of a new one.
const SESSIONLESS: i32 = -1;
const NEW_SESSION: i32 = 0;
const READ_COMMITTED: i8 = 1;

type Found = Result<Arc<Partition>, ResponseError>;

pub(super) async fn fetch(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: FetchRequest,
) -> (FetchResponse, Vec<Bytes>) {
    if request.session_id != 0 || !matches!(request.session_epoch, SESSIONLESS | NEW_SESSION) {
        let error = match request.session_id {
            0 => ResponseError::InvalidFetchSessionEpoch,
            _ => ResponseError::FetchSessionIdNotFound,
        };
        let response = FetchResponse::default().with_error_code(error.code());
        return (response, Vec::new());
    }
    let found: Vec<Vec<Found>> = request
        .topics
        .iter()
        .map(|asked| {
            let topic = find_topic(shared, caller, version, asked);
            asked
                .partitions
                .iter()
                .map(|partition| find(topic.clone(), partition))
                .collect()
        })
        .collect();
    let partitions = each_once(&found);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    let wanted = u64::try_from(request.min_bytes).unwrap_or(0);
    let shown = || -> u64 {
        partitions
            .iter()
            .map(|partition| partition.shown_bytes())
            .sum()
    };
    let committed = request.isolation_level == READ_COMMITTED;
    let stable = || -> i64 {
        partitions
            .iter()
            .map(|partition| partition.last_stable_offset())
            .fold(0, i64::wrapping_add)
    };
    let mut waiter = None;
    loop {
        let (before, stable_before) = (shown(), stable());
        let read = read(shared, &request, &found);
        let enough = read.bytes >= wanted || read.failed || partitions.is_empty();
        if enough || Instant::now() >= deadline || shared.stop.is_cancelled() {
            shared.metrics.fetched_bytes.add(read.bytes);
            return (
                FetchResponse::default().with_responses(read.responses),
                read.records,
            );
        }
        let waiter = waiter.get_or_insert_with(|| Waiter::new(partitions.clone()));
        // Reading again is worth it only when enough has come; how much a moved last stable
        // offset brings is not known before.
        let not_enough = || match committed {
            true => stable() == stable_before,
            false => read.bytes + (shown() - before) < wanted,
        };
        while not_enough() && partitions.iter().all(|partition| partition.is_alive()) {
            tokio::select! {
                () = waiter.changed() => {}
                () = tokio::time::sleep_until(deadline) => break,
                () = shared.stop.cancelled() => break,
            }
        }
    }
}

/// The topic, when it is there and the caller may read it.
fn find_topic(
    shared: &Shared,
    caller: &Caller,
    version: i16,
    asked: &FetchTopic,
) -> Result<Arc<Topic>, ResponseError> {
    let may = |name: &str| shared.check(caller, Operation::Read, Resource::Topic(name));
    if version >= TOPIC_ID_SINCE {
        let topic = shared.topics.by_id(asked.topic_id);
        let topic = topic.ok_or(ResponseError::UnknownTopicId)?;
        return may(&topic.name).map(|()| topic);
    }
    may(&asked.topic)?;
    let topic = shared.topics.by_name(&asked.topic);
    topic.ok_or(ResponseError::UnknownTopicOrPartition)
}

/// The partitions to wait for, which may have been named several times.
fn each_once(found: &[Vec<Found>]) -> Vec<Arc<Partition>> {
    let mut seen = HashSet::new();
    let found = found
        .iter()
        .flatten()
        .filter_map(|found| found.as_ref().ok());
    found
        .filter(|partition| seen.insert(Arc::as_ptr(partition)))
        .map(Arc::clone)
        .collect()
}

fn find(topic: Result<Arc<Topic>, ResponseError>, asked: &FetchPartition) -> Found {
    let topic = topic?;
    let partition = topic
        .partition(asked.partition)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    super::check_leader_epoch(asked.current_leader_epoch)?;
    Ok(Arc::clone(partition))
}

struct Read {
    responses: Vec<FetchableTopicResponse>,
    records: Vec<Bytes>,
    bytes: u64,
    failed: bool,
}

fn read(shared: &Shared, request: &FetchRequest, found: &[Vec<Found>]) -> Read {
    let limit = usize::try_from(request.max_bytes).unwrap_or(0);
    let asked = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut left = limit
        .min(shared.config.max_fetch_bytes)
        .min(asked.max(RESPONSE_BYTES));
    let committed = request.isolation_level == READ_COMMITTED;
    let mut read = Read {
        responses: Vec::with_capacity(request.topics.len()),
        records: Vec::new(),
        bytes: 0,
        failed: false,
    };
    for (topic, found) in request.topics.iter().zip(found) {
        let mut partitions = Vec::with_capacity(found.len());
        for (asked, found) in topic.partitions.iter().zip(found) {
            let max = usize::try_from(asked.partition_max_bytes)
                .unwrap_or(0)
                .min(left);
            // The very first batch is sent whatever its size, or a consumer would be stuck.
            let at_least_one = read.bytes == 0;
            let outcome = found.clone().and_then(|partition| {
                let from = asked.fetch_offset;
                let (records, aborted) = match (max > 0 || at_least_one, committed) {
                    (true, true) => {
                        let (records, aborted) =
                            partition.read_committed(&shared.buffers, from, max, at_least_one)?;
                        (records, Some(aborted))
                    }
                    (true, false) => {
                        let records =
                            partition.read(&shared.buffers, from, max, at_least_one, i64::MAX)?;
                        (records, None)
                    }
                    (false, _) => (Bytes::new(), committed.then(Vec::new)),
                };
                Ok((partition, records, aborted))
            });
            partitions.push(match outcome {
                Ok((partition, records, aborted)) => {
                    left = left.saturating_sub(records.len());
                    read.bytes += records.len() as u64;
                    if !records.is_empty() {
                        read.records.push(records.clone());
                    }
                    answer(asked, &partition, aborted).with_records(Some(records))
                }
                Err(error) => {
                    read.failed = true;
                    let data = match found {
                        // Where the log begins and ends helps the client to start over.
                        Ok(partition) => answer(asked, partition, committed.then(Vec::new)),
                        Err(_) => PartitionData::default()
                            .with_partition_index(asked.partition)
                            .with_high_watermark(-1)
                            .with_last_stable_offset(-1)
                            .with_log_start_offset(-1),
                    };
                    data.with_error_code(error.code())
                        .with_records(Some(Bytes::new()))
                }
            });
        }
        read.responses.push(
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(partitions),
        );
    }
    read
}

fn answer(
    asked: &FetchPartition,
    partition: &Partition,
    aborted: Option<Vec<Aborted>>,
) -> PartitionData {
    let aborted = aborted.map(|aborted| {
        aborted
            .iter()
            .map(|aborted| {
                AbortedTransaction::default()
                    .with_producer_id(aborted.producer_id.into())
                    .with_first_offset(aborted.first_offset)
            })
            .collect()
    });
    PartitionData::default()
        .with_partition_index(asked.partition)
        .with_high_watermark(partition.high_watermark())
        .with_last_stable_offset(partition.last_stable_offset())
        .with_log_start_offset(partition.log_start())
        .with_aborted_transactions(aborted)
}
