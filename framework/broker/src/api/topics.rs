//! CreateTopics and DeleteTopics.

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{once, text};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topic_config::{self, TopicConfigs};
use crate::topics::{NewTopic, Refusal, Topic};

pub(super) async fn create_topics(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut mentions: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &request.topics {
        *mentions.entry(topic.name.0.clone()).or_default() += 1;
    }
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let twice = mentions.get(&topic.name.0).is_some_and(|count| *count > 1);
        let outcome = match twice {
            true => Err((
                ResponseError::InvalidRequest,
                "the topic is named more than once".to_owned(),
            )),
            false => match may_create(shared, caller, topic) {
                Ok(()) => create(shared, topic, request.validate_only).await,
                Err(refusal) => Err(refusal),
            },
        };
        results.push(creation_result(shared, caller, topic, version, outcome));
    }
    // One answer for a topic, however often it was named.
    let results = once(results, |result| result.name.clone());
    CreateTopicsResponse::default().with_topics(results)
}

fn may_create(shared: &Shared, caller: &Caller, topic: &CreatableTopic) -> Result<(), Refusal> {
    if shared.may(caller, Operation::Create, Resource::Cluster) {
        return Ok(());
    }
    shared
        .check(caller, Operation::Create, Resource::Topic(&topic.name))
        .map_err(|error| (error, "the topic is not yours to create".to_owned()))
}

struct Created {
    id: Uuid,
    partitions: i32,
    configs: TopicConfigs,
}

