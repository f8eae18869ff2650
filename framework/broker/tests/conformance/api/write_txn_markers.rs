use kafka_protocol::ResponseError;
use kafka_protocol::messages::WriteTxnMarkersRequest;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};

use super::fetch::{only, request as fetch_request};
use super::txn::Txn;
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, name};
use crate::target::{Target, Topic};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

/// Writes a marker by hand, as tools do that end a hanging transaction.
fn write(raw: &mut Raw, version: i16, txn: &Txn, topic: &str, partition: i32, commit: bool) -> i16 {
    let topic = WritableTxnMarkerTopic::default()
        .with_name(name(topic))
        .with_partition_indexes(vec![partition]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(txn.producer_id.into())
        .with_producer_epoch(txn.epoch)
        .with_transaction_result(commit)
        .with_coordinator_epoch(0)
        .with_topics(vec![topic]);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let response = raw.call(version, &request);
    assert_eq!(response.markers[0].producer_id.0, txn.producer_id);
    response.markers[0].topics[0].partitions[0].error_code
}

fn open(target: &Target) -> (Topic, Raw, Txn) {
    let topic = target.topic("marker");
    let mut raw = target.leader(&topic, 0);
    // The second producer of its id, so that there is an older epoch.
    let mut txn = Txn::with(target, &Txn::new(target).id);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    ok(txn.produce(&mut raw, &topic, 0, "a", 0));
    (topic, raw, txn)
}

fn success(target: &Target, version: i16) {
    let (topic, mut raw, txn) = open(target);
    ok(write(&mut raw, version, &txn, &topic.name, 0, true));
    let request = fetch_request(12, &topic, 0, 0).with_isolation_level(1);
    let data = only(&raw.call(12, &request));
    assert_eq!((data.last_stable_offset, data.high_watermark), (2, 2));
    assert_eq!(data.aborted_transactions, Some(Vec::new()));
}

fn error(target: &Target, version: i16) {
    let (topic, mut raw, mut txn) = open(target);
    let nowhere = target.unique("nowhere");
    fails(
        write(&mut raw, version, &txn, &nowhere, 0, true),
        ResponseError::UnknownTopicOrPartition,
    );
    txn.epoch -= 1;
    fails(
        write(&mut raw, version, &txn, &topic.name, 0, true),
        ResponseError::InvalidProducerEpoch,
    );
}

/// An abort by hand hides the records.
fn edge(target: &Target, version: i16) {
    let (topic, mut raw, txn) = open(target);
    ok(write(&mut raw, version, &txn, &topic.name, 0, false));
    let request = fetch_request(12, &topic, 0, 0).with_isolation_level(1);
    let data = only(&raw.call(12, &request));
    assert_eq!(data.last_stable_offset, 2);
    assert_eq!(data.aborted_transactions.unwrap().len(), 1);
}
