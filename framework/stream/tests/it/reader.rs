use std::time::{Duration, Instant};

use bytes::Bytes;
use mesh_core::{ErrorKind, TraceContext};
use mesh_stream::batch::PartitionReader;
use mesh_stream::{Headers, Outgoing, Producer, StreamConfig};

use crate::platform::Platform;
use crate::records::Reading;

async fn fill(platform: &Platform, topic: &str, count: usize, bytes: usize) {
    let producer = Producer::new(&platform.config).unwrap();
    let headers = Headers::of::<Reading>(TraceContext::new());
    for n in 0..count {
        let mut value = n.to_be_bytes().to_vec();
        value.resize(bytes.max(8), 7);
        let delivery = producer
            .send(Outgoing {
                topic: topic.into(),
                partition: Some(0),
                key: Bytes::from_static(b"k"),
                value: Some(value.into()),
                headers: headers.clone(),
                timestamp: Some(n as i64 + 1),
            })
            .await
            .unwrap();
        drop(delivery);
    }
    producer.flush(Duration::from_secs(60)).await.unwrap();
}

async fn offsets(reader: &mut PartitionReader, max: usize) -> Vec<i64> {
    let mut offsets = Vec::new();
    while let Some(messages) = reader.next_batch(max).await.unwrap() {
        assert!(!messages.is_empty() && messages.len() <= max);
        offsets.extend(messages.iter().map(|message| message.offset));
    }
    offsets
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_read_from_one_offset_to_another() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    fill(&platform, &topic, 10_000, 20).await;
    let open = |start, end| PartitionReader::open(&platform.config, &topic, 0, start, end).unwrap();
    for (start, end, max) in [
        (0, 10_000, 4096),
        (0, 1, 4096),
        (17, 5_001, 100),
        (9_999, 10_000, 1),
        (-5, 3, 4096),
        (5, 5, 4096),
        (7, 3, 4096),
    ] {
        let begin = Instant::now();
        let found = offsets(&mut open(start, end), max).await;
        assert_eq!(
            found,
            (start.max(0)..end).collect::<Vec<_>>(),
            "{start} to {end}"
        );
        assert!(
            begin.elapsed() < Duration::from_secs(3),
            "{:?}",
            begin.elapsed()
        );
    }

    // What was handed out outlives its reader, in any thread.
    let mut reader = open(0, 10_000);
    let messages = reader.next_batch(500).await.unwrap().unwrap();
    drop(reader);
    let sum = tokio::task::spawn_blocking(move || {
        let refs = messages.refs();
        refs.iter().map(|message| message.timestamp).sum::<i64>() + refs[3].value.unwrap()[7] as i64
    });
    assert_eq!(sum.await.unwrap(), 500 * 501 / 2 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_reader_is_prompt() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    fill(&platform, &topic, 50_000, 200).await;
    let open = |end| PartitionReader::open(&platform.config, &topic, 0, 0, end).unwrap();
    for end in [50_000, 60_000] {
        let mut reader = open(end);
        reader.next_batch(10).await.unwrap().unwrap();
        let begin = Instant::now();
        drop(reader);
        assert!(
            begin.elapsed() < Duration::from_millis(20),
            "{:?}",
            begin.elapsed()
        );
    }
    // Nor does a future that is given up lose anything.
    let mut reader = open(50_000);
    let mut count = 0;
    loop {
        match tokio::time::timeout(Duration::from_micros(50), reader.next_batch(777)).await {
            Ok(Ok(Some(messages))) => count += messages.len(),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error:?}"),
            Err(_) => {}
        }
    }
    assert_eq!(count, 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_says_what_is_not_there() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    fill(&platform, &topic, 10, 20).await;
    // Beyond the end of the partition: it was made anew since the scan was planned.
    let mut reader = PartitionReader::open(&platform.config, &topic, 0, 0, 11).unwrap();
    let mut found = 0;
    let error = loop {
        match reader.next_batch(100).await {
            Ok(Some(messages)) => found += messages.len(),
            Ok(None) => panic!("an end that was not reached"),
            Err(error) => break error,
        }
    };
    assert_eq!(found, 10);
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:?}");

    let mut reader = PartitionReader::open(&platform.config, &topic, 9, 0, 11).unwrap();
    let error = reader.next_batch(100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(reader.next_batch(100).await.unwrap().is_none());

    let down = StreamConfig::new("127.0.0.1:1", "http://127.0.0.1:1", "mesh-stream-test");
    let mut reader = PartitionReader::open(&down, &topic, 0, 0, 11).unwrap();
    let error = reader.next_batch(100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1") && error.mend_text().is_some());
}
