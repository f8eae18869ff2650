use kafka_protocol::messages::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::ListedGroup;

use super::group::Member;
use super::offset_commit::commit_alone;
use crate::check::{Cases, closes, cut_off, ok};
use crate::support::{Raw, string};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn list(raw: &mut Raw, version: i16, states: &[&str], types: &[&str]) -> Vec<ListedGroup> {
    let request = ListGroupsRequest::default()
        .with_states_filter(states.iter().map(|state| string(state)).collect())
        .with_types_filter(types.iter().map(|kind| string(kind)).collect());
    let response = raw.call(version, &request);
    ok(response.error_code);
    response.groups
}

fn find<'a>(groups: &'a [ListedGroup], group: &str) -> Option<&'a ListedGroup> {
    groups.iter().find(|found| found.group_id.as_str() == group)
}

fn success(target: &Target, version: i16) {
    let mut member = Member::alone(target, "list");
    let groups = list(&mut member.raw, version, &[], &[]);
    let found = find(&groups, &member.group).unwrap();
    assert_eq!(found.protocol_type.as_str(), "consumer");
    if version >= 4 {
        assert_eq!(found.group_state.as_str(), "Stable");
    }
    if version >= 5 {
        assert_eq!(found.group_type.as_str().to_lowercase(), "classic");
    }
}

/// There is nothing to refuse but what cannot be read.
fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    if version < 3 {
        // The request has no body before: what is asked for is another version.
        let frame = raw.frame(version, &ListGroupsRequest::default());
        std::io::Write::write_all(&mut raw.stream, &[&frame[..6], &[0, 99], &frame[8..]].concat())
            .unwrap();
        closes(&mut raw);
        return;
    }
    cut_off(&mut raw, version, &ListGroupsRequest::default());
}

/// Filters by state and type, in any case of letters; a group of offsets only is empty.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("list");
    let group = target.unique("list");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 1);
    assert!(find(&list(&mut raw, version, &[], &[]), &group).is_some());
    if version >= 4 {
        assert!(find(&list(&mut raw, version, &["Empty"], &[]), &group).is_some());
        assert!(find(&list(&mut raw, version, &["empty"], &[]), &group).is_some());
        assert!(find(&list(&mut raw, version, &["Stable"], &[]), &group).is_none());
    }
    if version >= 5 {
        assert!(find(&list(&mut raw, version, &[], &["Classic"]), &group).is_some());
        assert!(find(&list(&mut raw, version, &[], &["consumer"]), &group).is_none());
    }
}
