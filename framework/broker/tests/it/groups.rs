use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest,
    OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::support::{Raw, TestBroker, name, string};

pub(crate) fn join_request(member: &StrBytes, protocols: &[&str]) -> JoinGroupRequest {
    JoinGroupRequest::default()
        .with_group_id(string("g").into())
        .with_session_timeout_ms(1_000)
        .with_rebalance_timeout_ms(3_000)
        .with_member_id(member.clone())
        .with_protocol_type(string("consumer"))
        .with_protocols(
            protocols
                .iter()
                .map(|protocol| {
                    JoinGroupRequestProtocol::default()
                        .with_name(string(protocol))
                        .with_metadata(Bytes::from(format!("about {protocol}")))
                })
                .collect(),
        )
}

/// Joins as clients since version 4 do: asked to come again with the id given.
pub(crate) fn join(raw: &mut Raw, version: i16, protocols: &[&str]) -> JoinGroupResponse {
    let first = raw.call(version, &join_request(&StrBytes::default(), protocols));
    if version < 4 {
        return first;
    }
    assert_eq!(first.error_code, ResponseError::MemberIdRequired.code());
    raw.call(version, &join_request(&first.member_id, protocols))
}

pub(crate) fn sync_request(
    joined: &JoinGroupResponse,
    assignments: &[(&StrBytes, &str)],
) -> SyncGroupRequest {
    SyncGroupRequest::default()
        .with_group_id(string("g").into())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(joined.protocol_type.clone())
        .with_protocol_name(joined.protocol_name.clone())
        .with_assignments(
            assignments
                .iter()
                .map(|(member, assignment)| {
                    SyncGroupRequestAssignment::default()
                        .with_member_id((*member).clone())
                        .with_assignment(Bytes::from((*assignment).to_owned()))
                })
                .collect(),
        )
}

pub(crate) fn heartbeat(raw: &mut Raw, member: &StrBytes, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(string("g").into())
        .with_generation_id(generation)
        .with_member_id(member.clone());
    raw.call(3, &request).error_code
}

pub(crate) fn commit(
    raw: &mut Raw,
    version: i16,
    member: &StrBytes,
    generation: i32,
    offset: i64,
) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(0)
        .with_committed_metadata(Some(string("note")));
    let request = OffsetCommitRequest::default()
        .with_group_id(string("g").into())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(member.clone())
        .with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![partition]),
        ]);
    raw.call(version, &request).topics[0].partitions[0].error_code
}

pub(crate) fn committed(raw: &mut Raw, group: &str) -> i64 {
    let request = OffsetFetchRequest::default()
        .with_group_id(string(group).into())
        .with_topics(Some(vec![
            OffsetFetchRequestTopic::default()
                .with_name(name("t"))
                .with_partition_indexes(vec![0]),
        ]));
    raw.call(5, &request).topics[0].partitions[0].committed_offset
}

#[test]
fn the_coordinator_is_this_broker_in_every_version() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let port = i32::from(test.broker().local_addr().port());
    for version in 0..=6 {
        let request = FindCoordinatorRequest::default()
            .with_key(if version < 4 {
                string("g")
            } else {
                StrBytes::default()
            })
            .with_coordinator_keys(match version {
                4.. => vec![string("g"), string("h")],
                _ => Vec::new(),
            });
        let response = raw.call(version, &request);
        if version < 4 {
            assert_eq!((response.error_code, response.port), (0, port));
        } else {
            assert_eq!(response.coordinators.len(), 2);
            assert!(
                response
                    .coordinators
                    .iter()
                    .all(|c| (c.error_code, c.port) == (0, port))
            );
        }
    }
    let other = |kind| {
        FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![string("tx")])
    };
    let code = |raw: &mut Raw, kind| raw.call(4, &other(kind)).coordinators[0].error_code;
    assert_eq!(
        code(&mut raw, 1),
        0,
        "the one broker coordinates transactions too"
    );
    // Share groups came with version 6, and are not here then either.
    assert_eq!(code(&mut raw, 2), ResponseError::InvalidRequest.code());
    let share = raw.call(6, &other(2)).coordinators[0].error_code;
    assert_eq!(share, ResponseError::UnsupportedVersion.code());
    assert_eq!(code(&mut raw, 7), ResponseError::InvalidRequest.code());
}

