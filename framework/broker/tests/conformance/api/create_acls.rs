use kafka_protocol::ResponseError;
use kafka_protocol::messages::CreateAclsRequest;
use kafka_protocol::messages::create_acls_request::AclCreation;

use super::describe_acls::{LITERAL, PREFIXED, READ, TOPIC, described};
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

const ALLOW: i8 = 3;

/// An entry that lets a user read topics.
pub(crate) fn entry(name: &str, pattern: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(TOPIC)
        .with_resource_name(string(name))
        .with_resource_pattern_type(pattern)
        .with_principal(string("User:conformance"))
        .with_host(string("*"))
        .with_operation(READ)
        .with_permission_type(ALLOW)
}

/// Creates entries; the code of each.
pub(crate) fn create(raw: &mut Raw, version: i16, entries: Vec<AclCreation>) -> Vec<i16> {
    let request = CreateAclsRequest::default().with_creations(entries);
    let results = raw.call(version, &request).results;
    results.iter().map(|result| result.error_code).collect()
}

fn success(target: &Target, version: i16) {
    let name = target.unique("acl");
    let mut raw = target.any();
    ok(create(&mut raw, version, vec![entry(&name, LITERAL)])[0]);
    let acl = eventually(|| described(&mut raw, 3, &name).pop());
    assert_eq!(acl.resource_type, TOPIC);
    assert_eq!(acl.pattern_type, LITERAL);
    let [acl] = &acl.acls[..] else {
        panic!("{:?}", acl.acls);
    };
    assert_eq!(acl.principal.as_str(), "User:conformance");
    assert_eq!(acl.host.as_str(), "*");
    assert_eq!((acl.operation, acl.permission_type), (READ, ALLOW));
}

fn error(target: &Target, version: i16) {
    let codes = create(&mut target.any(), version, vec![entry("", LITERAL)]);
    fails(codes[0], ResponseError::InvalidRequest);
}

/// What is wrong in one entry does not touch the others, and one that is there already is
/// not an error.
fn edge(target: &Target, version: i16) {
    let name = target.unique("acl");
    let mut raw = target.any();
    let cluster = entry("another-cluster", LITERAL).with_resource_type(4);
    let entries = vec![entry(&name, PREFIXED), cluster];
    for _ in 0..2 {
        let codes = create(&mut raw, version, entries.clone());
        ok(codes[0]);
        fails(codes[1], ResponseError::InvalidRequest);
    }
    let acl = eventually(|| described(&mut raw, 3, &name).pop());
    assert_eq!((acl.pattern_type, acl.acls.len()), (PREFIXED, 1));
}
