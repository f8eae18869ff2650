use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};

use crate::support::{Raw, TestBroker, string};

pub(crate) fn describe(
    raw: &mut Raw,
    version: i16,
    kind: i8,
    resource: &str,
    keys: Option<&[&str]>,
) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest::default()
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3)
        .with_resources(vec![
            DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(string(resource))
                .with_configuration_keys(
                    keys.map(|keys| keys.iter().map(|key| string(key)).collect()),
                ),
        ]);
    raw.call(version, &request).results[0].clone()
}

pub(crate) fn named<'a>(
    result: &'a DescribeConfigsResult,
    name: &str,
) -> &'a DescribeConfigsResourceResult {
    result
        .configs
        .iter()
        .find(|config| &*config.name == name)
        .unwrap()
}

#[test]
fn topics_are_described_with_where_each_value_comes_from() {
    let mut test = TestBroker::start_with(|config| config.segment_bytes = 1 << 20);
    test.topic(
        "t",
        1,
        &[("retention.ms", "-1"), ("cleanup.policy", "compact")],
    );
    for _ in 0..2 {
        let mut raw = test.raw();
        for version in 1..=4 {
            let result = describe(&mut raw, version, 2, "t", None);
            assert_eq!(result.error_code, 0);
            assert!(result.configs.len() > 30);
            let set = named(&result, "retention.ms");
            assert_eq!((set.value.as_deref(), set.config_source), (Some("-1"), 1));
            let synonyms: Vec<(&str, Option<&str>, i8)> = set
                .synonyms
                .iter()
                .map(|synonym| (&*synonym.name, synonym.value.as_deref(), synonym.source))
                .collect();
            let wanted = [
                ("retention.ms", Some("-1"), 1),
                ("log.retention.ms", Some("604800000"), 5),
            ];
            assert_eq!(synonyms, wanted);
            let by_broker = named(&result, "segment.bytes");
            assert_eq!(
                (by_broker.value.as_deref(), by_broker.config_source),
                (Some("1048576"), 4)
            );
            let default = named(&result, "max.message.bytes");
            assert_eq!(
                (default.value.as_deref(), default.config_source),
                (Some("1048588"), 5)
            );
            if version >= 3 {
                assert_eq!(named(&result, "cleanup.policy").config_type, 7);
                assert!(set.documentation.is_some());
            }
        }
        let some = describe(&mut raw, 4, 2, "t", Some(&["retention.ms", "nonsense"]));
        assert_eq!(some.configs.len(), 1);
        // Settings outlive a crash.
        test.crash();
        test.start_again();
    }
}

#[test]
fn the_broker_is_described() {
    let test = TestBroker::start_with(|config| config.default_partitions = 7);
    let mut raw = test.raw();
    let result = describe(&mut raw, 4, 4, "1", None);
    let partitions = named(&result, "num.partitions");
    assert_eq!(
        (partitions.value.as_deref(), partitions.config_source),
        (Some("7"), 4)
    );
    assert!(partitions.read_only);
    let limit = named(&result, "message.max.bytes");
    assert_eq!(
        (limit.value.as_deref(), limit.config_source),
        (Some("1048588"), 5)
    );
    assert!(describe(&mut raw, 4, 4, "", None).configs.is_empty());
}

#[test]
fn what_is_not_there_cannot_be_described() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let mut check = |kind, resource, expected: ResponseError| {
        let result = describe(&mut raw, 4, kind, resource, None);
        assert_eq!(result.error_code, expected.code(), "{kind} {resource}");
        assert!(result.error_message.is_some());
    };
    check(2, "nowhere", ResponseError::UnknownTopicOrPartition);
    check(2, "a b", ResponseError::InvalidTopicException);
    check(4, "9", ResponseError::InvalidRequest);
    check(4, "one", ResponseError::InvalidRequest);
    check(8, "9", ResponseError::InvalidRequest);
    check(99, "1", ResponseError::InvalidRequest);
}
