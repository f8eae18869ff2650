use kafka_protocol::ResponseError;
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::records::Compression;

use crate::support::{BatchOf, Raw, TestBroker, name};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

fn check(raw: &mut Raw, timestamp: i64, expected: (i64, i64)) {
    let answer = raw.list_offset("t", 0, timestamp);
    assert_eq!(answer.error_code, 0);
    assert_eq!(
        (answer.offset, answer.timestamp),
        expected,
        "for {timestamp}"
    );
}

#[test]
fn by_time_names_the_exact_record_in_every_codec() {
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let mut test = TestBroker::start();
        test.topic(
            "t",
            1,
            &[("segment.bytes", "1024"), ("index.interval.bytes", "100")],
        );
        let mut raw = test.raw();
        for batch in 0..50i64 {
            let times: Vec<i64> = (0..4).map(|at| 1_000_000 + batch * 100 + at * 10).collect();
            let batch = BatchOf::values(&["a", "b", "c", "d"])
                .at(&times)
                .packed(codec)
                .bytes();
            assert_eq!(raw.produce("t", 0, batch).error_code, 0);
        }
        for round in 0..3 {
            check(&mut raw, 0, (0, 1_000_000));
            check(&mut raw, 1_000_000, (0, 1_000_000));
            check(&mut raw, 1_000_001, (1, 1_000_010));
            check(&mut raw, 1_000_031, (4, 1_000_100));
            check(&mut raw, 1_002_520, (102, 1_002_520));
            check(&mut raw, 1_004_930, (199, 1_004_930));
            check(&mut raw, 1_004_931, (-1, -1));
            check(&mut raw, i64::MAX, (-1, -1));
            check(&mut raw, EARLIEST, (0, -1));
            check(&mut raw, LATEST, (200, -1));
            check(&mut raw, MAX_TIMESTAMP, (199, 1_004_930));
            check(&mut raw, -4, (0, -1));
            check(&mut raw, -5, (-1, -1));
            if round == 0 {
                test.stop();
            } else {
                test.crash();
            }
            test.start_again();
            raw = test.raw();
        }
    }
}

#[test]
fn times_out_of_order() {
    let test = TestBroker::start();
    test.topic("t", 1, &[("index.interval.bytes", "1")]);
    let mut raw = test.raw();
    check(&mut raw, 5, (-1, -1));
    check(&mut raw, MAX_TIMESTAMP, (-1, -1));
    check(&mut raw, LATEST, (0, -1));
    for times in [[50, 10], [20, 90], [90, 30], [5, 6]] {
        raw.produce("t", 0, BatchOf::values(&["x", "y"]).at(&times).bytes());
    }
    check(&mut raw, 51, (3, 90));
    check(&mut raw, 50, (0, 50));
    check(&mut raw, 91, (-1, -1));
    check(&mut raw, MAX_TIMESTAMP, (3, 90));
}

#[test]
fn errors_and_versions() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    raw.produce("t", 0, BatchOf::values(&["x"]).at(&[77]).bytes());
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(raw.list_offset("t", 1, LATEST).error_code, unknown);
    assert_eq!(raw.list_offset("nowhere", 0, LATEST).error_code, unknown);
    let unsupported = ResponseError::UnsupportedVersion.code();
    assert_eq!(raw.list_offset("t", 0, -9).error_code, unsupported);
    let request = |partitions: &[i32], timestamp, epoch| {
        let partitions = partitions
            .iter()
            .map(|partition| {
                ListOffsetsPartition::default()
                    .with_partition_index(*partition)
                    .with_current_leader_epoch(epoch)
                    .with_timestamp(timestamp)
            })
            .collect();
        ListOffsetsRequest::default().with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(name("t"))
                .with_partitions(partitions),
        ])
    };
    for version in 1..=10 {
        let answer = raw.call(version, &request(&[0], 10, -1)).topics[0].partitions[0].clone();
        assert_eq!(
            (answer.error_code, answer.offset, answer.timestamp),
            (0, 0, 77)
        );
        let max =
            raw.call(version, &request(&[0], MAX_TIMESTAMP, -1)).topics[0].partitions[0].clone();
        assert_eq!(max.error_code, if version < 7 { unsupported } else { 0 });
    }
    let twice = raw.call(5, &request(&[0, 0], LATEST, -1));
    let codes: Vec<i16> = twice.topics[0]
        .partitions
        .iter()
        .map(|p| p.error_code)
        .collect();
    assert_eq!(codes, [ResponseError::InvalidRequest.code(); 2]);
    let ahead = raw.call(5, &request(&[0], LATEST, 4)).topics[0].partitions[0].error_code;
    assert_eq!(ahead, ResponseError::UnknownLeaderEpoch.code());
}
