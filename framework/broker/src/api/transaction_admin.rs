//! Transactions as administrators see them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, ListTransactionsRequest, ListTransactionsResponse, ProducerId,
    TopicName, TransactionalId, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{code, once};
use crate::log::Marker;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::sync::steady_ms;
use crate::txn::Transaction;

/// The names of states that a list can be asked for.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];
/// Where Kafka keeps the committed offsets that take part in a transaction.
const OFFSETS_TOPIC: &str = "__consumer_offsets";

pub(super) async fn list(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let now = steady_ms();
    let longer_than = if version >= 1 {
        request.duration_filter
    } else {
        -1
    };
    let is_asked_for = |transaction: &Transaction| {
        let states = &request.state_filters;
        let producers = &request.producer_id_filters;
        (states.is_empty()
            || states
                .iter()
                .any(|state| state.as_str() == transaction.state.name()))
            && (producers.is_empty() || producers.contains(&ProducerId(transaction.producer_id)))
            && (longer_than < 0 || now - transaction.started_ms > longer_than)
            && shared.may(
                caller,
                Operation::Describe,
                Resource::TransactionalId(&transaction.id),
            )
    };
    let listed = shared
        .transactions
        .all()
        .into_iter()
        .filter(is_asked_for)
        .map(|transaction| {
            Listed::default()
                .with_transactional_id(id_of(&transaction))
                .with_producer_id(ProducerId(transaction.producer_id))
                .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
        })
        .collect();
    let unknown = request
        .state_filters
        .iter()
        .filter(|state| !STATES.contains(&state.as_str()))
        .cloned()
        .collect();
    ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown)
        .with_transaction_states(listed)
}

fn id_of(transaction: &Transaction) -> TransactionalId {
    TransactionalId(StrBytes::from_string(transaction.id.clone()))
}

pub(super) async fn describe(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let states = once(request.transactional_ids, TransactionalId::clone)
        .into_iter()
        .map(|id| {
            let allowed = shared.check(caller, Operation::Describe, Resource::TransactionalId(&id));
            let found = allowed.and_then(|()| {
                let found = shared.transactions.get(&id);
                found.ok_or(ResponseError::TransactionalIdNotFound)
            });
            match found {
                Ok(transaction) => described(&transaction, |topic| {
                    shared.may(caller, Operation::Describe, Resource::Topic(topic))
                }),
                Err(error) => TransactionState::default()
                    .with_transactional_id(id)
                    .with_error_code(error.code()),
            }
        })
        .collect();
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

/// A transaction, with those of its topics that may be shown.
fn described(transaction: &Transaction, is_shown: impl Fn(&str) -> bool) -> TransactionState {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, index) in &transaction.partitions {
        topics.entry(topic).or_default().push(*index);
    }
    if !transaction.groups.is_empty() {
        topics.insert(OFFSETS_TOPIC, vec![0]);
    }
    let topics = topics
        .into_iter()
        .filter(|(topic, _)| is_shown(topic))
        .map(|(topic, partitions)| {
            TopicData::default()
                .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
                .with_partitions(partitions)
        })
        .collect();
    TransactionState::default()
        .with_transactional_id(id_of(transaction))
        .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(transaction.started_ms)
        .with_producer_id(ProducerId(transaction.producer_id))
        .with_producer_epoch(transaction.epoch)
        .with_topics(topics)
}

pub(super) async fn describe_producers(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let describe = |topic: &str, index: i32| {
        let response = PartitionResponse::default().with_partition_index(index);
        let allowed = shared.check(caller, Operation::Read, Resource::Topic(topic));
        let found = allowed.and_then(|()| {
            let found = shared.topics.partition(topic, index);
            found.ok_or(ResponseError::UnknownTopicOrPartition)
        });
        let log = match found {
            Ok(log) => log,
            Err(error) => return response.with_error_code(error.code()),
        };
        let mut producers = log.active_producers();
        producers.sort_by_key(|producer| producer.producer_id);
        let producers = producers
            .iter()
            .map(|producer| {
                ProducerState::default()
                    .with_producer_id(ProducerId(producer.producer_id))
                    .with_producer_epoch(i32::from(producer.epoch))
                    .with_last_sequence(producer.last_sequence)
                    .with_last_timestamp(producer.last_timestamp)
                    .with_coordinator_epoch(producer.coordinator_epoch)
                    .with_current_txn_start_offset(producer.open_since.unwrap_or(-1))
            })
            .collect();
        response.with_active_producers(producers)
    };
    let mut seen = HashSet::new();
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let indexes = topic.partition_indexes.iter();
            let partitions = indexes
                .filter(|index| seen.insert((topic.name.clone(), **index)))
                .map(|index| describe(&topic.name, *index))
                .collect();
            TopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        })
        .collect();
    DescribeProducersResponse::default().with_topics(topics)
}

/// Ends transactions in single partitions, which is how an administrator aborts one that
/// hangs there.
pub(super) async fn write_markers(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let allowed = match shared.may(caller, Operation::Alter, Resource::Cluster) {
        true => Ok(()),
        false => shared.check(caller, Operation::ClusterAction, Resource::Cluster),
    };
    let mut markers = Vec::with_capacity(request.markers.len());
    for asked in request.markers {
        let marker = Marker {
            producer_id: asked.producer_id.0,
            producer_epoch: asked.producer_epoch,
            coordinator_epoch: asked.coordinator_epoch,
            commit: asked.transaction_result,
        };
        let mut topics = Vec::with_capacity(asked.topics.len());
        for topic in asked.topics {
            let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
            for index in topic.partition_indexes {
                let written = match allowed {
                    Ok(()) => write_marker(shared, &topic.name, index, &marker).await,
                    Err(error) => Err(error),
                };
                partitions.push(
                    WritableTxnMarkerPartitionResult::default()
                        .with_partition_index(index)
                        .with_error_code(code(&written)),
                );
            }
            topics.push(
                WritableTxnMarkerTopicResult::default()
                    .with_name(topic.name)
                    .with_partitions(partitions),
            );
        }
        markers.push(
            WritableTxnMarkerResult::default()
                .with_producer_id(asked.producer_id)
                .with_topics(topics),
        );
    }
    WriteTxnMarkersResponse::default().with_markers(markers)
}

async fn write_marker(
    shared: &Shared,
    topic: &str,
    index: i32,
    marker: &Marker,
) -> Result<(), ResponseError> {
    let log = shared
        .topics
        .partition(topic, index)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let appended = log.append_marker(marker)?;
    log.wait_acknowledged(appended.acknowledged_at).await
}
