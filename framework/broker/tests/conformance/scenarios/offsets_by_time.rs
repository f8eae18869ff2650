//! Offsets by time: before, at, between and after the records, in batches of each codec.

use std::time::Duration;

use kafka_protocol::records::Compression;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::api::list_offsets::{list, list_at};
use crate::api::produce::produce;
use crate::api::txn::Txn;
use crate::batch::Batch;
use crate::check::ok;
use crate::target::{PATIENCE, Target, Topic, eventually};

const LATEST: i64 = -1;
const MAX_TIMESTAMP: i64 = -3;

/// Batches of three records, each codec's ten seconds after the one before.
fn packed(target: &Target) -> Topic {
    let topic = target.topic_with("times", 1, &[("retention.ms", "-1")]);
    let mut raw = target.leader(&topic, 0);
    for (at, codec) in (1..).zip([
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ]) {
        let times = [at * 10_000, at * 10_000 + 500, at * 10_000 + 500];
        let batch = Batch::of(&["a", "b", "c"]).at(&times).packed(codec);
        ok(produce(&mut raw, 9, &topic, 0, &batch).error_code);
    }
    topic
}

/// (asked, time, offset) of the records of [`packed`].
const FOUND: [(i64, i64, i64); 9] = [
    (0, 10_000, 0),
    (10_000, 10_000, 0),
    (10_001, 10_500, 1),
    (10_501, 20_000, 3),
    (20_300, 20_500, 4),
    (30_500, 30_500, 7),
    (39_999, 40_000, 9),
    (40_001, 40_500, 10),
    (50_500, 50_500, 13),
];

#[test]
fn the_first_record_that_is_not_older_is_found() {
    let target = Target::get();
    let topic = packed(target);
    let mut raw = target.leader(&topic, 0);
    for (asked, time, offset) in FOUND {
        let found = list(&mut raw, 7, &topic, asked);
        ok(found.error_code);
        assert_eq!(
            (found.timestamp, found.offset),
            (time, offset),
            "for {asked}"
        );
    }
    let found = list(&mut raw, 7, &topic, 50_501);
    assert_eq!(
        (found.error_code, found.timestamp, found.offset),
        (0, -1, -1)
    );
}

#[test]
fn librdkafka_finds_the_same() {
    let target = Target::get();
    let topic = packed(target);
    let consumer: BaseConsumer = target
        .client()
        .set("group.id", "no-group")
        .create()
        .unwrap();
    let ask = |time: i64| {
        let mut asked = TopicPartitionList::new();
        asked
            .add_partition_offset(&topic.name, 0, Offset::Offset(time))
            .unwrap();
        let found = consumer.offsets_for_times(asked, PATIENCE).unwrap();
        found.elements()[0].offset()
    };
    for (asked, _, offset) in FOUND {
        assert_eq!(ask(asked), Offset::Offset(offset), "for {asked}");
    }
    assert_eq!(ask(50_501), Offset::End);
    let ends = consumer.fetch_watermarks(&topic.name, 0, Duration::from_secs(20));
    assert_eq!(ends.unwrap(), (0, 15));
}

/// The largest time, of the first record that has it: inside of a compressed batch, and not
/// in the last batch.
#[test]
fn the_largest_time_is_found_wherever_it_is() {
    let target = Target::get();
    let topic = packed(target);
    let mut raw = target.leader(&topic, 0);
    let latest = |raw: &mut _| {
        let found = list(raw, 7, &topic, MAX_TIMESTAMP);
        ok(found.error_code);
        (found.timestamp, found.offset)
    };
    assert_eq!(latest(&mut raw), (50_500, 13));
    let times = [60_000, 99_000, 99_000, 70_000];
    let batch = Batch::of(&["a", "b", "c", "d"])
        .at(&times)
        .packed(Compression::Gzip);
    ok(produce(&mut raw, 9, &topic, 0, &batch).error_code);
    assert_eq!(latest(&mut raw), (99_000, 16));
    let older = Batch::of(&["older"]).at(&[80_000]);
    ok(produce(&mut raw, 9, &topic, 0, &older).error_code);
    assert_eq!(latest(&mut raw), (99_000, 16));
}

/// Times that do not rise: the first in the log's order counts.
#[test]
fn times_need_not_rise() {
    let target = Target::get();
    let topic = target.topic_with("unordered", 1, &[("retention.ms", "-1")]);
    let mut raw = target.leader(&topic, 0);
    for times in [[5_000, 1_000], [2_000, 9_000], [3_000, 4_000]] {
        let batch = Batch::of(&["a", "b"]).at(&times);
        ok(produce(&mut raw, 9, &topic, 0, &batch).error_code);
    }
    for (asked, offset) in [(0, 0), (4_000, 0), (5_000, 0), (5_001, 3), (9_001, -1)] {
        let found = list(&mut raw, 7, &topic, asked);
        ok(found.error_code);
        assert_eq!(found.offset, offset, "for {asked}");
    }
}

/// What readers of what is committed may not read yet is not found for them.
#[test]
fn records_of_an_open_transaction_are_not_found_by_readers_of_what_is_committed() {
    let target = Target::get();
    let topic = target.topic("open-times");
    let mut raw = target.leader(&topic, 0);
    let mut txn = Txn::new(target);
    ok(txn.add(3, &[(&topic.name, 0)])[0]);
    ok(txn.produce(&mut raw, &topic, 0, "open", 0));
    assert_eq!(list_at(&mut raw, 7, &topic, 0, 0).offset, 0);
    assert_eq!(list_at(&mut raw, 7, &topic, 0, 1).offset, -1);
    assert_eq!(list_at(&mut raw, 7, &topic, LATEST, 1).offset, 0);
    ok(txn.end(4, true).error_code);
    eventually(|| (list_at(&mut raw, 7, &topic, LATEST, 1).offset == 2).then_some(()));
    assert_eq!(list_at(&mut raw, 7, &topic, 0, 1).offset, 0);
}

/// The broker's time stands in the records where the topic says so.
#[test]
fn the_time_of_appending_is_found_too() {
    let target = Target::get();
    let configs = [("message.timestamp.type", "LogAppendTime")];
    let topic = target.topic_with("append-times", 1, &configs);
    let mut raw = target.leader(&topic, 0);
    let batch = Batch::of(&["a", "b"]).at(&[1_000, 2_000]);
    let stored = produce(&mut raw, 9, &topic, 0, &batch);
    ok(stored.error_code);
    let appended = stored.log_append_time_ms;
    assert!(appended > 2_000);
    for asked in [0, 2_000, appended] {
        let found = list(&mut raw, 7, &topic, asked);
        assert_eq!(
            (found.timestamp, found.offset),
            (appended, 0),
            "for {asked}"
        );
    }
    assert_eq!(list(&mut raw, 7, &topic, appended + 1).offset, -1);
}
