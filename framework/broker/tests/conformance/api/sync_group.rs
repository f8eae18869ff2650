use kafka_protocol::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupRequest};
use kafka_protocol::protocol::StrBytes;

use super::group::{Member, join, sync_request};
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn joined(target: &Target) -> (String, Raw, JoinGroupResponse) {
    let group = target.unique("sync");
    let mut raw = target.coordinator(&group);
    let joined = join(&mut raw, 5, &group, &StrBytes::default());
    ok(joined.error_code);
    (group, raw, joined)
}

fn success(target: &Target, version: i16) {
    let (group, mut raw, joined) = joined(target);
    let assignments = [(&joined.member_id, "yours")];
    let response = raw.call(version, &sync_request(version, &group, &joined, &assignments));
    ok(response.error_code);
    assert_eq!(&response.assignment[..], b"yours");
    if version >= 5 {
        assert_eq!(response.protocol_type, Some(string("consumer")));
        assert_eq!(response.protocol_name, Some(string("range")));
    }
}

fn error(target: &Target, version: i16) {
    let (group, mut raw, joined) = joined(target);
    let request = sync_request(version, &group, &joined, &[(&joined.member_id, "yours")]);
    let mut refused = |request: SyncGroupRequest, error| {
        let response = raw.call(version, &request);
        fails(response.error_code, error);
        assert!(response.assignment.is_empty());
    };
    refused(
        request.clone().with_group_id(string("").into()),
        ResponseError::InvalidGroupId,
    );
    refused(
        request.clone().with_member_id(string("nobody")),
        ResponseError::UnknownMemberId,
    );
    refused(
        request.clone().with_generation_id(joined.generation_id + 1),
        ResponseError::IllegalGeneration,
    );
    if version >= 5 {
        refused(
            request.with_protocol_name(Some(string("other"))),
            ResponseError::InconsistentGroupProtocol,
        );
    }
    let nowhere = target.unique("nowhere");
    let request = sync_request(version, &nowhere, &joined, &[]);
    let response = target.coordinator(&nowhere).call(version, &request);
    fails(response.error_code, ResponseError::UnknownMemberId);
}

/// A member that the leader gave nothing gets nothing; once all is settled, asking again
/// gives the same.
fn edge(target: &Target, version: i16) {
    let (group, mut raw, joined) = joined(target);
    let response = raw.call(version, &sync_request(version, &group, &joined, &[]));
    ok(response.error_code);
    assert!(response.assignment.is_empty());

    let mut member = Member::alone(target, "sync");
    let again = JoinGroupResponse::default()
        .with_member_id(member.id.clone())
        .with_generation_id(member.generation);
    let request = sync_request(version, &member.group, &again, &[]);
    let response = member.raw.call(version, &request);
    ok(response.error_code);
    assert_eq!(&response.assignment[..], b"all of it");
}
