//! How fast it is, measured on demand:
//! `cargo test --test broker throughput -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use mesh_broker::FlushPolicy;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::support::TestBroker;

#[test]
#[ignore = "a measurement"]
fn throughput() {
    for flush in [
        FlushPolicy::Interval(Duration::from_secs(1)),
        FlushPolicy::Always,
    ] {
        for (bytes, count) in [(100usize, 2_000_000usize), (1_000, 500_000)] {
            let test = TestBroker::start_with(|config| config.flush = flush);
            test.topic("t", 1, &[]);
            let producer: BaseProducer = ClientConfig::new()
                .set("bootstrap.servers", test.bootstrap())
                .set("acks", "all")
                .set("enable.idempotence", "true")
                .set("linger.ms", "5")
                .set("batch.size", "500000")
                .set("queue.buffering.max.messages", "1000000")
                .create()
                .unwrap();
            let value = vec![b'x'; bytes];
            let start = Instant::now();
            for _ in 0..count {
                let mut record = BaseRecord::<[u8], [u8]>::to("t").payload(&value);
                while let Err((_, back)) = producer.send(record) {
                    producer.poll(Duration::from_millis(5));
                    record = back;
                }
            }
            producer.flush(Duration::from_secs(60)).unwrap();
            report("produce", flush, bytes, count, start.elapsed());

            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", test.bootstrap())
                .set("group.id", "g")
                .set("check.crcs", "false")
                .set("fetch.message.max.bytes", "10485760")
                .set("queued.min.messages", "1000000")
                .create()
                .unwrap();
            let mut partitions = TopicPartitionList::new();
            partitions
                .add_partition_offset("t", 0, Offset::Beginning)
                .unwrap();
            consumer.assign(&partitions).unwrap();
            let start = Instant::now();
            let (mut read, mut payload) = (0, 0);
            while read < count {
                if let Some(message) = consumer.poll(Duration::from_secs(10)) {
                    payload += message.unwrap().payload().unwrap().len();
                    read += 1;
                }
            }
            assert_eq!(payload, bytes * count);
            report("fetch", flush, bytes, count, start.elapsed());
            // The same bytes without a client that unpacks every record.
            let mut raw = test.raw();
            let (mut offset, mut bytes_read) = (0, 0);
            let start = Instant::now();
            loop {
                let request = crate::support::fetch_request("t", &[(0, offset, 8 << 20)], 0, 1);
                let response = raw.call(11, &request);
                let records = response.responses[0].partitions[0].records.clone().unwrap();
                let Some(next) = next_offset(&records) else {
                    break;
                };
                offset = next;
                bytes_read += records.len();
            }
            let seconds = start.elapsed().as_secs_f64();
            println!("raw fetch: {:.0} MB/s", bytes_read as f64 / 1e6 / seconds);
        }
    }
}

fn next_offset(mut records: &[u8]) -> Option<i64> {
    let mut next = None;
    while records.len() > 61 {
        let number = |range: std::ops::Range<usize>| {
            records[range]
                .iter()
                .fold(0i64, |all, byte| (all << 8) | i64::from(*byte))
        };
        next = Some(number(0..8) + number(23..27) + 1);
        records = &records[12 + number(8..12) as usize..];
    }
    next
}

fn report(what: &str, flush: FlushPolicy, bytes: usize, count: usize, time: Duration) {
    let seconds = time.as_secs_f64();
    println!(
        "{what} {bytes} B, {flush:?}: {:.0} messages/s, {:.1} MB/s",
        count as f64 / seconds,
        (count * bytes) as f64 / 1e6 / seconds
    );
}
