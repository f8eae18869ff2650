//! Committed offsets that are deleted, go with their topic or group, or expire.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{DeleteTopicsRequest, OffsetCommitRequest};

use crate::api::delete_groups::delete as delete_group;
use crate::api::group::{Member, commit_request, committed};
use crate::api::offset_commit::commit_alone;
use crate::api::offset_delete::delete as delete_offset;
use crate::check::{fails, ok};
use crate::support::{Raw, name};
use crate::target::{Target, Topic, eventually};

fn offset(raw: &mut Raw, group: &str, topic: &Topic) -> i64 {
    let (code, found) = committed(raw, 7, group, Some(&[(&topic.name, 0)]));
    ok(code);
    found[0].1.committed_offset
}

/// Who asks for a retention, as clients of old do, has it; who does not, keeps the offset.
#[test]
fn an_offset_expires_when_its_committer_says_so() {
    let target = Target::get();
    let topics = [2, 3, 4].map(|version| (version, target.topic("short")));
    let long = target.topic("long");
    let group = target.unique("expires");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &long.name, 7);
    for (version, topic) in &topics {
        let request: OffsetCommitRequest =
            commit_request(*version, &group, &topic.name, 5).with_retention_time_ms(200);
        ok(raw.call(*version, &request).topics[0].partitions[0].error_code);
    }
    for (_, topic) in &topics {
        eventually(|| (offset(&mut raw, &group, topic) == -1).then_some(()));
    }
    assert_eq!(offset(&mut raw, &group, &long), 7);
}

#[test]
fn offsets_go_with_their_topic() {
    let target = Target::get();
    let (gone, kept) = (target.topic("gone"), target.topic("kept"));
    let group = target.unique("topic-gone");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &gone.name, 5);
    commit_alone(&mut raw, 8, &group, &kept.name, 7);
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![name(&gone.name)])
        .with_timeout_ms(10_000);
    ok(target.any().call(5, &request).responses[0].error_code);
    eventually(|| {
        let (_, all) = committed(&mut raw, 7, &group, None);
        let left: Vec<_> = all.iter().map(|(topic, _)| topic.as_str()).collect();
        (left == [kept.name.as_str()]).then_some(())
    });
    assert_eq!(offset(&mut raw, &group, &kept), 7);
}

/// While the group has a member, the offsets of what it reads cannot be deleted; nor can
/// the group.
#[test]
fn what_a_member_reads_is_not_deleted() {
    let target = Target::get();
    let (read, unread) = (target.topic("read"), target.topic("unread"));
    let mut member = Member::reading(target, "in-use", &read.name);
    let group = member.group.clone();
    ok(member.commit(8, &read.name, 5));
    ok(member.commit(8, &unread.name, 7));
    let raw = &mut member.raw;
    let code = |raw: &mut Raw, topic: &Topic| {
        let response = delete_offset(raw, 0, &group, &topic.name, 0);
        ok(response.error_code);
        response.topics[0].partitions[0].error_code
    };
    fails(code(raw, &read), ResponseError::GroupSubscribedToTopic);
    ok(code(raw, &unread));
    assert_eq!(
        (offset(raw, &group, &read), offset(raw, &group, &unread)),
        (5, -1)
    );
    fails(delete_group(raw, 2, &group), ResponseError::NonEmptyGroup);

    ok(member.leave(3));
    let raw = &mut member.raw;
    assert_eq!(
        offset(raw, &group, &read),
        5,
        "an empty group keeps its offsets"
    );
    ok(delete_group(raw, 2, &group));
    assert_eq!(offset(raw, &group, &read), -1);
    fails(delete_group(raw, 2, &group), ResponseError::GroupIdNotFound);
}
