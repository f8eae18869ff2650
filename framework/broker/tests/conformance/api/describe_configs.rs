use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::{DescribeConfigsRequest, MetadataRequest};

use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const DYNAMIC_TOPIC: i8 = 1;
const DEFAULT: i8 = 5;

pub(crate) fn describe(
    raw: &mut Raw,
    version: i16,
    kind: i8,
    resource: &str,
    keys: Option<&[&str]>,
) -> DescribeConfigsResult {
    let keys = keys.map(|keys| keys.iter().map(|key| string(key)).collect());
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(string(resource))
        .with_configuration_keys(keys);
    let request = DescribeConfigsRequest::default()
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3)
        .with_resources(vec![resource]);
    raw.call(version, &request).results.remove(0)
}

fn success(target: &Target, version: i16) {
    let topic = target.topic_with("configs", 1, &[("retention.ms", "7000")]);
    let mut raw = target.any();
    let described = eventually(|| {
        let described = describe(&mut raw, version, TOPIC, &topic.name, None);
        (described.error_code == 0).then_some(described)
    });
    assert_eq!(described.resource_name.as_str(), topic.name);
    let of = |wanted: &str| {
        let found = described.configs.iter().find(|config| config.name.as_str() == wanted);
        found.unwrap_or_else(|| panic!("{wanted} is not described"))
    };
    let set = of("retention.ms");
    assert_eq!(set.value, Some(string("7000")));
    assert_eq!(set.config_source, DYNAMIC_TOPIC);
    assert!(!set.read_only && !set.is_sensitive);
    let synonyms: Vec<_> = set.synonyms.iter().map(|synonym| synonym.name.as_str()).collect();
    assert_eq!(synonyms[0], "retention.ms");
    let default = of("cleanup.policy");
    assert_eq!(default.value, Some(string("delete")));
    assert_eq!(default.config_source, DEFAULT);
    if version >= 3 {
        assert_eq!(set.config_type, 5, "a long");
        assert_eq!(default.config_type, 7, "a list");
        assert!(set.documentation.as_ref().is_some_and(|text| !text.is_empty()));
    }
    for wanted in [
        "compression.type",
        "delete.retention.ms",
        "max.message.bytes",
        "message.timestamp.type",
        "min.insync.replicas",
        "segment.bytes",
    ] {
        of(wanted);
    }
}

fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    let mut refused = |kind, resource: &str, error| {
        let described = describe(&mut raw, version, kind, resource, None);
        fails(described.error_code, error);
        assert!(described.configs.is_empty());
        assert_eq!(described.resource_name.as_str(), resource);
    };
    let nowhere = target.unique("nowhere");
    refused(TOPIC, &nowhere, ResponseError::UnknownTopicOrPartition);
    refused(TOPIC, "not/good", ResponseError::InvalidTopicException);
    refused(BROKER, "99999", ResponseError::InvalidRequest);
    refused(BROKER, "not a number", ResponseError::InvalidRequest);
    refused(99, "x", ResponseError::InvalidRequest);
}

/// Only the settings asked for; the broker's own.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("configs");
    let mut raw = target.any();
    let keys = ["cleanup.policy", "no.such.setting"];
    let described = eventually(|| {
        let described = describe(&mut raw, version, TOPIC, &topic.name, Some(&keys));
        (described.error_code == 0).then_some(described)
    });
    let names: Vec<_> = described.configs.iter().map(|config| config.name.as_str()).collect();
    assert_eq!(names, ["cleanup.policy"]);

    let brokers = raw.call(9, &MetadataRequest::default()).brokers;
    let broker = &brokers[0];
    let address = format!("{}:{}", broker.host.as_str(), broker.port);
    let mut raw = Raw::connect(address.parse().unwrap());
    let described = describe(&mut raw, version, BROKER, &broker.node_id.0.to_string(), None);
    ok(described.error_code);
    let found = described.configs.iter().find(|config| config.name.as_str() == "node.id");
    assert_eq!(found.unwrap().value, Some(string(&broker.node_id.0.to_string())));
    assert!(found.unwrap().read_only);
}
