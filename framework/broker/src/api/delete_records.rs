//! DeleteRecords: moves the beginning of partitions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse, TopicName};

use super::code;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};

pub(super) async fn delete_records(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let allowed = shared.check(caller, Operation::Delete, Resource::Topic(&topic.name));
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let outcome = match allowed {
                Ok(()) => delete(shared, &topic.name, asked.partition_index, asked.offset).await,
                Err(error) => Err(error),
            };
            partitions.push(
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(&outcome))
                    .with_low_watermark(outcome.unwrap_or(-1)),
            );
        }
        topics.push(
            DeleteRecordsTopicResult::default()
                .with_name(topic.name)
                .with_partitions(partitions),
        );
    }
    // Whole segments may have become free.
    shared.look_at_retention.notify_one();
    DeleteRecordsResponse::default().with_topics(topics)
}

/// Deletes a partition's records before an offset; returns where it begins then.
async fn delete(
    shared: &Shared,
    topic: &TopicName,
    index: i32,
    offset: i64,
) -> Result<i64, ResponseError> {
    let partition = shared.topics.partition(topic, index);
    let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
    let deleting = tokio::task::spawn_blocking(move || partition.delete_before(offset)).await;
    deleting.unwrap_or_else(|stopped| {
        tracing::error!(error = %stopped, "deleting records did not end");
        Err(ResponseError::KafkaStorageError)
    })
}
