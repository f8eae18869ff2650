use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeProducersRequest;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::PartitionResponse;

use super::init_producer_id::init;
use super::produce::produce;
use super::txn::Txn;
use crate::batch::Batch;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn describe(raw: &mut Raw, version: i16, topic: &str, partition: i32) -> PartitionResponse {
    let topic = TopicRequest::default()
        .with_name(name(topic))
        .with_partition_indexes(vec![partition]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    raw.call(version, &request).topics[0].partitions[0].clone()
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("producers");
    let mut raw = target.leader(&topic, 0);
    let id = init(&mut target.any(), 4).producer_id.0;
    let batch = Batch::of(&["a", "b"]).by(id, 0, 0);
    ok(produce(&mut raw, 9, &topic, 0, &batch).error_code);
    let found = describe(&mut raw, version, &topic.name, 0);
    ok(found.error_code);
    assert_eq!(found.active_producers.len(), 1);
    let only = &found.active_producers[0];
    assert_eq!((only.producer_id.0, only.producer_epoch), (id, 0));
    assert_eq!((only.last_sequence, only.current_txn_start_offset), (1, -1));
    assert!(only.last_timestamp > 0);
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("producers");
    let mut raw = target.leader(&topic, 0);
    let nowhere = target.unique("nowhere");
    for (topic, partition) in [(nowhere.as_str(), 0), (topic.name.as_str(), 7)] {
        let found = describe(&mut raw, version, topic, partition);
        fails(found.error_code, ResponseError::UnknownTopicOrPartition);
        assert!(found.active_producers.is_empty());
    }
}

/// An open transaction shows where it begins.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("producers");
    let mut raw = target.leader(&topic, 0);
    assert!(describe(&mut raw, version, &topic.name, 0).active_producers.is_empty());
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["first"])).error_code);
    let mut txn = Txn::new(target);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    ok(txn.produce(&mut raw, &topic, 0, "a", 0));
    let found = describe(&mut raw, version, &topic.name, 0);
    let only = &found.active_producers[0];
    assert_eq!((only.producer_id.0, only.current_txn_start_offset), (txn.producer_id, 1));
}
