//! The wall clock set back and forth under a running broker, and between two runs.

use std::time::Duration;

use kafka_protocol::ResponseError;
use mesh_broker::{Broker, BrokerConfig, Surroundings};

use crate::compaction_support::{Keyed, eager};
use crate::fault_support::commit;
use crate::groups::committed;
use crate::support::{ANY, BatchOf, Raw, TestBroker, now_ms, runtime};
use crate::txn_support::Tx;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn start(tweak: impl FnOnce(&mut BrokerConfig)) -> (TestBroker, Surroundings) {
    let surroundings = Surroundings::default();
    let test = TestBroker::start_with(|config| {
        config.surroundings = surroundings.clone();
        config.transaction_check_interval = Duration::from_millis(5);
        config.offsets_retention_check_interval = Duration::from_millis(5);
        tweak(config);
    });
    (test, surroundings)
}

/// Asks until it holds; a test that waits in vain fails.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn offsets_are_found_by_time_whatever_the_clock_did() {
    let (mut test, clock) = start(|_| {});
    let configs = [
        ("message.timestamp.type", "LogAppendTime"),
        ("segment.bytes", "1024"),
        ("index.interval.bytes", "1"),
    ];
    test.topic("t", 1, &configs);
    let mut raw = test.raw();
    let began = now_ms();
    let mut times = Vec::new();
    for set in [0, -2 * HOUR, 3 * HOUR, -HOUR, DAY, -2 * DAY] {
        clock.set_wall_clock(set);
        for _ in 0..15 {
            let answer = raw.produce("t", 0, BatchOf::values(&["value"]).bytes());
            assert_eq!(answer.error_code, 0);
            times.push(answer.log_append_time_ms);
        }
    }
    assert!(times[15] < began && times[30] > began, "the clock was set");
    let targets: Vec<i64> = times
        .iter()
        .flat_map(|time| [time - 1, *time, time + 1])
        .chain([0, began - DAY, began + 30 * DAY])
        .collect();
    for start in 0..2 {
        let mut raw = test.raw();
        for target in &targets {
            let first = times.iter().position(|time| time >= target);
            let found = raw.list_offset("t", 0, *target);
            let expected = first.map_or(-1, |first| first as i64);
            assert_eq!((found.error_code, found.offset), (0, expected), "{target}");
        }
        let largest = *times.iter().max().unwrap();
        let found = raw.list_offset("t", 0, -3);
        assert_eq!(found.timestamp, largest);
        assert_eq!(times[found.offset as usize], largest);
        assert_eq!(raw.read_all("t", 0, 0).len(), times.len());
        if start == 0 {
            test.stop();
            test.start_again();
        }
    }
}

#[test]
fn transactions_time_out_by_their_age() {
    let (test, clock) = start(|_| {});
    test.topic("t", 3, &[]);
    let mut raw = test.raw();
    let stable = |raw: &mut Raw, partition| {
        let data = raw.fetch("t", partition, 0);
        data.last_stable_offset == data.high_watermark
    };
    let mut long = Tx::start_with(&test, "long", 60_000);
    long.write("t", 0, &["long"]);
    let mut short = Tx::start_with(&test, "short", 100);
    short.write("t", 1, &["short"]);
    clock.set_wall_clock(-DAY);
    until("a time-out behind a clock set back", || stable(&mut raw, 1));
    clock.set_wall_clock(3 * DAY);
    // That another one times out shows that all of them have been looked at.
    let mut other = Tx::start_with(&test, "other", 100);
    other.write("t", 2, &["other"]);
    until("a time-out behind a clock set forth", || {
        stable(&mut raw, 2)
    });
    assert!(!stable(&mut raw, 0), "aborted because the clock was set");
    long.commit();
    assert!(stable(&mut raw, 0));
    assert_eq!(raw.read_committed("t", 0, 0, 1 << 20).0.len(), 1);
}

