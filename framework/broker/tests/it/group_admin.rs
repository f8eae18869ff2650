use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, ListGroupsRequest, OffsetDeleteRequest, OffsetFetchRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::groups::{commit, committed, heartbeat, join_request, sync_request};
use crate::support::{Raw, TestBroker, name, string};

/// What a consumer says about itself: the topics it is subscribed to.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

fn subscribed(member: &StrBytes, topics: &[&str]) -> JoinGroupRequest {
    join_request(member, &["range"]).with_protocols(vec![
        JoinGroupRequestProtocol::default()
            .with_name(string("range"))
            .with_metadata(subscription(topics)),
    ])
}

/// Joins group "g" as its only member and takes what it assigns to itself.
pub(crate) fn become_member(raw: &mut Raw, topics: &[&str]) -> JoinGroupResponse {
    let invited = raw.call(5, &subscribed(&StrBytes::default(), topics));
    let joined = raw.call(5, &subscribed(&invited.member_id, topics));
    assert_eq!(joined.error_code, 0);
    let sync = sync_request(&joined, &[(&joined.member_id, "all of it")]);
    assert_eq!(raw.call(3, &sync).error_code, 0);
    joined
}

pub(crate) fn leave(raw: &mut Raw, member: &StrBytes) {
    let request = LeaveGroupRequest::default()
        .with_group_id(string("g").into())
        .with_member_id(member.clone());
    assert_eq!(raw.call(1, &request).error_code, 0);
}

fn describe(raw: &mut Raw, version: i16, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest::default()
        .with_groups(vec![string(group).into()])
        .with_include_authorized_operations(version >= 3);
    raw.call(version, &request).groups[0].clone()
}

fn state(raw: &mut Raw, group: &str) -> String {
    describe(raw, 5, group).group_state.to_string()
}

/// Ids, protocol types, states and types.
pub(crate) fn list(raw: &mut Raw, states: &[&str], types: &[&str]) -> Vec<[String; 4]> {
    let request = ListGroupsRequest::default()
        .with_states_filter(states.iter().map(|state| string(state)).collect())
        .with_types_filter(types.iter().map(|kind| string(kind)).collect());
    let response = raw.call(5, &request);
    assert_eq!(response.error_code, 0);
    let texts = |group: &kafka_protocol::messages::list_groups_response::ListedGroup| {
        [
            group.group_id.to_string(),
            group.protocol_type.to_string(),
            group.group_state.to_string(),
            group.group_type.to_string(),
        ]
    };
    response.groups.iter().map(texts).collect()
}

pub(crate) fn delete(raw: &mut Raw, version: i16, group: &str) -> i16 {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![string(group).into()]);
    raw.call(version, &request).results[0].error_code
}

pub(crate) fn delete_offset(raw: &mut Raw, group: &str, topic: &str, partition: i32) -> (i16, i16) {
    let request = OffsetDeleteRequest::default()
        .with_group_id(string(group).into())
        .with_topics(vec![
            OffsetDeleteRequestTopic::default()
                .with_name(name(topic))
                .with_partitions(vec![
                    OffsetDeleteRequestPartition::default().with_partition_index(partition),
                ]),
        ]);
    let response = raw.call(0, &request);
    let partition = response
        .topics
        .first()
        .map_or(0, |topic| topic.partitions[0].error_code);
    (response.error_code, partition)
}

