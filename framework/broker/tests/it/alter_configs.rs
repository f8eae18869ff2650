use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as Whole, AlterableConfig as WholeConfig,
};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{AlterConfigsRequest, IncrementalAlterConfigsRequest};

use crate::configs::{describe, named};
use crate::support::{BatchOf, Raw, TestBroker, string};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource(kind: i8, resource: &str, changes: &[Change<'_>]) -> AlterConfigsResource {
    AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(string(resource))
        .with_configs(
            changes
                .iter()
                .map(|(name, operation, value)| {
                    AlterableConfig::default()
                        .with_name(string(name))
                        .with_config_operation(*operation)
                        .with_value(value.map(string))
                })
                .collect(),
        )
}

fn alter(raw: &mut Raw, version: i16, kind: i8, name: &str, changes: &[Change<'_>]) -> i16 {
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![resource(kind, name, changes)]);
    let response = raw.call(version, &request).responses[0].clone();
    assert_eq!(
        (response.resource_type, &*response.resource_name),
        (kind, name)
    );
    assert_eq!(
        response.error_message.is_some(),
        response.error_code != 0,
        "an error says why"
    );
    response.error_code
}

fn replace(raw: &mut Raw, version: i16, name: &str, set: &[(&str, Option<&str>)]) -> i16 {
    let configs = set
        .iter()
        .map(|(name, value)| {
            WholeConfig::default()
                .with_name(string(name))
                .with_value(value.map(string))
        })
        .collect();
    let request = AlterConfigsRequest::default().with_resources(vec![
        Whole::default()
            .with_resource_type(TOPIC)
            .with_resource_name(string(name))
            .with_configs(configs),
    ]);
    raw.call(version, &request).responses[0].error_code
}

/// The value in force and where it comes from.
fn value(raw: &mut Raw, kind: i8, resource: &str, setting: &str) -> (String, i8) {
    let result = describe(raw, 4, kind, resource, None);
    assert_eq!(result.error_code, 0);
    let found = named(&result, setting);
    (
        found.value.as_ref().unwrap().to_string(),
        found.config_source,
    )
}

#[test]
fn settings_of_a_topic_are_set_added_to_and_taken_back_and_outlive_a_crash() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[("segment.bytes", "2048")]);
    let mut raw = test.raw();
    for version in 0..=1 {
        let set = [
            ("retention.ms", SET, Some("1234")),
            ("cleanup.policy", APPEND, Some("compact")),
            ("segment.bytes", DELETE, None),
            ("flush.ms", DELETE, None),
        ];
        assert_eq!(alter(&mut raw, version, TOPIC, "t", &set), 0);
        for _ in 0..2 {
            let mut get = |setting| value(&mut raw, TOPIC, "t", setting);
            assert_eq!(get("retention.ms"), ("1234".to_owned(), 1));
            assert_eq!(get("cleanup.policy"), ("delete,compact".to_owned(), 1));
            assert_eq!(get("segment.bytes"), ("1073741824".to_owned(), 5));
            test.crash();
            test.start_again();
            raw = test.raw();
        }
        let back = [
            ("retention.ms", DELETE, None),
            ("cleanup.policy", SUBTRACT, Some("delete")),
            ("segment.bytes", SET, Some("2048")),
        ];
        assert_eq!(alter(&mut raw, version, TOPIC, "t", &back), 0);
        let mut get = |setting| value(&mut raw, TOPIC, "t", setting);
        assert_eq!(get("retention.ms"), ("604800000".to_owned(), 5));
        assert_eq!(get("cleanup.policy"), ("compact".to_owned(), 1));
        let reset = [("cleanup.policy", DELETE, None)];
        assert_eq!(alter(&mut raw, version, TOPIC, "t", &reset), 0);
    }
    for version in 0..=2 {
        // The old call names all settings; what it leaves out goes back to its default.
        assert_eq!(
            alter(&mut raw, 1, TOPIC, "t", &[("flush.ms", SET, Some("7"))]),
            0
        );
        let set = [("retention.ms", Some("99"))];
        assert_eq!(replace(&mut raw, version, "t", &set), 0);
        let mut get = |setting| value(&mut raw, TOPIC, "t", setting);
        assert_eq!(get("retention.ms"), ("99".to_owned(), 1));
        assert_eq!(get("flush.ms"), (i64::MAX.to_string(), 5));
        let invalid = ResponseError::InvalidRequest.code();
        assert_eq!(
            replace(&mut raw, version, "t", &[("flush.ms", None)]),
            invalid
        );
        let wrong = ResponseError::InvalidConfig.code();
        assert_eq!(
            replace(&mut raw, version, "t", &[("no.such", Some("1"))]),
            wrong
        );
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(replace(&mut raw, version, "nowhere", &[]), unknown);
    }
}

