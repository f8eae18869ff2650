use kafka_protocol::ResponseError;
use kafka_protocol::messages::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_request::MemberIdentity;

use super::group::{Member, leave};
use crate::check::{Cases, fails, ok};
use crate::support::string;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn success(target: &Target, version: i16) {
    let mut member = Member::alone(target, "leave");
    ok(member.leave(version));
    fails(member.heartbeat(3), ResponseError::UnknownMemberId);
}

fn error(target: &Target, version: i16) {
    let mut member = Member::alone(target, "leave");
    let raw = &mut member.raw;
    fails(
        leave(raw, version, "", &member.id),
        ResponseError::InvalidGroupId,
    );
    fails(
        leave(raw, version, &member.group, &string("nobody")),
        ResponseError::UnknownMemberId,
    );
    let nowhere = target.unique("nowhere");
    fails(
        leave(&mut target.coordinator(&nowhere), version, &nowhere, &member.id),
        ResponseError::UnknownMemberId,
    );
    ok(member.heartbeat(3));
}

/// Who has left has left; since version 3 several members leave at once, each with its
/// own answer.
fn edge(target: &Target, version: i16) {
    let mut member = Member::alone(target, "leave");
    if version < 3 {
        ok(member.leave(version));
        fails(member.leave(version), ResponseError::UnknownMemberId);
        return;
    }
    let identity = |id| MemberIdentity::default().with_member_id(id);
    let both = vec![identity(string("nobody")), identity(member.id.clone())];
    let request = LeaveGroupRequest::default()
        .with_group_id(string(&member.group).into())
        .with_members(both);
    let response = member.raw.call(version, &request);
    ok(response.error_code);
    assert_eq!(response.members.len(), 2);
    let code = |id: &str| {
        let found = response.members.iter().find(|found| found.member_id.as_str() == id);
        found.unwrap().error_code
    };
    fails(code("nobody"), ResponseError::UnknownMemberId);
    ok(code(member.id.as_str()));
    fails(member.heartbeat(3), ResponseError::UnknownMemberId);
}
