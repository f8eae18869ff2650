//! Transactions on the wire.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest,
    DescribeTransactionsRequest, ListOffsetsRequest, ListTransactionsRequest, OffsetFetchRequest,
    TransactionalId, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};

use crate::support::{BatchOf, Raw, TestBroker, fetch_request, name, now_ms, string, values_of};
use crate::txn_support::{CONCURRENT, Tx, init, init_request};

const ALL: i32 = 1 << 20;

fn committed(raw: &mut Raw, partition: i32) -> Vec<String> {
    let (records, _) = raw.read_committed("t", partition, 0, ALL);
    records.into_iter().map(|(_, value)| value).collect()
}

fn latest(raw: &mut Raw, timestamp: i64, isolation_level: i8) -> i64 {
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(isolation_level)
        .with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(name("t"))
                .with_partitions(vec![
                    ListOffsetsPartition::default()
                        .with_current_leader_epoch(-1)
                        .with_timestamp(timestamp),
                ]),
        ]);
    raw.call(8, &request).topics[0].partitions[0].offset
}

#[test]
fn committed_is_seen_aborted_is_not_and_open_waits() {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    let mut one = Tx::start(&test, "one");
    let mut two = Tx::start(&test, "two");
    assert_eq!(one.write("t", 0, &["a", "b"]), 0);
    assert_eq!(two.write("t", 0, &["x"]), 2);
    assert_eq!(one.write("t", 1, &["c"]), 0);
    let plain = BatchOf::values(&["plain"]).bytes();
    assert_eq!(raw.produce("t", 0, plain).base_offset, 3);
    assert_eq!(committed(&mut raw, 0), [""; 0]);
    let open = raw.fetch_committed("t", 0, 0, ALL);
    assert_eq!((open.high_watermark, open.last_stable_offset), (4, 0));
    assert_eq!(open.aborted_transactions, Some(Vec::new()));
    // Between the last stable offset and the high watermark there is nothing, not an error.
    assert_eq!(raw.fetch_committed("t", 0, 3, ALL).error_code, 0);
    let beyond = raw.fetch_committed("t", 0, 5, ALL).error_code;
    assert_eq!(beyond, ResponseError::OffsetOutOfRange.code());
    assert_eq!(values_of(&raw.read_all("t", 0, 0)).len(), 4, "uncommitted");
    assert_eq!((latest(&mut raw, -1, 0), latest(&mut raw, -1, 1)), (4, 0));
    assert_eq!((latest(&mut raw, 0, 0), latest(&mut raw, 0, 1)), (0, -1));

    one.commit();
    assert_eq!(committed(&mut raw, 0), ["a", "b"]);
    assert_eq!(committed(&mut raw, 1), ["c"]);
    assert_eq!((latest(&mut raw, -1, 0), latest(&mut raw, -1, 1)), (5, 2));
    two.abort();
    assert_eq!(committed(&mut raw, 0), ["a", "b", "plain"]);
    assert_eq!((latest(&mut raw, -1, 0), latest(&mut raw, -1, 1)), (6, 6));
    let data = raw.fetch_committed("t", 0, 0, ALL);
    let aborted: Vec<(i64, i64)> = data
        .aborted_transactions
        .unwrap()
        .iter()
        .map(|aborted| (aborted.producer_id.0, aborted.first_offset))
        .collect();
    assert_eq!(aborted, [(two.producer_id, 2)]);
    assert_eq!(raw.fetch("t", 0, 0).aborted_transactions, None);
    // The next transactions go on with sequences and epochs.
    two.write("t", 0, &["y"]);
    two.commit();
    assert_eq!(committed(&mut raw, 0), ["a", "b", "plain", "y"]);
    // An end that is asked for again has happened; the other end has not.
    two.commit();
    let invalid = ResponseError::InvalidTxnState.code();
    assert_eq!(two.end_version(3, false), invalid);
}

