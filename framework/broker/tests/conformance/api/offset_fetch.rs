
use super::group::{Member, committed, fetch_request};
use super::offset_commit::commit_alone;
use crate::check::{Cases, cut_off, ok};
use crate::support::string;
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn success(target: &Target, version: i16) {
    let topic = target.topic("fetch-offset");
    let group = target.unique("fetch-offset");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 42);
    let (code, found) = committed(&mut raw, version, &group, Some(&[(&topic.name, 0)]));
    ok(code);
    assert_eq!(found.len(), 1);
    let (name, found) = &found[0];
    ok(found.error_code);
    assert_eq!((name, found.partition_index), (&topic.name, 0));
    assert_eq!(found.committed_offset, 42);
    assert_eq!(found.metadata, Some(string("note")));
    assert_eq!(found.committed_leader_epoch, if version >= 5 { 0 } else { -1 });
}

/// Nothing is refused but what cannot be read: what was never heard of has committed nothing.
fn error(target: &Target, version: i16) {
    let mut member = Member::alone(target, "fetch-offset");
    let asked = [("nowhere", 3)];
    for group in [member.group.clone(), target.unique("nobody"), String::new()] {
        // A connection to the coordinator of each, as they may differ.
        let mut raw = target.coordinator(&group);
        let (code, found) = committed(&mut raw, version, &group, Some(&asked));
        ok(code);
        ok(found[0].1.error_code);
        assert_eq!(found[0].1.partition_index, 3);
        assert_eq!(found[0].1.committed_offset, -1);
    }
    let request = fetch_request(version, &member.group, Some(&asked));
    cut_off(&mut member.raw, version, &request);
}

/// A partition without an offset has -1; since version 2 all can be asked for at once.
fn edge(target: &Target, version: i16) {
    let topic = target.topic_with("fetch-offset", 2, &[]);
    let group = target.unique("fetch-offset");
    let mut raw = target.coordinator(&group);
    commit_alone(&mut raw, 8, &group, &topic.name, 42);
    let (code, found) = committed(&mut raw, version, &group, Some(&[(&topic.name, 1)]));
    ok(code);
    ok(found[0].1.error_code);
    assert_eq!(found[0].1.committed_offset, -1);
    assert_eq!(found[0].1.metadata, Some(string("")));
    if version >= 2 {
        let (code, found) = committed(&mut raw, version, &group, None);
        ok(code);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.committed_offset, 42);
        let nobody = target.unique("nobody");
        let mut raw = target.coordinator(&nobody);
        let (code, found) = committed(&mut raw, version, &nobody, None);
        ok(code);
        assert!(found.is_empty());
    }
}
