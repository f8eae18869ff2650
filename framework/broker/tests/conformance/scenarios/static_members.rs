//! Static members (KIP-345): a process that comes back within its session goes on with what
//! it had, nobody else notices, and of two with one name the earlier is fenced.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    DescribeGroupsRequest, HeartbeatRequest, JoinGroupResponse, LeaveGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::groups::{consumer, fill, partitions, poll_until};
use crate::api::group::{commit_request, join_request, sync_request, when_loaded};
use crate::check::{fails, ok};
use crate::support::{Raw, string};
use crate::target::{PATIENCE, Target, eventually};

const JOIN: i16 = 7;
const SYNC: i16 = 3;

fn join(raw: &mut Raw, group: &str, instance: &str, member: &StrBytes) -> JoinGroupResponse {
    let request = join_request(JOIN, group, member).with_group_instance_id(Some(string(instance)));
    when_loaded(|| {
        let response = raw.call(JOIN, &request);
        (response.error_code, response)
    })
}

fn sync(
    raw: &mut Raw,
    group: &str,
    instance: &str,
    joined: &JoinGroupResponse,
    assignments: &[(&StrBytes, &str)],
) -> (i16, String) {
    let request = sync_request(SYNC, group, joined, assignments)
        .with_group_instance_id(Some(string(instance)));
    let response = raw.call(SYNC, &request);
    let assignment = String::from_utf8(response.assignment.to_vec()).unwrap();
    (response.error_code, assignment)
}

fn heartbeat(raw: &mut Raw, group: &str, instance: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(string(group).into())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(Some(string(instance)));
    raw.call(3, &request).error_code
}

#[test]
fn a_restart_keeps_the_assignment_and_fences_the_old_self() {
    let target = Target::get();
    let topic = target.topic("static");
    let group = target.unique("static");
    let mut raw = target.coordinator(&group);
    let old = join(&mut raw, &group, "a", &StrBytes::default());
    ok(old.error_code);
    assert!(
        old.member_id.starts_with("a-"),
        "it is named after the instance"
    );
    let (code, given) = sync(&mut raw, &group, "a", &old, &[(&old.member_id, "all")]);
    assert_eq!((code, given.as_str()), (0, "all"));

    let mut anew = target.coordinator(&group);
    let new = join(&mut anew, &group, "a", &StrBytes::default());
    ok(new.error_code);
    assert_ne!(new.member_id, old.member_id);
    assert_eq!(
        new.generation_id, old.generation_id,
        "there is no rebalance"
    );
    let (code, given) = sync(&mut anew, &group, "a", &new, &[]);
    assert_eq!((code, given.as_str()), (0, "all"));
    ok(heartbeat(&mut anew, &group, "a", &new));

    let fenced = ResponseError::FencedInstanceId;
    fails(heartbeat(&mut raw, &group, "a", &old), fenced);
    fails(sync(&mut raw, &group, "a", &old, &[]).0, fenced);
    fails(
        join(&mut raw, &group, "a", &old.member_id).error_code,
        fenced,
    );
    let commit = commit_request(7, &group, &topic.name, 1)
        .with_member_id(old.member_id.clone())
        .with_group_instance_id(Some(string("a")))
        .with_generation_id_or_member_epoch(old.generation_id);
    fails(
        raw.call(7, &commit).topics[0].partitions[0].error_code,
        fenced,
    );
    ok(heartbeat(&mut anew, &group, "a", &new));
}