#[test]
fn markers_are_laid_out_as_kafka_writes_them() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut tx = Tx::start(&test, "tx");
    for commit in [true, false] {
        tx.write("t", 0, &["v"]);
        assert_eq!(tx.end_version(3, commit), 0);
    }
    let records = crate::support::records_of(&test.raw().fetch("t", 0, 0));
    let markers: Vec<_> = records.iter().filter(|record| record.control).collect();
    assert_eq!(markers.len(), 2);
    for (marker, (offset, kind)) in markers.into_iter().zip([(1, 1), (3, 0)]) {
        assert_eq!((marker.offset, marker.transactional), (offset, true));
        assert_eq!(marker.producer_id, tx.producer_id);
        assert_eq!((marker.producer_epoch, marker.sequence), (tx.epoch, -1));
        assert_eq!(marker.key.as_deref(), Some(&[0, 0, 0, kind][..]));
        assert_eq!(marker.value.as_deref(), Some(&[0; 6][..]));
        assert!((now_ms() - marker.timestamp).abs() < 60_000);
    }
}

#[test]
fn only_what_is_in_the_transaction_may_be_written() {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    let mut tx = Tx::start(&test, "tx");
    let value = ["v".to_owned()];
    let invalid = ResponseError::InvalidTxnState.code();
    let abortable = ResponseError::TransactionAbortable.code();
    assert_eq!(
        tx.produce_only(9, "t", 0, &value).0,
        invalid,
        "none is open"
    );
    tx.write("t", 1, &["in"]);
    assert_eq!(tx.produce_only(10, "t", 0, &value).0, invalid);
    assert_eq!(tx.produce_only(11, "t", 0, &value).0, abortable);
    // Outside of the transaction its producer may not write while it is open there.
    let plain = BatchOf::values(&["v"])
        .by(tx.producer_id, tx.epoch, 1)
        .bytes();
    assert_eq!(raw.produce("t", 1, plain.clone()).error_code, invalid);
    tx.commit();
    assert_eq!(raw.produce("t", 1, plain).error_code, 0);
    assert_eq!(tx.produce_only(9, "t", 0, &value).0, invalid, "ended");
    assert_eq!(raw.list_offset("t", 0, -1).offset, 0, "nothing was stored");

    // One unknown partition keeps the others out.
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let untried = ResponseError::OperationNotAttempted.code();
    for version in 0..=3 {
        let codes = tx.add_version(version, &[("t", 0), ("nowhere", 0), ("t", 9)]);
        assert_eq!(codes, [untried, unknown, unknown]);
    }
    let mapping = ResponseError::InvalidProducerIdMapping.code();
    let fenced = ResponseError::ProducerFenced.code();
    let stale = ResponseError::InvalidProducerEpoch.code();
    let (id, epoch) = (tx.producer_id, tx.epoch);
    for (producer_id, epoch, old, new) in [
        (id + 1, epoch, mapping, mapping),
        (id, epoch + 1, stale, fenced),
        (id, epoch - 1, stale, fenced),
    ] {
        (tx.producer_id, tx.epoch) = (producer_id, epoch);
        for (version, expected) in [(0, old), (1, old), (2, new), (3, new)] {
            assert_eq!(tx.add_version(version, &[("t", 0)]), [expected]);
            assert_eq!(tx.end_version(version, true), expected);
        }
    }
    (tx.producer_id, tx.epoch) = (id, epoch);
    tx.id = "other".to_owned();
    assert_eq!(tx.add("t", 0), mapping);
    assert_eq!(tx.end_version(4, true), mapping);
    tx.id = String::new();
    let request = ResponseError::InvalidRequest.code();
    assert_eq!(
        (tx.add("t", 0), tx.end_version(4, true)),
        (request, request)
    );
    let mut fresh = Tx::start(&test, "fresh");
    assert_eq!(fresh.end_version(3, true), invalid, "nothing to end");
    assert_eq!(fresh.end_version(3, false), invalid);
}

