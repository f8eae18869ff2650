//! DescribeConfigs for topics and for the broker.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::config::{BrokerConfig, FlushPolicy};
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topic_config::{self, Definition, Kind, TopicConfigs};
use crate::topics::{Refusal, check_name};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const DYNAMIC_TOPIC: i8 = 1;
const STATIC_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

/// Where the value of a topic's setting comes from.
pub(super) fn source(definition: &Definition, set_on_topic: bool, broker: &BrokerConfig) -> i8 {
    match set_on_topic {
        true => DYNAMIC_TOPIC,
        false if definition.is_set_by_broker(broker) => STATIC_BROKER,
        false => DEFAULT,
    }
}

pub(super) async fn describe_configs(
    shared: &Arc<Shared>,
    caller: &Caller,
    version: i16,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request
        .resources
        .iter()
        .map(|resource| {
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match describe(shared, caller, resource) {
                Ok(mut configs) => {
                    for config in &mut configs {
                        if !request.include_synonyms {
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
            topic_configs(&shared.config, &topic.configs)
        }
        // The empty name asks for the dynamic default of all brokers; there is none.
        BROKER if name.is_empty() => Vec::new(),
        BROKER if name.parse() == Ok(shared.config.node_id) => broker_configs(&shared.config),
        BROKER => {
            return Err((
                ResponseError::InvalidRequest,
                format!("this broker has the id {}", shared.config.node_id),
            ));
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

fn topic_configs(broker: &BrokerConfig, set: &TopicConfigs) -> Vec<DescribeConfigsResourceResult> {
    topic_config::definitions()
        .iter()
        .map(|definition| {
            let own = set.get(definition.name);
            let default = definition.default_value(broker);
            let synonym = |name: &'static str, value: &str, source| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_static_str(name))
                    .with_value(text(value))
                    .with_source(source)
            };
            let mut synonyms = Vec::new();
            if let Some(own) = own {
                synonyms.push(synonym(definition.name, own, DYNAMIC_TOPIC));
            }
            if let Some(broker_name) = definition.broker_name {
                let source = source(definition, false, broker);
                synonyms.push(synonym(broker_name, &default, source));
            }
            DescribeConfigsResourceResult::default()
                .with_name(StrBytes::from_static_str(definition.name))
                .with_value(text(own.cloned().unwrap_or(default)))
                .with_config_source(source(definition, own.is_some(), broker))
                .with_config_type(definition.kind() as i8)
                .with_documentation(Some(StrBytes::from_static_str(definition.documentation)))
                .with_synonyms(synonyms)
        })
        .collect()
}

/// The broker's settings under Kafka's names; none can be changed while it runs.
fn broker_configs(config: &BrokerConfig) -> Vec<DescribeConfigsResourceResult> {
    let millis = |duration: std::time::Duration| duration.as_millis().to_string();
    let flush_ms = match config.flush {
        FlushPolicy::Always => "0".to_owned(),
        FlushPolicy::Interval(interval) => millis(interval),
        FlushPolicy::Os => i64::MAX.to_string(),
    };
    let defaults = BrokerConfig::new(&config.data_dir, config.listen);
    let setting = |name: &'static str, kind: Kind, value: String, default: String| {
        let source = if value == default {
            DEFAULT
        } else {
            STATIC_BROKER
        };
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(text(value.clone()))
            .with_read_only(true)
            .with_config_source(source)
            .with_config_type(kind as i8)
            .with_synonyms(vec![
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_static_str(name))
                    .with_value(text(value))
                    .with_source(source),
            ])
    };
    macro_rules! number {
        ($name:literal, $kind:ident, $field:ident) => {
            setting(
                $name,
                Kind::$kind,
                config.$field.to_string(),
                defaults.$field.to_string(),
            )
        };
    }
    let fixed = |name, kind, value: &str| setting(name, kind, value.to_owned(), value.to_owned());
    vec![
        number!("auto.create.topics.enable", Boolean, auto_create_topics),
        fixed("broker.id", Kind::Int, &config.node_id.to_string()),
        fixed("default.replication.factor", Kind::Int, "1"),
        number!("fetch.max.bytes", Int, max_fetch_bytes),
        setting(
            "group.initial.rebalance.delay.ms",
            Kind::Int,
            millis(config.group_initial_rebalance_delay),
            millis(defaults.group_initial_rebalance_delay),
        ),
        setting(
            "group.max.session.timeout.ms",
            Kind::Int,
            millis(config.group_max_session_timeout),
            millis(defaults.group_max_session_timeout),
        ),
        setting(
            "group.min.session.timeout.ms",
            Kind::Int,
            millis(config.group_min_session_timeout),
            millis(defaults.group_min_session_timeout),
        ),
        setting(
            "log.dirs",
            Kind::String,
            config.data_dir.display().to_string(),
            String::new(),
        ),
        setting(
            "log.flush.interval.ms",
            Kind::Long,
            flush_ms,
            "1000".to_owned(),
        ),
        number!("log.index.interval.bytes", Int, index_interval_bytes),
        number!("log.segment.bytes", Int, segment_bytes),
        number!("max.connections", Int, max_connections),
        number!("message.max.bytes", Int, max_message_bytes),
        fixed("min.insync.replicas", Kind::Int, "1"),
        fixed("node.id", Kind::Int, &config.node_id.to_string()),
        number!("num.partitions", Int, default_partitions),
        number!("offset.metadata.max.bytes", Int, offset_metadata_max_bytes),
        fixed("offsets.topic.replication.factor", Kind::Int, "1"),
        setting(
            "producer.id.expiration.ms",
            Kind::Int,
            millis(config.producer_id_expiry),
            millis(defaults.producer_id_expiry),
        ),
        number!("socket.request.max.bytes", Int, max_request_bytes),
        setting(
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            Kind::Int,
            millis(config.transaction_check_interval),
            millis(defaults.transaction_check_interval),
        ),
        setting(
            "transaction.max.timeout.ms",
            Kind::Int,
            millis(config.transaction_max_timeout),
            millis(defaults.transaction_max_timeout),
        ),
        setting(
            "transactional.id.expiration.ms",
            Kind::Int,
            millis(config.transactional_id_expiry),
            millis(defaults.transactional_id_expiry),
        ),
    ]
}