/// It does not leave by itself; an administrator takes it out by its name.
#[test]
fn an_administrator_takes_a_static_member_out() {
    let target = Target::get();
    let group = target.unique("static-out");
    let mut raw = target.coordinator(&group);
    let member = join(&mut raw, &group, "a", &StrBytes::default());
    ok(sync(
        &mut raw,
        &group,
        "a",
        &member,
        &[(&member.member_id, "all")],
    )
    .0);
    let members = |raw: &mut Raw| {
        let request = DescribeGroupsRequest::default().with_groups(vec![string(&group).into()]);
        let group = raw.call(5, &request).groups[0].clone();
        group
            .members
            .iter()
            .map(|member| member.group_instance_id.clone().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(members(&mut raw), ["a"]);
    let leave = |raw: &mut Raw, instance: &str| {
        let named = MemberIdentity::default().with_group_instance_id(Some(string(instance)));
        let request = LeaveGroupRequest::default()
            .with_group_id(string(&group).into())
            .with_members(vec![named]);
        let response = raw.call(3, &request);
        ok(response.error_code);
        response.members[0].error_code
    };
    fails(leave(&mut raw, "b"), ResponseError::UnknownMemberId);
    ok(leave(&mut raw, "a"));
    assert!(members(&mut raw).is_empty());
    fails(
        heartbeat(&mut raw, &group, "a", &member),
        ResponseError::UnknownMemberId,
    );
}

fn named(target: &Target, group: &str, instance: &str) -> BaseConsumer {
    consumer(target, group, &[("group.instance.id", instance)])
}

/// By number; librdkafka's own list would keep its client from closing.
fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = consumer.assignment().unwrap();
    let elements = assignment.elements();
    elements.iter().map(|element| element.partition()).collect()
}

/// librdkafka: while one is away its partitions wait for it, and the other keeps its own
/// without a rebalance.
#[test]
fn a_consumer_that_is_started_again_goes_on_with_its_partitions() {
    let target = Target::get();
    let topic = target.topic_with("static-share", 4, &[]);
    fill(target, &topic, 0..40);
    let group = target.unique("static-share");
    let (first, second) = (named(target, &group, "one"), named(target, &group, "two"));
    let both = [&first, &second];
    for consumer in both {
        consumer.subscribe(&[&topic.name]).unwrap();
    }
    let mut seen = Default::default();
    poll_until(&both, &mut seen, |seen| {
        seen.len() == 40 && partitions(&first) == 2 && partitions(&second) == 2
    });
    second.commit_consumer_state(CommitMode::Sync).unwrap();
    let had = assigned(&second);
    let generation = || {
        let request = DescribeGroupsRequest::default().with_groups(vec![string(&group).into()]);
        let group = target.coordinator(&group).call(5, &request).groups[0].clone();
        let mut members: Vec<_> = group
            .members
            .into_iter()
            .map(|member| (member.group_instance_id, member.member_assignment))
            .collect();
        members.sort();
        members
    };
    let before = generation();
    drop(second);
    let again = named(target, &group, "two");
    again.subscribe(&[&topic.name]).unwrap();
    poll_until(&[&first, &again], &mut seen, |_| partitions(&again) == 2);
    assert_eq!(assigned(&again), had);
    assert_eq!(partitions(&first), 2);
    assert_eq!(generation(), before);
    fill(target, &topic, 40..80);
    poll_until(&[&first, &again], &mut seen, |seen| seen.len() == 80);
}

/// librdkafka: of two with one name the earlier ends with a fatal error.
#[test]
fn a_consumer_whose_name_another_takes_is_fenced() {
    let target = Target::get();
    let topic = target.topic("static-twice");
    fill(target, &topic, 0..5);
    let group = target.unique("static-twice");
    let first = named(target, &group, "same");
    first.subscribe(&[&topic.name]).unwrap();
    let mut seen = Default::default();
    poll_until(&[&first], &mut seen, |seen| seen.len() == 5);
    let second = named(target, &group, "same");
    second.subscribe(&[&topic.name]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let fenced = |client: &BaseConsumer| {
        let fatal = client.client().fatal_error();
        fatal.is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
    };
    while !fenced(&first) {
        assert!(Instant::now() < deadline, "the first is not fenced");
        for consumer in [&first, &second] {
            // The fatal error is an event of the first, too.
            let _event = consumer.poll(Duration::from_millis(20));
        }
    }
    eventually(|| {
        let _event = second.poll(Duration::from_millis(20));
        (partitions(&second) == 1).then_some(())
    });
    assert!(!fenced(&second));
}