#[test]
fn batches_of_partitions_are_added_or_asked_for() {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut one = Tx::start(&test, "one");
    let two = Tx::start(&test, "two");
    let asked = |tx: &Tx, partition: i32, verify_only: bool| {
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(string(&tx.id).into())
            .with_producer_id(tx.producer_id.into())
            .with_producer_epoch(tx.epoch)
            .with_verify_only(verify_only)
            .with_topics(vec![
                AddPartitionsToTxnTopic::default()
                    .with_name(name("t"))
                    .with_partitions(vec![partition]),
            ])
    };
    let abortable = ResponseError::TransactionAbortable.code();
    for version in [4, 5] {
        let request = AddPartitionsToTxnRequest::default().with_transactions(vec![
            asked(&one, 0, false),
            asked(&two, 1, true),
            asked(&one, 0, true),
            asked(&one, 1, true),
        ]);
        let response = one.raw.call(version, &request);
        let codes: Vec<i16> = response
            .results_by_transaction
            .iter()
            .map(|result| result.topic_results[0].results_by_partition[0].partition_error_code)
            .collect();
        assert_eq!(codes, [0, abortable, 0, abortable]);
    }
    assert_eq!(one.produce_only(9, "t", 0, &["v".to_owned()]).0, 0);
}

#[test]
fn a_second_producer_fences_the_first() {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut zombie = Tx::start(&test, "tx");
    zombie.write("t", 0, &["lost"]);
    let mut raw = test.raw();
    // The first answer says that the old transaction is being aborted.
    let request = init_request("tx", 60_000);
    assert_eq!(raw.call(4, &request).error_code, CONCURRENT);
    let response = raw.call(4, &request);
    assert_eq!(response.error_code, 0);
    assert_eq!(response.producer_id.0, zombie.producer_id);
    assert_eq!(
        response.producer_epoch,
        zombie.epoch + 2,
        "one epoch to fence"
    );
    let stale = ResponseError::InvalidProducerEpoch.code();
    let fenced = ResponseError::ProducerFenced.code();
    let value = ["v".to_owned()];
    assert_eq!(
        zombie.produce_only(9, "t", 0, &value).0,
        stale,
        "by the marker"
    );
    assert_eq!(
        zombie.produce_only(9, "t", 1, &value).0,
        stale,
        "by the coordinator"
    );
    assert_eq!(zombie.add("t", 1), fenced);
    assert_eq!(zombie.end_version(1, true), stale);
    assert_eq!(zombie.end_version(2, true), fenced);
    assert_eq!(committed(&mut raw, 0), [""; 0]);
    let mut second = Tx::start(&test, "tx");
    second.write("t", 0, &["kept"]);
    second.commit();
    assert_eq!(committed(&mut raw, 0), ["kept"]);
}

#[test]
fn a_producer_that_goes_on_after_an_error_keeps_its_id() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let given = |id: i64, epoch: i16| {
        init_request("tx", 60_000)
            .with_producer_id(id.into())
            .with_producer_epoch(epoch)
    };
    let first = init(&mut raw, &init_request("tx", 60_000));
    let id = first.producer_id.0;
    let mut ask = |version: i16, id: i64, epoch: i16| {
        let response = raw.call(version, &given(id, epoch));
        match response.error_code {
            0 => Ok((response.producer_id.0, response.producer_epoch)),
            code => Err(code),
        }
    };
    assert_eq!(first.producer_epoch, 0);
    assert_eq!(ask(3, id, 0), Ok((id, 1)));
    assert_eq!(ask(4, id, 0), Ok((id, 1)), "the answer was lost");
    assert_eq!(ask(5, id, 1), Ok((id, 2)));
    assert_eq!(ask(5, id, 0), Err(ResponseError::ProducerFenced.code()));
    assert_eq!(
        ask(3, id, 0),
        Err(ResponseError::InvalidProducerEpoch.code())
    );
    assert_eq!(ask(4, id + 9, 2), Err(ResponseError::ProducerFenced.code()));
    let invalid = Err(ResponseError::InvalidRequest.code());
    assert_eq!((ask(4, id, -1), ask(4, -1, 2)), (invalid, invalid));
    // Someone new comes: who has the epoch before is fenced for good.
    assert_eq!(ask(4, -1, -1), Ok((id, 3)));
    assert_eq!(ask(4, id, 2), Err(ResponseError::ProducerFenced.code()));
    let timeout = ResponseError::InvalidTransactionTimeout.code();
    for refused in [0, -1, 900_001] {
        assert_eq!(raw.call(4, &init_request("x", refused)).error_code, timeout);
    }
    assert_eq!(raw.call(4, &init_request("x", 900_000)).error_code, 0);
}

pub(crate) struct Offsets<'a> {
    pub(crate) tx: &'a mut Tx,
}

