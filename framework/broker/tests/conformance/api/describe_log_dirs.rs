use kafka_protocol::messages::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;

use super::produce::produce;
use crate::batch::Batch;
use crate::check::{Cases, cut_off, ok};
use crate::support::name;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn request(topic: &str, partitions: Vec<i32>) -> DescribeLogDirsRequest {
    let topic = DescribableLogDirTopic::default()
        .with_topic(name(topic))
        .with_partitions(partitions);
    DescribeLogDirsRequest::default().with_topics(Some(vec![topic]))
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("log-dirs");
    let mut raw = target.leader(&topic, 0);
    let batch = Batch::of(&["a"]);
    ok(produce(&mut raw, 9, &topic, 0, &batch).error_code);
    let response = raw.call(version, &request(&topic.name, vec![0]));
    let dir = &response.results[0];
    ok(dir.error_code);
    assert!(dir.log_dir.as_str().starts_with('/'));
    let found = &dir.topics[0].partitions[0];
    assert_eq!(dir.topics[0].name, name(&topic.name));
    assert_eq!(found.partition_size, i64::try_from(batch.bytes().len()).unwrap());
    assert_eq!((found.partition_index, found.offset_lag, found.is_future_key), (0, 0, false));
    if version >= 4 {
        assert!(dir.total_bytes > 0 && dir.usable_bytes > 0);
    }
}

/// What is not here is not listed; only what cannot be read is refused.
fn error(target: &Target, version: i16) {
    let topic = target.topic("log-dirs");
    let mut raw = target.leader(&topic, 0);
    let nowhere = target.unique("nowhere");
    for (topic, partition) in [(nowhere.as_str(), 0), (topic.name.as_str(), 7)] {
        let response = raw.call(version, &request(topic, vec![partition]));
        assert!(response.results.iter().all(|dir| dir.topics.is_empty()));
    }
    cut_off(&mut raw, version, &request(&topic.name, vec![0]));
}

/// Without topics all are described.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("log-dirs");
    let mut raw = target.leader(&topic, 0);
    let all = DescribeLogDirsRequest::default().with_topics(None);
    let response = raw.call(version, &all);
    let mut topics = response.results.iter().flat_map(|dir| &dir.topics);
    assert!(topics.any(|found| found.name == name(&topic.name)));
}