#[test]
fn a_group_of_one_lives_and_ends_in_every_version() {
    let test = TestBroker::start();
    for version in 0..=9i16 {
        let mut raw = test.raw();
        let joined = join(&mut raw, version, &["range"]);
        assert_eq!(joined.error_code, 0, "version {version}");
        assert_eq!(joined.leader, joined.member_id);
        assert_eq!(joined.members.len(), 1);
        assert_eq!(joined.members[0].metadata, Bytes::from("about range"));
        assert_eq!(joined.protocol_name.as_deref(), Some("range"));
        let member = joined.member_id.clone();
        assert_eq!(
            heartbeat(&mut raw, &member, joined.generation_id),
            0,
            "before the sync too"
        );
        let sync_version = version.min(5);
        let synced: SyncGroupResponse = raw.call(
            sync_version,
            &sync_request(&joined, &[(&member, "all of it")]),
        );
        assert_eq!(
            (synced.error_code, synced.assignment),
            (0, Bytes::from("all of it"))
        );
        assert_eq!(heartbeat(&mut raw, &member, joined.generation_id), 0);
        let leave_version = version.min(5);
        let leave = LeaveGroupRequest::default().with_group_id(string("g").into());
        let leave = match leave_version {
            ..3 => leave.with_member_id(member.clone()),
            _ => leave.with_members(vec![
                MemberIdentity::default().with_member_id(member.clone()),
                MemberIdentity::default().with_member_id(string("stranger")),
            ]),
        };
        let left = raw.call(leave_version, &leave);
        assert_eq!(left.error_code, 0);
        if leave_version >= 3 {
            assert_eq!(left.members[0].error_code, 0);
            assert_eq!(
                left.members[1].error_code,
                ResponseError::UnknownMemberId.code()
            );
        }
        let unknown = ResponseError::UnknownMemberId.code();
        assert_eq!(heartbeat(&mut raw, &member, joined.generation_id), unknown);
    }
}

#[test]
fn joining_is_checked() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let nobody = StrBytes::default();
    let good = join_request(&nobody, &["range"]);
    let mut check = |request: JoinGroupRequest, expected: ResponseError| {
        assert_eq!(
            raw.call(5, &request).error_code,
            expected.code(),
            "{request:?}"
        );
    };
    use ResponseError::{
        InconsistentGroupProtocol, InvalidGroupId, InvalidSessionTimeout, UnknownMemberId,
    };
    check(
        good.clone().with_group_id(StrBytes::default().into()),
        InvalidGroupId,
    );
    check(
        good.clone().with_session_timeout_ms(5),
        InvalidSessionTimeout,
    );
    check(
        good.clone().with_session_timeout_ms(i32::MAX),
        InvalidSessionTimeout,
    );
    check(
        good.clone().with_protocols(Vec::new()),
        InconsistentGroupProtocol,
    );
    check(
        good.clone().with_protocol_type(StrBytes::default()),
        InconsistentGroupProtocol,
    );
    check(
        good.clone().with_member_id(string("stranger")),
        UnknownMemberId,
    );
    check(
        good.clone()
            .with_member_id(string("stranger"))
            .with_group_instance_id(Some(string("static"))),
        UnknownMemberId,
    );
    let mut member = test.raw();
    let joined = join(&mut member, 5, &["range", "sticky"]);
    assert_eq!(joined.error_code, 0);
    check(
        join_request(&nobody, &["unheard-of"]),
        InconsistentGroupProtocol,
    );
    check(
        good.with_protocol_type(string("connect")),
        InconsistentGroupProtocol,
    );
}

#[test]
fn two_members_share_and_hand_over() {
    let test = TestBroker::start();
    let (mut one, mut two) = (test.raw(), test.raw());
    let first = join(&mut one, 5, &["range", "sticky"]);
    one.call(
        3,
        &sync_request(&first, &[(&first.member_id, "everything")]),
    );

    // The second member's join makes the first one join again.
    let invited = two.call(5, &join_request(&StrBytes::default(), &["sticky"]));
    two.send(5, &join_request(&invited.member_id, &["sticky"]));
    let rebalance = ResponseError::RebalanceInProgress.code();
    let told = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        heartbeat(&mut one, &first.member_id, first.generation_id) == rebalance
    });
    assert!(told);
    let commits = commit(&mut one, 7, &first.member_id, first.generation_id, 5);
    assert_eq!(
        commits,
        ResponseError::UnknownTopicOrPartition.code(),
        "no such topic"
    );
    let stale_sync = one.call(3, &sync_request(&first, &[])).error_code;
    assert_eq!(stale_sync, rebalance);
    let again = one.call(5, &join_request(&first.member_id, &["range", "sticky"]));
    let second = two.receive::<JoinGroupRequest>(5).1;
    assert_eq!((again.error_code, second.error_code), (0, 0));
    assert_eq!(again.generation_id, first.generation_id + 1);
    assert_eq!(again.generation_id, second.generation_id);
    assert_eq!(
        again.protocol_name.as_deref(),
        Some("sticky"),
        "the one both know"
    );
    assert_eq!(second.leader, first.member_id);
    assert!(
        second.members.is_empty(),
        "only the leader learns of the others"
    );
    assert_eq!(again.members.len(), 2);

    // The follower's sync waits for the leader's.
    two.send(3, &sync_request(&second, &[]));
    std::thread::sleep(Duration::from_millis(30));
    let assignments = [
        (&again.member_id, "half"),
        (&second.member_id, "other half"),
    ];
    assert_eq!(
        one.call(3, &sync_request(&again, &assignments)).assignment,
        "half"
    );
    assert_eq!(
        two.receive::<SyncGroupRequest>(3).1.assignment,
        "other half"
    );
    let illegal = ResponseError::IllegalGeneration.code();
    assert_eq!(
        heartbeat(&mut one, &again.member_id, first.generation_id),
        illegal
    );
    assert_eq!(one.call(3, &sync_request(&first, &[])).error_code, illegal);
    let wrong = sync_request(&again, &[]).with_protocol_name(Some(string("range")));
    let inconsistent = ResponseError::InconsistentGroupProtocol.code();
    assert_eq!(one.call(5, &wrong).error_code, inconsistent);

    // The leader falls silent; the other takes over after its session time-out.
    drop(one);
    let told = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        heartbeat(&mut two, &second.member_id, second.generation_id) == rebalance
    });
    assert!(told);
    let last = two.call(5, &join_request(&second.member_id, &["sticky"]));
    assert_eq!((last.error_code, &last.leader), (0, &second.member_id));
    assert_eq!(last.members.len(), 1);
}