impl Offsets<'_> {
    pub(crate) fn add(&mut self, version: i16) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(string(&self.tx.id).into())
            .with_producer_id(self.tx.producer_id.into())
            .with_producer_epoch(self.tx.epoch)
            .with_group_id(string("g").into());
        self.tx.raw.call(version, &request).error_code
    }

    pub(crate) fn commit(
        &mut self,
        version: i16,
        partition: i32,
        offset: i64,
        member: (&str, i32),
    ) -> i16 {
        self.commit_as(version, partition, offset, member, None)
    }

    pub(crate) fn commit_as(
        &mut self,
        version: i16,
        partition: i32,
        offset: i64,
        (member, generation): (&str, i32),
        instance: Option<&str>,
    ) -> i16 {
        let mut request = TxnOffsetCommitRequest::default()
            .with_transactional_id(string(&self.tx.id).into())
            .with_group_id(string("g").into())
            .with_producer_id(self.tx.producer_id.into())
            .with_producer_epoch(self.tx.epoch)
            .with_generation_id(generation)
            .with_topics(vec![
                TxnOffsetCommitRequestTopic::default()
                    .with_name(name("t"))
                    .with_partitions(vec![
                        TxnOffsetCommitRequestPartition::default()
                            .with_partition_index(partition)
                            .with_committed_offset(offset)
                            .with_committed_metadata(Some(string("m"))),
                    ]),
            ]);
        if version >= 3 {
            request.member_id = string(member);
            request.group_instance_id = instance.map(string);
        }
        self.tx.raw.call(version, &request).topics[0].partitions[0].error_code
    }
}

pub(crate) fn offset_of(raw: &mut Raw, partition: i32, stable: bool) -> (i64, i16) {
    let topics = vec![
        OffsetFetchRequestTopics::default()
            .with_name(name("t"))
            .with_partition_indexes(vec![partition]),
    ];
    let request = OffsetFetchRequest::default()
        .with_require_stable(stable)
        .with_groups(vec![
            OffsetFetchRequestGroup::default()
                .with_group_id(string("g").into())
                .with_topics(Some(topics)),
        ]);
    let response = raw.call(8, &request);
    let found = &response.groups[0].topics[0].partitions[0];
    (found.committed_offset, found.error_code)
}

