//! AlterConfigs and IncrementalAlterConfigs: the settings of topics, and those of the broker
//! that topics take as their defaults.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::configs::{BROKER, BROKER_LOGGER, TOPIC, check_broker_id};
use super::text;
use crate::broker_settings::{BrokerSettings, dynamic};
use crate::config::BrokerConfig;
use crate::security::{Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topic_config::{self, Definition, TopicConfigs};
use crate::topics::{Refusal, check_name};

/// What shall become of one setting.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Set(&'a str),
    Delete,
    Append(&'a str),
    Subtract(&'a str),
}

/// What shall become of a resource's settings.
struct Changes<'a> {
    /// Whether settings that are not named go back to their defaults.
    replace: bool,
    changes: Vec<(&'a str, Change<'a>)>,
}

pub(super) async fn alter_configs(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let keys = request
        .resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()));
    let twice = named_twice(keys);
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let set = resource
            .configs
            .iter()
            .map(|config| (config.name.as_str(), 0, config.value.as_deref()));
        let outcome = match changes(set, true) {
            _ if twice.contains(&(resource.resource_type, resource.resource_name.clone())) => {
                Err(invalid("each resource must appear at most once"))
            }
            Err(refusal) => Err(refusal),
            Ok(changes) => {
                let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
                alter(
                    shared,
                    caller,
                    (kind, name),
                    &changes,
                    request.validate_only,
                )
                .await
            }
        };
        let (error_code, message) = answer(outcome);
        responses.push(
            AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(error_code)
                .with_error_message(message),
        );
    }
    AlterConfigsResponse::default().with_responses(responses)
}

pub(super) async fn incremental_alter_configs(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let keys = request
        .resources
        .iter()
        .map(|resource| (resource.resource_type, resource.resource_name.clone()));
    let twice = named_twice(keys);
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let wanted = resource.configs.iter().map(|config| {
            (
                config.name.as_str(),
                config.config_operation,
                config.value.as_deref(),
            )
        });
        let outcome = match changes(wanted, false) {
            _ if twice.contains(&(resource.resource_type, resource.resource_name.clone())) => {
                Err(invalid("each resource must appear at most once"))
            }
            Err(refusal) => Err(refusal),
            Ok(changes) => {
                let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
                alter(
                    shared,
                    caller,
                    (kind, name),
                    &changes,
                    request.validate_only,
                )
                .await
            }
        };
        let (error_code, message) = answer(outcome);
        responses.push(
            IncrementalResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(error_code)
                .with_error_message(message),
        );
    }
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

fn invalid(why: impl Into<String>) -> Refusal {
    (ResponseError::InvalidRequest, why.into())
}

fn invalid_config(why: impl Into<String>) -> Refusal {
    (ResponseError::InvalidConfig, why.into())
}

fn named_twice(keys: impl Iterator<Item = (i8, StrBytes)>) -> HashSet<(i8, StrBytes)> {
    let mut seen = HashSet::new();
    keys.filter(|key| !seen.insert(key.clone())).collect()
}

fn answer(outcome: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err((error, why)) => (error.code(), text(why)),
    }
}

fn changes<'a>(
    wanted: impl Iterator<Item = (&'a str, i8, Option<&'a str>)>,
    replace: bool,
) -> Result<Changes<'a>, Refusal> {
    let mut seen = HashSet::new();
    let mut changes = Vec::new();
    for (name, operation, value) in wanted {
        if !seen.insert(name) {
            return Err(invalid("error due to duplicate config keys"));
        }
        let given =
            || value.ok_or_else(|| invalid(format!("null value not supported for: {name}")));
        let change = match operation {
            0 => Change::Set(given()?),
            1 => Change::Delete,
            2 => Change::Append(given()?),
            3 => Change::Subtract(given()?),
            other => return Err(invalid(format!("unknown operation type {other}"))),
        };
        changes.push((name, change));
    }
    Ok(Changes { replace, changes })
}

