//! Clients that go while their request waits.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{FetchRequest, MetadataRequest};
use kafka_protocol::protocol::StrBytes;

use crate::groups::{join_request, sync_request};
use crate::support::{BatchOf, Raw, TestBroker, fetch_request, produce_request, values_of};

/// Waits until so many connections are open.
fn until_open(test: &TestBroker, wanted: u64) {
    let begun = Instant::now();
    loop {
        let open = test.broker().metrics().connections;
        if open == wanted {
            return;
        }
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(10), "{open} are open");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A fetch that waits for more than there will be.
fn endless() -> FetchRequest {
    fetch_request("t", &[(0, 0, 1 << 20)], i32::MAX, 1 << 20)
}

#[test]
fn a_waiting_fetch_ends_with_its_connection() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    until_open(&test, 0);
    let mut clients: Vec<Raw> = (0..3).map(|_| test.raw()).collect();
    for client in &mut clients {
        client.send(11, &endless());
    }
    until_open(&test, 3);
    // Long enough for the requests to wait.
    std::thread::sleep(Duration::from_millis(100));
    drop(clients);
    until_open(&test, 0);
}

#[test]
fn a_waiting_join_ends_with_its_connection() {
    let test = TestBroker::start();
    let mut first = test.raw();
    let long = |member: &StrBytes| {
        join_request(member, &["range"])
            .with_session_timeout_ms(60_000)
            .with_rebalance_timeout_ms(60_000)
    };
    let joined = first.call(3, &long(&StrBytes::default()));
    assert_eq!(joined.error_code, 0);
    // Version 3 does not name the protocol.
    let sync = sync_request(&joined, &[(&joined.member_id, "all")])
        .with_protocol_type(None)
        .with_protocol_name(None);
    assert_eq!(first.call(3, &sync).error_code, 0);
    until_open(&test, 1);
    // It waits for the first member, which does not come.
    let mut second = test.raw();
    second.send(3, &long(&StrBytes::default()));
    until_open(&test, 2);
    std::thread::sleep(Duration::from_millis(100));
    drop(second);
    until_open(&test, 1);
}

/// What a client has sent before it closes its side is done and answered.
#[test]
fn requests_behind_a_waiting_fetch_are_answered() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let waiting = fetch_request("t", &[(0, 0, 1 << 20)], 300, 1 << 20);
    let fetch = raw.send(11, &waiting);
    std::thread::sleep(Duration::from_millis(50));
    let batch = BatchOf::values(&["behind"]).bytes();
    raw.send(9, &produce_request("t", 0, 0, Some(batch)));
    let metadata = raw.send(9, &MetadataRequest::default().with_topics(Some(Vec::new())));
    raw.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(raw.receive::<FetchRequest>(11).0, fetch);
    assert_eq!(raw.receive::<MetadataRequest>(9).0, metadata);
    assert!(raw.is_closed());
    assert_eq!(values_of(&test.raw().read_all("t", 0, 0)), ["behind"]);
}

/// A partition that is named many times wakes its fetch like any other.
#[test]
fn a_fetch_waits_for_a_partition_once() {
    let test = TestBroker::start();
    test.topic("t", 1, &[]);
    let mut raw = test.raw();
    let many = vec![(0, 0, 1 << 20); 1_000];
    raw.send(11, &fetch_request("t", &many, 20_000, 1));
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    let batch = BatchOf::values(&["v"]).bytes();
    assert_eq!(test.raw().produce("t", 0, batch).error_code, 0);
    let (_, response) = raw.receive::<FetchRequest>(11);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(response.responses[0].partitions.len(), 1_000);
}