#[test]
fn offsets_are_committed_with_the_transaction() {
    let mut test = TestBroker::start();
    test.topic("t", 2, &[]);
    let unstable = ResponseError::UnstableOffsetCommit.code();
    let nobody = ("", -1);
    for (round, commit) in [(0, true), (1, false), (2, true)] {
        let mut tx = Tx::start(&test, "tx");
        let mut raw = test.raw();
        let before = offset_of(&mut raw, 0, true);
        let mut offsets = Offsets { tx: &mut tx };
        let invalid = ResponseError::InvalidTxnState.code();
        assert_eq!(offsets.commit(3, 0, 5, nobody), invalid, "not in there yet");
        let abortable = ResponseError::TransactionAbortable.code();
        assert_eq!(offsets.commit(4, 0, 5, nobody), abortable);
        let illegal = ResponseError::IllegalGeneration.code();
        let member = ResponseError::UnknownMemberId.code();
        assert_eq!(offsets.add(3), 0);
        if round == 0 {
            let code = offsets.commit(3, 0, 1, ("gone", 4));
            assert_eq!(code, illegal, "there is no such group");
        }
        for version in 0..=4 {
            assert_eq!(offsets.add(version), 0);
            assert_eq!(offsets.commit(version, 0, 10 + round, nobody), 0);
        }
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(offsets.commit(3, 7, 1, nobody), unknown);
        for id in ["", "gone"] {
            assert_eq!(offsets.commit(3, 0, 1, (id, 4)), member);
        }
        offsets.tx.epoch -= 1;
        let stale = ResponseError::InvalidProducerEpoch.code();
        assert_eq!(offsets.commit(3, 0, 1, nobody), stale);
        offsets.tx.epoch += 1;
        assert_eq!(offset_of(&mut raw, 0, true), (-1, unstable));
        assert_eq!(offset_of(&mut raw, 0, false), before);
        assert_eq!(offset_of(&mut raw, 1, true), (-1, 0), "another partition");
        // An open transaction and its offsets outlive the broker.
        match round {
            0 => test.crash(),
            _ => test.stop(),
        }
        test.start_again();
        let mut raw = test.raw();
        tx.reconnect(&test);
        assert_eq!(offset_of(&mut raw, 0, true), (-1, unstable));
        assert_eq!(tx.end_version(3, commit), 0);
        let expected = if commit { (10 + round, 0) } else { before };
        for stable in [true, false] {
            assert_eq!(offset_of(&mut raw, 0, stable), expected, "{round}");
        }
        test.crash();
        test.start_again();
        assert_eq!(offset_of(&mut test.raw(), 0, true), expected);
    }
    let mut tx = Tx::start(&test, "fenced");
    let mut offsets = Offsets { tx: &mut tx };
    offsets.add(3);
    assert_eq!(offsets.commit(3, 1, 77, nobody), 0);
    Tx::start(&test, "fenced");
    assert_eq!(
        offset_of(&mut test.raw(), 1, true),
        (-1, 0),
        "aborted with its producer"
    );
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let test = TestBroker::start_with(|config| {
        config.transaction_check_interval = Duration::from_millis(50);
        config.transactional_id_expiry = Duration::from_millis(400);
    });
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let mut slow = Tx::start_with(&test, "slow", 300);
    let mut patient = Tx::start(&test, "patient");
    slow.write("t", 0, &["late"]);
    patient.write("t", 0, &["in time"]);
    let deadline = Instant::now() + Duration::from_secs(10);
    while raw.fetch_committed("t", 0, 0, ALL).last_stable_offset == 0 {
        assert!(Instant::now() < deadline, "it is not aborted");
        std::thread::sleep(Duration::from_millis(20));
    }
    patient.commit();
    assert_eq!(committed(&mut raw, 0), ["in time"]);
    assert_eq!(
        slow.end_version(3, true),
        ResponseError::ProducerFenced.code()
    );
    let stale = ResponseError::InvalidProducerEpoch.code();
    assert_eq!(slow.produce_only(9, "t", 0, &["v".to_owned()]).0, stale);
    // Silent for long enough, both ids are forgotten.
    let none = || ListTransactionsRequest::default();
    while !raw.call(0, &none()).transaction_states.is_empty() {
        assert!(Instant::now() < deadline, "they are not forgotten");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mapping = ResponseError::InvalidProducerIdMapping.code();
    assert_eq!(patient.add("t", 0), mapping);
    let again = Tx::start(&test, "patient");
    assert_eq!(again.epoch, 0);
    assert!(again.producer_id > slow.producer_id.max(patient.producer_id));
}

#[test]
fn a_fetch_waits_for_the_end_of_a_transaction() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut tx = Tx::start(&test, "tx");
    tx.write("t", 0, &["v"]);
    let address = test.broker().local_addr();
    let waiting = std::thread::spawn(move || {
        let mut raw = Raw::connect(address);
        let request = fetch_request("t", &[(0, 0, ALL)], 10_000, 1).with_isolation_level(1);
        let begun = Instant::now();
        let response = raw.call(11, &request);
        let data = &response.responses[0].partitions[0];
        (begun.elapsed(), crate::support::records_of(data).len())
    });
    std::thread::sleep(Duration::from_millis(300));
    // More of the open transaction is nothing new to the reader.
    tx.write("t", 0, &["w"]);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    tx.commit();
    let (took, records) = waiting.join().unwrap();
    assert_eq!(records, 3, "two and the marker");
    let expected = Duration::from_millis(450)..Duration::from_secs(5);
    assert!(expected.contains(&took), "{took:?}");
}

