use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use uuid::Uuid;

use crate::check::{Cases, fails, ok};
use crate::support::name;
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn delete(target: &Target, version: i16, topics: &[&str]) -> Vec<DeletableTopicResult> {
    let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
    let request = match version {
        6.. => request.with_topics(
            topics
                .iter()
                .map(|topic| DeleteTopicState::default().with_name(Some(name(topic))))
                .collect(),
        ),
        _ => request.with_topic_names(topics.iter().map(|topic| name(topic)).collect()),
    };
    target.any().call(version, &request).responses
}

fn delete_by(target: &Target, version: i16, state: DeleteTopicState) -> DeletableTopicResult {
    let request = DeleteTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![state]);
    target.any().call(version, &request).responses.remove(0)
}

fn gone(target: &Target, topic: &str) {
    let request = kafka_protocol::messages::MetadataRequest::default()
        .with_allow_auto_topic_creation(false)
        .with_topics(Some(vec![
            MetadataRequestTopic::default().with_name(Some(name(topic))),
        ]));
    eventually(|| {
        let found = target.any().call(9, &request).topics[0].error_code;
        (found == ResponseError::UnknownTopicOrPartition.code()).then_some(())
    });
}

fn success(target: &Target, version: i16) {
    let topic = target.topic_with("delete", 2, &[]);
    let deleted = delete(target, version, &[&topic.name]).remove(0);
    ok(deleted.error_code);
    assert_eq!(deleted.name, Some(name(&topic.name)));
    gone(target, &topic.name);
    let longest = format!("{:x<249}", target.unique("delete"));
    ok(target.any().create_topic(&longest, 2, &[]));
    ok(delete(target, version, &[&longest])[0].error_code);
    gone(target, &longest);
    if version >= 6 {
        let topic = target.topic("delete");
        let by_id = DeleteTopicState::default().with_name(None).with_topic_id(topic.id);
        let deleted = delete_by(target, version, by_id);
        ok(deleted.error_code);
        assert_eq!((deleted.name, deleted.topic_id), (Some(name(&topic.name)), topic.id));
        gone(target, &topic.name);
    }
}

fn error(target: &Target, version: i16) {
    let nowhere = target.unique("nowhere");
    let deleted = delete(target, version, &[&nowhere]).remove(0);
    fails(deleted.error_code, ResponseError::UnknownTopicOrPartition);
    assert_eq!(deleted.name, Some(name(&nowhere)));
    if version >= 6 {
        let id = Uuid::from_u128(0x1234_5678_1234_5678_1234_5678_1234_5678);
        let by_id = DeleteTopicState::default().with_name(None).with_topic_id(id);
        fails(delete_by(target, version, by_id).error_code, ResponseError::UnknownTopicId);
    }
}

/// A topic that is named twice stays; one of two is not there; a name that has been deleted
/// can be used again, for another topic.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("delete");
    let twice = delete(target, version, &[&topic.name, &topic.name]);
    assert_eq!(twice.len(), 1);
    fails(twice[0].error_code, ResponseError::InvalidRequest);
    assert_eq!(twice[0].name, Some(name(&topic.name)));
    let nowhere = target.unique("nowhere");
    let deleted = delete(target, version, &[&nowhere, &topic.name]);
    let code = |wanted: &str| {
        let found = deleted.iter().find(|found| found.name == Some(name(wanted)));
        found.unwrap().error_code
    };
    ok(code(&topic.name));
    fails(code(&nowhere), ResponseError::UnknownTopicOrPartition);
    gone(target, &topic.name);
    let created = target.any().create_topic(&topic.name, 1, &[]);
    ok(created);
    if version >= 6 {
        let old = DeleteTopicState::default().with_name(None).with_topic_id(topic.id);
        fails(delete_by(target, version, old).error_code, ResponseError::UnknownTopicId);
    }
    ok(delete(target, version, &[&topic.name])[0].error_code);
}
