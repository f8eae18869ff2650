//! Markers that an administrator has written, and the transactions that go on behind them.

use kafka_protocol::messages::WriteTxnMarkersRequest;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};

use crate::support::{TestBroker, name};
use crate::txn_support::Tx;

const ALL: i32 = 1 << 20;

/// What `kafka-transactions.sh abort --coordinator-epoch` sends.
fn abort_by_hand(test: &TestBroker, tx: &Tx, coordinator_epoch: i32) -> i16 {
    let topic = WritableTxnMarkerTopic::default()
        .with_name(name("t"))
        .with_partition_indexes(vec![0]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(tx.producer_id.into())
        .with_producer_epoch(tx.epoch)
        .with_transaction_result(false)
        .with_coordinator_epoch(coordinator_epoch)
        .with_topics(vec![topic]);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let response = test.raw().call(1, &request);
    response.markers[0].topics[0].partitions[0].error_code
}

fn committed(test: &TestBroker) -> Vec<String> {
    let (records, _) = test.raw().read_committed("t", 0, 0, ALL);
    records.into_iter().map(|(_, value)| value).collect()
}

fn last_stable_offset(test: &TestBroker) -> i64 {
    let data = test.raw().fetch_committed("t", 0, 0, 1);
    data.last_stable_offset
}

/// A marker under a later epoch of the coordinator than its own does not keep it from ending
/// the producer's transactions.
#[test]
fn the_coordinator_goes_on_behind_a_marker_of_a_later_epoch() {
    let mut test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut tx = Tx::start(&test, "tx");
    tx.write("t", 0, &["by hand"]);
    assert_eq!(abort_by_hand(&test, &tx, 5), 0);
    assert_eq!(last_stable_offset(&test), 2);
    // Its producer does not know of it.
    tx.write("t", 0, &["rest"]);
    assert_eq!(last_stable_offset(&test), 2);
    tx.commit();
    assert_eq!(last_stable_offset(&test), 4);
    tx.write("t", 0, &["aborted"]);
    tx.abort();
    tx.write("t", 0, &["next"]);
    tx.commit();
    assert_eq!(last_stable_offset(&test), 8);
    assert_eq!(committed(&test), ["rest", "next"]);
    // One that the coordinator has lost is ended at the start, under that epoch too.
    tx.write("t", 0, &["lost"]);
    test.crash();
    std::fs::write(test.dir().join("transactions.log"), b"").unwrap();
    for _ in 0..2 {
        test.start_again();
        assert_eq!(last_stable_offset(&test), 10);
        assert_eq!(committed(&test), ["rest", "next"]);
        test.stop();
    }
}
