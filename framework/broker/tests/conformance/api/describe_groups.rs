use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;

use super::group::{METADATA, Member};
use super::offset_commit::commit_alone;
use crate::check::{Cases, cut_off, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn describe(raw: &mut Raw, version: i16, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest::default().with_groups(vec![string(group).into()]);
    raw.call(version, &request).groups.remove(0)
}

fn success(target: &Target, version: i16) {
    let mut member = Member::alone(target, "describe");
    let found = describe(&mut member.raw, version, &member.group);
    ok(found.error_code);
    assert_eq!(found.group_id.as_str(), member.group);
    assert_eq!(found.group_state.as_str(), "Stable");
    assert_eq!(found.protocol_type.as_str(), "consumer");
    assert_eq!(found.protocol_data.as_str(), "range");
    assert_eq!(found.members.len(), 1);
    let only = &found.members[0];
    assert_eq!((&only.member_id, only.client_id.as_str()), (&member.id, "raw"));
    assert_eq!(only.client_host.as_str(), "/127.0.0.1");
    assert_eq!(&only.member_metadata[..], METADATA);
    assert_eq!(&only.member_assignment[..], b"all of it");
}

/// A group that nobody knows is dead, which since version 6 is an error; before there is
/// nothing to refuse but what cannot be read.
fn error(target: &Target, version: i16) {
    let nobody = target.unique("nobody");
    let mut raw = target.coordinator(&nobody);
    let found = describe(&mut raw, version, &nobody);
    match version {
        6.. => fails(found.error_code, ResponseError::GroupIdNotFound),
        _ => ok(found.error_code),
    }
    assert_eq!(found.group_state.as_str(), "Dead");
    assert!(found.members.is_empty());
    let group = string(&nobody).into();
    cut_off(&mut raw, version, &DescribeGroupsRequest::default().with_groups(vec![group]));
}

/// A group that only has offsets is empty.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("describe");
    let group = target.unique("describe");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 1);
    let found = describe(&mut raw, version, &group);
    ok(found.error_code);
    assert_eq!(found.group_state.as_str(), "Empty");
    assert!(found.members.is_empty());
}
