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
    let topic = target.topic_with("tx", 2, &[]);
    let mut txn = Txn::new(target);
    assert_eq!(txn.add(version, &[(&topic.name, 0)]), [0]);
    assert_eq!(txn.add(version, &[(&topic.name, 1)]), [0]);
    ok(txn.produce(&mut target.leader(&topic, 1), &topic, 1, "a", 0));
    ok(txn.end(4, true).error_code);
}

fn error(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut txn = Txn::new(target);
    let there = [(topic.name.as_str(), 0)];
    txn.producer_id += 1_000_000;
    fails(txn.add(version, &there)[0], ResponseError::InvalidProducerIdMapping);
    txn.producer_id -= 1_000_000;
    txn.epoch += 1;
    fails(txn.add(version, &there)[0], fenced(version, 2));
    txn.epoch -= 1;
    let nowhere = target.unique("nowhere");
    let codes = txn.add(version, &[(&nowhere, 0), (&topic.name, 0)]);
    fails(codes[0], ResponseError::UnknownTopicOrPartition);
    fails(codes[1], ResponseError::OperationNotAttempted);
}

/// Adding twice is adding once, and a successor shuts out who was there before.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut txn = Txn::new(target);
    let there = [(topic.name.as_str(), 0)];
    assert_eq!(txn.add(version, &there), [0]);
    assert_eq!(txn.add(version, &there), [0]);
    let successor = Txn::with(target, &txn.id);
    assert!(successor.epoch > txn.epoch);
    fails(txn.add(version, &there)[0], fenced(version, 2));
}
