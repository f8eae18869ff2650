use kafka_protocol::ResponseError;
use kafka_protocol::messages::AlterConfigsRequest;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};

use super::describe_configs::{TOPIC, describe};
use crate::check::{Cases, fails, ok};
use crate::support::string;
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn alter(
    target: &Target,
    version: i16,
    kind: i8,
    resource: &str,
    configs: &[(&str, Option<&str>)],
    validate_only: bool,
) -> i16 {
    let configs = configs
        .iter()
        .map(|(key, value)| {
            AlterableConfig::default()
                .with_name(string(key))
                .with_value(value.map(string))
        })
        .collect();
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(string(resource))
        .with_configs(configs);
    let request = AlterConfigsRequest::default()
        .with_validate_only(validate_only)
        .with_resources(vec![resource]);
    target.any().call(version, &request).responses[0].error_code
}

/// Waits until a setting has the value.
fn becomes(target: &Target, topic: &str, key: &str, value: &str) {
    eventually(|| {
        let found = describe(&mut target.any(), 4, TOPIC, topic, Some(&[key]));
        (found.configs[0].value == Some(string(value))).then_some(())
    });
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("alter").name;
    ok(alter(target, version, TOPIC, &topic, &[("retention.ms", Some("7000"))], false));
    becomes(target, &topic, "retention.ms", "7000");
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("alter").name;
    let refused = |kind, resource: &str, key, value, error| {
        let configs = [(key, Some(value))];
        fails(alter(target, version, kind, resource, &configs, false), error);
    };
    let nowhere = target.unique("nowhere");
    refused(TOPIC, &nowhere, "retention.ms", "1", ResponseError::UnknownTopicOrPartition);
    refused(TOPIC, &topic, "retention.ms", "soon", ResponseError::InvalidConfig);
    refused(TOPIC, &topic, "no.such.setting", "1", ResponseError::InvalidConfig);
    refused(99, &topic, "retention.ms", "1", ResponseError::InvalidRequest);
}

/// Only checked; and what is not named goes back to its default.
fn edge(target: &Target, version: i16) {
    let topic = target.topic_with("alter", 1, &[("retention.ms", "7000")]).name;
    let alter = |key, value, only| alter(target, version, TOPIC, &topic, &[(key, value)], only);
    ok(alter("segment.bytes", Some("2000000"), true));
    becomes(target, &topic, "retention.ms", "7000");
    ok(alter("segment.bytes", Some("2000000"), false));
    becomes(target, &topic, "segment.bytes", "2000000");
    becomes(target, &topic, "retention.ms", "604800000");
}