#[test]
fn groups_are_listed_and_described_through_their_life() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    assert!(list(&mut raw, &[], &[]).is_empty());
    assert_eq!(state(&mut raw, "g"), "Dead");

    let joined = become_member(&mut raw, &["t"]);
    for round in 0..2 {
        for version in 0..=6 {
            let group = describe(&mut raw, version, "g");
            assert_eq!((group.error_code, &*group.group_state), (0, "Stable"));
            assert_eq!(&*group.protocol_type, "consumer");
            assert_eq!(&*group.protocol_data, "range");
            let member = &group.members[0];
            assert_eq!(member.member_id, joined.member_id);
            assert_eq!(
                (&*member.client_id, &*member.client_host),
                ("raw", "/127.0.0.1")
            );
            assert_eq!(member.member_metadata, subscription(&["t"]));
            assert_eq!(member.member_assignment, "all of it");
            assert_eq!(group.authorized_operations > 0, version >= 3);
        }
        // Those who were members before a restart are so after it.
        assert_eq!(
            heartbeat(&mut raw, &joined.member_id, joined.generation_id),
            0
        );
        if round == 0 {
            test.crash();
            test.start_again();
            raw = test.raw();
        }
    }
    for version in 0..=4 {
        let listed = raw.call(version, &ListGroupsRequest::default());
        assert_eq!(
            (&**listed.groups[0].group_id, listed.groups.len()),
            ("g", 1)
        );
    }
    let stable = ["g", "consumer", "Stable", "classic"].map(str::to_owned);
    assert_eq!(list(&mut raw, &[], &[])[0], stable);
    assert_eq!(list(&mut raw, &["stable", "Empty"], &["Classic"]), [stable]);
    assert!(list(&mut raw, &["Empty"], &[]).is_empty());
    assert!(list(&mut raw, &[], &["consumer"]).is_empty());

    // While members come and go the broker shows neither subscriptions nor assignments.
    let mut other = test.raw();
    let invited = other.call(5, &subscribed(&StrBytes::default(), &["t"]));
    other.send(5, &subscribed(&invited.member_id, &["t"]));
    let rebalances = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        state(&mut raw, "g") == "PreparingRebalance"
    });
    assert!(rebalances);
    let again = raw.call(5, &subscribed(&joined.member_id, &["t"]));
    other.receive::<JoinGroupRequest>(5);
    let group = describe(&mut raw, 6, "g");
    assert_eq!(
        (&*group.group_state, group.members.len()),
        ("CompletingRebalance", 2)
    );
    assert!(
        group
            .members
            .iter()
            .all(|member| member.member_metadata.is_empty())
    );
    assert_eq!(&*group.protocol_data, "");

    leave(&mut raw, &again.member_id);
    leave(&mut raw, &invited.member_id);
    commit(&mut raw, 7, &StrBytes::default(), -1, 5);
    for _ in 0..2 {
        let empty = ["g", "consumer", "Empty", "classic"].map(str::to_owned);
        assert_eq!(list(&mut raw, &["empty"], &[]), [empty]);
        test.crash();
        test.start_again();
        raw = test.raw();
    }
}

#[test]
fn a_group_of_offsets_only_is_empty_and_one_that_is_not_there_is_dead() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    commit(&mut raw, 7, &StrBytes::default(), -1, 5);
    let only = ["g", "", "Empty", "classic"].map(str::to_owned);
    assert_eq!(list(&mut raw, &[], &[]), [only]);
    assert_eq!(state(&mut raw, "g"), "Empty");
    let unknown = describe(&mut raw, 5, "nowhere");
    assert_eq!((unknown.error_code, &*unknown.group_state), (0, "Dead"));
    let unknown = describe(&mut raw, 6, "nowhere");
    let not_found = ResponseError::GroupIdNotFound.code();
    assert_eq!(
        (unknown.error_code, &*unknown.group_state),
        (not_found, "Dead")
    );
    assert!(unknown.error_message.is_some());
}

#[test]
fn a_group_without_members_is_deleted_with_its_offsets() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    for version in 0..=2 {
        assert_eq!(
            delete(&mut raw, version, "g"),
            ResponseError::GroupIdNotFound.code()
        );
        let joined = become_member(&mut raw, &["t"]);
        assert_eq!(
            commit(&mut raw, 7, &joined.member_id, joined.generation_id, 7),
            0
        );
        assert_eq!(
            delete(&mut raw, version, "g"),
            ResponseError::NonEmptyGroup.code()
        );
        assert_eq!(committed(&mut raw, "g"), 7);
        leave(&mut raw, &joined.member_id);
        assert_eq!(delete(&mut raw, version, "g"), 0);
        for _ in 0..2 {
            assert_eq!(committed(&mut raw, "g"), -1);
            assert!(list(&mut raw, &[], &[]).is_empty());
            test.crash();
            test.start_again();
            raw = test.raw();
        }
        // The generation begins anew with the group.
        let joined = become_member(&mut raw, &["t"]);
        assert_eq!(joined.generation_id, 1);
        leave(&mut raw, &joined.member_id);
        assert_eq!(delete(&mut raw, version, "g"), 0);
        commit(&mut raw, 7, &StrBytes::default(), -1, 5);
        assert_eq!(delete(&mut raw, version, "g"), 0, "of offsets only");
    }
}

