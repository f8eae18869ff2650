//! Requests of a group's member, as the cases of several APIs send them.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponsePartitions;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, OffsetCommitRequest,
    OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::check::ok;
use crate::support::{Raw, name, string};
use crate::target::Target;

/// The versions that helpers use where the version is not what is tested.
const JOIN: i16 = 5;
const SYNC: i16 = 3;

/// What a consumer of the topic `none` says of itself; Apache Kafka reads it, and leaves a
/// member whose metadata it cannot read without an answer.
pub(crate) const METADATA: &[u8] = b"\0\0\0\0\0\x01\0\x04none\xff\xff\xff\xff";

/// A member of a group, with its connection to the coordinator.
pub(crate) struct Member {
    pub(crate) raw: Raw,
    pub(crate) group: String,
    pub(crate) id: StrBytes,
    pub(crate) generation: i32,
}

pub(crate) fn join_request(version: i16, group: &str, member: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(string("range"))
        .with_metadata(Bytes::from_static(METADATA));
    let request = JoinGroupRequest::default()
        .with_group_id(string(group).into())
        .with_session_timeout_ms(10_000)
        .with_member_id(member.clone())
        .with_protocol_type(string("consumer"))
        .with_protocols(vec![protocol]);
    match version {
        0 => request,
        _ => request.with_rebalance_timeout_ms(10_000),
    }
}

/// Sends until the coordinator has loaded what it keeps of the group.
pub(crate) fn when_loaded<T>(mut ask: impl FnMut() -> (i16, T)) -> T {
    crate::target::eventually(|| {
        let (code, answer) = ask();
        let waits = matches!(
            code.err(),
            Some(ResponseError::CoordinatorLoadInProgress | ResponseError::NotCoordinator)
        );
        (!waits).then_some(answer)
    })
}

/// Joins as clients do: since version 4 they come again with the id that they are given, and
/// for another one where the group, which has no member yet, was taken for unused meanwhile.
pub(crate) fn enter(
    raw: &mut Raw,
    version: i16,
    request: impl Fn(&StrBytes) -> JoinGroupRequest,
) -> JoinGroupResponse {
    let mut ask = |member: &StrBytes| {
        when_loaded(|| {
            let response = raw.call(version, &request(member));
            (response.error_code, response)
        })
    };
    crate::target::eventually(|| {
        let first = ask(&StrBytes::default());
        if first.error_code.err() != Some(ResponseError::MemberIdRequired) {
            return Some(first);
        }
        let second = ask(&first.member_id);
        (second.error_code.err() != Some(ResponseError::UnknownMemberId)).then_some(second)
    })
}

/// As [`enter`] for a new member, or as one that has its id.
pub(crate) fn join(
    raw: &mut Raw,
    version: i16,
    group: &str,
    member: &StrBytes,
) -> JoinGroupResponse {
    if member.is_empty() {
        return enter(raw, version, |member| join_request(version, group, member));
    }
    when_loaded(|| {
        let response = raw.call(version, &join_request(version, group, member));
        (response.error_code, response)
    })
}

pub(crate) fn sync_request(
    version: i16,
    group: &str,
    joined: &JoinGroupResponse,
    assignments: &[(&StrBytes, &str)],
) -> SyncGroupRequest {
    let assignments = assignments
        .iter()
        .map(|(member, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id((*member).clone())
                .with_assignment(Bytes::from((*assignment).to_owned()))
        })
        .collect();
    let request = SyncGroupRequest::default()
        .with_group_id(string(group).into())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(assignments);
    match version {
        5.. => request
            .with_protocol_type(Some(string("consumer")))
            .with_protocol_name(Some(string("range"))),
        _ => request,
    }
}

