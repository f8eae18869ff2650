use kafka_protocol::ResponseError;
use kafka_protocol::messages::FindCoordinatorRequest;

use crate::check::{Cases, cut_off, fails, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// (code, node, host, port) of each key.
fn find(raw: &mut Raw, version: i16, kind: i8, keys: &[&str]) -> Vec<(i16, i32, String, i32)> {
    let request = FindCoordinatorRequest::default();
    let request = match version {
        0 => request,
        _ => request.with_key_type(kind),
    };
    if version < 4 {
        let response = raw.call(version, &request.with_key(string(keys[0])));
        let host = response.host.to_string();
        return vec![(response.error_code, response.node_id.0, host, response.port)];
    }
    let request = request.with_coordinator_keys(keys.iter().map(|key| string(key)).collect());
    let response = raw.call(version, &request);
    let asked: Vec<_> = response.coordinators.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(asked, keys);
    let found = response.coordinators.iter();
    found
        .map(|found| (found.error_code, found.node_id.0, found.host.to_string(), found.port))
        .collect()
}

fn success(target: &Target, version: i16) {
    let group = target.unique("group");
    // Where the coordinators are not there yet, asking brings them about.
    drop(target.coordinator(&group));
    let mut raw = target.any();
    let found = find(&mut raw, version, GROUP, &[&group]).remove(0);
    ok(found.0);
    assert!(found.1 >= 0 && found.3 > 0 && !found.2.is_empty(), "{found:?}");
    assert_eq!(find(&mut raw, version, GROUP, &[&group]), [found], "it stays");
    if version >= 1 {
        let id = target.unique("tx");
        drop(target.transactions(&id));
        ok(find(&mut raw, version, TRANSACTION, &[&id]).remove(0).0);
    }
}

fn error(target: &Target, version: i16) {
    let mut raw = target.any();
    if version == 0 {
        // It has groups only, and every name is a group's: nothing to refuse but the frame.
        let request = FindCoordinatorRequest::default().with_key(string("g"));
        cut_off(&mut raw, 0, &request);
        return;
    }
    let (code, node, host, port) = find(&mut raw, version, 7, &["g"]).remove(0);
    fails(code, ResponseError::InvalidRequest);
    assert_eq!((node, host.as_str(), port), (-1, "", -1));
    if version < 6 {
        let (code, ..) = find(&mut raw, version, SHARE, &["g"]).remove(0);
        fails(code, ResponseError::InvalidRequest);
    }
}

/// Several keys at once since version 4, and the group without a name.
fn edge(target: &Target, version: i16) {
    let mut raw = target.any();
    let (a, b) = (target.unique("a"), target.unique("b"));
    let keys = match version {
        4.. => vec![a.as_str(), b.as_str(), ""],
        _ => vec![""],
    };
    let found = eventually(|| {
        let found = find(&mut raw, version, GROUP, &keys);
        let ready = found.iter().all(|found| {
            found.0 != ResponseError::CoordinatorNotAvailable.code()
        });
        ready.then_some(found)
    });
    assert_eq!(found.len(), keys.len());
    for found in found {
        ok(found.0);
    }
    if version >= 4 {
        assert!(find(&mut raw, version, GROUP, &[]).is_empty());
    }
}