#[test]
fn committed_offsets_expire_by_their_age() {
    let (test, clock) = start(|config| {
        config.offsets_retention = Duration::from_millis(7 * DAY as u64);
    });
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    assert_eq!(
        raw.produce("t", 0, BatchOf::values(&["value"]).bytes())
            .error_code,
        0
    );
    assert_eq!(commit(&mut raw, "old", 1), 0);
    clock.pass(4 * DAY);
    clock.set_wall_clock(-2 * DAY);
    assert_eq!(commit(&mut raw, "new", 1), 0);
    clock.set_wall_clock(30 * DAY);
    clock.pass(4 * DAY);
    // Eight days old; the newer one, four, has been looked at in the same round or a later.
    until("an offset expires", || committed(&mut raw, "old") == -1);
    assert_eq!(
        committed(&mut raw, "new"),
        1,
        "expired because the clock was set"
    );
    clock.pass(4 * DAY);
    until("the other expires", || committed(&mut raw, "new") == -1);
}

/// In a topic that deletes and in one that compacts, whose cleaner forgets producers too.
#[test]
fn silent_producers_are_forgotten_by_their_age_while_the_broker_runs() {
    let (test, clock) = start(eager);
    let compact = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1024"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    test.topic("delete", 1, &[]);
    test.topic("compact", 1, &compact);
    let mut raw = test.raw();
    let id = raw.producer_id();
    let send = |raw: &mut Raw, topic: &str, sequence| {
        let mut batch = Keyed::of(&[("key", Some("value"))]);
        batch.producer = (id, 0, sequence);
        raw.produce(topic, 0, batch.bytes()).error_code
    };
    for topic in ["delete", "compact"] {
        assert_eq!(send(&mut raw, topic, 0), 0);
    }
    clock.set_wall_clock(2 * DAY);
    let cleanings = test.broker().metrics().cleanings;
    for _ in 0..30 {
        let batch = Keyed::of(&[("key", Some("x".repeat(100).as_str()))]);
        assert_eq!(raw.produce("compact", 0, batch.bytes()).error_code, 0);
    }
    until("the topic is compacted", || {
        test.broker().metrics().cleanings > cleanings
    });
    let gap = ResponseError::OutOfOrderSequenceNumber.code();
    for topic in ["delete", "compact"] {
        assert_eq!(send(&mut raw, topic, 7), gap, "forgotten for the clock");
    }
    clock.pass(2 * DAY);
    for topic in ["delete", "compact"] {
        until("a silent producer is forgotten", || {
            send(&mut raw, topic, 7) == 0
        });
    }
}

/// What was stored while the clock was ahead is not kept until the clock is there again.
#[test]
fn ages_from_the_future_count_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let run = |surroundings: &Surroundings| {
        let mut config = BrokerConfig::new(dir.path(), ANY);
        config.surroundings = surroundings.clone();
        config.transaction_check_interval = Duration::from_millis(5);
        config.offsets_retention_check_interval = Duration::from_millis(5);
        runtime.block_on(Broker::start(config)).unwrap()
    };
    let ahead = Surroundings::default();
    ahead.set_wall_clock(3_650 * DAY);
    let broker = run(&ahead);
    let mut raw = Raw::connect(broker.local_addr());
    assert_eq!(raw.create_topic("t", 1, &[]), 0);
    let mut tx = Tx::on(Raw::connect(broker.local_addr()), "ahead", 60_000);
    tx.write("t", 0, &["open"]);
    assert_eq!(commit(&mut raw, "g", 1), 0);
    runtime.block_on(broker.shutdown()).unwrap();

    let right = Surroundings::default();
    let broker = run(&right);
    let mut raw = Raw::connect(broker.local_addr());
    let open = |raw: &mut Raw| raw.fetch("t", 0, 0).last_stable_offset == 0;
    assert!(open(&mut raw), "not aborted before its time");
    assert_eq!(committed(&mut raw, "g"), 1);
    right.pass(61_000);
    until("the transaction times out", || !open(&mut raw));
    assert_eq!(committed(&mut raw, "g"), 1);
    right.pass(8 * DAY);
    until("the offset expires", || committed(&mut raw, "g") == -1);
    runtime.block_on(broker.shutdown()).unwrap();
}