#[test]
fn single_offsets_are_deleted_unless_their_topic_is_read() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    test.topic("other", 1, &[]);
    let mut raw = test.raw();
    let not_found = ResponseError::GroupIdNotFound.code();
    assert_eq!(delete_offset(&mut raw, "nowhere", "t", 0), (not_found, 0));
    let reader = become_member(&mut raw, &["t"]);
    assert_eq!(
        commit(&mut raw, 7, &reader.member_id, reader.generation_id, 7),
        0
    );
    let subscribed = ResponseError::GroupSubscribedToTopic.code();
    assert_eq!(delete_offset(&mut raw, "g", "t", 0), (0, subscribed));
    assert_eq!(
        delete_offset(&mut raw, "g", "other", 0),
        (0, 0),
        "there is none"
    );
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(delete_offset(&mut raw, "g", "other", 4), (0, unknown));
    assert_eq!(delete_offset(&mut raw, "g", "nowhere", 0), (0, unknown));
    leave(&mut raw, &reader.member_id);

    // A member that reads something else does not keep it.
    let reader = become_member(&mut raw, &["other"]);
    assert_eq!(committed(&mut raw, "g"), 7);
    assert_eq!(delete_offset(&mut raw, "g", "t", 0), (0, 0));
    assert_eq!(committed(&mut raw, "g"), -1);
    leave(&mut raw, &reader.member_id);
    test.crash();
    test.start_again();
    raw = test.raw();
    assert_eq!(committed(&mut raw, "g"), -1);

    // What members of another protocol read the broker cannot tell.
    let nobody = StrBytes::default();
    let connect =
        |id: &StrBytes| join_request(id, &["range"]).with_protocol_type(string("connect"));
    let invited = raw.call(5, &connect(&nobody));
    let joined = raw.call(5, &connect(&invited.member_id));
    assert_eq!(joined.error_code, 0);
    let non_empty = ResponseError::NonEmptyGroup.code();
    assert_eq!(delete_offset(&mut raw, "g", "t", 0), (non_empty, 0));
}

#[test]
fn offsets_that_nobody_uses_expire_and_the_group_with_them() {
    let mut test = TestBroker::start_with(|config| {
        config.offsets_retention = Duration::from_millis(400);
        config.offsets_retention_check_interval = Duration::from_millis(20);
    });
    test.topic("t", 1, &[]);
    test.topic("other", 1, &[]);
    let mut raw = test.raw();
    let reader = become_member(&mut raw, &["t"]);
    assert_eq!(
        commit(&mut raw, 7, &reader.member_id, reader.generation_id, 7),
        0
    );
    let lasting = std::time::Instant::now();
    while lasting.elapsed() < Duration::from_millis(800) {
        assert_eq!(committed(&mut raw, "g"), 7, "it is being read");
        assert_eq!(
            heartbeat(&mut raw, &reader.member_id, reader.generation_id),
            0
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    // Without members the time runs, over a restart too.
    leave(&mut raw, &reader.member_id);
    assert_eq!(committed(&mut raw, "g"), 7);
    test.stop();
    test.start_again();
    raw = test.raw();
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        list(&mut raw, &[], &[]).is_empty()
    });
    assert!(gone);
    assert_eq!(committed(&mut raw, "g"), -1);
    // A group of offsets only counts from their commit.
    commit(&mut raw, 7, &StrBytes::default(), -1, 5);
    assert_eq!(committed(&mut raw, "g"), 5);
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        committed(&mut raw, "g") == -1
    });
    assert!(gone);
    test.crash();
    test.start_again();
    let request = OffsetFetchRequest::default()
        .with_group_id(string("g").into())
        .with_topics(None);
    assert!(test.raw().call(7, &request).topics.is_empty());
}