async fn alter(
    shared: &Arc<Shared>,
    caller: &Caller,
    (kind, name): (i8, &str),
    changes: &Changes<'_>,
    validate_only: bool,
) -> Result<(), Refusal> {
    let config = &shared.config;
    let guarded = match kind {
        TOPIC => Resource::Topic(name),
        _ => Resource::Cluster,
    };
    shared
        .check(caller, Operation::AlterConfigs, guarded)
        .map_err(|error| (error, "these settings are not yours to alter".to_owned()))?;
    match kind {
        TOPIC => {
            if name.is_empty() {
                return Err(invalid("default topic resources are not allowed"));
            }
            check_name(name)?;
            let change = |now: &TopicConfigs, broker: &BrokerSettings| {
                changed_topic(changes, now, broker, config)
            };
            shared
                .topics
                .alter_configs(name, validate_only, change)
                .await?;
        }
        BROKER => {
            let for_all = name.is_empty();
            if !for_all {
                check_broker_id(config, name)?;
            }
            let change = |now: &BrokerSettings| changed_broker(changes, now, for_all, config);
            shared.topics.alter_broker(validate_only, change).await?;
        }
        BROKER_LOGGER => {
            check_broker_id(config, name)?;
            return match changes.changes.first() {
                Some((logger, _)) => Err(invalid_config(format!(
                    "logger {logger} does not exist: the levels of this broker's log are set where it is started"
                ))),
                None => Ok(()),
            };
        }
        _ => {
            return Err(invalid(format!(
                "resources of type {kind} have no settings here; topics and the broker have"
            )));
        }
    }
    if !validate_only {
        tracing::info!(kind, name, "settings altered");
    }
    Ok(())
}

fn changed_topic(
    changes: &Changes<'_>,
    now: &TopicConfigs,
    broker: &BrokerSettings,
    config: &BrokerConfig,
) -> Result<TopicConfigs, Refusal> {
    let look_up = |name: &str| {
        topic_config::definition(name)
            .ok_or_else(|| invalid_config(format!("unknown topic config name: {name}")))
    };
    let beneath = |definition: &Definition| broker.value(definition, config).0;
    apply(changes, now, look_up, beneath)
}

fn changed_broker(
    changes: &Changes<'_>,
    now: &BrokerSettings,
    for_all: bool,
    config: &BrokerConfig,
) -> Result<BrokerSettings, Refusal> {
    let look_up = |name: &str| {
        dynamic(name).ok_or_else(|| match super::broker_configs::is_fixed(config, name) {
            true => invalid(format!(
                "cannot update these configs dynamically: {name} is set where the broker is started"
            )),
            false => invalid_config(format!("unknown broker config name: {name}")),
        })
    };
    // Kafka calls a wrong value of the broker an invalid request, one of a topic an
    // invalid setting.
    for (name, change) in &changes.changes {
        if let Change::Set(value) = change {
            look_up(name)?.check(value).map_err(invalid)?;
        }
    }
    let mut changed = now.clone();
    if for_all {
        let beneath = |definition: &Definition| definition.default_value(config);
        changed.cluster = apply(changes, &now.cluster, look_up, beneath)?;
    } else {
        let under = BrokerSettings {
            cluster: now.cluster.clone(),
            ..BrokerSettings::default()
        };
        let beneath = |definition: &Definition| under.value(definition, config).0;
        changed.broker = apply(changes, &now.broker, look_up, beneath)?;
    }
    Ok(changed)
}

/// The settings after the changes. `beneath` gives the value that holds where none is set,
/// which lists are added to.
fn apply(
    changes: &Changes<'_>,
    now: &TopicConfigs,
    look_up: impl Fn(&str) -> Result<&'static Definition, Refusal>,
    beneath: impl Fn(&Definition) -> String,
) -> Result<TopicConfigs, Refusal> {
    let mut after = match changes.replace {
        true => TopicConfigs::new(),
        false => now.clone(),
    };
    for (name, change) in &changes.changes {
        let (operation, listed) = match change {
            Change::Set(value) => {
                let definition = look_up(name)?;
                check(name, definition, value)?;
                after.insert((*name).to_owned(), (*value).to_owned());
                continue;
            }
            // What is not set, be it unknown, is gone already.
            Change::Delete => {
                after.remove(*name);
                continue;
            }
            Change::Append(listed) => ("APPEND", listed),
            Change::Subtract(listed) => ("SUBTRACT", listed),
        };
        let definition = look_up(name)?;
        if !definition.is_list() {
            return Err(invalid_config(format!(
                "can't {operation} to key {name} because its type is not LIST"
            )));
        }
        let before = after.get(*name).cloned();
        let before = before.unwrap_or_else(|| beneath(definition));
        let mut items = items(&before);
        for item in self::items(listed) {
            match change {
                Change::Append(_) if !items.contains(&item) => items.push(item),
                Change::Append(_) => {}
                _ => items.retain(|found| *found != item),
            }
        }
        let value = items.join(",");
        check(name, definition, &value)?;
        after.insert((*name).to_owned(), value);
    }
    Ok(after)
}

fn check(name: &str, definition: &Definition, value: &str) -> Result<(), Refusal> {
    definition.check(value).map_err(|why| {
        invalid_config(format!(
            "invalid value {value} for configuration {name}: {why}"
        ))
    })
}

fn items(list: &str) -> Vec<&str> {
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}
