use std::time::Duration;

use bytes::Bytes;
use mesh_core::TraceContext;
use mesh_stream::{Headers, Outgoing, Producer, partition_for};

use crate::platform::Platform;
use crate::records::Reading;

/// The values of Kafka's own `UtilsTest.testMurmur2`.
#[test]
fn murmur2_is_java_s() {
    let check = |key: &str, murmur2: i32| {
        for partitions in [1, 2, 3, 7, 12, 1000, i32::MAX] {
            assert_eq!(
                partition_for(key.as_bytes(), partitions),
                (murmur2 & 0x7fff_ffff) % partitions,
                "{key} of {partitions}"
            );
        }
    };
    check("21", -973_932_308);
    check("foobar", -790_332_482);
    check("a-little-bit-long-string", -985_981_536);
    check("a-little-bit-longer-string", -1_486_304_829);
    check(
        "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
        -58_897_971,
    );
    check("abc", 479_470_107);
}

#[tokio::test(flavor = "multi_thread")]
async fn librdkafka_puts_a_key_where_partition_for_says() {
    let platform = Platform::start().await;
    let topic = platform.topic(7).await;
    let producer = Producer::new(&platform.config).unwrap();
    let mut sent = Vec::new();
    for length in 0..60u8 {
        let key = Bytes::from(
            (1..=length)
                .map(|byte| byte.wrapping_mul(37))
                .collect::<Vec<_>>(),
        );
        if key.is_empty() {
            continue;
        }
        let delivery = producer
            .send(Outgoing {
                topic: topic.clone(),
                partition: None,
                key: key.clone(),
                value: None,
                headers: Headers::of::<Reading>(TraceContext::new()),
                timestamp: None,
            })
            .await
            .unwrap();
        sent.push((key, delivery));
    }
    for (key, delivery) in sent {
        let (partition, _) = delivery.await.unwrap();
        assert_eq!(
            partition,
            partition_for(&key, 7),
            "a key of {} bytes",
            key.len()
        );
    }
    producer.flush(Duration::from_secs(5)).await.unwrap();
}