#[test]
fn a_member_that_never_syncs_is_dropped() {
    let test = TestBroker::start();
    let (mut one, mut two) = (test.raw(), test.raw());
    // Both join within the initial delay, so there is one generation.
    let invited_one = one.call(5, &join_request(&StrBytes::default(), &["range"]));
    let invited_two = two.call(5, &join_request(&StrBytes::default(), &["range"]));
    let quick = |id| join_request(id, &["range"]).with_rebalance_timeout_ms(300);
    one.send(5, &quick(&invited_one.member_id));
    std::thread::sleep(Duration::from_millis(10));
    two.send(5, &quick(&invited_two.member_id));
    let leader = one.receive::<JoinGroupRequest>(5).1;
    let follower = two.receive::<JoinGroupRequest>(5).1;
    assert_eq!(leader.generation_id, follower.generation_id);
    assert_eq!(leader.members.len(), 2);
    // The leader never sends the assignment: the follower is told to join again.
    let answer = two.call(3, &sync_request(&follower, &[]));
    assert_eq!(answer.error_code, ResponseError::RebalanceInProgress.code());
    let again = two.call(5, &quick(&follower.member_id));
    assert_eq!((again.error_code, &again.leader), (0, &follower.member_id));
}

#[test]
fn offsets_are_committed_by_members_and_by_those_without_a_group() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let nobody = StrBytes::default();
    assert_eq!(committed(&mut raw, "g"), -1);
    for version in 2..=9 {
        let offset = i64::from(version) * 10;
        assert_eq!(
            commit(&mut raw, version, &nobody, -1, offset),
            0,
            "version {version}"
        );
        assert_eq!(committed(&mut raw, "g"), offset);
    }
    let joined = join(&mut raw, 5, &["range"]);
    let member = joined.member_id.clone();
    let generation = joined.generation_id;
    let check = |raw: &mut Raw, member: &StrBytes, generation, expected: ResponseError| {
        assert_eq!(commit(raw, 7, member, generation, 1), expected.code());
    };
    check(
        &mut raw,
        &member,
        generation,
        ResponseError::RebalanceInProgress,
    );
    raw.call(3, &sync_request(&joined, &[(&member, "all")]));
    assert_eq!(commit(&mut raw, 7, &member, generation, 100), 0);
    check(
        &mut raw,
        &member,
        generation + 1,
        ResponseError::IllegalGeneration,
    );
    check(
        &mut raw,
        &string("stranger"),
        generation,
        ResponseError::UnknownMemberId,
    );
    check(&mut raw, &nobody, -1, ResponseError::UnknownMemberId);
    assert_eq!(committed(&mut raw, "g"), 100);

    for round in 0..2 {
        match round {
            0 => test.crash(),
            _ => test.stop(),
        }
        test.start_again();
        raw = test.raw();
        assert_eq!(committed(&mut raw, "g"), 100, "after a restart");
        // The members are stored too, and go on as if nothing had happened.
        assert_eq!(commit(&mut raw, 7, &member, generation, 100), 0);
        check(
            &mut raw,
            &member,
            generation + 1,
            ResponseError::IllegalGeneration,
        );
    }
    // A deleted topic's offsets go with it.
    crate::topics::delete(&mut raw, "t");
    test.topic("t", 1, &[]);
    assert_eq!(committed(&mut raw, "g"), -1);
}