#[test]
fn a_setting_is_in_force_at_once_for_the_topic_and_through_the_broker() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    test.topic("own", 1, &[("max.message.bytes", "100000")]);
    let mut raw = test.raw();
    let batch = BatchOf::values(&["x".repeat(1_000)]).bytes();
    let too_large = ResponseError::MessageTooLarge.code();
    assert_eq!(raw.produce("t", 0, batch.clone()).error_code, 0);
    let small = [("max.message.bytes", SET, Some("500"))];
    assert_eq!(alter(&mut raw, 1, TOPIC, "t", &small), 0);
    assert_eq!(raw.produce("t", 0, batch.clone()).error_code, too_large);
    let back = [("max.message.bytes", DELETE, None)];
    assert_eq!(alter(&mut raw, 1, TOPIC, "t", &back), 0);
    assert_eq!(raw.produce("t", 0, batch.clone()).error_code, 0);

    // The broker's settings are what a topic takes that has none of its own.
    let small = [("message.max.bytes", SET, Some("600"))];
    assert_eq!(alter(&mut raw, 1, BROKER, "", &small), 0);
    let smaller = [("message.max.bytes", SET, Some("500"))];
    assert_eq!(alter(&mut raw, 1, BROKER, "1", &smaller), 0);
    for _ in 0..2 {
        assert_eq!(raw.produce("t", 0, batch.clone()).error_code, too_large);
        assert_eq!(raw.produce("own", 0, batch.clone()).error_code, 0);
        let described = describe(&mut raw, 4, TOPIC, "t", Some(&["max.message.bytes"]));
        let synonyms: Vec<(String, i8)> = described.configs[0]
            .synonyms
            .iter()
            .map(|found| (found.value.as_ref().unwrap().to_string(), found.source))
            .collect();
        let wanted = [("500", 2), ("600", 3), ("1048588", 5)];
        assert_eq!(
            synonyms,
            wanted.map(|(value, source)| (value.to_owned(), source))
        );
        assert_eq!(
            value(&mut raw, BROKER, "1", "message.max.bytes"),
            ("500".to_owned(), 2)
        );
        assert_eq!(
            value(&mut raw, BROKER, "", "message.max.bytes"),
            ("600".to_owned(), 3)
        );
        test.stop();
        test.start_again();
        raw = test.raw();
    }
    for name in ["", "1"] {
        let back = [("message.max.bytes", DELETE, None)];
        assert_eq!(alter(&mut raw, 1, BROKER, name, &back), 0);
    }
    assert_eq!(raw.produce("t", 0, batch).error_code, 0);
    assert!(describe(&mut raw, 4, BROKER, "", None).configs.is_empty());
}

#[test]
fn what_cannot_be_altered_is_refused_and_nothing_changes() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    use ResponseError::{
        InvalidConfig, InvalidRequest, InvalidTopicException, UnknownTopicOrPartition,
    };
    let set = |name, value| (name, SET, Some(value));
    let cases: &[(i8, &str, &[Change<'_>], ResponseError)] = &[
        (TOPIC, "nowhere", &[], UnknownTopicOrPartition),
        (TOPIC, "a b", &[], InvalidTopicException),
        (TOPIC, "", &[], InvalidRequest),
        (TOPIC, "t", &[set("no.such", "1")], InvalidConfig),
        (TOPIC, "t", &[set("retention.ms", "soon")], InvalidConfig),
        (
            TOPIC,
            "t",
            &[set("flush.ms", "1"), set("retention.ms", "-9")],
            InvalidConfig,
        ),
        (TOPIC, "t", &[("flush.ms", SET, None)], InvalidRequest),
        (TOPIC, "t", &[("flush.ms", 9, Some("1"))], InvalidRequest),
        (
            TOPIC,
            "t",
            &[set("flush.ms", "1"), set("flush.ms", "2")],
            InvalidRequest,
        ),
        (
            TOPIC,
            "t",
            &[("flush.ms", APPEND, Some("1"))],
            InvalidConfig,
        ),
        (
            TOPIC,
            "t",
            &[("flush.ms", SUBTRACT, Some("1"))],
            InvalidConfig,
        ),
        (
            TOPIC,
            "t",
            &[("cleanup.policy", APPEND, Some("shred"))],
            InvalidConfig,
        ),
        (BROKER, "9", &[set("log.retention.ms", "1")], InvalidRequest),
        (
            BROKER,
            "one",
            &[set("log.retention.ms", "1")],
            InvalidRequest,
        ),
        (BROKER, "1", &[set("num.partitions", "3")], InvalidRequest),
        (BROKER, "", &[set("node.id", "3")], InvalidRequest),
        (
            BROKER,
            "1",
            &[set("log.flush.interval.ms", "3")],
            InvalidRequest,
        ),
        (BROKER, "1", &[set("no.such", "3")], InvalidConfig),
        (
            BROKER,
            "1",
            &[set("log.retention.ms", "soon")],
            InvalidRequest,
        ),
        (LOGGER, "1", &[set("kafka.server", "DEBUG")], InvalidConfig),
        (LOGGER, "9", &[set("kafka.server", "DEBUG")], InvalidRequest),
        (16, "metrics", &[set("interval.ms", "1")], InvalidRequest),
        (99, "x", &[], InvalidRequest),
    ];
    for (kind, name, changes, expected) in cases {
        for version in 0..=1 {
            let code = alter(&mut raw, version, *kind, name, changes);
            assert_eq!(code, expected.code(), "{kind} {name} {changes:?}");
        }
    }
    assert_eq!(value(&mut raw, TOPIC, "t", "flush.ms").1, 5);

    let twice = resource(TOPIC, "t", &[("flush.ms", SET, Some("1"))]);
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![twice.clone(), twice.clone()]);
    let response = raw.call(1, &request);
    assert!(
        response
            .responses
            .iter()
            .all(|r| r.error_code == InvalidRequest.code())
    );
    // A trial run says what would happen and does nothing.
    let trial = IncrementalAlterConfigsRequest::default()
        .with_validate_only(true)
        .with_resources(vec![
            twice,
            resource(TOPIC, "nowhere", &[]),
            resource(BROKER, "1", &[("log.retention.ms", SET, Some("5"))]),
        ]);
    let codes: Vec<i16> = raw
        .call(1, &trial)
        .responses
        .iter()
        .map(|r| r.error_code)
        .collect();
    assert_eq!(codes, [0, UnknownTopicOrPartition.code(), 0]);
    assert_eq!(value(&mut raw, TOPIC, "t", "flush.ms").1, 5);
    assert_eq!(value(&mut raw, BROKER, "1", "log.retention.ms").1, 5);
}
