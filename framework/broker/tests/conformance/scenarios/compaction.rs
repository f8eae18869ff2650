//! Compaction and retention. Each record gets a segment of its own by its time, since
//! Apache Kafka takes no `segment.bytes` below a megabyte.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::records::RecordBatchDecoder;

use crate::api::delete_records::delete;
use crate::api::fetch::{only, request as fetch_request};
use crate::api::list_offsets::list;
use crate::api::produce::produce;
use crate::api::txn::Txn;
use crate::batch::Batch;
use crate::check::{fails, ok};
use crate::support::{Raw, now_ms};
use crate::target::{Target, Topic, eventually};

const STEP_MS: i64 = 2_000;

/// Writes batches whose times are so far apart that each begins a segment.
struct Log {
    topic: Topic,
    raw: Raw,
    time: i64,
}

/// Offset, key and value of a record.
type Seen = (i64, String, Option<String>);

impl Log {
    fn new(target: &Target, label: &str, configs: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("segment.ms", "1000"),
            ("min.cleanable.dirty.ratio", "0.01"),
        ];
        all.extend(configs);
        let topic = target.topic_with(label, 1, &all);
        Self {
            raw: target.leader(&topic, 0),
            topic,
            time: now_ms() - 200_000,
        }
    }

    fn compacted(target: &Target, label: &str, delete_retention_ms: &str) -> Self {
        let configs = [
            ("cleanup.policy", "compact"),
            ("delete.retention.ms", delete_retention_ms),
        ];
        Self::new(target, label, &configs)
    }

    fn put(&mut self, records: &[(&str, Option<&str>)]) -> i64 {
        self.time += STEP_MS;
        let batch = Batch::keyed(records).at(&vec![self.time; records.len()]);
        let answer = produce(&mut self.raw, 9, &self.topic, 0, &batch);
        ok(answer.error_code);
        answer.base_offset
    }

    /// All batches from an offset on, empty ones too.
    fn batches(&mut self, mut offset: i64) -> Vec<Bytes> {
        let mut found = Vec::new();
        loop {
            let data = only(
                &self
                    .raw
                    .call(12, &fetch_request(12, &self.topic, 0, offset)),
            );
            ok(data.error_code);
            let mut left = data.records.unwrap_or_default();
            if left.is_empty() {
                return found;
            }
            while left.len() >= 61 {
                let number = |at: usize| i32::from_be_bytes(left[at..at + 4].try_into().unwrap());
                let base = i64::from_be_bytes(left[..8].try_into().unwrap());
                let length = number(8) as usize + 12;
                let next = base + i64::from(number(23)) + 1;
                if length > left.len() {
                    // Apache Kafka cuts where it has sent enough.
                    break;
                }
                found.push(left.split_to(length));
                assert!(next > offset);
                offset = next;
            }
        }
    }

    fn seen(&mut self) -> Vec<Seen> {
        let start = list(&mut self.raw, 5, &self.topic, -2).offset;
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        self.batches(start)
            .into_iter()
            .flat_map(|mut bytes| RecordBatchDecoder::decode(&mut bytes).unwrap().records)
            .filter(|record| !record.control && record.offset >= start)
            .map(|record| {
                let key = record.key.as_ref().map(text).unwrap_or_default();
                (record.offset, key, record.value.as_ref().map(text))
            })
            .collect()
    }

    fn of_key(&mut self, key: &str) -> Vec<(i64, Option<String>)> {
        let seen = self.seen().into_iter();
        seen.filter(|record| record.1 == key)
            .map(|record| (record.0, record.2))
            .collect()
    }

    fn earliest(&mut self) -> i64 {
        list(&mut self.raw, 5, &self.topic, -2).offset
    }
}

