//! What a partition remembers of idempotent producers: for each producer id its epoch and
//! its last five batches, so that a batch sent twice is stored once (KIP-98, KIP-360).

use std::collections::{BTreeMap, HashMap, VecDeque};

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};

use super::batch::BatchHeader;
use super::partition::LEADER_EPOCH;
use super::transactions::{ActiveProducer, Marker};

/// Batches remembered for each producer; a client has at most five in flight.
const REMEMBERED: usize = 5;

/// One remembered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) timestamp: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    last_seen_ms: i64,
    batches: VecDeque<Remembered>,
    #[serde(default = "unknown")]
    last_timestamp: i64,
    /// Where its open transaction begins.
    #[serde(default)]
    open_since: Option<i64>,
    /// That of the last marker.
    #[serde(default)]
    coordinator_epoch: Option<i32>,
}

fn unknown() -> i64 {
    -1
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            last_seen_ms: 0,
            batches: VecDeque::with_capacity(REMEMBERED),
            last_timestamp: unknown(),
            open_since: None,
            coordinator_epoch: None,
        }
    }

    /// A new epoch begins with sequence 0.
    fn enter(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }
}

/// The last that a partition holds of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastOfProducer {
    /// That of its last record; `None` when a marker with a new epoch came behind it.
    pub(super) last_offset: Option<i64>,
    pub(super) epoch: i16,
}

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is stored already: acknowledge it with the offset it has.
    Duplicate(Remembered),
}

/// The producers of one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Open transactions: first offset and producer id.
    #[serde(default)]
    open: BTreeMap<i64, i64>,
}

