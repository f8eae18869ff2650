//! A transaction, as the cases of several APIs drive it by hand.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, EndTxnResponse,
    TxnOffsetCommitRequest,
};

use super::group::when_loaded;
use super::init_producer_id::request as init_request;
use super::produce::request as produce_request;
use crate::batch::Batch;
use crate::check::ok;
use crate::support::{Raw, name, string};
use crate::target::{Target, Topic, eventually};

/// A transactional producer, with its connection to its coordinator.
pub(crate) struct Txn {
    pub(crate) raw: Raw,
    pub(crate) id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

impl Txn {
    pub(crate) fn new(target: &Target) -> Self {
        Self::with(target, &target.unique("tx"))
    }

    /// The producer of an id, which fences the one before it.
    pub(crate) fn with(target: &Target, id: &str) -> Self {
        let mut raw = target.transactions(id);
        let response = when_loaded(|| {
            let response = raw.call(4, &init_request(4, Some(id)));
            let again = response.error_code == ResponseError::ConcurrentTransactions.code();
            let wait = ResponseError::CoordinatorLoadInProgress.code();
            (if again { wait } else { response.error_code }, response)
        });
        ok(response.error_code);
        Self {
            raw,
            id: id.to_owned(),
            producer_id: response.producer_id.0,
            epoch: response.producer_epoch,
        }
    }

    /// Writes one record in the transaction; the code of the answer.
    pub(crate) fn produce(
        &self,
        raw: &mut Raw,
        topic: &Topic,
        partition: i32,
        value: &str,
        sequence: i32,
    ) -> i16 {
        let batch = Batch::of(&[value])
            .by(self.producer_id, self.epoch, sequence)
            .transactional();
        let request = produce_request(11, topic, -1, vec![(partition, batch.bytes())])
            .with_transactional_id(Some(string(&self.id).into()));
        raw.call(11, &request).responses[0].partition_responses[0].error_code
    }

    pub(crate) fn add_request(
        &self,
        version: i16,
        topics: &[(&str, i32)],
    ) -> AddPartitionsToTxnRequest {
        let topics: Vec<_> = topics
            .iter()
            .map(|(topic, partition)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(name(topic))
                    .with_partitions(vec![*partition])
            })
            .collect();
        let request = AddPartitionsToTxnRequest::default();
        if version < 4 {
            return request
                .with_v3_and_below_transactional_id(string(&self.id).into())
                .with_v3_and_below_producer_id(self.producer_id.into())
                .with_v3_and_below_producer_epoch(self.epoch)
                .with_v3_and_below_topics(topics);
        }
        request.with_transactions(vec![
            AddPartitionsToTxnTransaction::default()
                .with_transactional_id(string(&self.id).into())
                .with_producer_id(self.producer_id.into())
                .with_producer_epoch(self.epoch)
                .with_topics(topics),
        ])
    }

    /// Adds partitions; the code of each, in the order of the request.
    pub(crate) fn add(&mut self, version: i16, topics: &[(&str, i32)]) -> Vec<i16> {
        let request = self.add_request(version, topics);
        let busy = ResponseError::ConcurrentTransactions.code();
        let results = eventually(|| {
            let response = self.raw.call(version, &request);
            ok(response.error_code);
            let results = match version {
                ..4 => response.results_by_topic_v3_and_below,
                _ => response.results_by_transaction[0].topic_results.clone(),
            };
            let code = results[0].results_by_partition[0].partition_error_code;
            (code != busy).then_some(results)
        });
        topics
            .iter()
            .map(|(topic, partition)| {
                let mut found = results.iter().filter(|found| found.name == name(topic));
                let partitions = found.next().unwrap().results_by_partition.iter();
                let mut own = partitions.filter(|found| found.partition_index == *partition);
                own.next().unwrap().partition_error_code
            })
            .collect()
    }

    pub(crate) fn add_offsets(&mut self, version: i16, group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(string(&self.id).into())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_group_id(string(group).into());
        let busy = ResponseError::ConcurrentTransactions.code();
        eventually(|| {
            let code = self.raw.call(version, &request).error_code;
            (code != busy).then_some(code)
        })
    }

    pub(crate) fn offset_commit_request(
        &self,
        version: i16,
        group: &str,
        topic: &str,
        offset: i64,
    ) -> TxnOffsetCommitRequest {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(string("note")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(string(&self.id).into())
            .with_group_id(string(group).into())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_topics(vec![topic]);
        match version {
            3.. => request.with_generation_id(-1),
            _ => request,
        }
    }

    pub(crate) fn end_request(&self, commit: bool) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(string(&self.id).into())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(commit)
    }

    /// Ends the transaction, and goes on with the epoch that the answer has, if it has one.
    pub(crate) fn end(&mut self, version: i16, commit: bool) -> EndTxnResponse {
        let request = self.end_request(commit);
        let busy = ResponseError::ConcurrentTransactions.code();
        let response = eventually(|| {
            let response = self.raw.call(version, &request);
            (response.error_code != busy).then_some(response)
        });
        if version >= 5 && response.error_code == 0 && response.producer_epoch >= 0 {
            self.producer_id = response.producer_id.0;
            self.epoch = response.producer_epoch;
        }
        response
    }
}

/// The code for who comes with an old epoch, which has a name of its own since `since`.
pub(crate) fn fenced(version: i16, since: i16) -> ResponseError {
    match version >= since {
        true => ResponseError::ProducerFenced,
        false => ResponseError::InvalidProducerEpoch,
    }
}