fn value(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_newest_record_of_each_key_stays_at_its_offset() {
    let target = Target::get();
    let mut log = Log::compacted(target, "compact", "3600000");
    log.put(&[("a", Some("1")), ("b", Some("1"))]);
    log.put(&[("a", Some("2")), ("c", Some("1"))]);
    log.put(&[("b", Some("2")), ("a", Some("3"))]);
    log.put(&[("last", Some("in the active segment"))]);
    eventually(|| (log.of_key("a").len() == 1).then_some(()));
    let expected = [
        (3, "c".to_owned(), value("1")),
        (4, "b".to_owned(), value("2")),
        (5, "a".to_owned(), value("3")),
        (6, "last".to_owned(), value("in the active segment")),
    ];
    assert_eq!(log.seen(), expected);
    // The log begins where it did, and an offset that is gone stands for the next.
    assert_eq!(log.earliest(), 0);
    for offset in 0..7 {
        let all = log.batches(offset);
        let last = i64::from_be_bytes(all.last().unwrap()[..8].try_into().unwrap());
        assert_eq!(last, 6);
    }
    // The active segment is never touched.
    log.raw = target.leader(&log.topic, 0);
    let batch = Batch::keyed(&[("last", Some("again"))]).at(&[log.time]);
    ok(produce(&mut log.raw, 9, &log.topic, 0, &batch).error_code);
    assert_eq!(log.of_key("last").len(), 2);
}

#[test]
fn a_tombstone_outlives_its_value_by_the_time_that_is_set() {
    let target = Target::get();
    let mut kept = Log::compacted(target, "tombstone-kept", "3600000");
    let mut gone = Log::compacted(target, "tombstone-gone", "200");
    for log in [&mut kept, &mut gone] {
        log.put(&[("k", Some("1"))]);
        log.put(&[("k", None)]);
        log.put(&[("other", Some("1"))]);
        eventually(|| (log.of_key("k").len() <= 1).then_some(()));
    }
    assert_eq!(kept.of_key("k"), [(1, None)]);
    let batch = kept.batches(1).remove(0);
    assert_eq!(batch[22] & 0x40, 0x40, "the delete horizon is set");
    let horizon = i64::from_be_bytes(batch[27..35].try_into().unwrap());
    assert!((horizon - now_ms() - 3_600_000).abs() < 60_000);
    // The next cleaning after its time takes it; so there must be something to clean.
    eventually(|| {
        gone.put(&[("other", Some("again"))]);
        gone.of_key("k").is_empty().then_some(())
    });
    kept.put(&[("other", Some("again"))]);
    kept.put(&[("other", Some("and again"))]);
    eventually(|| (kept.of_key("other").len() <= 2).then_some(()));
    assert_eq!(kept.of_key("k"), [(1, None)]);
}

#[test]
fn nothing_behind_an_open_transaction_is_compacted_and_aborted_records_go() {
    let target = Target::get();
    let mut log = Log::compacted(target, "compact-open", "3600000");
    log.put(&[("before", Some("1"))]);
    log.put(&[("before", Some("2"))]);
    log.put(&[("next", Some("1"))]);
    let mut tx = Txn::new(target);
    let topic = log.topic.clone();
    assert_eq!(tx.add(3, &[(&topic.name, 0)]), [0]);
    log.time += STEP_MS;
    let batch = Batch::keyed(&[("in", Some("1"))]).at(&[log.time]);
    let batch = batch.by(tx.producer_id, tx.epoch, 0).transactional();
    let records = vec![(0, batch.bytes())];
    let request = crate::api::produce::request(9, &topic, -1, records)
        .with_transactional_id(Some(crate::support::string(&tx.id).into()));
    ok(log.raw.call(9, &request).responses[0].partition_responses[0].error_code);
    for at in ["1", "2", "3"] {
        log.put(&[("after", Some(at))]);
    }
    eventually(|| (log.of_key("before").len() == 1).then_some(()));
    assert_eq!(log.of_key("after").len(), 3);
    ok(tx.end(3, false).error_code);
    log.put(&[("end", Some("1"))]);
    log.put(&[("end", Some("2"))]);
    eventually(|| {
        let compacted = log.of_key("after").len() == 1 && log.of_key("in").is_empty();
        compacted.then_some(())
    });
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let target = Target::get();
    for policy in ["compact", "compact,delete"] {
        let mut log = Log::new(target, "keyless", &[("cleanup.policy", policy)]);
        for codec in [
            kafka_protocol::records::Compression::None,
            kafka_protocol::records::Compression::Lz4,
        ] {
            let batch = Batch::of(&["v"]).packed(codec);
            let answer = produce(&mut log.raw, 9, &log.topic, 0, &batch);
            fails(answer.error_code, ResponseError::InvalidRecord);
            assert_eq!(answer.record_errors.len(), 1);
            assert_eq!(answer.record_errors[0].batch_index, 0);
        }
        assert_eq!(log.put(&[("k", None)]), 0);
    }
}

#[test]
fn old_records_are_deleted_by_time() {
    let target = Target::get();
    let mut log = Log::new(target, "retention-time", &[("retention.ms", "3600000")]);
    log.time = now_ms() - 7_200_000;
    log.put(&[("old", Some("1"))]);
    log.put(&[("old", Some("2"))]);
    log.time = now_ms() - 10_000;
    log.put(&[("young", Some("3"))]);
    eventually(|| (log.earliest() == 2).then_some(()));
    assert_eq!(log.of_key("young"), [(2, value("3"))]);
    let gone = only(&log.raw.call(12, &fetch_request(12, &log.topic, 0, 1)));
    fails(gone.error_code, ResponseError::OffsetOutOfRange);
}

#[test]
fn the_last_segment_is_deleted_too_when_it_is_old() {
    let target = Target::get();
    let mut log = Log::new(target, "retention-all", &[("retention.ms", "3600000")]);
    log.time = now_ms() - 7_200_000;
    log.put(&[("old", Some("1"))]);
    log.put(&[("old", Some("2"))]);
    eventually(|| (log.earliest() == 2).then_some(()));
    assert_eq!(log.put(&[("young", Some("3"))]), 2);
}

#[test]
fn old_records_are_deleted_by_size() {
    let target = Target::get();
    let mut log = Log::new(target, "retention-size", &[("retention.bytes", "5000")]);
    let filler = "x".repeat(1_000);
    for _ in 0..10 {
        log.put(&[("k", Some(&filler))]);
    }
    // Four and a part of a fifth are kept; the fifth goes with no more than what is too much.
    eventually(|| (log.earliest() == 5).then_some(()));
    log.put(&[("k", Some(&filler))]);
    eventually(|| (log.earliest() == 6).then_some(()));
}

#[test]
fn deleted_records_are_gone_for_every_question() {
    let target = Target::get();
    let mut log = Log::new(target, "delete-records", &[("retention.ms", "-1")]);
    let third = log.time + 3 * STEP_MS;
    for at in ["0", "1", "2", "3"] {
        log.put(&[("k", Some(at))]);
    }
    let name = log.topic.name.clone();
    assert_eq!(delete(&mut log.raw, 2, &name, 0, 2), (0, 2));
    assert_eq!(log.earliest(), 2);
    // Of times before that Apache Kafka 4.3 finds nothing.
    assert_eq!(list(&mut log.raw, 5, &log.topic, third).offset, 2);
    let gone = only(&log.raw.call(12, &fetch_request(12, &log.topic, 0, 1)));
    fails(gone.error_code, ResponseError::OffsetOutOfRange);
    assert_eq!(log.seen().len(), 2);
    // A topic that is also compacted lets its records be deleted.
    let mut both = Log::new(
        target,
        "delete-both",
        &[("cleanup.policy", "compact,delete")],
    );
    both.put(&[("k", Some("1"))]);
    let name = both.topic.name.clone();
    assert_eq!(delete(&mut both.raw, 2, &name, 0, 1), (0, 1));
}
