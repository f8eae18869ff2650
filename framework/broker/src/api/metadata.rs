//! Metadata: brokers, topics and partitions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::once;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topic_config::TopicConfigs;
use crate::topics::{NewTopic, Topic, check_name};

pub(super) async fn metadata(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: MetadataRequest,
) -> MetadataResponse {
    let node = BrokerId(shared.config.node_id);
    let with_operations = request.include_topic_authorized_operations;
    let describe = |topic: &Topic| {
        let mut described = describe(topic, node);
        if with_operations {
            described.topic_authorized_operations =
                shared.operations(caller, Resource::Topic(&topic.name));
        }
        described
    };
    // In version 0 an empty list asks for all topics, later it asks for none.
    let asked = match request.topics {
        Some(topics) if version > 0 || !topics.is_empty() => Some(topics),
        _ => None,
    };
    let topics = match asked {
        None => shared
            .topics
            .all()
            .iter()
            .filter(|topic| shared.may(caller, Operation::Describe, Resource::Topic(&topic.name)))
            .map(|topic| describe(topic))
            .collect(),
        Some(asked) => {
            let create = request.allow_auto_topic_creation && shared.config.auto_create_topics;
            let asked = once(asked, |wanted| (wanted.topic_id, wanted.name.clone()));
            let mut topics = Vec::with_capacity(asked.len());
            for wanted in asked {
                topics.push(match find(shared, caller, &wanted, create).await {
                    Ok(topic) => describe(&topic),
                    Err(error) => MetadataResponseTopic::default()
                        .with_error_code(error.code())
                        .with_topic_id(wanted.topic_id)
                        // Before version 12 the name cannot be absent.
                        .with_name(wanted.name.or((version < 12).then(TopicName::default))),
                });
            }
            topics
        }
    };
    let mut response = MetadataResponse::default()
        .with_brokers(vec![
            MetadataResponseBroker::default()
                .with_node_id(node)
                .with_host(caller.host.clone())
                .with_port(caller.port),
        ])
        .with_cluster_id(Some(StrBytes::from_string(
            shared.topics.cluster_id().to_owned(),
        )))
        .with_controller_id(node)
        .with_topics(topics);
    if request.include_cluster_authorized_operations {
        let cluster = Resource::Cluster;
        response.cluster_authorized_operations =
            match shared.may(caller, Operation::Describe, cluster) {
                true => shared.operations(caller, cluster),
                false => 0,
            };
    }
    response
}

async fn find(
    shared: &Arc<Shared>,
    caller: &Caller,
    wanted: &MetadataRequestTopic,
    create: bool,
) -> Result<Arc<Topic>, ResponseError> {
    let may_describe = |name: &str| {
        let topic = Resource::Topic(name);
        shared.check(caller, Operation::Describe, topic)
    };
    let Some(name) = &wanted.name else {
        let topic = shared.topics.by_id(wanted.topic_id);
        let topic = topic.ok_or(ResponseError::UnknownTopicId)?;
        // An id is no secret, its name is; so says Kafka, and answers with the id alone.
        return may_describe(&topic.name).map(|()| topic);
    };
    may_describe(name)?;
    if let Some(topic) = shared.topics.by_name(name) {
        return Ok(topic);
    }
    check_name(name).map_err(|(error, _)| error)?;
    if !create {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    if !shared.may(caller, Operation::Create, Resource::Cluster) {
        shared.check(caller, Operation::Create, Resource::Topic(name))?;
    }
    let new = NewTopic {
        name: name.to_string(),
        partitions: shared.config.default_partitions,
        configs: TopicConfigs::new(),
    };
    match shared.topics.create(new, &shared.offsets).await {
        Ok(topic) => Ok(topic),
        Err((ResponseError::TopicAlreadyExists, _)) => shared
            .topics
            .by_name(name)
            .ok_or(ResponseError::UnknownTopicOrPartition),
        Err((error, _)) => Err(error),
    }
}

fn describe(topic: &Topic, node: BrokerId) -> MetadataResponseTopic {
    let partitions = (0..)
        .zip(&topic.partitions)
        .map(|(index, _)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(node)
                .with_leader_epoch(0)
                .with_replica_nodes(vec![node])
                .with_isr_nodes(vec![node])
        })
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(topic.name.clone()))
        .with_topic_id(topic.id)
        .with_partitions(partitions)
}
