//! Compaction: what stays, what goes, and that nobody is held up by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kafka_protocol::ResponseError;

use crate::compaction_support::{
    CODECS, Keyed, all, batches, consume, eager, eventually, newest, push_out, until_cleaned,
};
use crate::support::{BatchOf, Raw, TestBroker, produce_request, string};
use crate::txn_support::Tx;

const COMPACT: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1024"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "3600000"),
];

fn start(more: &[(&str, &str)]) -> TestBroker {
    let test = TestBroker::start_with(eager);
    let mut configs = COMPACT.to_vec();
    configs.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    configs.extend(more);
    test.topic("t", 1, &configs);
    test
}

fn put(raw: &mut Raw, key: &str, value: Option<&str>) -> i64 {
    let answer = raw.produce("t", 0, Keyed::of(&[(key, value)]).bytes());
    assert_eq!(answer.error_code, 0);
    answer.base_offset
}

#[test]
fn the_newest_value_of_each_key_stays_in_every_codec() {
    let mut test = start(&[]);
    let mut raw = test.raw();
    let mut sent = 0;
    for round in 0..40 {
        let value = format!("{round} {}", "v".repeat(60));
        let keys = [format!("k{}", round % 3), format!("k{}", 3 + round % 4)];
        let records = [
            (keys[0].as_str(), Some(value.as_str())),
            (keys[1].as_str(), Some(value.as_str())),
        ];
        let mut batch = Keyed::of(&records);
        batch.codec = CODECS[round % 5];
        sent += batch.bytes().len();
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
    }
    let before = newest(&all(&mut raw, "t"));
    sent += push_out(&mut raw, "t");
    let keys = ["k0", "k1", "k2", "k3", "k4", "k5", "k6"];
    until_cleaned(&test, "t", &keys);
    for round in 0..3 {
        let seen = all(&mut raw, "t");
        let after = newest(&seen);
        for key in keys {
            assert_eq!(after[key], before[key], "round {round}");
        }
        // Every offset can be asked for, also those that are gone.
        let end = raw.list_offset("t", 0, -1).offset;
        for offset in 0..end {
            let (found, stopped) = consume(&mut raw, "t", offset, false, 1 << 20);
            assert_eq!(stopped, end);
            let rest: Vec<_> = seen.iter().filter(|one| one.0 >= offset).cloned().collect();
            assert_eq!(found, rest, "from {offset}");
        }
        match round {
            0 => test.crash(),
            _ => test.stop(),
        }
        test.start_again();
        assert!(test.broker().recovery().findings.is_empty());
        raw = test.raw();
    }
    assert!(test.broker().metrics().log_bytes < sent as u64 * 2 / 3);
}

#[test]
fn a_tombstone_goes_once_its_time_has_come() {
    let test = start(&[("delete.retention.ms", "300")]);
    let mut raw = test.raw();
    put(&mut raw, "a", Some("1"));
    put(&mut raw, "gone", Some("2"));
    let tombstone = put(&mut raw, "gone", None);
    push_out(&mut raw, "t");
    let found = |raw: &mut Raw| newest(&all(raw, "t")).get("gone").cloned();
    // Its value goes first; from then on its time counts, by the header of its batch.
    eventually("the value is gone", || {
        all(&mut raw, "t")
            .iter()
            .filter(|one| one.1 == "gone")
            .count()
            <= 1
    });
    if let Some(stays) = found(&mut raw) {
        assert_eq!(stays, (tombstone, None));
        let data = raw.fetch("t", 0, tombstone);
        let (bytes, _) = &batches(&data)[0];
        assert_eq!(bytes[22] & 0x40, 0x40, "the delete horizon is set");
    }
    eventually("the tombstone is gone", || {
        push_out(&mut raw, "t");
        found(&mut raw).is_none()
    });
    assert_eq!(newest(&all(&mut raw, "t"))["a"].1.as_deref(), Some("1"));
}

#[test]
fn nothing_behind_an_open_transaction_is_touched() {
    let mut test = start(&[]);
    let mut raw = test.raw();
    let mut tx = Tx::start(&test, "tx");
    put(&mut raw, "before", Some("1"));
    put(&mut raw, "before", Some("2"));
    push_out(&mut raw, "t");
    assert_eq!(tx.add("t", 0), 0);
    let write = |raw: &mut Raw, tx: &Tx, sequence: i32, value: &str| {
        let mut batch = Keyed::of(&[("k", Some(value))]);
        batch.producer = (tx.producer_id, tx.epoch, sequence);
        batch.transactional = true;
        let request = produce_request("t", 0, -1, Some(batch.bytes()))
            .with_transactional_id(Some(string("tx").into()));
        let response = raw.call(9, &request);
        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    };
    write(&mut raw, &tx, 0, "in");
    let filler = "x".repeat(500);
    for round in 0..10 {
        put(&mut raw, "after", Some(&format!("{round} {filler}")));
    }
    until_cleaned(&test, "t", &["before"]);
    eventually("a cleaning is counted", || {
        test.broker().metrics().cleanings > 0
    });
    let seen = all(&mut raw, "t");
    assert_eq!(seen.iter().filter(|one| one.1 == "after").count(), 10);
    test.crash();
    test.start_again();
    raw = test.raw();
    tx.reconnect(&test);
    assert_eq!(all(&mut raw, "t"), seen);
    tx.abort();
    push_out(&mut raw, "t");
    until_cleaned(&test, "t", &["after"]);
    // The aborted record is gone for everybody.
    eventually("the aborted record is gone", || {
        all(&mut raw, "t").iter().all(|one| one.1 != "k")
    });
    let (committed, _) = consume(&mut raw, "t", 0, true, 1 << 20);
    assert_eq!(newest(&committed)["after"].1, Some(format!("9 {filler}")));
}

