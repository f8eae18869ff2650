use kafka_protocol::messages::DescribeAclsRequest;
use kafka_protocol::messages::describe_acls_response::DescribeAclsResource;

use super::create_acls::{create, entry};
use crate::check::{Cases, cut_off, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) const TOPIC: i8 = 2;
pub(crate) const READ: i8 = 3;
pub(crate) const LITERAL: i8 = 3;
pub(crate) const PREFIXED: i8 = 4;
const ANY: i8 = 1;
const MATCH: i8 = 2;

fn request(name: &str, pattern: i8) -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(TOPIC)
        .with_resource_name_filter(Some(string(name)))
        .with_pattern_type_filter(pattern)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY)
}

fn listed(
    raw: &mut Raw,
    version: i16,
    request: &DescribeAclsRequest,
) -> Vec<DescribeAclsResource> {
    let response = raw.call(version, request);
    ok(response.error_code);
    response.resources
}

/// The entries of topics with this name, whatever the pattern.
pub(crate) fn described(raw: &mut Raw, version: i16, name: &str) -> Vec<DescribeAclsResource> {
    listed(raw, version, &request(name, ANY))
}

fn success(target: &Target, version: i16) {
    let name = target.unique("acl");
    let mut raw = target.any();
    ok(create(&mut raw, 3, vec![entry(&name, LITERAL)])[0]);
    let found = eventually(|| described(&mut raw, version, &name).pop());
    assert_eq!(found.resource_name.as_str(), name);
    assert_eq!(found.acls[0].operation, READ);
    let other = request(&name, LITERAL).with_principal_filter(Some(string("User:nobody")));
    assert_eq!(listed(&mut raw, version, &other), []);
}

fn error(target: &Target, version: i16) {
    cut_off(&mut target.any(), version, &request("t", ANY));
}

/// What would be looked at for a topic: entries of its own name and of its beginnings.
fn edge(target: &Target, version: i16) {
    let name = target.unique("acl");
    let longer = format!("{name}.more");
    let mut raw = target.any();
    let entries = vec![entry(&name, PREFIXED), entry(&longer, LITERAL)];
    for code in create(&mut raw, 3, entries) {
        ok(code);
    }
    let matching = |raw: &mut Raw, name: &str| {
        let found = listed(raw, version, &request(name, MATCH));
        let mut found: Vec<(String, i8)> = found
            .iter()
            .map(|resource| (resource.resource_name.to_string(), resource.pattern_type))
            .filter(|(found, _)| found.starts_with(name) || name.starts_with(found.as_str()))
            .collect();
        found.sort();
        found
    };
    let both = vec![(name.clone(), PREFIXED), (longer.clone(), LITERAL)];
    eventually(|| (matching(&mut raw, &longer) == both).then_some(()));
    assert_eq!(matching(&mut raw, &name), both[..1]);
}