/// What a consumer of a topic says of itself.
pub(crate) fn subscription(topic: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(i16::try_from(topic.len()).unwrap());
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

impl Member {
    /// The only member of a new group, with its assignment.
    pub(crate) fn alone(target: &Target, label: &str) -> Self {
        Self::reading(target, label, "none")
    }

    /// As [`Member::alone`], of a group that reads a topic.
    pub(crate) fn reading(target: &Target, label: &str, topic: &str) -> Self {
        let group = target.unique(label);
        let mut raw = target.coordinator(&group);
        let joined = enter(&mut raw, JOIN, |member| {
            let mut request = join_request(JOIN, &group, member);
            request.protocols[0].metadata = subscription(topic);
            request
        });
        ok(joined.error_code);
        let mut member = Self {
            raw,
            group,
            id: joined.member_id.clone(),
            generation: joined.generation_id,
        };
        ok(member
            .sync(&joined, &[(&joined.member_id, "all of it")])
            .error_code);
        member
    }

    pub(crate) fn sync(
        &mut self,
        joined: &JoinGroupResponse,
        assignments: &[(&StrBytes, &str)],
    ) -> SyncGroupResponse {
        let request = sync_request(SYNC, &self.group, joined, assignments);
        self.raw.call(SYNC, &request)
    }

    pub(crate) fn heartbeat(&mut self, version: i16) -> i16 {
        heartbeat(
            &mut self.raw,
            version,
            &self.group,
            &self.id,
            self.generation,
        )
    }

    pub(crate) fn commit(&mut self, version: i16, topic: &str, offset: i64) -> i16 {
        let request = commit_request(version, &self.group, topic, offset)
            .with_member_id(self.id.clone())
            .with_generation_id_or_member_epoch(self.generation);
        self.raw.call(version, &request).topics[0].partitions[0].error_code
    }

    pub(crate) fn leave(&mut self, version: i16) -> i16 {
        leave(&mut self.raw, version, &self.group, &self.id)
    }
}

/// A member that joins and then says nothing more.
pub(crate) struct Silent(Member);

impl Silent {
    pub(crate) fn join(target: &Target, session_timeout_ms: i32) -> Self {
        let group = target.unique("silent");
        let mut raw = target.coordinator(&group);
        let joined = enter(&mut raw, JOIN, |member| {
            join_request(JOIN, &group, member).with_session_timeout_ms(session_timeout_ms)
        });
        ok(joined.error_code);
        let mut member = Member {
            raw,
            group,
            id: joined.member_id.clone(),
            generation: joined.generation_id,
        };
        ok(member.sync(&joined, &[]).error_code);
        Self(member)
    }

    pub(crate) fn group(&self) -> &str {
        &self.0.group
    }

    pub(crate) fn is_member(&mut self) -> bool {
        self.0.heartbeat(3).err() != Some(ResponseError::UnknownMemberId)
    }
}

pub(crate) fn heartbeat(
    raw: &mut Raw,
    version: i16,
    group: &str,
    member: &StrBytes,
    generation: i32,
) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(string(group).into())
        .with_generation_id(generation)
        .with_member_id(member.clone());
    raw.call(version, &request).error_code
}

/// Leaves; the member's own code where the version has one.
pub(crate) fn leave(raw: &mut Raw, version: i16, group: &str, member: &StrBytes) -> i16 {
    let request = LeaveGroupRequest::default().with_group_id(string(group).into());
    if version < 3 {
        let request = request.with_member_id(member.clone());
        return raw.call(version, &request).error_code;
    }
    let identity = MemberIdentity::default().with_member_id(member.clone());
    let response = raw.call(version, &request.with_members(vec![identity]));
    match response.error_code {
        0 => response.members[0].error_code,
        code => code,
    }
}

/// A commit by nobody in particular, for partition 0.
pub(crate) fn commit_request(
    version: i16,
    group: &str,
    topic: &str,
    offset: i64,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(string("note")));
    let partition = match version {
        6.. => partition.with_committed_leader_epoch(0),
        _ => partition,
    };
    let request = OffsetCommitRequest::default()
        .with_group_id(string(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(name(topic))
                .with_partitions(vec![partition]),
        ]);
    match version {
        2..=4 => request.with_retention_time_ms(-1),
        _ => request,
    }
}

/// A question about the partitions named, or about all there are.
pub(crate) fn fetch_request(
    version: i16,
    group: &str,
    asked: Option<&[(&str, i32)]>,
) -> OffsetFetchRequest {
    if version < 8 {
        let topic = |(topic, partition): &(&str, i32)| {
            OffsetFetchRequestTopic::default()
                .with_name(name(topic))
                .with_partition_indexes(vec![*partition])
        };
        return OffsetFetchRequest::default()
            .with_group_id(string(group).into())
            .with_topics(asked.map(|asked| asked.iter().map(topic).collect()));
    }
    let topic = |(topic, partition): &(&str, i32)| {
        OffsetFetchRequestTopics::default()
            .with_name(name(topic))
            .with_partition_indexes(vec![*partition])
    };
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(string(group).into())
        .with_topics(asked.map(|asked| asked.iter().map(topic).collect()));
    let group = match version {
        9.. => group.with_member_epoch(-1),
        _ => group,
    };
    OffsetFetchRequest::default().with_groups(vec![group])
}

/// What a group has committed: the group's code, and topic, partition and what it has.
pub(crate) fn committed(
    raw: &mut Raw,
    version: i16,
    group: &str,
    asked: Option<&[(&str, i32)]>,
) -> (i16, Vec<(String, OffsetFetchResponsePartitions)>) {
    let request = fetch_request(version, group, asked);
    let response = when_loaded(|| {
        let response = raw.call(version, &request);
        let in_group = response.groups.first().map(|group| group.error_code);
        let in_topic = response.topics.first().map(|topic| &topic.partitions[0]);
        let code = match response.error_code {
            0 => in_group
                .or(in_topic.map(|found| found.error_code))
                .unwrap_or(0),
            code => code,
        };
        (code, response)
    });
    let mut found = Vec::new();
    if let Some(group) = response.groups.first() {
        for topic in &group.topics {
            let named = |partition| (topic.name.to_string(), partition);
            found.extend(topic.partitions.iter().cloned().map(named));
        }
        return (group.error_code, found);
    }
    for topic in &response.topics {
        found.extend(topic.partitions.iter().map(|partition| {
            let partition = OffsetFetchResponsePartitions::default()
                .with_partition_index(partition.partition_index)
                .with_committed_offset(partition.committed_offset)
                .with_committed_leader_epoch(partition.committed_leader_epoch)
                .with_metadata(partition.metadata.clone())
                .with_error_code(partition.error_code);
            (topic.name.to_string(), partition)
        }));
    }
    (response.error_code, found)
}
