use kafka_protocol::ResponseError;

use super::group::{Member, committed, when_loaded};
use super::txn::Txn;
use crate::check::{Cases, fails, ok};
use crate::support::string;
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn commit(target: &Target, version: i16, txn: &mut Txn, group: &str, topic: &str, offset: i64) -> i16 {
    if version < 5 {
        ok(txn.add_offsets(3, group));
    }
    let mut raw = target.coordinator(group);
    let request = txn.offset_commit_request(version, group, topic, offset);
    when_loaded(|| {
        let response = raw.call(version, &request);
        let code = response.topics[0].partitions[0].error_code;
        let busy = code == ResponseError::ConcurrentTransactions.code();
        let wait = ResponseError::CoordinatorLoadInProgress.code();
        (if busy { wait } else { code }, code)
    })
}

fn offset(target: &Target, group: &str, topic: &str) -> i64 {
    let mut raw = target.coordinator(group);
    let (code, found) = committed(&mut raw, 7, group, Some(&[(topic, 0)]));
    ok(code);
    found[0].1.committed_offset
}

/// The end that goes with a version: since 5 partitions and groups are added unasked.
fn end_version(version: i16) -> i16 {
    match version {
        5.. => 5,
        _ => 4,
    }
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let group = target.unique("group");
    let mut txn = Txn::new(target);
    ok(commit(target, version, &mut txn, &group, &topic.name, 42));
    assert_eq!(offset(target, &group, &topic.name), -1, "not committed yet");
    ok(txn.end(end_version(version), true).error_code);
    eventually(|| (offset(target, &group, &topic.name) == 42).then_some(()));
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut member = Member::alone(target, "tx-group");
    let mut txn = Txn::new(target);
    ok(txn.add_offsets(3, &member.group));
    let raw = &mut member.raw;
    let request = txn.offset_commit_request(version, &member.group, &topic.name, 7);
    if version >= 3 {
        let wrong = request.clone().with_generation_id(member.generation + 1);
        let wrong = wrong.with_member_id(member.id.clone());
        let response = raw.call(version, &wrong);
        fails(response.topics[0].partitions[0].error_code, ResponseError::IllegalGeneration);
        let wrong = request.clone().with_generation_id(member.generation);
        let wrong = wrong.with_member_id(string("nobody"));
        let response = raw.call(version, &wrong);
        fails(response.topics[0].partitions[0].error_code, ResponseError::UnknownMemberId);
    }
    let mut unknown = request.clone();
    unknown.topics[0].partitions[0].partition_index = 7;
    let response = raw.call(version, &unknown);
    fails(response.topics[0].partitions[0].error_code, ResponseError::UnknownTopicOrPartition);
    let mut long = request;
    long.topics[0].partitions[0].committed_metadata = Some(string(&"x".repeat(5_000)));
    let response = raw.call(version, &long);
    fails(response.topics[0].partitions[0].error_code, ResponseError::OffsetMetadataTooLarge);
}

/// What is aborted was never committed, and what was committed before stays.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let group = target.unique("group");
    let mut txn = Txn::new(target);
    ok(commit(target, version, &mut txn, &group, &topic.name, 3));
    ok(txn.end(end_version(version), true).error_code);
    eventually(|| (offset(target, &group, &topic.name) == 3).then_some(()));
    ok(commit(target, version, &mut txn, &group, &topic.name, 9));
    ok(txn.end(end_version(version), false).error_code);
    ok(commit(target, version, &mut txn, &group, &topic.name, 5));
    assert_eq!(offset(target, &group, &topic.name), 3);
    ok(txn.end(end_version(version), true).error_code);
    eventually(|| (offset(target, &group, &topic.name) == 5).then_some(()));
}
