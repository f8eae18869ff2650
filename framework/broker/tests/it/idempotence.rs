use kafka_protocol::ResponseError;

use crate::support::{BatchOf, Raw, TestBroker};

fn send(raw: &mut Raw, producer: i64, epoch: i16, sequence: i32, count: usize) -> (i16, i64) {
    let values = vec!["v"; count];
    let batch = BatchOf::values(&values)
        .by(producer, epoch, sequence)
        .bytes();
    let answer = raw.produce("t", 0, batch);
    (answer.error_code, answer.base_offset)
}

#[test]
fn duplicates_gaps_and_epochs() {
    let mut test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    let id = raw.producer_id();
    let gap = (ResponseError::OutOfOrderSequenceNumber.code(), -1);
    let stale = (ResponseError::InvalidProducerEpoch.code(), -1);
    for round in 0..5 {
        assert_eq!(
            send(&mut raw, id, 1, round * 2, 2),
            (0, i64::from(round) * 2)
        );
    }
    // The same rules hold after a stop in order and after a crash.
    for round in 0..3 {
        for at in 0..5 {
            assert_eq!(
                send(&mut raw, id, 1, at * 2, 2),
                (0, i64::from(at) * 2),
                "{round}"
            );
        }
        assert_eq!(send(&mut raw, id, 1, 12, 2), gap);
        assert_eq!(send(&mut raw, id, 1, 8, 1), gap);
        assert_eq!(send(&mut raw, id, 0, 10, 2), stale);
        assert_eq!(raw.list_offset("t", 0, -1).offset, 10, "{round}");
        match round {
            0 => test.stop(),
            _ => test.crash(),
        }
        test.start_again();
        raw = test.raw();
    }
    assert_eq!(send(&mut raw, id, 1, 10, 2), (0, 10));
    assert_eq!(send(&mut raw, id, 1, 0, 2), gap, "six batches ago");
    assert_eq!(send(&mut raw, id, 2, 5, 1), gap, "a new epoch begins at 0");
    assert_eq!(send(&mut raw, id, 2, 0, 1), (0, 12));
    assert_eq!(send(&mut raw, id, 1, 12, 1), stale);
    assert_eq!(
        send(&mut raw, id, 2, 0, 1),
        (0, 12),
        "a duplicate in the new epoch"
    );
    // Another partition and another producer begin for themselves.
    let other = raw.producer_id();
    assert_eq!(
        send(&mut raw, other, 0, 7, 1),
        (0, 13),
        "unknown here: any sequence"
    );
    let batch = BatchOf::values(&["v"]).by(id, 2, 0).bytes();
    assert_eq!(raw.produce("t", 1, batch).base_offset, 0);
}

#[test]
fn sequences_wrap() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let id = raw.producer_id();
    assert_eq!(send(&mut raw, id, 0, i32::MAX - 2, 2), (0, 0));
    let wrapping = BatchOf::values(&["a", "b"]).by(id, 0, i32::MAX - 1);
    // The test's encoder cannot count past the end; the header's base is what matters.
    let answer = raw.produce("t", 0, wrapping.bytes());
    assert_eq!(
        (answer.error_code, answer.base_offset),
        (ResponseError::OutOfOrderSequenceNumber.code(), -1)
    );
    assert_eq!(send(&mut raw, id, 0, i32::MAX, 1), (0, 2));
    assert_eq!(send(&mut raw, id, 0, 0, 3), (0, 3));
}

#[test]
fn producer_state_survives_segments_and_forgets_the_silent() {
    let mut test = TestBroker::start_with(|config| {
        config.producer_id_expiry = std::time::Duration::from_millis(300);
    });
    test.topic("t", 1, &[("segment.bytes", "1024")]);
    let mut raw = test.raw();
    let id = raw.producer_id();
    for at in 0..60 {
        assert_eq!(send(&mut raw, id, 0, at, 1), (0, i64::from(at)));
    }
    test.crash();
    test.start_again();
    let mut raw = test.raw();
    assert_eq!(send(&mut raw, id, 0, 59, 1), (0, 59), "still a duplicate");
    test.stop();
    std::thread::sleep(std::time::Duration::from_millis(400));
    test.start_again();
    let mut raw = test.raw();
    assert_eq!(
        send(&mut raw, id, 0, 999, 1),
        (0, 60),
        "forgotten, so it may begin anywhere"
    );
}
