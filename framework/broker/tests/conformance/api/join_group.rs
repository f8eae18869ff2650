use kafka_protocol::ResponseError;
use kafka_protocol::messages::JoinGroupRequest;
use kafka_protocol::protocol::StrBytes;

use super::group::{METADATA, join, join_request, when_loaded};
use crate::check::{Cases, fails, ok};
use crate::support::string;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn success(target: &Target, version: i16) {
    let group = target.unique("join");
    let mut raw = target.coordinator(&group);
    let joined = join(&mut raw, version, &group, &StrBytes::default());
    ok(joined.error_code);
    assert_eq!(joined.generation_id, 1);
    assert_eq!(joined.leader, joined.member_id);
    assert!(joined.member_id.as_str().starts_with("raw-"), "{:?}", joined.member_id);
    assert_eq!(joined.protocol_name, Some(string("range")));
    if version >= 7 {
        assert_eq!(joined.protocol_type, Some(string("consumer")));
    }
    assert!(!joined.skip_assignment);
    let members: Vec<_> = joined.members.iter().map(|member| &member.member_id).collect();
    assert_eq!(members, [&joined.member_id]);
    assert_eq!(&joined.members[0].metadata[..], METADATA);
}

fn error(target: &Target, version: i16) {
    let group = target.unique("join");
    let mut raw = target.coordinator(&group);
    let joined = join(&mut raw, version, &group, &StrBytes::default());
    ok(joined.error_code);
    let fresh = join_request(version, &group, &StrBytes::default());
    let mut refused = |request: JoinGroupRequest, error| {
        let response = raw.call(version, &request);
        fails(response.error_code, error);
        assert_eq!(response.generation_id, -1);
        assert!(response.members.is_empty());
    };
    refused(
        fresh.clone().with_group_id(string("").into()),
        ResponseError::InvalidGroupId,
    );
    refused(
        fresh.clone().with_session_timeout_ms(1),
        ResponseError::InvalidSessionTimeout,
    );
    refused(
        fresh.clone().with_session_timeout_ms(i32::MAX),
        ResponseError::InvalidSessionTimeout,
    );
    refused(
        join_request(version, &group, &string("nobody")),
        ResponseError::UnknownMemberId,
    );
    refused(
        fresh.clone().with_protocol_type(string("other")),
        ResponseError::InconsistentGroupProtocol,
    );
    let mut foreign = fresh.clone();
    foreign.protocols[0].name = string("unheard");
    refused(foreign, ResponseError::InconsistentGroupProtocol);
    refused(
        fresh.with_protocols(Vec::new()),
        ResponseError::InconsistentGroupProtocol,
    );
}

/// The first contact: since version 4 a new member is given its id and asked to come again.
/// A member that joins again with nothing changed is not a new one.
fn edge(target: &Target, version: i16) {
    let group = target.unique("join");
    let mut raw = target.coordinator(&group);
    let first = when_loaded(|| {
        let response = raw.call(version, &join_request(version, &group, &StrBytes::default()));
        (response.error_code, response)
    });
    let id = first.member_id.clone();
    if version >= 4 {
        fails(first.error_code, ResponseError::MemberIdRequired);
        assert!(!id.is_empty());
        assert_eq!(first.generation_id, -1);
    } else {
        ok(first.error_code);
    }
    let again = raw.call(version, &join_request(version, &group, &id));
    ok(again.error_code);
    assert_eq!(again.member_id, id);
    assert_eq!(again.members.len(), 1);
    assert!((1..=2).contains(&again.generation_id));
}
