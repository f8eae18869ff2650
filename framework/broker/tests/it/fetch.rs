use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, MetadataRequest};

use crate::support::{BatchOf, TestBroker, fetch_request, produce_request, records_of, values_of};

fn filled(batches: usize, bytes: usize) -> TestBroker {
    let test = TestBroker::start();
    test.topic("t", 2, &[]);
    let mut raw = test.raw();
    for at in 0..batches {
        let value = vec![b'a' + (at % 26) as u8; bytes];
        assert_eq!(
            raw.produce("t", 0, BatchOf::values(&[value]).bytes())
                .error_code,
            0
        );
    }
    test
}

#[test]
fn every_version_hands_out_the_same_records() {
    let test = filled(3, 10);
    let mut raw = test.raw();
    let id = raw
        .call(12, &MetadataRequest::default().with_topics(None))
        .topics[0]
        .topic_id;
    for version in 4..=17 {
        let mut request = fetch_request("t", &[(0, 1, 1 << 20)], 0, 1);
        if version >= 13 {
            request.topics[0].topic = Default::default();
            request.topics[0].topic_id = id;
        }
        let response = raw.call(version, &request);
        let data = &response.responses[0].partitions[0];
        assert_eq!((response.error_code, response.session_id), (0, 0));
        assert_eq!(
            (data.error_code, data.high_watermark),
            (0, 3),
            "version {version}"
        );
        assert_eq!(data.last_stable_offset, 3);
        assert_eq!(data.aborted_transactions, None);
        let offsets: Vec<i64> = records_of(data)
            .iter()
            .map(|record| record.offset)
            .collect();
        assert_eq!(offsets, [1, 2], "version {version}");
    }
    let committed = fetch_request("t", &[(0, 0, 1 << 20)], 0, 1).with_isolation_level(1);
    let data = raw.call(11, &committed).responses[0].partitions[0].clone();
    assert_eq!(data.aborted_transactions, Some(Vec::new()));
    assert_eq!(records_of(&data).len(), 3);
}

#[test]
fn places_that_are_not_there() {
    let test = filled(3, 10);
    let mut raw = test.raw();
    let check = |raw: &mut crate::support::Raw, partition, offset, expected: ResponseError| {
        let data = raw.fetch("t", partition, offset);
        assert_eq!(data.error_code, expected.code(), "{partition} {offset}");
        assert!(data.records.unwrap_or_default().is_empty());
    };
    check(&mut raw, 0, 4, ResponseError::OffsetOutOfRange);
    check(&mut raw, 0, -1, ResponseError::OffsetOutOfRange);
    check(&mut raw, 2, 0, ResponseError::UnknownTopicOrPartition);
    assert_eq!(
        raw.fetch("t", 0, 3).error_code,
        0,
        "the end is there, and empty"
    );
    assert_eq!(
        raw.fetch("nowhere", 0, 0).error_code,
        ResponseError::UnknownTopicOrPartition.code()
    );
    let by_id = FetchRequest::default()
        .with_session_epoch(-1)
        .with_topics(vec![
            FetchTopic::default()
                .with_topic_id(uuid::Uuid::new_v4())
                .with_partitions(vec![FetchPartition::default()]),
        ]);
    let response = raw.call(13, &by_id);
    assert_eq!(
        response.responses[0].partitions[0].error_code,
        ResponseError::UnknownTopicId.code()
    );
    let mut request = fetch_request("t", &[(0, 0, 1 << 20)], 0, 1);
    request.topics[0].partitions[0].current_leader_epoch = 3;
    let code = raw.call(11, &request).responses[0].partitions[0].error_code;
    assert_eq!(code, ResponseError::UnknownLeaderEpoch.code());
}