#[test]
fn transactions_are_listed_and_described() {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut open = Tx::start(&test, "open");
    let mut done = Tx::start(&test, "done");
    let idle = Tx::start(&test, "idle");
    open.write("t", 1, &["a", "b"]);
    Offsets { tx: &mut open }.add(3);
    done.write("t", 1, &["v"]);
    done.abort();
    let mut raw = test.raw();
    let mut list = |version: i16, states: &[&str], producers: &[i64], longer_than: i64| {
        let mut request = ListTransactionsRequest::default()
            .with_state_filters(states.iter().map(|state| string(state)).collect())
            .with_producer_id_filters(producers.iter().map(|id| (*id).into()).collect());
        if version >= 1 {
            request.duration_filter = longer_than;
        }
        let response = raw.call(version, &request);
        let listed: Vec<String> = response
            .transaction_states
            .iter()
            .map(|listed| {
                format!(
                    "{}:{}",
                    listed.transactional_id.as_str(),
                    listed.transaction_state
                )
            })
            .collect();
        (listed, response.unknown_state_filters.len())
    };
    let all = ["done:CompleteAbort", "idle:Empty", "open:Ongoing"];
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    for version in [0, 1] {
        assert_eq!(list(version, &[], &[], -1), (of(&all), 0));
        assert_eq!(list(version, &["Ongoing"], &[], -1), (of(&all[2..]), 0));
        assert_eq!(list(version, &["Dead", "Odd"], &[], -1), (vec![], 1));
        assert_eq!(
            list(version, &[], &[idle.producer_id], -1),
            (of(&all[1..2]), 0)
        );
    }
    assert_eq!(list(1, &["Ongoing"], &[], 60_000), (vec![], 0));

    let ids = ["open", "done", "nobody"].map(|id| TransactionalId(string(id)));
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids.to_vec());
    let described = raw.call(0, &request).transaction_states;
    let not_found = ResponseError::TransactionalIdNotFound.code();
    assert_eq!(described[2].error_code, not_found);
    assert_eq!(described[0].transaction_state.as_str(), "Ongoing");
    assert_eq!(described[0].producer_id.0, open.producer_id);
    assert_eq!(described[0].transaction_timeout_ms, 60_000);
    assert!((now_ms() - described[0].transaction_start_time_ms) < 60_000);
    let topics: Vec<(&str, &[i32])> = described[0]
        .topics
        .iter()
        .map(|topic| (topic.topic.as_str(), &topic.partitions[..]))
        .collect();
    assert_eq!(topics, [("__consumer_offsets", &[0][..]), ("t", &[1])]);
    assert!(described[1].topics.is_empty());

    let request = DescribeProducersRequest::default().with_topics(vec![
        TopicRequest::default()
            .with_name(name("t"))
            .with_partition_indexes(vec![0, 1, 2]),
    ]);
    let partitions = raw.call(0, &request).topics[0].partitions.clone();
    assert!(partitions[0].active_producers.is_empty());
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(partitions[2].error_code, unknown);
    let [first, second] = &partitions[1].active_producers[..] else {
        panic!("{partitions:?}");
    };
    assert_eq!(first.producer_id.0, open.producer_id);
    assert_eq!(
        (first.last_sequence, first.current_txn_start_offset),
        (1, 0)
    );
    assert_eq!(first.coordinator_epoch, -1);
    assert_eq!(
        (second.last_sequence, second.current_txn_start_offset),
        (0, -1)
    );
    assert_eq!(second.coordinator_epoch, 0);
}

/// What `kafka-transactions.sh abort` sends.
#[test]
fn a_transaction_is_ended_by_hand() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut tx = Tx::start(&test, "tx");
    tx.write("t", 0, &["v"]);
    let mut raw = test.raw();
    let mut write = |epoch: i16, topic: &str| {
        let request = WriteTxnMarkersRequest::default().with_markers(vec![
            WritableTxnMarker::default()
                .with_producer_id(tx.producer_id.into())
                .with_producer_epoch(epoch)
                .with_transaction_result(false)
                .with_topics(vec![
                    WritableTxnMarkerTopic::default()
                        .with_name(name(topic))
                        .with_partition_indexes(vec![0]),
                ]),
        ]);
        raw.call(1, &request).markers[0].topics[0].partitions[0].error_code
    };
    let stale = ResponseError::InvalidProducerEpoch.code();
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(write(tx.epoch - 1, "t"), stale);
    assert_eq!(write(tx.epoch, "nowhere"), unknown);
    assert_eq!(write(tx.epoch, "t"), 0);
    let data = raw.fetch_committed("t", 0, 0, ALL);
    assert_eq!(data.last_stable_offset, 2);
    assert_eq!(data.aborted_transactions.unwrap().len(), 1);
}
