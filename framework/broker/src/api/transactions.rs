//! What transactional producers ask their coordinator.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, TransactionalId,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::code;
use super::groups::check_group;
use super::offsets::refuse;
use crate::group::{Claim, Committed};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::sync::steady_ms;
use crate::txn::{Known, Producer};

/// Since this version clients know PRODUCER_FENCED.
const FENCED_SINCE: i16 = 2;
/// Since this version TxnOffsetCommit knows TRANSACTION_ABORTABLE.
const ABORTABLE_SINCE: i16 = 4;
/// Since this version AddPartitionsToTxn asks for several transactions, and is for brokers.
const BATCHED_SINCE: i16 = 4;

/// The error as a client of that version knows it.
pub(super) fn for_version(error: ResponseError, version: i16, fenced_since: i16) -> ResponseError {
    match error {
        ResponseError::ProducerFenced if version < fenced_since => {
            ResponseError::InvalidProducerEpoch
        }
        other => other,
    }
}

/// Whether the caller may write in this id's transactions, and there can be such an id.
fn check_id(shared: &Shared, caller: &Caller, id: &TransactionalId) -> Result<(), ResponseError> {
    shared.check(caller, Operation::Write, Resource::TransactionalId(id))?;
    check_named(id)
}

fn check_named(id: &TransactionalId) -> Result<(), ResponseError> {
    match id.is_empty() {
        true => Err(ResponseError::InvalidRequest),
        false => Ok(()),
    }
}

pub(super) async fn add_partitions(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if version < BATCHED_SINCE {
        let producer = Producer {
            id: request.v3_and_below_producer_id.0,
            epoch: request.v3_and_below_producer_epoch,
        };
        let id = &request.v3_and_below_transactional_id;
        let adding = Adding {
            id,
            producer,
            verify_only: false,
            topics: &request.v3_and_below_topics,
            allowed: check_id(shared, caller, id),
            may_write: &|topic| shared.check(caller, Operation::Write, Resource::Topic(topic)),
        };
        let results = adding.results(shared, version).await;
        return AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results);
    }
    if let Err(error) = shared.check(caller, Operation::ClusterAction, Resource::Cluster) {
        return AddPartitionsToTxnResponse::default().with_error_code(error.code());
    }
    let mut results = Vec::with_capacity(request.transactions.len());
    for asked in request.transactions {
        let adding = Adding {
            id: &asked.transactional_id,
            producer: Producer {
                id: asked.producer_id.0,
                epoch: asked.producer_epoch,
            },
            verify_only: asked.verify_only,
            topics: &asked.topics,
            allowed: check_named(&asked.transactional_id),
            may_write: &|_| Ok(()),
        };
        let topics = adding.results(shared, version).await;
        results.push(
            AddPartitionsToTxnResult::default()
                .with_transactional_id(asked.transactional_id)
                .with_topic_results(topics),
        );
    }
    AddPartitionsToTxnResponse::default().with_results_by_transaction(results)
}

/// Partitions to be added to a transaction.
struct Adding<'a> {
    id: &'a TransactionalId,
    producer: Producer,
    /// Only ask whether they are in there.
    verify_only: bool,
    topics: &'a [AddPartitionsToTxnTopic],
    /// Whether the caller may do so with this id.
    allowed: Result<(), ResponseError>,
    /// Whether it may write to a topic.
    may_write: &'a (dyn Fn(&str) -> Result<(), ResponseError> + Sync),
}

