use std::sync::Arc;
use std::time::Duration;

use mesh_core::contract::Lifecycle;
use mesh_core::{ErrorKind, EventId, Record, RecordKey, TraceContext};
use mesh_stream::batch::{ArrowDecoder, PartitionReader};
use mesh_stream::{
    Admin, Decoder, Ends, GroupConsumer, Headers, OutboxMark, Producer, TopicSpec, TypedProducer,
    register_product,
};
use uuid::Uuid;

use crate::platform::Platform;
use crate::records::{Reading, Sample, full, reading, sparse};

#[tokio::test(flavor = "multi_thread")]
async fn every_type_tombstones_and_headers_come_back_as_they_were_sent() {
    let platform = Platform::start().await;
    let descriptor = Sample::descriptor();
    let registered = register_product(&platform.registry, descriptor)
        .await
        .unwrap();
    let admin = Admin::new(&platform.config).unwrap();
    admin
        .ensure_topic(&TopicSpec::from(descriptor))
        .await
        .unwrap();
    let producer = Producer::new(&platform.config).unwrap();
    let typed = TypedProducer::<Sample>::new(producer.clone(), registered);

    let headers = Headers {
        event_id: EventId::new(),
        contract_version: "1.2.0".into(),
        trace: TraceContext::new(),
        outbox: Some(OutboxMark {
            outbox: Uuid::new_v4(),
            seq: u64::MAX,
        }),
        ends: None,
    };
    // One key, and so one partition and one order.
    let (first, second) = (full(42), sparse(42));
    let at = typed.send(&first).await.unwrap().await.unwrap();
    typed
        .send_with(&second, headers.clone())
        .await
        .unwrap()
        .await
        .unwrap();
    let end = typed.delete(&second.key()).await.unwrap().await.unwrap();
    assert_eq!((at.0, at.1 + 2), end);

    let group = format!("g{}", Uuid::new_v4().simple());
    let topic = descriptor.topic.as_str();
    let consumer = GroupConsumer::new(&platform.config, &group, &[topic]).unwrap();
    let decoder = Decoder::<Sample>::new(platform.registry.clone()).unwrap();
    let mut received = Vec::new();
    while received.len() < 3 {
        let raw = tokio::time::timeout(Duration::from_secs(20), consumer.recv()).await;
        let record = decoder.decode(&raw.unwrap().unwrap()).await.unwrap();
        if record.partition == at.0 && record.offset >= at.1 {
            received.push(record);
        }
    }
    let [one, two, three] = received.as_slice() else {
        panic!("three records")
    };
    assert!(received.iter().all(|record| record.key == first.key()));
    assert_eq!(one.value.as_ref(), Some(&first));
    assert_eq!(one.headers.contract_version, "1.2.0");
    assert_eq!(one.headers.outbox, None);
    assert_eq!(two.value.as_ref(), Some(&second));
    assert_eq!(two.headers, headers);
    assert_eq!(three.value, None);
    assert!(three.timestamp > 1_700_000_000_000);
    assert_eq!(three.topic, topic);
    consumer.close().await;

    let mut reader = PartitionReader::open(&platform.config, topic, at.0, at.1, end.1 + 1).unwrap();
    let mut messages = reader.next_batch(10).await.unwrap().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!(
        messages.to_raw(1).unwrap().event_headers().unwrap(),
        headers
    );
    assert!(messages.to_raw(3).is_none());
    let mut arrow = ArrowDecoder::new(platform.registry.clone(), descriptor.into(), None).unwrap();
    let decoded = arrow.decode(&messages.refs()).await.unwrap();
    assert_eq!(decoded.batch.schema(), descriptor.arrow);
    assert_eq!((decoded.rows, decoded.tombstones), (vec![0, 1], vec![2]));
    assert!(decoded.bad.is_empty());
    assert!(reader.next_batch(10).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_contract_forbids_is_not_sent() {
    let platform = Platform::start().await;
    let producer = Producer::new(&platform.config).unwrap();
    let ids = mesh_stream::Registered {
        key_id: 1,
        value_id: 2,
    };
    let samples = TypedProducer::<Sample>::new(producer.clone(), ids);
    let long = Sample {
        note: Some("secret secret".into()),
        ..full(1)
    };
    let error = samples.send(&long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("note") && !format!("{error:?}").contains("secret"));

    let readings = TypedProducer::<Reading>::new(producer, ids);
    let error = readings.delete(&reading(1).key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert_eq!(reading(1).key().to_text(), "1");
}

#[test]
fn headers_of_others_are_read_leniently_and_our_own_strictly() {
    let read = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (*name, Some(value.as_bytes())));
        Headers::from_kafka(pairs, "t", 1, 2)
    };
    let none = read(&[("other", "x"), ("traceparent", "nonsense")]).unwrap();
    assert_eq!(
        none.event_id,
        read(&[]).unwrap().event_id,
        "derived from where it stands"
    );
    assert_eq!(none.contract_version, "");
    assert!(read(&[("mesh-event-id", "7")]).is_err());
    for mark in [
        "",
        "x",
        "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0000-000000000001:-1",
    ] {
        assert!(read(&[("mesh-outbox", mark)]).is_err(), "{mark}");
    }
    let mark = OutboxMark {
        outbox: Uuid::from_u128(1),
        seq: 9,
    };
    let text = mark.to_string();
    assert_eq!(text, "00000000-0000-0000-0000-000000000001:9");
    assert_eq!(read(&[("mesh-outbox", &text)]).unwrap().outbox, Some(mark));

    let [support, life] = ["2027-01-01", "2027-06-30T10:00:00Z"].map(serde_json::Value::from);
    let ends = Ends {
        lifecycle: Lifecycle::of_levels([("endOfSupport", &support), ("endOfLife", &life)]),
        successor: Some("lab.samples.v2".into()),
    };
    let told = [
        ("deprecation", "@1798761600"),
        ("sunset", "Wed, 30 Jun 2027 10:00:00 GMT"),
        ("mesh-successor", "lab.samples.v2"),
    ];
    assert_eq!(read(&told).unwrap().ends.as_deref(), Some(&ends));
    // A notice that cannot be read is none, and keeps no record from being read.
    assert_eq!(
        read(&[("sunset", "soon"), ("deprecation", "1")])
            .unwrap()
            .ends,
        None
    );

    let ours = Headers {
        outbox: Some(mark),
        ends: Some(Arc::new(ends)),
        ..Headers::of::<Sample>(TraceContext::new())
    };
    let pairs = ours.to_pairs();
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()));
    assert_eq!(Headers::from_kafka(pairs, "t", 1, 2).unwrap(), ours);
}