#[test]
fn a_record_without_a_key_is_refused() {
    let test = start(&[]);
    test.topic("both", 1, &[("cleanup.policy", "compact,delete")]);
    test.topic("plain", 1, &[]);
    let mut raw = test.raw();
    for codec in CODECS {
        let mut batch = Keyed::of(&[("k", Some("v")), ("k", None)]);
        batch.codec = codec;
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
        batch.records[1].0 = None;
        let refused = ResponseError::InvalidRecord.code();
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, refused);
        assert_eq!(raw.produce("both", 0, batch.bytes()).error_code, refused);
        assert_eq!(raw.produce("plain", 0, batch.bytes()).error_code, 0);
        let plain = BatchOf::values(&["v"]).packed(codec);
        assert_eq!(raw.produce("t", 0, plain.bytes()).error_code, refused);
    }
}

#[test]
fn a_producer_is_known_after_its_records_are_gone_and_all_side_files_are_lost() {
    let mut test = start(&[]);
    let mut raw = test.raw();
    let id = raw.producer_id();
    for sequence in 0..6 {
        let mut batch = Keyed::of(&[("k", Some("v"))]);
        batch.producer = (id, 0, sequence);
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
    }
    put(&mut raw, "k", Some("newest"));
    push_out(&mut raw, "t");
    until_cleaned(&test, "t", &["k"]);
    assert_eq!(newest(&all(&mut raw, "t"))["k"].0, 6);
    test.stop();
    for entry in std::fs::read_dir(test.dir().join("topics/t-0")).unwrap() {
        let path = entry.unwrap().path();
        let lost = ["snapshot", "index", "timeindex", "txnindex"];
        if path
            .extension()
            .is_some_and(|found| lost.iter().any(|lost| found == *lost))
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    test.start_again();
    let mut raw = test.raw();
    let mut batch = Keyed::of(&[("k", Some("v"))]);
    batch.producer = (id, 0, 5);
    assert_eq!(raw.produce("t", 0, batch.bytes()).base_offset, 5, "a twin");
    batch.producer.2 = 7;
    let gap = ResponseError::OutOfOrderSequenceNumber.code();
    assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, gap);
    batch.producer.2 = 6;
    assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
}

#[test]
fn times_are_found_in_a_compacted_log() {
    let test = start(&[]);
    let mut raw = test.raw();
    for at in 0..30 {
        let key = format!("k{}", at % 4);
        let filler = "x".repeat(100);
        let mut batch = Keyed::of(&[(&key, Some(&filler))]);
        batch.timestamp = 1_000 + at;
        assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
    }
    push_out(&mut raw, "t");
    until_cleaned(&test, "t", &["k0", "k1", "k2", "k3"]);
    assert_eq!(raw.list_offset("t", 0, 0).offset, 26);
    for at in 26..30 {
        let found = raw.list_offset("t", 0, 1_000 + at);
        assert_eq!((found.offset, found.timestamp), (at, 1_000 + at));
    }
}

/// Several writers and readers at work while the log is compacted again and again: every
/// reader sees each key's values rise, and the end is what was written last.
#[test]
fn readers_and_writers_go_on_during_a_cleaning() {
    let test = start(&[("segment.bytes", "8192")]);
    let address = test.broker().local_addr();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            std::thread::spawn(move || {
                let mut raw = Raw::connect(address);
                for round in 0..600 {
                    let key = format!("w{writer} k{}", round % 10);
                    let value = format!("{round:05} {}", "x".repeat(100));
                    let mut batch = Keyed::of(&[(&key, Some(&value))]);
                    batch.codec = CODECS[round % 5];
                    assert_eq!(raw.produce("t", 0, batch.bytes()).error_code, 0);
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let mut raw = Raw::connect(address);
                let mut passes = 0;
                while passes < 2 || !done.load(Ordering::SeqCst) {
                    let mut newest = std::collections::HashMap::new();
                    for (_, key, value) in all(&mut raw, "t") {
                        let value = value.unwrap();
                        if let Some(before) = newest.insert(key, value.clone()) {
                            assert!(before < value, "values of a key go forward");
                        }
                    }
                    passes += 1;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    eventually("it was cleaned several times", || {
        test.broker().metrics().cleanings > 2
    });
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
    let found = newest(&all(&mut test.raw(), "t"));
    for writer in 0..2 {
        for at in 0..10 {
            let value = found[&format!("w{writer} k{at}")].1.clone().unwrap();
            assert_eq!(&value[..5], format!("{:05}", 590 + at));
        }
    }
}
