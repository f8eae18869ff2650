use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::groups::{join_request, sync_request};
use crate::support::{Raw, TestBroker, name, string};

fn named(instance: &str, member: &StrBytes) -> JoinGroupRequest {
    join_request(member, &["range"]).with_group_instance_id(Some(string(instance)))
}

fn heartbeat(raw: &mut Raw, instance: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(string("g").into())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_group_instance_id(Some(string(instance)));
    raw.call(4, &request).error_code
}

fn sync(
    raw: &mut Raw,
    instance: &str,
    joined: &JoinGroupResponse,
    assignments: &[(&StrBytes, &str)],
) -> (i16, String) {
    let request = sync_request(joined, assignments).with_group_instance_id(Some(string(instance)));
    let response = raw.call(5, &request);
    let assignment = String::from_utf8(response.assignment.to_vec()).unwrap();
    (response.error_code, assignment)
}

fn leave(raw: &mut Raw, version: i16, member: &StrBytes, instance: Option<&str>) -> i16 {
    let request = LeaveGroupRequest::default()
        .with_group_id(string("g").into())
        .with_members(vec![
            MemberIdentity::default()
                .with_member_id(member.clone())
                .with_group_instance_id(instance.map(string)),
        ]);
    let response = raw.call(version, &request);
    assert_eq!(response.error_code, 0);
    response.members[0].error_code
}

fn state(raw: &mut Raw) -> String {
    let request = DescribeGroupsRequest::default().with_groups(vec![string("g").into()]);
    raw.call(5, &request).groups[0].group_state.to_string()
}

