use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteGroupsRequest;

use super::group::{Member, committed};
use super::offset_commit::commit_alone;
use super::txn::Txn;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn delete(raw: &mut Raw, version: i16, group: &str) -> i16 {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![string(group).into()]);
    let response = raw.call(version, &request);
    assert_eq!(response.results[0].group_id.as_str(), group);
    response.results[0].error_code
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("delete-group");
    let group = target.unique("delete");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 1);
    ok(delete(&mut raw, version, &group));
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    assert_eq!(found[0].1.committed_offset, -1);
}

fn error(target: &Target, version: i16) {
    let mut member = Member::alone(target, "delete");
    fails(delete(&mut member.raw, version, &member.group), ResponseError::NonEmptyGroup);
    let nobody = target.unique("nobody");
    let code = delete(&mut target.coordinator(&nobody), version, &nobody);
    fails(code, ResponseError::GroupIdNotFound);
}

/// A group whose last member has left can be deleted, once; and with it goes what an open
/// transaction has committed.
fn edge(target: &Target, version: i16) {
    let mut member = Member::alone(target, "delete");
    ok(member.leave(3));
    ok(delete(&mut member.raw, version, &member.group));
    fails(delete(&mut member.raw, version, &member.group), ResponseError::GroupIdNotFound);

    let topic = target.topic("delete-group");
    let group = target.unique("delete");
    let mut raw = target.coordinator(&group);
    let mut txn = Txn::new(target);
    ok(txn.add_offsets(3, &group));
    let request = txn.offset_commit_request(3, &group, &topic.name, 9);
    ok(raw.call(3, &request).topics[0].partitions[0].error_code);
    ok(delete(&mut raw, version, &group));
    ok(txn.end(4, true).error_code);
    // The next transaction can begin when that one has been carried out.
    ok(txn.add_offsets(3, &group));
    let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
    assert_eq!(found[0].1.committed_offset, -1);
}