impl Producers {
    /// Checks epoch and sequence of a batch as Kafka 2.5 and later do.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Verdict, ResponseError> {
        let Some(known) = self.by_id.get(&header.producer_id) else {
            // A producer that is not known (any more) may begin with any sequence: its
            // state may have expired while the client went on counting (KIP-360).
            return Ok(Verdict::Append);
        };
        if header.producer_epoch < known.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if header.producer_epoch > known.epoch {
            return match header.base_sequence {
                0 => Ok(Verdict::Append),
                _ => Err(ResponseError::OutOfOrderSequenceNumber),
            };
        }
        let last_sequence = header.last_sequence();
        let twin = known.batches.iter().find(|batch| {
            batch.first_sequence == header.base_sequence && batch.last_sequence == last_sequence
        });
        if let Some(twin) = twin {
            return Ok(Verdict::Duplicate(*twin));
        }
        // After a marker with a new epoch there is no batch, and the sequence begins anew.
        let expected = known
            .batches
            .back()
            .map_or(0, |last| match last.last_sequence {
                i32::MAX => 0,
                sequence => sequence + 1,
            });
        match expected == header.base_sequence {
            true => Ok(Verdict::Append),
            false => Err(ResponseError::OutOfOrderSequenceNumber),
        }
    }

    /// Whether a batch begins a transaction here. Within one, a producer may not write
    /// outside of it.
    pub(crate) fn begins_transaction(&self, header: &BatchHeader) -> Result<bool, ResponseError> {
        let known = self.by_id.get(&header.producer_id);
        let open = known.filter(|producer| producer.open_since.is_some());
        match (header.is_transactional(), open) {
            (false, Some(_)) => Err(ResponseError::InvalidTxnState),
            (false, None) => Ok(false),
            (true, open) => Ok(open.is_none_or(|open| open.epoch != header.producer_epoch)),
        }
    }

    /// Refuses a marker of an older epoch or of an older coordinator.
    pub(crate) fn check_marker(&self, marker: &Marker) -> Result<(), ResponseError> {
        match self.by_id.get(&marker.producer_id) {
            Some(known) if marker.producer_epoch < known.epoch => {
                Err(ResponseError::InvalidProducerEpoch)
            }
            Some(known) if known.coordinator_epoch > Some(marker.coordinator_epoch) => {
                Err(ResponseError::TransactionCoordinatorFenced)
            }
            _ => Ok(()),
        }
    }

    /// Takes a marker in; returns where the transaction began that it has ended.
    pub(super) fn close(&mut self, marker: &Marker, timestamp: i64, now_ms: i64) -> Option<i64> {
        let producer = self
            .by_id
            .entry(marker.producer_id)
            .or_insert_with(|| Producer::new(marker.producer_epoch));
        producer.enter(marker.producer_epoch);
        producer.last_seen_ms = now_ms;
        producer.last_timestamp = timestamp;
        producer.coordinator_epoch = Some(marker.coordinator_epoch);
        let first = producer.open_since.take()?;
        self.open.remove(&first);
        Some(first)
    }

    /// The epoch of the coordinator that last ended a transaction of this producer, if it
    /// has one open in this epoch.
    pub(super) fn coordinator_of_open(&self, producer_id: i64, epoch: i16) -> Option<i32> {
        let known = self.by_id.get(&producer_id)?;
        let open = known.open_since.is_some() && known.epoch == epoch;
        open.then(|| known.coordinator_epoch.unwrap_or(LEADER_EPOCH))
    }

    /// Where the first open transaction begins.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.keys().next().copied()
    }

    pub(super) fn active(&self) -> Vec<ActiveProducer> {
        let active = |(id, producer): (&i64, &Producer)| ActiveProducer {
            producer_id: *id,
            epoch: producer.epoch,
            last_sequence: producer
                .batches
                .back()
                .map_or(-1, |last| last.last_sequence),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch.unwrap_or(-1),
            open_since: producer.open_since,
        };
        self.by_id.iter().map(active).collect()
    }

    /// Which batches tell the state of the producers, by producer id.
    pub(super) fn last_of_each(&self) -> HashMap<i64, LastOfProducer> {
        let last = |producer: &Producer| LastOfProducer {
            last_offset: producer.batches.back().map(|batch| {
                let records = i64::from(batch.last_sequence) - i64::from(batch.first_sequence);
                batch.base_offset + records.rem_euclid(i64::from(i32::MAX) + 1)
            }),
            epoch: producer.epoch,
        };
        let each = self.by_id.iter();
        each.map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// Remembers a batch that has been stored.
    pub(crate) fn record(&mut self, header: &BatchHeader, now_ms: i64) {
        if header.producer_id < 0 || header.is_control() {
            return;
        }
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert_with(|| Producer::new(header.producer_epoch));
        producer.enter(header.producer_epoch);
        if header.is_transactional() && producer.open_since.is_none() {
            producer.open_since = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.last_seen_ms = now_ms;
        producer.last_timestamp = header.max_timestamp;
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp: header.max_timestamp,
        });
    }

    /// Lets those that were last seen while the clock was ahead age from `now_ms` on.
    pub(crate) fn not_after(&mut self, now_ms: i64) {
        for producer in self.by_id.values_mut() {
            producer.last_seen_ms = producer.last_seen_ms.min(now_ms);
        }
    }

    /// Forgets producers that have been silent for longer than `expiry_ms`, unless they
    /// have an open transaction.
    pub(crate) fn expire(&mut self, now_ms: i64, expiry_ms: i64) {
        self.by_id.retain(|_, producer| {
            producer.open_since.is_some()
                || now_ms.saturating_sub(producer.last_seen_ms) <= expiry_ms
        });
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn batch(epoch: i16, first: i32, count: i32, base_offset: i64) -> BatchHeader {
        BatchHeader {
            base_offset,
            batch_length: 0,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: 7,
            producer_epoch: epoch,
            base_sequence: first,
            record_count: count,
        }
    }

    #[test]
    fn sequences_are_judged_as_kafka_does() {
        let mut producers = Producers::default();
        for at in 0..7 {
            let next = batch(1, at * 10, 10, i64::from(at) * 10);
            assert_eq!(producers.check(&next), Ok(Verdict::Append), "batch {at}");
            producers.record(&next, 1);
        }
        let check = |header: BatchHeader| producers.check(&header);
        // The five last are known again, with the offset they have.
        match check(batch(1, 20, 10, 0)) {
            Ok(Verdict::Duplicate(twin)) => assert_eq!(twin.base_offset, 20),
            other => panic!("{other:?}"),
        }
        let out_of_order = Err(ResponseError::OutOfOrderSequenceNumber);
        assert_eq!(check(batch(1, 10, 10, 0)), out_of_order, "older than five");
        assert_eq!(check(batch(1, 80, 1, 0)), out_of_order, "a gap");
        assert_eq!(check(batch(1, 60, 5, 0)), out_of_order, "half a duplicate");
        assert_eq!(check(batch(1, 70, 1, 0)), Ok(Verdict::Append));
        assert_eq!(
            check(batch(0, 70, 1, 0)),
            Err(ResponseError::InvalidProducerEpoch)
        );
        assert_eq!(
            check(batch(2, 0, 1, 0)),
            Ok(Verdict::Append),
            "a new epoch begins at 0"
        );
        assert_eq!(check(batch(2, 70, 1, 0)), out_of_order);
    }

    #[test]
    fn silent_producers_are_forgotten() {
        let mut producers = Producers::default();
        producers.record(&batch(0, 0, 1, 0), 1_000);
        producers.expire(1_500, 1_000);
        assert_eq!(producers.len(), 1);
        producers.expire(2_001, 1_000);
        assert_eq!(producers.len(), 0);
    }
}
