//! Produce: batches are stored in the order of requests; the answer waits for the flush
//! policy without holding up the next request.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::{Head, Outcome, Refused, finish, text};
use crate::log::batch::BatchHeader;
use crate::log::{Appended, Partition, WITHOUT_KEY, records_without_key, validate};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::sync::now_ms;
use crate::topics::Topic;
use crate::txn::{Known, Producer};

/// Since this version topics are named by their id.
const TOPIC_ID_SINCE: i16 = 13;
/// Since this version clients know TRANSACTION_ABORTABLE.
const TRANSACTION_ABORTABLE_SINCE: i16 = 11;

type Failure = (ResponseError, Option<&'static str>);

/// A stored batch that has not been acknowledged yet: its place in the response.
struct Waiting {
    topic: usize,
    partition: usize,
    log: Arc<Partition>,
    until: i64,
}

pub(super) async fn produce(
    shared: &Arc<Shared>,
    caller: &Caller,
    head: Head,
    request: ProduceRequest,
) -> Result<Outcome, Refused> {
    let acks = request.acks;
    let transactional_id = request.transactional_id.clone();
    let general = if !matches!(acks, -1..=1) {
        Some((
            ResponseError::InvalidRequiredAcks,
            Some("acks is -1, 0 or 1"),
        ))
    } else if let Some(id) = &request.transactional_id
        && let Err(error) = shared.check(caller, Operation::Write, Resource::TransactionalId(id))
    {
        Some((error, None))
    } else if request.transactional_id.is_none() && has_transactional(&request) {
        // As in Kafka, where nobody has rights on an id that is not named.
        Some((
            ResponseError::TransactionalIdAuthorizationFailed,
            Some("a transactional batch comes with a transactional id"),
        ))
    } else {
        None
    };
    let mut waiting = Vec::new();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    let mut failed = None;
    let mut woke = false;
    for (topic_at, data) in request.topic_data.into_iter().enumerate() {
        let topic = find(shared, caller, head.version, &data).map_err(|error| (error, None));
        let mut partitions = Vec::with_capacity(data.partition_data.len());
        for (partition_at, data) in data.partition_data.into_iter().enumerate() {
            // Kept for what a refusal has to say of it; shares the bytes.
            let sent = data.records.clone();
            let stored = match general {
                Some(refusal) => Err(refusal),
                None => topic.clone().and_then(|topic| {
                    let place = Place {
                        topic: &topic,
                        index: data.index,
                        transactional_id: transactional_id.as_ref().map(|id| id.as_str()),
                    };
                    store(shared, &place, data.records, acks, &head)
                }),
            };
            let response = PartitionProduceResponse::default().with_index(data.index);
            partitions.push(match stored {
                Ok((log, appended)) => {
                    let start = log.log_start();
                    woke |= appended.woke;
                    if log.high_watermark() < appended.acknowledged_at {
                        waiting.push(Waiting {
                            topic: topic_at,
                            partition: partition_at,
                            log,
                            until: appended.acknowledged_at,
                        });
                    }
                    response
                        .with_base_offset(appended.base_offset)
                        .with_log_append_time_ms(appended.log_append_time)
                        .with_log_start_offset(start)
                }
                Err((error, why)) => {
                    shared.metrics.refused_batches.add(1);
                    failed = Some(error);
                    refused(data.index, error, why).with_record_errors(errors_of_records(why, sent))
                }
            });
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(data.name)
                .with_topic_id(data.topic_id)
                .with_partition_responses(partitions),
        );
    }
    let mut response = ProduceResponse::default().with_responses(responses);
    if acks == 0 {
        return nothing(shared, waiting, failed);
    }
    if waiting.is_empty() {
        let outcome = match woke {
            true => Outcome::Woke,
            false => Outcome::Reply,
        };
        return finish(&response, &head).map(outcome);
    }
    Ok(Outcome::Later(Box::pin(async move {
        let flushes = waiting
            .iter()
            .map(|batch| batch.log.wait_acknowledged(batch.until));
        let outcomes = futures::future::join_all(flushes).await;
        for (batch, outcome) in waiting.iter().zip(outcomes) {
            if let Err(error) = outcome {
                let place =
                    &mut response.responses[batch.topic].partition_responses[batch.partition];
                *place = refused(place.index, error, None);
            }
        }
        finish(&response, &head)
    })))
}

/// The topic, when it is there and the caller may write to it.
fn find(
    shared: &Shared,
    caller: &Caller,
    version: i16,
    data: &TopicProduceData,
) -> Result<Arc<Topic>, ResponseError> {
    let may = |name: &str| shared.check(caller, Operation::Write, Resource::Topic(name));
    if version >= TOPIC_ID_SINCE {
        let topic = shared.topics.by_id(data.topic_id);
        let topic = topic.ok_or(ResponseError::UnknownTopicId)?;
        return may(&topic.name).map(|()| topic);
    }
    may(&data.name)?;
    let topic = shared.topics.by_name(&data.name);
    topic.ok_or(ResponseError::UnknownTopicOrPartition)
}

/// A client that wants no acknowledgement learns of an error by losing its connection.
fn nothing(
    shared: &Shared,
    waiting: Vec<Waiting>,
    failed: Option<ResponseError>,
) -> Result<Outcome, Refused> {
    if let Some(error) = failed {
        return Err(format!("produce without acknowledgement failed: {error}"));
    }
    for batch in waiting {
        shared.tasks.spawn(async move {
            if let Err(error) = batch.log.wait_acknowledged(batch.until).await {
                tracing::error!(%error, "an unacknowledged batch is not durable");
            }
        });
    }
    Ok(Outcome::Nothing)
}

fn refused(
    index: i32,
    error: ResponseError,
    why: Option<&'static str>,
) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_error_message(why.and_then(text))
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
}

