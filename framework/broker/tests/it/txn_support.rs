//! A raw transactional producer, and a reader that filters as consumers do.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, InitProducerIdResponse,
};
use kafka_protocol::records::Record;

use crate::support::{
    BatchOf, Raw, TestBroker, fetch_request, name, produce_request, records_of, string,
};

pub(crate) const CONCURRENT: i16 = ResponseError::ConcurrentTransactions.code();

/// A transactional producer that does one thing at a time.
pub(crate) struct Tx {
    pub(crate) raw: Raw,
    pub(crate) id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    sequences: HashMap<(String, i32), i32>,
}

pub(crate) fn init_request(id: &str, timeout_ms: i32) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(string(id).into()))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
}

/// Asks for a producer id as clients do: again while an older transaction is aborted.
pub(crate) fn init(raw: &mut Raw, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    for _ in 0..500 {
        let response = raw.call(4, request);
        if response.error_code != CONCURRENT {
            return response;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the older transaction does not end");
}

impl Tx {
    pub(crate) fn start(test: &TestBroker, id: &str) -> Self {
        Self::start_with(test, id, 60_000)
    }

    pub(crate) fn start_with(test: &TestBroker, id: &str, timeout_ms: i32) -> Self {
        Self::on(test.raw(), id, timeout_ms)
    }

    pub(crate) fn on(mut raw: Raw, id: &str, timeout_ms: i32) -> Self {
        let response = init(&mut raw, &init_request(id, timeout_ms));
        assert_eq!(response.error_code, 0, "init {id}");
        Self {
            raw,
            id: id.to_owned(),
            producer_id: response.producer_id.0,
            epoch: response.producer_epoch,
            sequences: HashMap::new(),
        }
    }

    /// Goes on with a broker that has been started again.
    pub(crate) fn reconnect(&mut self, test: &TestBroker) {
        self.raw = test.raw();
    }

    pub(crate) fn add_version(&mut self, version: i16, partitions: &[(&str, i32)]) -> Vec<i16> {
        let topics = partitions
            .iter()
            .map(|(topic, partition)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![*partition])
            })
            .collect();
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(string(&self.id).into())
            .with_v3_and_below_producer_id(self.producer_id.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(topics);
        let response = self.raw.call(version, &request);
        response
            .results_by_topic_v3_and_below
            .iter()
            .map(|topic| topic.results_by_partition[0].partition_error_code)
            .collect()
    }

    pub(crate) fn add(&mut self, topic: &str, partition: i32) -> i16 {
        self.add_version(3, &[(topic, partition)])[0]
    }

    /// Sends a batch without saying that the partition takes part; code and base offset.
    pub(crate) fn produce_only(
        &mut self,
        version: i16,
        topic: &str,
        partition: i32,
        values: &[String],
    ) -> (i16, i64) {
        let sequence = self.sequences.entry((topic.to_owned(), partition));
        let sequence = sequence.or_insert(0);
        let mut batch = BatchOf::values(values).by(self.producer_id, self.epoch, *sequence);
        batch.transactional = true;
        let request = produce_request(topic, partition, -1, Some(batch.bytes()))
            .with_transactional_id(Some(string(&self.id).into()));
        let response = self.raw.call(version, &request);
        let answer = &response.responses[0].partition_responses[0];
        if answer.error_code == 0 {
            *sequence += values.len() as i32;
        }
        (answer.error_code, answer.base_offset)
    }

    /// Writes records in the transaction; returns the offset of the first.
    pub(crate) fn write(&mut self, topic: &str, partition: i32, values: &[&str]) -> i64 {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        assert_eq!(self.add(topic, partition), 0, "add {topic}-{partition}");
        let (code, offset) = self.produce_only(9, topic, partition, &values);
        assert_eq!(code, 0, "produce to {topic}-{partition}");
        offset
    }

    pub(crate) fn end_version(&mut self, version: i16, commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(string(&self.id).into())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(commit);
        self.raw.call(version, &request).error_code
    }

    pub(crate) fn commit(&mut self) {
        assert_eq!(self.end_version(3, true), 0, "commit");
    }

    pub(crate) fn abort(&mut self) {
        assert_eq!(self.end_version(3, false), 0, "abort");
    }
}

impl Raw {
    pub(crate) fn fetch_committed(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        max_bytes: i32,
    ) -> PartitionData {
        let request =
            fetch_request(topic, &[(partition, offset, max_bytes)], 0, 1).with_isolation_level(1);
        let response = self.call(11, &request);
        assert_eq!(response.error_code, 0);
        response.responses[0].partitions[0].clone()
    }

    /// What a read_committed consumer is given from `offset` on: offset and value, and
    /// where it stops.
    pub(crate) fn read_committed(
        &mut self,
        topic: &str,
        partition: i32,
        mut offset: i64,
        max_bytes: i32,
    ) -> (Vec<(i64, String)>, i64) {
        let mut all = Vec::new();
        loop {
            let data = self.fetch_committed(topic, partition, offset, max_bytes);
            assert_eq!(data.error_code, 0, "fetch at {offset}");
            let records = records_of(&data);
            let Some(last) = records.last() else {
                return (all, offset);
            };
            let next = last.offset + 1;
            for record in visible(&data, records) {
                if record.offset >= offset {
                    let value = record.value.unwrap().to_vec();
                    all.push((record.offset, String::from_utf8(value).unwrap()));
                }
            }
            offset = next;
        }
    }
}

/// Leaves out markers and the records of aborted transactions, as consumers do.
fn visible(data: &PartitionData, records: Vec<Record>) -> Vec<Record> {
    let mut aborted: Vec<(i64, i64)> = data
        .aborted_transactions
        .iter()
        .flatten()
        .map(|aborted| (aborted.first_offset, aborted.producer_id.0))
        .collect();
    aborted.sort_unstable();
    let mut aborted = aborted.into_iter().peekable();
    let mut producers = BTreeSet::new();
    let mut visible = Vec::new();
    for record in records {
        while let Some((_, producer)) = aborted.next_if(|(first, _)| *first <= record.offset) {
            producers.insert(producer);
        }
        if record.control {
            if record.key.as_ref().unwrap()[2..4] == [0, 0] {
                producers.remove(&record.producer_id);
            }
        } else if !record.transactional || !producers.contains(&record.producer_id) {
            visible.push(record);
        }
    }
    visible
}
