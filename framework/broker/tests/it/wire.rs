use std::io::Write;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, MetadataRequest};

use crate::support::{BatchOf, TestBroker, fetch_request, produce_request, string};

fn asked() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(string("raw-client"))
        .with_client_software_version(string("1.0.0"))
}

#[test]
fn api_versions_answers_every_version() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    for version in 0..=4 {
        let response = raw.call(version, &asked());
        assert_eq!(response.error_code, 0, "version {version}");
        let produce = &response.api_keys[0];
        assert_eq!(
            (produce.api_key, produce.min_version),
            (ApiKey::Produce as i16, 0)
        );
        let keys: std::collections::HashSet<i16> =
            response.api_keys.iter().map(|key| key.api_key).collect();
        assert_eq!(keys.len(), response.api_keys.len(), "each is named once");
        for served in [
            ApiKey::DescribeGroups,
            ApiKey::EndTxn,
            ApiKey::ListTransactions,
        ] {
            assert!(keys.contains(&(served as i16)), "{served:?}");
        }
        assert!(!keys.contains(&(ApiKey::ConsumerGroupDescribe as i16)));
    }
    let nameless = raw.call(3, &ApiVersionsRequest::default());
    assert_eq!(nameless.error_code, ResponseError::InvalidRequest.code());
}

#[test]
fn api_versions_of_the_future_is_answered_in_version_0() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let mut frame = raw.frame(4, &asked());
    frame[6..8].copy_from_slice(&99i16.to_be_bytes());
    raw.stream.write_all(&frame).unwrap();
    let (_, response) = raw.receive::<ApiVersionsRequest>(0);
    assert_eq!(
        response.error_code,
        ResponseError::UnsupportedVersion.code()
    );
    assert!(
        response
            .api_keys
            .iter()
            .any(|key| key.api_key == 18 && key.max_version == 4)
    );
    assert_eq!(raw.call(4, &asked()).error_code, 0, "the connection stays");
}

#[test]
fn what_cannot_be_read_closes_the_connection_and_nothing_else() {
    let test = TestBroker::start();
    let header = |key: i16, version: i16| {
        let mut head = Vec::new();
        head.extend(key.to_be_bytes());
        head.extend(version.to_be_bytes());
        head.extend(7i32.to_be_bytes());
        head.extend((-1i16).to_be_bytes());
        head
    };
    let framed = |body: &[u8]| {
        let mut frame = (body.len() as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    };
    let with =
        |key, version, rest: &[u8]| framed(&[header(key, version).as_slice(), rest].concat());
    let huge_count = i32::MAX.to_be_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a negative length", (-1i32).to_be_bytes().to_vec()),
        ("a length beyond the limit", i32::MAX.to_be_bytes().to_vec()),
        ("an empty frame", framed(&[])),
        ("half a header", framed(&[0, 3, 0])),
        ("an unknown api", with(999, 0, &[])),
        (
            "an api that is not built",
            with(ApiKey::DescribeQuorum as i16, 0, &[0; 16]),
        ),
        (
            "a version that is not served",
            with(ApiKey::Fetch as i16, 3, &[0; 64]),
        ),
        (
            "produce before version 3",
            with(ApiKey::Produce as i16, 2, &[0; 64]),
        ),
        ("a cut body", with(ApiKey::Fetch as i16, 4, &[0; 3])),
        (
            "text for a client",
            b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec(),
        ),
        (
            "two thousand million topics",
            with(ApiKey::Metadata as i16, 1, &huge_count),
        ),
        (
            "as many, compactly",
            with(
                ApiKey::Metadata as i16,
                9,
                &[0, 0xff, 0xff, 0xff, 0xff, 0x07],
            ),
        ),
        (
            "as many in a nested array",
            with(
                ApiKey::OffsetFetch as i16,
                1,
                &[&[0, 1, b'g', 0, 0, 0, 1, 0, 1, b't'][..], &huge_count].concat(),
            ),
        ),
        ("noise", framed(&(0..200u8).collect::<Vec<u8>>())),
    ];
    for (what, bytes) in cases {
        let mut raw = test.raw();
        raw.stream.write_all(&bytes).unwrap();
        assert!(raw.is_closed(), "{what}");
        assert_eq!(test.raw().call(4, &asked()).error_code, 0, "after {what}");
    }
    assert!(test.broker().metrics().malformed_requests >= 14);
}

#[test]
fn random_bytes_never_stop_the_broker() {
    use rand::{RngExt, SeedableRng};
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut raw = test.raw();
    let sound = [
        raw.frame(
            9,
            &produce_request("t", 0, -1, Some(BatchOf::values(&["v"]).bytes())),
        ),
        raw.frame(11, &fetch_request("t", &[(0, 0, 1 << 20)], 0, 1)),
        raw.frame(12, &MetadataRequest::default()),
        raw.frame(4, &asked()),
    ];
    for round in 0..400 {
        let mut raw = test.raw();
        let mut frame = sound[round % sound.len()].clone();
        for _ in 0..random.random_range(1..6) {
            // The length stays, so that the broker reads the rest as a request.
            let at = random.random_range(4..frame.len());
            frame[at] = random.random();
        }
        raw.stream.write_all(&frame).unwrap();
        raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
        while raw.receive_frame().is_ok() {}
    }
    assert_eq!(test.raw().call(4, &asked()).error_code, 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let test = TestBroker::start_with(|config| {
        config.flush = mesh_broker::FlushPolicy::Always;
    });
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let mut sent = Vec::new();
    for at in 0..40 {
        let batch = BatchOf::values(&[format!("{at}")]).bytes();
        sent.push(raw.send(9, &produce_request("t", 0, -1, Some(batch))));
    }
    let fetch = raw.send(11, &fetch_request("t", &[(0, 0, 1 << 20)], 100, 1));
    let versions = raw.send(4, &asked());
    for (at, correlation_id) in sent.into_iter().enumerate() {
        let (received, response) = raw.receive::<kafka_protocol::messages::ProduceRequest>(9);
        assert_eq!(received, correlation_id);
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(
            (partition.error_code, partition.base_offset),
            (0, at as i64)
        );
    }
    assert_eq!(
        raw.receive::<kafka_protocol::messages::FetchRequest>(11).0,
        fetch
    );
    assert_eq!(raw.receive::<ApiVersionsRequest>(4).0, versions);
}

#[test]
fn connections_are_limited() {
    let test = TestBroker::start_with(|config| config.max_connections = 3);
    let mut open: Vec<_> = (0..3).map(|_| test.raw()).collect();
    for raw in &mut open {
        assert_eq!(raw.call(4, &asked()).error_code, 0);
    }
    assert!(test.raw().is_closed());
    assert_eq!(open[0].call(4, &asked()).error_code, 0);
    open.pop();
    let free = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        test.broker().metrics().connections < 3
    });
    assert!(free);
    assert_eq!(test.raw().call(4, &asked()).error_code, 0);
}