/// Which records are at fault, where that is known.
fn errors_of_records(
    why: Option<&'static str>,
    batch: Option<Bytes>,
) -> Vec<BatchIndexAndErrorMessage> {
    let (Some(WITHOUT_KEY), Some(batch)) = (why, batch) else {
        return Vec::new();
    };
    records_without_key(&batch)
        .into_iter()
        .map(|at| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(at)
                .with_batch_index_error_message(text(WITHOUT_KEY))
        })
        .collect()
}

fn has_transactional(request: &ProduceRequest) -> bool {
    let partitions = request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data);
    partitions
        .filter_map(|data| BatchHeader::parse(data.records.as_ref()?))
        .any(|header| header.is_transactional())
}

/// Where a batch goes, and in whose name.
struct Place<'a> {
    topic: &'a Topic,
    index: i32,
    transactional_id: Option<&'a str>,
}

impl Place<'_> {
    /// Whether the batch's producer may write here in its transaction now. The answer goes
    /// to the producer of a batch, which knows other errors than those of the coordinator.
    fn verify(
        &self,
        shared: &Shared,
        header: &BatchHeader,
        version: i16,
    ) -> Result<(), ResponseError> {
        let id = self.transactional_id.unwrap_or_default();
        let producer = Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
        };
        let known = Known::Partition(self.topic.name.as_str(), self.index);
        let verified = shared.transactions.verify(id, producer, known);
        verified.map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            ResponseError::TransactionAbortable if version < TRANSACTION_ABORTABLE_SINCE => {
                ResponseError::InvalidTxnState
            }
            // Makes the client try again, whatever its age.
            ResponseError::ConcurrentTransactions => ResponseError::NotEnoughReplicas,
            other => other,
        })
    }
}

fn store(
    shared: &Shared,
    place: &Place<'_>,
    records: Option<Bytes>,
    acks: i16,
    head: &Head,
) -> Result<(Arc<Partition>, Appended), Failure> {
    let log = place
        .topic
        .partition(place.index)
        .ok_or((ResponseError::UnknownTopicOrPartition, None))?;
    let settings = log.settings();
    if acks == -1 && settings.min_insync_replicas > 1 {
        let why = "min.insync.replicas asks for more replicas than the one there is";
        return Err((ResponseError::NotEnoughReplicas, Some(why)));
    }
    let records = records.ok_or((ResponseError::InvalidRecord, Some("there are no records")))?;
    let header = validate(&records, head.version, &settings, now_ms())
        .map_err(|(error, why)| (error, Some(why)))?;
    let appended = log
        .append(&records, &header, || {
            place.verify(shared, &header, head.version)
        })
        .map_err(|error| (error, None))?;
    let metrics = &shared.metrics;
    metrics.produced_batches.add(1);
    metrics
        .produced_records
        .add(u64::try_from(header.record_count).unwrap_or(0));
    metrics.produced_bytes.add(records.len() as u64);
    Ok((Arc::clone(log), appended))
}
