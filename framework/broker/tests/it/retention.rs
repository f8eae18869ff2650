//! Retention by time and size, segments that roll with time, and deleted records.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};

use crate::compaction_support::{Keyed, eager, eventually};
use crate::support::{BatchOf, Raw, TestBroker, name, now_ms, values_of};

fn start(configs: &[(&str, &str)]) -> (TestBroker, Raw) {
    let test = TestBroker::start_with(eager);
    test.topic("t", 1, configs);
    let raw = test.raw();
    (test, raw)
}

pub(crate) fn delete(raw: &mut Raw, topic: &str, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default().with_offset(offset);
    let topic = DeleteRecordsTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
    let response = raw.call(2, &request);
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.low_watermark)
}

fn put(raw: &mut Raw, value: &str, timestamp: i64) -> i64 {
    let answer = raw.produce("t", 0, BatchOf::values(&[value]).at(&[timestamp]).bytes());
    assert_eq!(answer.error_code, 0);
    answer.base_offset
}

fn earliest(raw: &mut Raw) -> i64 {
    raw.list_offset("t", 0, -2).offset
}

fn logs(test: &TestBroker) -> usize {
    let entries = std::fs::read_dir(test.dir().join("topics/t-0")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == "log"))
        .count()
}

#[test]
fn old_segments_go_and_the_active_one_with_them() {
    let (mut test, mut raw) = start(&[("retention.ms", "60000"), ("segment.bytes", "1024")]);
    let filler = "x".repeat(600);
    for _ in 0..4 {
        put(&mut raw, &filler, now_ms() - 100_000);
    }
    eventually("all are gone", || earliest(&mut raw) == 4);
    let gone = raw.fetch("t", 0, 3);
    assert_eq!(gone.error_code, ResponseError::OffsetOutOfRange.code());
    assert_eq!(put(&mut raw, "young", now_ms()), 4);
    eventually("their files are gone, and counted", || {
        logs(&test) == 1 && test.broker().metrics().removed_segments >= 4
    });
    for crash in [true, false] {
        match crash {
            true => test.crash(),
            false => test.stop(),
        }
        test.start_again();
        raw = test.raw();
        assert_eq!(earliest(&mut raw), 4);
        assert_eq!(values_of(&raw.read_all("t", 0, 4)), ["young"]);
    }
}

#[test]
fn the_largest_time_of_a_segment_counts() {
    let (_test, mut raw) = start(&[("retention.ms", "60000"), ("segment.bytes", "1024")]);
    let filler = "x".repeat(600);
    put(&mut raw, &filler, now_ms() - 100_000);
    put(&mut raw, &filler, now_ms());
    put(&mut raw, &filler, now_ms() - 100_000);
    put(&mut raw, &filler, now_ms());
    // The third is old, and waits for the second, which is not.
    eventually("the first is gone", || earliest(&mut raw) > 0);
    assert_eq!(earliest(&mut raw), 1);
}

#[test]
fn no_more_bytes_are_kept_than_asked_for() {
    let (test, mut raw) = start(&[("retention.bytes", "3000"), ("segment.bytes", "1024")]);
    let filler = "x".repeat(900);
    for _ in 0..20 {
        put(&mut raw, &filler, now_ms());
    }
    eventually("the oldest are gone", || {
        test.broker().metrics().log_bytes < 4_000
    });
    let bytes = test.broker().metrics().log_bytes;
    assert!(bytes >= 3_000, "{bytes}: not fewer than asked for");
    assert_eq!(
        raw.read_all("t", 0, earliest(&mut test.raw()))
            .last()
            .unwrap()
            .offset,
        19
    );
}

#[test]
fn segments_roll_with_the_time_of_records() {
    let (test, mut raw) = start(&[("segment.ms", "1000"), ("retention.ms", "-1")]);
    for timestamp in [10_000, 10_900, 11_000, 11_001, 11_500, 20_000] {
        put(&mut raw, "v", timestamp);
    }
    assert_eq!(logs(&test), 3, "at 11,001 and at 20,000");
}

#[test]
fn deleted_records_stay_deleted() {
    let (mut test, mut raw) = start(&[("segment.bytes", "1024"), ("retention.ms", "-1")]);
    let filler = "x".repeat(400);
    for at in 0..10 {
        put(&mut raw, &format!("{at} {filler}"), 1_000 + at);
    }
    assert_eq!(delete(&mut raw, "t", 5), (0, 5));
    assert_eq!(delete(&mut raw, "t", 3), (0, 5));
    let out = ResponseError::OffsetOutOfRange.code();
    assert_eq!(delete(&mut raw, "t", 11), (out, -1));
    assert_eq!(delete(&mut raw, "t", -2), (out, -1));
    for round in 0..3 {
        assert_eq!(earliest(&mut raw), 5, "round {round}");
        assert_eq!(raw.fetch("t", 0, 4).error_code, out);
        assert_eq!(raw.read_all("t", 0, 5).len(), 5);
        assert_eq!(raw.list_offset("t", 0, 0).offset, 5, "none that is gone");
        assert_eq!(raw.list_offset("t", 0, -3).offset, 9);
        match round {
            0 => test.crash(),
            _ => test.stop(),
        }
        test.start_again();
        raw = test.raw();
    }
    eventually("their segments are gone", || logs(&test) < 5);
    // All of it; the largest time was among them.
    assert_eq!(delete(&mut raw, "t", -1), (0, 10));
    assert_eq!(raw.list_offset("t", 0, -3).offset, -1);
    assert_eq!(put(&mut raw, "next", 1), 10);
    test.crash();
    test.start_again();
    assert_eq!(values_of(&test.raw().read_all("t", 0, 10)), ["next"]);
}

#[test]
fn records_of_compacted_topics_are_not_deleted_but_of_those_that_also_delete() {
    let (test, mut raw) = start(&[("cleanup.policy", "compact")]);
    test.topic("both", 1, &[("cleanup.policy", "compact,delete")]);
    for topic in ["t", "both"] {
        let batch = Keyed::of(&[("k", Some("v"))]);
        assert_eq!(raw.produce(topic, 0, batch.bytes()).error_code, 0);
    }
    let refused = ResponseError::PolicyViolation.code();
    assert_eq!(delete(&mut raw, "t", 1), (refused, -1));
    assert_eq!(delete(&mut raw, "both", 1), (0, 1));
}

/// A power failure that took the end of a log whose beginning had been deleted.
#[test]
fn a_log_that_begins_behind_its_end_begins_anew() {
    let (mut test, mut raw) = start(&[]);
    for at in 0..4 {
        put(&mut raw, &format!("{at}"), now_ms());
    }
    assert_eq!(delete(&mut raw, "t", 3), (0, 3));
    test.crash();
    assert!(!test.dir().join("topics/t-0/recovery-point").exists());
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(test.segment("t", 0, 0))
        .unwrap();
    file.set_len(10).unwrap();
    test.start_again();
    let mut raw = test.raw();
    assert_eq!(earliest(&mut raw), 3);
    assert_eq!(put(&mut raw, "new", now_ms()), 3);
    assert_eq!(values_of(&raw.read_all("t", 0, 3)), ["new"]);
}
