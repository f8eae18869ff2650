//! DescribeCluster, DescribeTopicPartitions and DescribeClientQuotas.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClientQuotasRequest, DescribeClientQuotasResponse, DescribeClusterRequest,
    DescribeClusterResponse, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topics::check_name;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;
/// Partitions in one answer at most (`max.request.partition.size.limit`).
const MAX_PARTITIONS: usize = 2_000;
/// The kinds of entities that Kafka has quotas for.
const QUOTA_ENTITIES: [&str; 3] = ["user", "client-id", "ip"];

pub(super) async fn describe_cluster(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let refuse = |error: ResponseError, why| {
        DescribeClusterResponse::default()
            .with_error_code(error.code())
            .with_error_message(text(why))
            .with_endpoint_type(request.endpoint_type)
    };
    match request.endpoint_type {
        _ if version < 1 => {}
        BROKERS => {}
        CONTROLLERS => {
            return refuse(
                ResponseError::MismatchedEndpointType,
                "the request was sent to a broker, and asks for controllers",
            );
        }
        _ => {
            return refuse(
                ResponseError::UnsupportedEndpointType,
                "the endpoint type is unknown",
            );
        }
    }
    let node = BrokerId(shared.config.node_id);
    let response = DescribeClusterResponse::default()
        .with_error_message(None)
        .with_cluster_id(StrBytes::from_string(shared.topics.cluster_id().to_owned()))
        .with_controller_id(node)
        .with_brokers(vec![
            DescribeClusterBroker::default()
                .with_broker_id(node)
                .with_host(caller.host.clone())
                .with_port(caller.port)
                .with_rack(None),
        ]);
    let cluster = Resource::Cluster;
    match request.include_cluster_authorized_operations {
        true => response.with_cluster_authorized_operations(
            match shared.may(caller, Operation::Describe, cluster) {
                true => shared.operations(caller, cluster),
                false => 0,
            },
        ),
        false => response,
    }
}

pub(super) async fn describe_topic_partitions(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let check = |name: &str| shared.check(caller, Operation::Describe, Resource::Topic(name));
    let mut names: BTreeSet<TopicName> = match request.topics.is_empty() {
        true => shared
            .topics
            .all()
            .iter()
            .filter(|topic| check(&topic.name).is_ok())
            .map(|topic| topic.name.clone())
            .collect(),
        false => request.topics.into_iter().map(|topic| topic.name).collect(),
    };
    let (first, mut from) = match request.cursor {
        Some(cursor) => (cursor.topic_name, cursor.partition_index),
        None => (TopicName::default(), 0),
    };
    names.retain(|name| *name >= first);
    let mut left = usize::try_from(request.response_partition_limit)
        .unwrap_or(1)
        .clamp(1, MAX_PARTITIONS);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        if name != first {
            from = 0;
        }
        if left == 0 {
            response.next_cursor = Some(cursor(name, from));
            break;
        }
        let described =
            DescribeTopicPartitionsResponseTopic::default().with_name(Some(name.clone()));
        let found = check(&name).and_then(|()| {
            shared.topics.by_name(&name).ok_or_else(|| {
                let checked = check_name(&name);
                checked.map_or_else(
                    |(error, _)| error,
                    |()| ResponseError::UnknownTopicOrPartition,
                )
            })
        });
        let topic = match found {
            Ok(topic) => topic,
            Err(error) => {
                let described = described.with_error_code(error.code());
                response.topics.push(described);
                continue;
            }
        };
        let node = BrokerId(shared.config.node_id);
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let until = count.min(from.saturating_add(i32::try_from(left).unwrap_or(i32::MAX)));
        let partitions: Vec<_> = (from.max(0)..until)
            .map(|index| {
                DescribeTopicPartitionsResponsePartition::default()
                    .with_partition_index(index)
                    .with_leader_id(node)
                    .with_leader_epoch(crate::log::LEADER_EPOCH)
                    .with_replica_nodes(vec![node])
                    .with_isr_nodes(vec![node])
                    .with_eligible_leader_replicas(Some(Vec::new()))
                    .with_last_known_elr(Some(Vec::new()))
            })
            .collect();
        left -= partitions.len().min(left);
        response.topics.push(
            described
                .with_topic_id(topic.id)
                .with_partitions(partitions)
                .with_topic_authorized_operations(
                    shared.operations(caller, Resource::Topic(&topic.name)),
                ),
        );
        if until < count {
            response.next_cursor = Some(cursor(name, until));
            break;
        }
    }
    response
}

fn cursor(topic: TopicName, partition: i32) -> Cursor {
    Cursor::default()
        .with_topic_name(topic)
        .with_partition_index(partition)
}

/// There are no quotas: whoever asks for those of a known kind of entity gets none.
pub(super) async fn describe_client_quotas(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let response = DescribeClientQuotasResponse::default().with_error_message(None);
    let refuse = |error: ResponseError, why: String| {
        response
            .clone()
            .with_error_code(error.code())
            .with_error_message(text(why))
            .with_entries(None)
    };
    let cluster = Resource::Cluster;
    if let Err(error) = shared.check(caller, Operation::DescribeConfigs, cluster) {
        return refuse(error, "the quotas are not yours to see".to_owned());
    }
    let mut seen = BTreeSet::new();
    for component in &request.components {
        let entity = component.entity_type.as_str();
        if entity.is_empty() || !seen.insert(entity) {
            return refuse(
                ResponseError::InvalidRequest,
                format!("entity type '{entity}' is empty or named more than once"),
            );
        }
        if !QUOTA_ENTITIES.contains(&entity) {
            return refuse(
                ResponseError::UnsupportedVersion,
                format!("custom entity type '{entity}' not supported"),
            );
        }
        let needs_name = component.match_type == 0;
        if !(0..=2).contains(&component.match_type) || needs_name != component._match.is_some() {
            return refuse(
                ResponseError::InvalidRequest,
                "a match is by name (0), the default (1) or any name (2)".to_owned(),
            );
        }
    }
    response.with_entries(Some(Vec::new()))
}
