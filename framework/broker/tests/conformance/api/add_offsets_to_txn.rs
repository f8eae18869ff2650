use kafka_protocol::ResponseError;

use super::txn::{Txn, fenced};
use crate::check::{Cases, fails, ok};
use crate::target::Target;

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn success(target: &Target, version: i16) {
    let mut txn = Txn::new(target);
    ok(txn.add_offsets(version, &target.unique("group")));
    ok(txn.end(4, true).error_code);
}

fn error(target: &Target, version: i16) {
    let group = target.unique("group");
    let mut txn = Txn::new(target);
    txn.producer_id += 1_000_000;
    fails(txn.add_offsets(version, &group), ResponseError::InvalidProducerIdMapping);
    txn.producer_id -= 1_000_000;
    txn.epoch += 1;
    fails(txn.add_offsets(version, &group), fenced(version, 2));
}

/// Several groups in one transaction, each once.
fn edge(target: &Target, version: i16) {
    let mut txn = Txn::new(target);
    let (a, b) = (target.unique("a"), target.unique("b"));
    for group in [&a, &b, &a] {
        ok(txn.add_offsets(version, group));
    }
    ok(txn.end(4, false).error_code);
}