#[test]
fn sessions_are_declined() {
    let test = filled(1, 10);
    let mut raw = test.raw();
    let ask = fetch_request("t", &[(0, 0, 1 << 20)], 0, 1).with_session_epoch(0);
    let response = raw.call(11, &ask);
    assert_eq!((response.error_code, response.session_id), (0, 0));
    assert_eq!(records_of(&response.responses[0].partitions[0]).len(), 1);
    let incremental = ask.clone().with_session_id(77).with_session_epoch(5);
    let code = raw.call(11, &incremental).error_code;
    assert_eq!(code, ResponseError::FetchSessionIdNotFound.code());
    let code = raw.call(11, &ask.with_session_epoch(5)).error_code;
    assert_eq!(code, ResponseError::InvalidFetchSessionEpoch.code());
}

#[test]
fn sizes_are_kept_and_the_first_batch_always_comes() {
    let test = filled(10, 1_000);
    let mut raw = test.raw();
    let batch = BatchOf::values(&[vec![0u8; 1_000]]).bytes().len() as i32;
    let count = |raw: &mut crate::support::Raw, partitions: &[(i32, i64, i32)], max_bytes: i32| {
        let request = fetch_request("t", partitions, 0, 1).with_max_bytes(max_bytes);
        let response = raw.call(11, &request);
        response.responses[0]
            .partitions
            .iter()
            .map(|data| records_of(data).len())
            .collect::<Vec<usize>>()
    };
    assert_eq!(count(&mut raw, &[(0, 0, 10 * batch)], 1 << 20), [10]);
    assert_eq!(count(&mut raw, &[(0, 0, 3 * batch + 5)], 1 << 20), [3]);
    assert_eq!(count(&mut raw, &[(0, 0, 3 * batch)], 1 << 20), [3]);
    assert_eq!(count(&mut raw, &[(0, 0, 3 * batch - 1)], 1 << 20), [2]);
    assert_eq!(
        count(&mut raw, &[(0, 0, 1)], 1 << 20),
        [1],
        "one in any case"
    );
    assert_eq!(count(&mut raw, &[(0, 0, 0)], 0), [1]);
    assert_eq!(
        count(&mut raw, &[(0, 0, 1 << 20)], 2 * batch),
        [2],
        "the request's limit"
    );
    for _ in 0..10 {
        raw.produce("t", 1, BatchOf::values(&[vec![0u8; 1_000]]).bytes());
    }
    let both = [(0, 0, 1 << 20), (1, 0, 1 << 20)];
    assert_eq!(count(&mut raw, &both, 12 * batch), [10, 2]);
    assert_eq!(count(&mut raw, &both, 5 * batch), [5, 0]);
    assert_eq!(
        count(&mut raw, &[(0, 0, 1), (1, 0, 1)], 1 << 20),
        [1, 0],
        "only the first"
    );
    assert_eq!(
        count(&mut raw, &[(0, 10, 1), (1, 0, 1)], 1 << 20),
        [0, 1],
        "that has any"
    );
}

#[test]
fn a_fetch_waits_for_data_and_gets_them_at_once() {
    let test = filled(0, 0);
    let mut raw = test.raw();
    let start = Instant::now();
    let empty = raw.call(11, &fetch_request("t", &[(0, 0, 1 << 20)], 300, 1));
    assert!(records_of(&empty.responses[0].partitions[0]).is_empty());
    let waited = start.elapsed();
    assert!(
        (300..1_500).contains(&(waited.as_millis() as u64)),
        "{waited:?}"
    );

    let mut latencies = Vec::new();
    let mut producer = test.raw();
    for at in 0..20 {
        raw.send(
            11,
            &fetch_request("t", &[(1, 0, 1 << 20), (0, at, 1 << 20)], 10_000, 1),
        );
        std::thread::sleep(Duration::from_millis(10));
        let start = Instant::now();
        producer.produce("t", 0, BatchOf::values(&[at.to_string()]).bytes());
        let (_, response) = raw.receive::<FetchRequest>(11);
        latencies.push(start.elapsed());
        let values = values_of(&records_of(&response.responses[0].partitions[1]));
        assert_eq!(values, [at.to_string()]);
    }
    latencies.sort();
    assert!(latencies[10] < Duration::from_millis(50), "{latencies:?}");
}

