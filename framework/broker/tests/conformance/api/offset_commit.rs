use kafka_protocol::ResponseError;
use kafka_protocol::messages::OffsetCommitRequest;

use super::group::{Member, commit_request, committed, when_loaded};
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

/// A commit of a group without members, as tools and simple consumers make it.
pub(crate) fn commit_alone(raw: &mut Raw, version: i16, group: &str, topic: &str, offset: i64) {
    let code = when_loaded(|| {
        let response = raw.call(version, &commit_request(version, group, topic, offset));
        let code = response.topics[0].partitions[0].error_code;
        (code, code)
    });
    ok(code);
}

fn offset(raw: &mut Raw, group: &str, topic: &str) -> i64 {
    let (code, found) = committed(raw, 7, group, Some(&[(topic, 0)]));
    ok(code);
    found[0].1.committed_offset
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("commit");
    let group = target.unique("commit");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, version, &group, &topic.name, 42);
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    let found = &found[0].1;
    assert_eq!(found.committed_offset, 42);
    assert_eq!(found.metadata, Some(string("note")));
    assert_eq!(found.committed_leader_epoch, if version >= 6 { 0 } else { -1 });

    let mut member = Member::alone(target, "commit");
    ok(member.commit(version, &topic.name, 7));
    assert_eq!(offset(&mut member.raw, &member.group, &topic.name), 7);
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("commit");
    let mut member = Member::alone(target, "commit");
    let own = commit_request(version, &member.group, &topic.name, 7)
        .with_member_id(member.id.clone())
        .with_generation_id_or_member_epoch(member.generation);
    let raw = &mut member.raw;
    let mut refused = |request: OffsetCommitRequest, error| {
        let response = raw.call(version, &request);
        fails(response.topics[0].partitions[0].error_code, error);
    };
    refused(
        own.clone().with_generation_id_or_member_epoch(member.generation + 1),
        ResponseError::IllegalGeneration,
    );
    refused(
        own.clone().with_member_id(string("nobody")),
        ResponseError::UnknownMemberId,
    );
    refused(
        commit_request(version, &member.group, &topic.name, 7),
        ResponseError::UnknownMemberId,
    );
    let mut unknown = own.clone();
    unknown.topics[0].partitions[0].partition_index = 7;
    refused(unknown, ResponseError::UnknownTopicOrPartition);
    let mut long = own;
    long.topics[0].partitions[0].committed_metadata = Some(string(&"x".repeat(5_000)));
    refused(long, ResponseError::OffsetMetadataTooLarge);
    assert_eq!(offset(raw, &member.group, &topic.name), -1);
}

/// What is wrong with one partition does not touch the other; offsets may go back, and are
/// kept without a note.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("commit");
    let group = target.unique("commit");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, version, &group, &topic.name, 42);
    let mut request = commit_request(version, &group, &topic.name, 3);
    let mut second = request.topics[0].partitions[0].clone();
    second.partition_index = 9;
    request.topics[0].partitions[0].committed_metadata = None;
    request.topics[0].partitions.push(second);
    let response = raw.call(version, &request);
    let codes = |wanted: i32| {
        let answers = &response.topics[0].partitions;
        answers.iter().find(|answer| answer.partition_index == wanted).unwrap().error_code
    };
    ok(codes(0));
    fails(codes(9), ResponseError::UnknownTopicOrPartition);
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    assert_eq!(found[0].1.committed_offset, 3);
    assert_eq!(found[0].1.metadata, Some(string("")));

    // The group without a name is one, too.
    let mut raw = target.coordinator("");
    commit_alone(&mut raw, version, "", &topic.name, 5);
    assert_eq!(offset(&mut raw, "", &topic.name), 5);
}