/// Two static members, "a" that leads and "b", each with its half.
fn pair(one: &mut Raw, two: &mut Raw, version: i16) -> (JoinGroupResponse, JoinGroupResponse) {
    let nobody = StrBytes::default();
    one.send(version, &named("a", &nobody));
    std::thread::sleep(Duration::from_millis(10));
    two.send(version, &named("b", &nobody));
    let leader = one.receive::<JoinGroupRequest>(version).1;
    let follower = two.receive::<JoinGroupRequest>(version).1;
    assert_eq!((leader.error_code, follower.error_code), (0, 0));
    assert!(
        leader.member_id.starts_with("a-"),
        "named after the instance"
    );
    let instances: Vec<_> = leader
        .members
        .iter()
        .map(|member| member.group_instance_id.as_deref().unwrap())
        .collect();
    assert_eq!(instances, ["a", "b"]);
    let halves = [
        (&leader.member_id, "half"),
        (&follower.member_id, "other half"),
    ];
    assert_eq!(sync(one, "a", &leader, &halves), (0, "half".to_owned()));
    assert_eq!(sync(two, "b", &follower, &[]), (0, "other half".to_owned()));
    (leader, follower)
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_its_old_self_is_fenced() {
    for version in 5..=9 {
        let mut test = TestBroker::start();
        test.topic("t", 1, &[]);
        let (mut one, mut two) = (test.raw(), test.raw());
        let (leader, follower) = pair(&mut one, &mut two, version);
        // The follower's process is started anew.
        let mut anew = test.raw();
        let again = anew.call(version, &named("b", &StrBytes::default()));
        assert_eq!(
            (again.error_code, again.generation_id),
            (0, leader.generation_id)
        );
        assert_ne!(again.member_id, follower.member_id);
        assert_eq!(
            (&again.leader, again.skip_assignment),
            (&leader.member_id, false)
        );
        assert_eq!(
            sync(&mut anew, "b", &again, &[]),
            (0, "other half".to_owned())
        );
        assert_eq!(
            heartbeat(&mut one, "a", &leader),
            0,
            "nobody else has noticed"
        );

        let fenced = ResponseError::FencedInstanceId.code();
        assert_eq!(heartbeat(&mut two, "b", &follower), fenced);
        assert_eq!(sync(&mut two, "b", &follower, &[]).0, fenced);
        assert_eq!(
            two.call(version, &named("b", &follower.member_id))
                .error_code,
            fenced
        );
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(1);
        let commit = |joined: &JoinGroupResponse| {
            OffsetCommitRequest::default()
                .with_group_id(string("g").into())
                .with_generation_id_or_member_epoch(joined.generation_id)
                .with_member_id(joined.member_id.clone())
                .with_group_instance_id(Some(string("b")))
                .with_topics(vec![
                    OffsetCommitRequestTopic::default()
                        .with_name(name("t"))
                        .with_partitions(vec![partition.clone()]),
                ])
        };
        let refused = two.call(7, &commit(&follower));
        assert_eq!(refused.topics[0].partitions[0].error_code, fenced);
        let stored = anew.call(7, &commit(&again));
        assert_eq!(stored.topics[0].partitions[0].error_code, 0);
        for leave_version in 3..=5 {
            let code = leave(&mut two, leave_version, &follower.member_id, Some("b"));
            assert_eq!(code, fenced);
        }
        let unknown = ResponseError::UnknownMemberId.code();
        assert_eq!(heartbeat(&mut two, "stranger", &follower), unknown);

        // All of it outlives the broker.
        test.crash();
        test.start_again();
        let mut raw = test.raw();
        assert_eq!(heartbeat(&mut raw, "b", &again), 0);
        assert_eq!(heartbeat(&mut raw, "b", &follower), fenced);
        let back = raw.call(version, &named("b", &StrBytes::default()));
        assert_eq!(
            (back.error_code, back.generation_id),
            (0, leader.generation_id)
        );
        assert_eq!(
            sync(&mut raw, "b", &back, &[]),
            (0, "other half".to_owned())
        );
    }
}

#[test]
fn a_leader_that_comes_back_is_told_to_leave_the_assignment_as_it_is() {
    for version in [8, 9] {
        let test = TestBroker::start();
        let (mut one, mut two) = (test.raw(), test.raw());
        let (leader, follower) = pair(&mut one, &mut two, version);
        let again = one.call(version, &named("a", &StrBytes::default()));
        assert_eq!(
            (again.error_code, again.generation_id),
            (0, leader.generation_id)
        );
        if version >= 9 {
            assert_eq!(
                (&again.leader, again.skip_assignment),
                (&again.member_id, true)
            );
            assert_eq!(again.members.len(), 2);
        } else {
            // Told that it leads it would assign anew: it hears of its old self instead.
            assert_eq!(again.leader, leader.member_id);
            assert!(again.members.is_empty());
        }
        assert_eq!(sync(&mut one, "a", &again, &[]), (0, "half".to_owned()));
        assert_eq!(heartbeat(&mut two, "b", &follower), 0);
        // When it joins again of its own accord it does lead, as its subscription may have
        // changed.
        one.send(version, &named("a", &again.member_id));
        let rebalance = ResponseError::RebalanceInProgress.code();
        let told = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            heartbeat(&mut two, "b", &follower) == rebalance
        });
        assert!(told);
        two.send(version, &named("b", &follower.member_id));
        let next = one.receive::<JoinGroupRequest>(version).1;
        two.receive::<JoinGroupRequest>(version);
        assert_eq!(
            (next.generation_id, &next.leader),
            (leader.generation_id + 1, &next.member_id)
        );
    }
}

#[test]
fn a_return_in_mid_rebalance_begins_it_anew() {
    let test = TestBroker::start();
    let (mut one, mut two) = (test.raw(), test.raw());
    let nobody = StrBytes::default();
    one.send(9, &named("a", &nobody));
    std::thread::sleep(Duration::from_millis(10));
    two.send(9, &named("b", &nobody));
    let leader = one.receive::<JoinGroupRequest>(9).1;
    let follower = two.receive::<JoinGroupRequest>(9).1;
    // The leader has been told of the follower's old id, which is gone before it assigns.
    let mut anew = test.raw();
    anew.send(9, &named("b", &nobody));
    let rebalance = ResponseError::RebalanceInProgress.code();
    let told = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        heartbeat(&mut one, "a", &leader) == rebalance
    });
    assert!(told);
    let next = one.call(9, &named("a", &leader.member_id));
    let again = anew.receive::<JoinGroupRequest>(9).1;
    assert_eq!(next.generation_id, leader.generation_id + 1);
    assert_eq!(again.generation_id, next.generation_id);
    assert!(
        next.members
            .iter()
            .any(|member| member.member_id == again.member_id)
    );
    assert_eq!(next.members.len(), 2);
    let fenced = ResponseError::FencedInstanceId.code();
    assert_eq!(sync(&mut two, "b", &follower, &[]).0, fenced);

    // A join that waits is answered when another takes its name.
    one.send(
        9,
        &named("a", &leader.member_id)
            .with_protocols(join_request(&nobody, &["range", "sticky"]).protocols),
    );
    std::thread::sleep(Duration::from_millis(30));
    let mut thief = test.raw();
    thief.send(9, &named("a", &nobody));
    assert_eq!(one.receive::<JoinGroupRequest>(9).1.error_code, fenced);
}