async fn create(
    shared: &Arc<Shared>,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<Created, Refusal> {
    let new = NewTopic {
        name: topic.name.to_string(),
        partitions: partitions(shared, topic)?,
        configs: topic_config::check_all(
            topic
                .configs
                .iter()
                .map(|config| (config.name.as_str(), config.value.as_deref())),
        )
        .map_err(|why| (ResponseError::InvalidConfig, why))?,
    };
    if validate_only {
        shared.topics.check_new(&new)?;
        return Ok(Created {
            id: Uuid::nil(),
            partitions: new.partitions,
            configs: new.configs,
        });
    }
    let created = shared.topics.create(new, &shared.offsets).await?;
    tracing::info!(topic = %topic.name.as_str(), partitions = created.partitions.len(), "topic created");
    Ok(Created {
        id: created.id,
        partitions: i32::try_from(created.partitions.len()).unwrap_or(i32::MAX),
        configs: created.configs.clone(),
    })
}

/// How many partitions are asked for, by number or by an assignment to the one broker.
fn partitions(shared: &Shared, topic: &CreatableTopic) -> Result<i32, Refusal> {
    let refuse = |error, why: &str| Err((error, why.to_owned()));
    if !topic.assignments.is_empty() {
        if topic.num_partitions != -1 || topic.replication_factor != -1 {
            return refuse(
                ResponseError::InvalidRequest,
                "partitions and replication factor must be -1 beside an assignment",
            );
        }
        let mut indexes: Vec<i32> = Vec::with_capacity(topic.assignments.len());
        for assignment in &topic.assignments {
            let only_us = matches!(
                assignment.broker_ids.as_slice(),
                [broker] if broker.0 == shared.config.node_id
            );
            if !only_us {
                return refuse(
                    ResponseError::InvalidReplicaAssignment,
                    "each partition has one replica, on this broker",
                );
            }
            indexes.push(assignment.partition_index);
        }
        indexes.sort_unstable();
        if !(0..).zip(&indexes).all(|(at, index)| at == *index) {
            return refuse(
                ResponseError::InvalidReplicaAssignment,
                "partitions must be consecutive and begin with 0",
            );
        }
        return Ok(i32::try_from(indexes.len()).unwrap_or(i32::MAX));
    }
    if !matches!(topic.replication_factor, -1 | 1) {
        return refuse(
            ResponseError::InvalidReplicationFactor,
            "there is one broker, so the replication factor is 1",
        );
    }
    match topic.num_partitions {
        -1 => Ok(shared.config.default_partitions),
        count if count > 0 => Ok(count),
        _ => refuse(
            ResponseError::InvalidPartitions,
            "number of partitions must be larger than 0",
        ),
    }
}

fn creation_result(
    shared: &Shared,
    caller: &Caller,
    topic: &CreatableTopic,
    version: i16,
    outcome: Result<Created, Refusal>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    match outcome {
        Ok(created) => {
            let result = result.with_topic_id(created.id);
            if version < 5 {
                return result;
            }
            let resource = Resource::Topic(&topic.name);
            if let Err(error) = shared.check(caller, Operation::DescribeConfigs, resource) {
                return result
                    .with_topic_config_error_code(error.code())
                    .with_num_partitions(-1)
                    .with_replication_factor(-1)
                    .with_configs(Some(Vec::new()));
            }
            let broker = shared.topics.broker_settings();
            let configs = topic_config::definitions()
                .iter()
                .map(|definition| {
                    let set = &created.configs;
                    let (value, source) =
                        super::configs::in_force(definition, set, &broker, &shared.config);
                    CreatableTopicConfigs::default()
                        .with_name(StrBytes::from_static_str(definition.name))
                        .with_value(text(value))
                        .with_config_source(source as i8)
                })
                .collect();
            result
                .with_num_partitions(created.partitions)
                .with_replication_factor(1)
                .with_configs(Some(configs))
        }
        Err((error, why)) => result
            .with_error_code(error.code())
            .with_error_message(text(why))
            .with_num_partitions(-1)
            .with_replication_factor(-1),
    }
}

pub(super) async fn delete_topics(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let named = request.topic_names.into_iter().map(|name| {
        DeleteTopicState::default()
            .with_name(Some(name))
            .with_topic_id(Uuid::nil())
    });
    let wanted: Vec<DeleteTopicState> = match version {
        6.. => request.topics,
        _ => named.collect(),
    };
    let key = |state: &DeleteTopicState| (state.name.clone(), state.topic_id);
    let mut mentions: HashMap<_, usize> = HashMap::new();
    for state in &wanted {
        *mentions.entry(key(state)).or_default() += 1;
    }
    // One answer for a topic, however often it was named.
    let wanted = once(wanted, key);
    let mut responses = Vec::with_capacity(wanted.len());
    for state in wanted {
        let twice = mentions.get(&key(&state)).is_some_and(|count| *count > 1);
        let outcome = match twice {
            true => Err((
                ResponseError::InvalidRequest,
                "the topic is named more than once".to_owned(),
            )),
            false => delete(shared, caller, &state).await,
        };
        let result = DeletableTopicResult::default();
        responses.push(match outcome {
            Ok(topic) => result
                .with_name(Some(topic.name.clone()))
                .with_topic_id(topic.id),
            Err((error, why)) => result
                .with_name(state.name)
                .with_topic_id(state.topic_id)
                .with_error_code(error.code())
                .with_error_message(text(why)),
        });
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

async fn delete(
    shared: &Arc<Shared>,
    caller: &Caller,
    state: &DeleteTopicState,
) -> Result<Arc<Topic>, Refusal> {
    let cluster = shared.may(caller, Operation::Delete, Resource::Cluster);
    let may = |operation, name: &str| {
        if cluster {
            return Ok(());
        }
        shared
            .check(caller, operation, Resource::Topic(name))
            .map_err(|error| (error, "the topic is not yours to delete".to_owned()))
    };
    let unknown = |error| (error, "the topic is not there".to_owned());
    let topic = match &state.name {
        Some(_) if !state.topic_id.is_nil() => {
            return Err((
                ResponseError::InvalidRequest,
                "a topic is named or given by id, not both".to_owned(),
            ));
        }
        Some(name) => {
            // Who may not see it does not learn whether it is there.
            may(Operation::Describe, name)?;
            shared
                .topics
                .by_name(name)
                .ok_or_else(|| unknown(ResponseError::UnknownTopicOrPartition))?
        }
        None => shared
            .topics
            .by_id(state.topic_id)
            .ok_or_else(|| unknown(ResponseError::UnknownTopicId))?,
    };
    may(Operation::Delete, &topic.name)?;
    shared.topics.delete(&topic).await?;
    if let Err(error) = shared.offsets.remove_topic(&topic.name).await {
        tracing::warn!(%error, topic = %topic.name.as_str(), "offsets of a deleted topic remain");
    }
    tracing::info!(topic = %topic.name.as_str(), "topic deleted");
    Ok(topic)
}