#[test]
fn min_bytes_are_waited_for() {
    let test = filled(0, 0);
    let mut raw = test.raw();
    let mut producer = test.raw();
    raw.send(11, &fetch_request("t", &[(0, 0, 1 << 20)], 10_000, 5_000));
    raw.stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    for _ in 0..4 {
        producer.produce("t", 0, BatchOf::values(&[vec![0u8; 1_000]]).bytes());
    }
    assert!(raw.receive_frame().is_err(), "4,300 bytes are not enough");
    raw.stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    producer.produce("t", 0, BatchOf::values(&[vec![0u8; 1_000]]).bytes());
    let (_, response) = raw.receive::<FetchRequest>(11);
    assert_eq!(records_of(&response.responses[0].partitions[0]).len(), 5);
}

#[test]
fn a_waiting_fetch_ends_when_the_topic_is_deleted_or_the_broker_stops() {
    let mut test = filled(0, 0);
    let mut raw = test.raw();
    raw.send(11, &fetch_request("t", &[(0, 0, 1 << 20)], 15_000, 1));
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    assert_eq!(crate::topics::delete(&mut test.raw(), "t"), 0);
    let (_, response) = raw.receive::<FetchRequest>(11);
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!(code, ResponseError::UnknownTopicOrPartition.code());

    test.topic("u", 1, &[]);
    raw.send(11, &fetch_request("u", &[(0, 0, 1 << 20)], 15_000, 1));
    std::thread::sleep(Duration::from_millis(50));
    test.stop();
    assert_eq!(raw.receive::<FetchRequest>(11).1.error_code, 0);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_slow_client_holds_nobody_up() {
    let test = filled(60, 500_000);
    // This one asks for 30 MB again and again and never reads.
    let mut slow = test.raw();
    for _ in 0..20 {
        slow.send(11, &fetch_request("t", &[(0, 0, 50 << 20)], 0, 1));
    }
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let mut raw = test.raw();
    for at in 0..50 {
        let answer = raw.produce("t", 1, BatchOf::values(&["x"]).bytes());
        assert_eq!((answer.error_code, answer.base_offset), (0, at));
        assert_eq!(raw.fetch("t", 1, at).error_code, 0);
    }
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(slow.receive::<FetchRequest>(11).1.error_code, 0);
}

#[test]
fn a_client_that_does_not_read_cannot_hold_up_the_stop() {
    let mut test = filled(60, 500_000);
    let mut slow = test.raw();
    slow.send(11, &fetch_request("t", &[(0, 0, 50 << 20)], 0, 1));
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    test.stop();
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn reads_go_over_many_segments_and_start_inside_batches() {
    let test = TestBroker::start();
    test.topic(
        "t",
        1,
        &[("segment.bytes", "2048"), ("index.interval.bytes", "200")],
    );
    let mut raw = test.raw();
    let mut wanted = Vec::new();
    for batch in 0..100 {
        let values: Vec<String> = (0..1 + batch % 7)
            .map(|at| format!("{batch}/{at}"))
            .collect();
        raw.send(
            9,
            &produce_request("t", 0, 1, Some(BatchOf::values(&values).bytes())),
        );
        raw.receive::<kafka_protocol::messages::ProduceRequest>(9);
        wanted.extend(values);
    }
    let segments = std::fs::read_dir(test.dir().join("topics/t-0")).unwrap();
    let logs = segments
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|e| e == "log")
        })
        .count();
    assert!(logs > 5, "{logs} segments");
    assert_eq!(values_of(&raw.read_all("t", 0, 0)), wanted);
    #[allow(
        clippy::needless_range_loop,
        reason = "the index is the offset that is asked for"
    )]
    for offset in 0..wanted.len() {
        let records = records_of(&raw.fetch("t", 0, offset as i64));
        let first = records[0].offset as usize;
        assert!(
            first <= offset,
            "the batch that holds the offset comes whole"
        );
        let at = records
            .iter()
            .position(|record| record.offset == offset as i64)
            .unwrap();
        assert_eq!(values_of(&records[at..])[0], wanted[offset]);
    }
}