#[test]
fn a_static_member_goes_when_its_session_ends_or_an_administrator_says_so() {
    let test = TestBroker::start();
    let (mut one, mut two) = (test.raw(), test.raw());
    let (leader, follower) = pair(&mut one, &mut two, 9);
    let unknown = ResponseError::UnknownMemberId.code();
    let nobody = StrBytes::default();
    assert_eq!(leave(&mut one, 5, &nobody, Some("stranger")), unknown);
    assert_eq!(leave(&mut one, 5, &nobody, None), unknown);
    assert_eq!(leave(&mut one, 5, &nobody, Some("b")), 0);
    assert_eq!(heartbeat(&mut two, "b", &follower), unknown);
    assert_eq!(state(&mut one), "PreparingRebalance");
    let alone = one.call(9, &named("a", &leader.member_id));
    assert_eq!(alone.members.len(), 1);
    sync(&mut one, "a", &alone, &[(&alone.member_id, "everything")]);
    assert_eq!(state(&mut one), "Stable");
    // Its session is a second long.
    let gone = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        state(&mut one) == "Empty"
    });
    assert!(gone);
    assert_eq!(heartbeat(&mut one, "a", &alone), unknown);
    let back = one.call(9, &named("a", &nobody));
    assert_eq!((back.error_code, back.members.len()), (0, 1));
}

#[test]
fn a_static_member_that_is_late_keeps_its_place_in_the_next_generation() {
    let test = TestBroker::start();
    let (mut one, mut two) = (test.raw(), test.raw());
    let quick = |instance, id: &StrBytes| {
        named(instance, id)
            .with_rebalance_timeout_ms(200)
            .with_session_timeout_ms(5_000)
    };
    let nobody = StrBytes::default();
    one.send(9, &quick("a", &nobody));
    std::thread::sleep(Duration::from_millis(10));
    two.send(9, &quick("b", &nobody));
    let leader = one.receive::<JoinGroupRequest>(9).1;
    let follower = two.receive::<JoinGroupRequest>(9).1;
    let halves = [
        (&leader.member_id, "half"),
        (&follower.member_id, "other half"),
    ];
    sync(&mut one, "a", &leader, &halves);
    sync(&mut two, "b", &follower, &[]);
    // The follower does not answer the call to join again, and is still counted in.
    let next = one.call(9, &quick("a", &leader.member_id));
    assert_eq!((next.error_code, next.members.len()), (0, 2));
    let halves = [(&next.member_id, "half"), (&follower.member_id, "its half")];
    assert_eq!(sync(&mut one, "a", &next, &halves), (0, "half".to_owned()));
    let illegal = ResponseError::IllegalGeneration.code();
    assert_eq!(heartbeat(&mut two, "b", &follower), illegal);
    let again = two.call(9, &quick("b", &follower.member_id));
    assert_eq!(
        (again.error_code, again.generation_id),
        (0, next.generation_id)
    );
    let request = sync_request(&again, &[]).with_group_instance_id(Some(string("b")));
    let answer = two.call::<SyncGroupRequest>(5, &request);
    assert_eq!(
        (answer.error_code, answer.assignment),
        (0, "its half".into())
    );
}
