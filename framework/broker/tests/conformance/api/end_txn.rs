use kafka_protocol::ResponseError;

use super::fetch::{only, request as fetch_request};
use super::txn::{Txn, fenced};
use crate::batch::{records, values};
use crate::check::{Cases, fails, ok};
use crate::target::{Target, Topic, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

/// Waits for the marker that the end has written behind the last record.
fn stable(target: &Target, topic: &Topic, until: i64) {
    let mut raw = target.leader(topic, 0);
    eventually(|| {
        let data = only(&raw.call(12, &fetch_request(12, topic, 0, 0)));
        (data.last_stable_offset == until).then_some(())
    });
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut leader = target.leader(&topic, 0);
    let mut txn = Txn::new(target);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    ok(txn.produce(&mut leader, &topic, 0, "a", 0));
    let open = fetch_request(12, &topic, 0, 0).with_isolation_level(1);
    let data = only(&leader.call(12, &open));
    assert_eq!((data.high_watermark, data.last_stable_offset), (1, 0));
    assert!(records(data.records.as_ref()).is_empty());
    let epoch = txn.epoch;
    let response = txn.end(version, true);
    ok(response.error_code);
    if version >= 5 {
        assert_eq!(txn.epoch, epoch + 1, "each transaction has an epoch of its own");
    }
    stable(target, &topic, 2);
    let data = only(&leader.call(12, &open));
    assert_eq!(data.aborted_transactions, Some(Vec::new()));
    let found = records(data.records.as_ref());
    assert_eq!(found.len(), 2);
    assert!(!found[0].control && found[1].control);
    assert_eq!(values(&found[..1]), ["a"]);
}

fn error(target: &Target, version: i16) {
    let mut txn = Txn::new(target);
    fails(txn.end(version, true).error_code, ResponseError::InvalidTxnState);
    let topic = target.topic("tx");
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    let mut wrong = txn.end_request(true);
    wrong.producer_id = (txn.producer_id + 1_000_000).into();
    fails(
        txn.raw.call(version, &wrong).error_code,
        ResponseError::InvalidProducerIdMapping,
    );
    let mut old = txn.end_request(true);
    old.producer_epoch += 1;
    fails(txn.raw.call(version, &old).error_code, fenced(version, 2));
    let mut nobody = txn.end_request(true);
    nobody.transactional_id = crate::support::string("").into();
    let code = txn.raw.call(version, &nobody).error_code;
    fails(code, ResponseError::InvalidRequest);
}

/// An abort: readers are told which records to pass over. Ending twice the same way is
/// ending once, before a new epoch came with each end.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut leader = target.leader(&topic, 0);
    let mut txn = Txn::new(target);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    ok(txn.produce(&mut leader, &topic, 0, "gone", 0));
    ok(txn.end(version, false).error_code);
    stable(target, &topic, 2);
    let request = fetch_request(12, &topic, 0, 0).with_isolation_level(1);
    let data = only(&leader.call(12, &request));
    let aborted = data.aborted_transactions.unwrap();
    assert_eq!(aborted.len(), 1);
    assert_eq!(aborted[0].producer_id.0, txn.producer_id);
    assert_eq!(aborted[0].first_offset, 0);
    if version < 5 {
        ok(txn.end(version, false).error_code);
        fails(txn.end(version, true).error_code, ResponseError::InvalidTxnState);
    } else {
        // An empty transaction may be aborted, as nothing says that it has begun.
        ok(txn.end(version, false).error_code);
    }
}
