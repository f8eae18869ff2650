use kafka_protocol::messages::DeleteAclsRequest;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;

use super::create_acls::{create, entry};
use super::describe_acls::{LITERAL, PREFIXED, TOPIC, described};
use crate::check::{Cases, cut_off, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

const ANY: i8 = 1;

fn request(name: &str, pattern: i8) -> DeleteAclsRequest {
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(TOPIC)
        .with_resource_name_filter(Some(string(name)))
        .with_pattern_type_filter(pattern)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    DeleteAclsRequest::default().with_filters(vec![filter])
}

fn delete(raw: &mut Raw, version: i16, name: &str, pattern: i8) -> DeleteAclsFilterResult {
    let response = raw.call(version, &request(name, pattern));
    let result = response.filter_results[0].clone();
    ok(result.error_code);
    result
}

/// Two entries of one name, which both are there.
fn two(target: &Target, raw: &mut Raw) -> String {
    let name = target.unique("acl");
    for code in create(raw, 3, vec![entry(&name, LITERAL), entry(&name, PREFIXED)]) {
        ok(code);
    }
    eventually(|| (described(raw, 3, &name).len() == 2).then_some(()));
    name
}

fn success(target: &Target, version: i16) {
    let mut raw = target.any();
    let name = two(target, &mut raw);
    let deleted = delete(&mut raw, version, &name, ANY).matching_acls;
    assert_eq!(deleted.len(), 2);
    for acl in deleted {
        ok(acl.error_code);
        assert_eq!(acl.resource_name.as_str(), name);
        assert_eq!(acl.principal.as_str(), "User:conformance");
    }
    eventually(|| described(&mut raw, 3, &name).is_empty().then_some(()));
}

fn error(target: &Target, version: i16) {
    cut_off(&mut target.any(), version, &request("t", ANY));
}

/// Only entries of the pattern that is named are deleted, and to find none is no error.
fn edge(target: &Target, version: i16) {
    let mut raw = target.any();
    let name = two(target, &mut raw);
    let deleted = delete(&mut raw, version, &name, PREFIXED).matching_acls;
    assert_eq!((deleted.len(), deleted[0].pattern_type), (1, PREFIXED));
    let left = eventually(|| {
        let left = described(&mut raw, 3, &name);
        (left.len() == 1).then_some(left)
    });
    assert_eq!(left[0].pattern_type, LITERAL);
    assert!(delete(&mut raw, version, &name, PREFIXED).matching_acls.is_empty());
}
