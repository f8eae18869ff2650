//! What a short request may not make long: its answer, and the headers it comes with.

use std::io::Write;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeGroupsRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, MetadataRequest, OffsetFetchRequest,
};

use crate::fault_support::commit;
use crate::support::{TestBroker, name, string};
use crate::txn_support::Tx;

#[test]
fn what_is_asked_for_many_times_is_answered_once() {
    const TIMES: usize = 50;
    let test = TestBroker::start();
    test.topic("t", 1, &[("retention.ms", "5000")]);
    let mut raw = test.raw();
    assert_eq!(commit(&mut raw, "g", 7), 0);
    let mut tx = Tx::start(&test, "tx");
    tx.write("t", 0, &["v"]);

    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(string("t"))
        .with_configuration_keys(None);
    for synonyms in [false, true] {
        let request = DescribeConfigsRequest::default()
            .with_include_synonyms(synonyms)
            .with_resources(vec![resource.clone(); TIMES]);
        let results = raw.call(4, &request).results;
        assert_eq!(results.len(), 1);
        let mut configs = results[0].configs.iter();
        let own = configs.find(|config| &*config.name == "retention.ms");
        assert_eq!(own.unwrap().synonyms.is_empty(), !synonyms);
    }

    let request = DescribeGroupsRequest::default().with_groups(vec![string("g").into(); TIMES]);
    assert_eq!(raw.call(5, &request).groups.len(), 1);

    let topics = OffsetFetchRequestTopics::default()
        .with_name(name("t"))
        .with_partition_indexes(vec![0; TIMES]);
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(string("g").into())
        .with_topics(Some(vec![topics; TIMES]));
    let request = OffsetFetchRequest::default().with_groups(vec![group; TIMES]);
    let groups = raw.call(8, &request).groups;
    assert_eq!(groups.len(), 1);
    let answers: Vec<i64> = groups[0]
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|partition| partition.committed_offset)
        .collect();
    assert_eq!(answers, [7]);

    let topic = TopicRequest::default()
        .with_name(name("t"))
        .with_partition_indexes(vec![0; TIMES]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic; TIMES]);
    let topics = raw.call(0, &request).topics;
    let answers = topics.iter().flat_map(|topic| &topic.partitions);
    assert_eq!(answers.count(), 1);

    let ids = vec![string("tx").into(); TIMES];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    assert_eq!(raw.call(0, &request).transaction_states.len(), 1);

    let topic = MetadataRequestTopic::default().with_name(Some(name("t")));
    let request = MetadataRequest::default().with_topics(Some(vec![topic; TIMES]));
    assert_eq!(raw.call(9, &request).topics.len(), 1);
}

#[test]
fn a_header_of_many_tagged_fields_closes_the_connection() {
    let test = TestBroker::start();
    for (fields, fits) in [(3u8, true), (100, false)] {
        let mut raw = test.raw();
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let mut frame = raw.frame(9, &request);
        // Length, API key, version, correlation id, and the client id "raw".
        let at = 4 + 8 + 2 + 3;
        assert_eq!(frame[at], 0, "no tagged fields yet");
        frame[at] = fields;
        let tagged: Vec<u8> = (0..fields).flat_map(|tag| [tag, 0]).collect();
        frame.splice(at + 1..at + 1, tagged);
        let len = (frame.len() - 4) as i32;
        frame[..4].copy_from_slice(&len.to_be_bytes());
        raw.stream.write_all(&frame).unwrap();
        match fits {
            true => drop(raw.receive::<MetadataRequest>(9)),
            false => assert!(raw.is_closed()),
        }
    }
}
