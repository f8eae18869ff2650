use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeTopicPartitionsRequest;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};

use crate::check::{Cases, fails, ok};
use crate::support::name;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(super) fn asked(topics: &[&str]) -> Vec<TopicRequest> {
    let topics = topics.iter();
    topics
        .map(|topic| TopicRequest::default().with_name(name(topic)))
        .collect()
}

fn request(topics: &[&str]) -> DescribeTopicPartitionsRequest {
    DescribeTopicPartitionsRequest::default().with_topics(asked(topics))
}

fn success(target: &Target, version: i16) {
    let topic = target.topic_with("described", 2, &[]);
    let response = target.any().call(version, &request(&[&topic.name]));
    assert!(response.next_cursor.is_none());
    let described = &response.topics[0];
    ok(described.error_code);
    assert_eq!(described.name, Some(name(&topic.name)));
    assert_eq!((described.topic_id, described.is_internal), (topic.id, false));
    assert_eq!(described.partitions.len(), 2);
    for (partition, index) in described.partitions.iter().zip(0..) {
        ok(partition.error_code);
        assert_eq!(partition.partition_index, index);
        assert!(partition.replica_nodes.contains(&partition.leader_id));
        assert!(partition.isr_nodes.contains(&partition.leader_id));
        assert!(partition.leader_epoch >= 0 && partition.offline_replicas.is_empty());
    }
}

fn error(target: &Target, version: i16) {
    let nowhere = target.unique("nowhere");
    for (topic, error) in [
        (nowhere.as_str(), ResponseError::UnknownTopicOrPartition),
        ("not a name", ResponseError::InvalidTopicException),
    ] {
        let response = target.any().call(version, &request(&[topic]));
        fails(response.topics[0].error_code, error);
        assert!(response.topics[0].partitions.is_empty());
    }
}

/// Topics come by name, and what does not fit in comes when it is asked for.
fn edge(target: &Target, version: i16) {
    let one = target.topic_with("page.a", 2, &[]);
    let two = target.topic_with("page.b", 2, &[]);
    let mut raw = target.any();
    let mut page = request(&[&two.name, &one.name]).with_response_partition_limit(3);
    let mut found = Vec::new();
    let mut pages = 0;
    loop {
        let response = raw.call(version, &page);
        for topic in &response.topics {
            let of = topic.name.as_ref().unwrap();
            let indexes = topic.partitions.iter();
            found.extend(indexes.map(|known| (of.to_string(), known.partition_index)));
        }
        pages += 1;
        let Some(next) = response.next_cursor else {
            break;
        };
        let cursor = Cursor::default()
            .with_topic_name(next.topic_name)
            .with_partition_index(next.partition_index);
        page.cursor = Some(cursor);
    }
    let all = [(&one, 0), (&one, 1), (&two, 0), (&two, 1)];
    assert_eq!(found, all.map(|(topic, index)| (topic.name.clone(), index)));
    assert_eq!(pages, 2);
}