#[test]
fn commits_are_checked() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(1)
            .with_committed_leader_epoch(-1)
    };
    let request = |group: &str, partitions| {
        OffsetCommitRequest::default()
            .with_group_id(string(group).into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![
                OffsetCommitRequestTopic::default()
                    .with_name(name("t"))
                    .with_partitions(partitions),
            ])
    };
    let long = partition(0).with_committed_metadata(Some(string(&"x".repeat(4_097))));
    let response = raw.call(7, &request("g", vec![partition(0), partition(9), long]));
    let codes: Vec<i16> = response.topics[0]
        .partitions
        .iter()
        .map(|p| p.error_code)
        .collect();
    let wanted = [
        0,
        ResponseError::UnknownTopicOrPartition.code(),
        ResponseError::OffsetMetadataTooLarge.code(),
    ];
    assert_eq!(codes, wanted);
    // For clients of old the empty name is that of a group like others, except to join.
    let response = raw.call(7, &request("", vec![partition(0)]));
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
    assert_eq!(committed(&mut raw, ""), 1);
    let mut in_a_generation = |version, group: &str| {
        let request = request(group, vec![partition(0)]).with_generation_id_or_member_epoch(3);
        raw.call(version, &request).topics[0].partitions[0].error_code
    };
    let illegal = ResponseError::IllegalGeneration.code();
    let not_found = ResponseError::GroupIdNotFound.code();
    let member = ResponseError::UnknownMemberId.code();
    assert_eq!(in_a_generation(8, "unheard-of"), illegal);
    assert_eq!(in_a_generation(9, "unheard-of"), not_found);
    assert_eq!(in_a_generation(9, "g"), member, "it has offsets only");
}

#[test]
fn offsets_are_fetched_in_every_version() {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    commit(&mut raw, 7, &StrBytes::default(), -1, 42);
    for version in 1..=7 {
        let some = OffsetFetchRequest::default()
            .with_group_id(string("g").into())
            .with_require_stable(version >= 7)
            .with_topics(Some(vec![
                OffsetFetchRequestTopic::default()
                    .with_name(name("t"))
                    .with_partition_indexes(vec![0, 1]),
            ]));
        let response = raw.call(version, &some);
        let partitions = &response.topics[0].partitions;
        assert_eq!(partitions[0].committed_offset, 42);
        assert_eq!(partitions[0].metadata.as_deref(), Some("note"));
        assert_eq!(
            (partitions[1].committed_offset, partitions[1].error_code),
            (-1, 0)
        );
        if version >= 2 {
            let all = OffsetFetchRequest::default()
                .with_group_id(string("g").into())
                .with_topics(None);
            let response = raw.call(version, &all);
            assert_eq!(response.topics.len(), 1);
            assert_eq!(response.topics[0].partitions.len(), 1);
        }
    }
    let group = |id: &str, topics: Option<Vec<i32>>| {
        OffsetFetchRequestGroup::default()
            .with_group_id(string(id).into())
            .with_member_id(None)
            .with_member_epoch(-1)
            .with_topics(topics.map(|partitions| {
                vec![
                    OffsetFetchRequestTopics::default()
                        .with_name(name("t"))
                        .with_partition_indexes(partitions),
                ]
            }))
    };
    for version in 8..=9 {
        let request = OffsetFetchRequest::default().with_groups(vec![
            group("g", Some(vec![0])),
            group("g", None),
            group("other", Some(vec![0])),
            group("", Some(vec![0])),
        ]);
        let groups = raw.call(version, &request).groups;
        let offset = |at: usize| groups[at].topics[0].partitions[0].committed_offset;
        assert_eq!((offset(0), offset(1), offset(2)), (42, 42, -1));
        assert_eq!((offset(3), groups[3].error_code), (-1, 0));
    }
}

#[test]
fn a_torn_commit_is_cut_and_the_log_stays_small() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    for offset in 0..2_000 {
        assert_eq!(commit(&mut raw, 7, &StrBytes::default(), -1, offset), 0);
    }
    test.crash();
    let log = test.dir().join("offsets.log");
    let mut bytes = std::fs::read(&log).unwrap();
    assert!(bytes.len() > 100_000);
    bytes.truncate(bytes.len() - 3);
    std::fs::write(&log, bytes).unwrap();
    test.start_again();
    let findings = &test.broker().recovery().findings;
    assert_eq!(findings[0].topic, "__consumer_offsets");
    assert_eq!(committed(&mut test.raw(), "g"), 1_998);
    assert!(
        std::fs::metadata(&log).unwrap().len() < 1_000,
        "rewritten at the start"
    );
}
