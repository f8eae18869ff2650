use kafka_protocol::ResponseError;
use kafka_protocol::messages::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;

use super::produce::produce;
use crate::batch::Batch;
use crate::check::{Cases, fails, ok};
use crate::support::name;
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn grow(target: &Target, version: i16, topic: &str, count: i32, validate_only: bool) -> i16 {
    let topic = CreatePartitionsTopic::default()
        .with_name(name(topic))
        .with_count(count)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default()
        .with_timeout_ms(10_000)
        .with_validate_only(validate_only)
        .with_topics(vec![topic]);
    target.any().call(version, &request).results[0].error_code
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("grow");
    ok(grow(target, version, &topic.name, 3, false));
    eventually(|| {
        let mut raw = target.leader(&topic, 2);
        let code = produce(&mut raw, 9, &topic, 2, &Batch::of(&["a"])).error_code;
        (code == 0).then_some(())
    });
}

fn error(target: &Target, version: i16) {
    let topic = target.topic_with("grow", 2, &[]);
    for count in [2, 1, 0, -1] {
        let code = grow(target, version, &topic.name, count, false);
        fails(code, ResponseError::InvalidPartitions);
    }
    let nowhere = target.unique("nowhere");
    let code = grow(target, version, &nowhere, 3, false);
    fails(code, ResponseError::UnknownTopicOrPartition);
}

/// Only checked, nothing changes.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("grow");
    ok(grow(target, version, &topic.name, 2, true));
    ok(grow(target, version, &topic.name, 2, false));
    fails(
        grow(target, version, &topic.name, 2, true),
        ResponseError::InvalidPartitions,
    );
}
