use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeTransactionsRequest;
use kafka_protocol::messages::describe_transactions_response::TransactionState;

use super::txn::Txn;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

fn describe(raw: &mut Raw, version: i16, id: &str) -> TransactionState {
    let request =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![string(id).into()]);
    raw.call(version, &request).transaction_states.remove(0)
}

fn success(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut txn = Txn::new(target);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    let id = txn.id.clone();
    let found = describe(&mut txn.raw, version, &id);
    ok(found.error_code);
    assert_eq!(found.transactional_id.as_str(), txn.id);
    assert_eq!(found.transaction_state.as_str(), "Ongoing");
    assert_eq!((found.producer_id.0, found.producer_epoch), (txn.producer_id, txn.epoch));
    assert_eq!(found.transaction_timeout_ms, 10_000);
    assert!(found.transaction_start_time_ms > 0);
    assert_eq!(found.topics.len(), 1);
    assert_eq!((&found.topics[0].topic, &found.topics[0].partitions[..]), (&name(&topic.name), &[0][..]));
}

fn error(target: &Target, version: i16) {
    let nobody = target.unique("nobody");
    let found = describe(&mut target.transactions(&nobody), version, &nobody);
    fails(found.error_code, ResponseError::TransactionalIdNotFound);
    assert_eq!(found.transactional_id.as_str(), nobody);
}

/// Before the first transaction and after the last one.
fn edge(target: &Target, version: i16) {
    let topic = target.topic("tx");
    let mut txn = Txn::new(target);
    let id = txn.id.clone();
    let found = describe(&mut txn.raw, version, &id);
    assert_eq!(found.transaction_state.as_str(), "Empty");
    assert!(found.topics.is_empty());
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    ok(txn.end(4, false).error_code);
    eventually(|| {
        let found = describe(&mut txn.raw, version, &id);
        (found.transaction_state.as_str() == "CompleteAbort" && found.topics.is_empty()).then_some(())
    });
}
