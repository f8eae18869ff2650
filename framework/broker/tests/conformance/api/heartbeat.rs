use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::group::{Member, heartbeat, join, join_request};
use crate::check::{Cases, fails, ok};
use crate::support::string;
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn success(target: &Target, version: i16) {
    let mut member = Member::alone(target, "beat");
    ok(member.heartbeat(version));
    ok(member.heartbeat(version));
}

fn error(target: &Target, version: i16) {
    let mut member = Member::alone(target, "beat");
    let (group, id, generation) = (member.group.clone(), member.id.clone(), member.generation);
    let raw = &mut member.raw;
    let mut refused = |group: &str, id: &StrBytes, generation, error| {
        fails(heartbeat(raw, version, group, id, generation), error);
    };
    refused("", &id, generation, ResponseError::InvalidGroupId);
    refused(&group, &string("nobody"), generation, ResponseError::UnknownMemberId);
    refused(&group, &id, generation + 1, ResponseError::IllegalGeneration);
    let nowhere = target.unique("nowhere");
    let mut raw = target.coordinator(&nowhere);
    fails(
        heartbeat(&mut raw, version, &nowhere, &id, generation),
        ResponseError::UnknownMemberId,
    );
}

/// Who beats while another joins is told of the rebalance; between its join and its sync a
/// member may beat.
fn edge(target: &Target, version: i16) {
    let mut member = Member::alone(target, "beat");
    let mut newcomer = target.coordinator(&member.group);
    newcomer.send(3, &join_request(3, &member.group, &StrBytes::default()));
    eventually(|| match member.heartbeat(version) {
        0 => None,
        code => {
            fails(code, ResponseError::RebalanceInProgress);
            Some(())
        }
    });

    let group = target.unique("beat");
    let mut raw = target.coordinator(&group);
    let joined = join(&mut raw, 5, &group, &StrBytes::default());
    ok(heartbeat(&mut raw, version, &group, &joined.member_id, joined.generation_id));
}
