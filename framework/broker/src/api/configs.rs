//! DescribeConfigs for topics and for the broker.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{broker_configs, once, text};
use crate::broker_settings::{BrokerSettings, Source};
use crate::config::BrokerConfig;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topic_config::{self, Definition, TopicConfigs};
use crate::topics::{Refusal, check_name};

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;

/// Checks that the name of a broker resource is this broker's id.
pub(super) fn check_broker_id(config: &BrokerConfig, name: &str) -> Result<(), Refusal> {
    let why = match name.parse::<i32>() {
        Ok(id) if id == config.node_id => return Ok(()),
        Ok(id) => format!(
            "unexpected broker id, expected {}, but received {id}",
            config.node_id
        ),
        Err(_) => format!("node id must be an integer, but it is: {name}"),
    };
    Err((ResponseError::InvalidRequest, why))
}

pub(super) async fn describe_configs(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let synonyms = request.include_synonyms;
    let resources = once(request.resources, |resource| {
        (resource.resource_type, resource.resource_name.clone())
    });
    let results = resources
        .iter()
        .map(|resource| {
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match describe(shared, caller, resource, synonyms) {
                Ok(mut configs) => {
                    for config in &mut configs {
                        if !synonyms {
                            config.synonyms.clear();
                        }
                        if version < 3 || !request.include_documentation {
                            config.documentation = None;
                        }
                    }
                    result.with_configs(configs)
                }
                Err((error, why)) => result
                    .with_error_code(error.code())
                    .with_error_message(text(why)),
            }
        })
        .collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn describe(
    shared: &Shared,
    caller: &Caller,
    resource: &DescribeConfigsResource,
    synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = resource.resource_name.as_str();
    let guarded = match resource.resource_type {
        TOPIC => Resource::Topic(name),
        _ => Resource::Cluster,
    };
    shared
        .check(caller, Operation::DescribeConfigs, guarded)
        .map_err(|error| (error, "these settings are not yours to see".to_owned()))?;
    let mut configs = match resource.resource_type {
        TOPIC => {
            check_name(name)?;
            let topic = shared.topics.by_name(name).ok_or_else(|| {
                (
                    ResponseError::UnknownTopicOrPartition,
                    "the topic is not there".to_owned(),
                )
            })?;
            let broker = shared.topics.broker_settings();
            topic_configs(&shared.config, &broker, &topic.configs, synonyms)
        }
        // The empty name asks for what was set for all brokers.
        BROKER if name.is_empty() => {
            broker_configs::of_all_brokers(&shared.topics.broker_settings().cluster)
        }
        BROKER => {
            check_broker_id(&shared.config, name)?;
            broker_configs::of_this_broker(&shared.config, &shared.topics.broker_settings())
        }
        // The levels of the log are set where the broker is started; none can be named.
        BROKER_LOGGER => {
            check_broker_id(&shared.config, name)?;
            Vec::new()
        }
        _ => {
            return Err((
                ResponseError::InvalidRequest,
                "only topics and the broker have settings here".to_owned(),
            ));
        }
    };
    if let Some(keys) = resource
        .configuration_keys
        .as_ref()
        .filter(|keys| !keys.is_empty())
    {
        configs.retain(|config| keys.contains(&config.name));
    }
    Ok(configs)
}

fn topic_configs(
    config: &BrokerConfig,
    broker: &BrokerSettings,
    set: &TopicConfigs,
    with_synonyms: bool,
) -> Vec<DescribeConfigsResourceResult> {
    topic_config::definitions()
        .iter()
        .map(|definition| {
            let (value, source) = in_force(definition, set, broker, config);
            let synonym = |name: &'static str, value: String, source: Source| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_static_str(name))
                    .with_value(text(value))
                    .with_source(source as i8)
            };
            let mut synonyms = Vec::new();
            if let Some(own) = set.get(definition.name).filter(|_| with_synonyms) {
                synonyms.push(synonym(definition.name, own.clone(), Source::Topic));
            }
            if let Some(broker_name) = definition.broker_name.filter(|_| with_synonyms) {
                for (value, source) in broker.values(definition, config) {
                    synonyms.push(synonym(broker_name, value, source));
                }
            }
            DescribeConfigsResourceResult::default()
                .with_name(StrBytes::from_static_str(definition.name))
                .with_value(text(value))
                .with_config_source(source as i8)
                .with_config_type(definition.kind() as i8)
                .with_documentation(Some(StrBytes::from_static_str(definition.documentation)))
                .with_synonyms(synonyms)
        })
        .collect()
}

/// The value of a topic's setting and where it comes from.
pub(super) fn in_force(
    definition: &Definition,
    set: &TopicConfigs,
    broker: &BrokerSettings,
    config: &BrokerConfig,
) -> (String, Source) {
    match set.get(definition.name) {
        Some(own) => (own.clone(), Source::Topic),
        None => broker.value(definition, config),
    }
}