impl Adding<'_> {
    async fn results(&self, shared: &Shared, version: i16) -> Vec<AddPartitionsToTxnTopicResult> {
        let check = |topic: &str, index| {
            (self.may_write)(topic)?;
            let known = shared.topics.partition(topic, index);
            known
                .map(|_| ())
                .ok_or(ResponseError::UnknownTopicOrPartition)
        };
        let asked: Vec<Known<'_>> = self
            .topics
            .iter()
            .flat_map(|topic| {
                let name = topic.name.as_str();
                let indexes = topic.partitions.iter();
                indexes.map(move |index| Known::Partition(name, *index))
            })
            .collect();
        let all_good = asked.iter().all(|known| match known {
            Known::Partition(topic, index) => check(topic, *index).is_ok(),
            Known::Group(_) => true,
        });
        // One that is unknown or refused keeps the others out too.
        let outcome = match self.allowed {
            Err(error) => Err(error),
            Ok(()) if !all_good => Err(ResponseError::OperationNotAttempted),
            Ok(()) if self.verify_only => Ok(()),
            Ok(()) => {
                shared
                    .transactions
                    .add(self.id, self.producer, &asked)
                    .await
            }
        };
        let result = |topic: &str, index: i32| {
            let outcome = match outcome {
                Ok(()) if self.verify_only => {
                    let known = Known::Partition(topic, index);
                    shared.transactions.verify(self.id, self.producer, known)
                }
                Err(error @ ResponseError::OperationNotAttempted) => {
                    check(topic, index).and(Err(error))
                }
                outcome => outcome,
            };
            let outcome = outcome.map_err(|error| for_version(error, version, FENCED_SINCE));
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(index)
                .with_partition_error_code(code(&outcome))
        };
        self.topics
            .iter()
            .map(|topic| {
                let indexes = topic.partitions.iter();
                let results = indexes.map(|index| result(&topic.name, *index)).collect();
                AddPartitionsToTxnTopicResult::default()
                    .with_name(topic.name.clone())
                    .with_results_by_partition(results)
            })
            .collect()
    }
}

pub(super) async fn add_offsets(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let producer = Producer {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let group = [Known::Group(request.group_id.as_str())];
    let id = &request.transactional_id;
    let allowed = check_id(shared, caller, id)
        .and_then(|()| shared.check(caller, Operation::Read, Resource::Group(&request.group_id)));
    let outcome = match allowed {
        Ok(()) => shared.transactions.add(id, producer, &group).await,
        Err(error) => Err(error),
    };
    let outcome = outcome.map_err(|error| for_version(error, version, FENCED_SINCE));
    AddOffsetsToTxnResponse::default().with_error_code(code(&outcome))
}

pub(super) async fn end(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: EndTxnRequest,
) -> EndTxnResponse {
    let producer = Producer {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let id = &request.transactional_id;
    let outcome = match check_id(shared, caller, id) {
        Ok(()) => {
            shared
                .transactions
                .end(id, producer, request.committed)
                .await
        }
        Err(error) => Err(error),
    };
    let outcome = outcome.map_err(|error| for_version(error, version, FENCED_SINCE));
    EndTxnResponse::default().with_error_code(code(&outcome))
}

pub(super) async fn commit_offsets(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let group = &request.group_id;
    let producer = Producer {
        id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let verify = || {
        let known = Known::Group(group.as_str());
        let verified = shared
            .transactions
            .verify(&request.transactional_id, producer, known);
        verified.map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            ResponseError::TransactionAbortable if version < ABORTABLE_SINCE => {
                ResponseError::InvalidTxnState
            }
            other => other,
        })
    };
    let claim = Claim {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    let id = &request.transactional_id;
    let permitted = shared
        .check(caller, Operation::Write, Resource::TransactionalId(id))
        .and_then(|()| check_group(shared, caller, Operation::Read, group));
    let allowed = permitted.and_then(|()| verify());
    let now = steady_ms();
    let mut accepted = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let readable = shared.check(caller, Operation::Read, Resource::Topic(&topic.name));
        let allowed = permitted.and(readable).and(allowed);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let metadata = asked.committed_metadata.clone().unwrap_or_default();
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
                    expires_ms: None,
                };
                accepted.push((topic.name.to_string(), asked.partition_index, committed));
            }
            partitions.push(
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(&outcome)),
            );
        }
        topics.push(
            TxnOffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions),
        );
    }
    if allowed.is_ok() {
        let stored = shared.coordinator.commit_in_transaction(
            &group.0,
            claim,
            request.generation_id,
            producer.id,
            accepted,
            verify,
        );
        if let Err(error) = stored.await {
            let error = match error {
                ResponseError::GroupIdNotFound => ResponseError::IllegalGeneration,
                other => other,
            };
            let codes = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            refuse(codes.map(|partition| &mut partition.error_code), error);
        }
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}
