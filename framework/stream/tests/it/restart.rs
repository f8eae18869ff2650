use std::time::Duration;

use bytes::Bytes;
use mesh_core::TraceContext;
use mesh_stream::batch::PartitionReader;
use mesh_stream::{Admin, Headers, Outgoing, Producer};

use crate::platform::Platform;
use crate::records::Reading;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_started_again_loses_and_repeats_nothing() {
    let mut platform = Platform::alone().await;
    let topic = platform.topic(1).await;
    let producer = Producer::new(&platform.config).unwrap();
    let count = 20_000i64;
    let sending = tokio::spawn({
        let (producer, topic) = (producer.clone(), topic.clone());
        async move {
            let headers = Headers::of::<Reading>(TraceContext::new());
            let mut deliveries = Vec::new();
            for n in 0..count {
                let delivery = producer
                    .send(Outgoing {
                        topic: topic.clone(),
                        partition: Some(0),
                        key: Bytes::copy_from_slice(&n.to_be_bytes()),
                        value: Some(Bytes::from(vec![1; 100])),
                        headers: headers.clone(),
                        timestamp: None,
                    })
                    .await
                    .unwrap();
                deliveries.push(delivery);
                if n % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            for (n, delivery) in deliveries.into_iter().enumerate() {
                assert_eq!(delivery.await.unwrap(), (0, n as i64));
            }
        }
    });
    for pause in [50, 1_500] {
        tokio::time::sleep(Duration::from_millis(400)).await;
        if !platform.crash(Duration::from_millis(pause)).await {
            eprintln!("nothing is killed: MESH_KAFKA_CLUSTER is not set");
            break;
        }
    }
    tokio::time::timeout(Duration::from_secs(60), sending)
        .await
        .unwrap()
        .unwrap();
    assert!(producer.fatal().is_none());
    producer.flush(Duration::from_secs(5)).await.unwrap();
    assert_eq!(producer.in_flight(), 0);

    let admin = Admin::new(&platform.config).unwrap();
    assert_eq!(admin.watermarks(&topic, 0).await.unwrap(), (0, count));
    let mut reader = PartitionReader::open(&platform.config, &topic, 0, 0, count).unwrap();
    let mut next = 0i64;
    while let Some(messages) = reader.next_batch(1000).await.unwrap() {
        for message in messages.iter() {
            assert_eq!(message.key.unwrap(), next.to_be_bytes());
            next += 1;
        }
    }
    assert_eq!(next, count);
}
