//! Figures, printed by `cargo test --release --test stream measure -- --ignored --nocapture`.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use mesh_core::{Record, TraceContext};
use mesh_stream::batch::{ArrowDecoder, PartitionReader};
use mesh_stream::{
    Admin, Headers, Producer, TopicSpec, TypedProducer, WriterSchema, register_product,
};

use crate::platform::Platform;
use crate::records::{Reading, framed, reading};

const COUNT: i64 = 1_000_000;

/// Time, and time on a processor of this thread.
#[derive(Clone, Copy)]
struct Clock(Instant, f64);

impl Clock {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanos: f64 = text
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0.0);
        Self(Instant::now(), nanos / 1e9)
    }

    fn rate(self, what: &str, count: i64) {
        let now = Self::now();
        let wall = count as f64 / (now.0 - self.0).as_secs_f64() / 1e6;
        let busy = count as f64 / (now.1 - self.1) / 1e6;
        println!("{what}: {wall:.2}M/s, {busy:.2}M per second of this thread's processor");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure() {
    let schema = WriterSchema::parse(1, Reading::descriptor().value_schema.clone()).unwrap();
    let bytes = framed(1, &reading(3_333));
    let begin = Clock::now();
    for _ in 0..COUNT {
        schema.check(&bytes[5..]).unwrap();
    }
    begin.rate("structure check", COUNT);

    let platform = Platform::start().await;
    let descriptor = Reading::descriptor();
    let registered = register_product(&platform.registry, descriptor)
        .await
        .unwrap();
    let admin = Admin::new(&platform.config).unwrap();
    admin
        .ensure_topic(&TopicSpec::from(descriptor))
        .await
        .unwrap();
    let producer = Producer::new(&platform.config).unwrap();
    let typed = TypedProducer::<Reading>::new(producer, registered);
    for (name, of) in [("id", 0), ("headers", 1), ("encode", 2)] {
        let encoder = typed.encoder().clone();
        let headers = Headers::of::<Reading>(TraceContext::new());
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let begin = Clock::now();
        for n in 0..COUNT / 10 {
            match of {
                0 => drop(std::hint::black_box(Headers::of::<Reading>(headers.trace))),
                1 => drop(std::hint::black_box(headers.to_kafka())),
                _ => {
                    let record = reading(n);
                    key.clear();
                    value.clear();
                    encoder.put_key(&record.key(), &mut key);
                    encoder.put_value(&record, &mut value).unwrap();
                }
            }
        }
        begin.rate(name, COUNT / 10);
    }
    let other = platform.topic(1).await;
    let (key, value) = (vec![0; 9], framed(1, &reading(3_333)));
    let headers = Headers::of::<Reading>(TraceContext::new());
    for (name, with, extra) in [
        ("plain", false, None),
        ("with the headers", true, None),
        (
            "with the headers, 10k queue",
            true,
            Some(("queue.buffering.max.messages", "10000")),
        ),
        (
            "10k queue",
            false,
            Some(("queue.buffering.max.messages", "10000")),
        ),
    ] {
        let mut settings = rdkafka::ClientConfig::new();
        settings
            .set("bootstrap.servers", &platform.config.bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("compression.type", "lz4");
        if let Some((name, value)) = extra {
            settings.set(name, value);
        }
        let raw: rdkafka::producer::ThreadedProducer<_> = settings.create().unwrap();
        let begin = Clock::now();
        for _ in 0..COUNT / 2 {
            let mut record = rdkafka::producer::BaseRecord::to(&other)
                .key(&key)
                .payload(&value);
            if with {
                record = record.headers(headers.to_kafka());
            }
            while let Err((_, again)) = raw.send(record) {
                tokio::time::sleep(Duration::from_millis(2)).await;
                record = again;
            }
        }
        rdkafka::producer::Producer::flush(&raw, Duration::from_secs(120)).unwrap();
        begin.rate(&format!("raw publish, {name}"), COUNT / 2);
    }
    for queue in ["5000", "20000", "50000", "100000"] {
        let mut config = platform.config.clone();
        config
            .overrides
            .insert("queue.buffering.max.messages".into(), queue.into());
        let producer = Producer::new(&config).unwrap();
        let typed = TypedProducer::<Reading>::new(producer, registered);
        let begin = Clock::now();
        for n in 0..COUNT / 4 {
            drop(typed.send(&reading(n)).await.unwrap());
        }
        typed.flush(Duration::from_secs(120)).await.unwrap();
        begin.rate(&format!("typed publish, queue of {queue}"), COUNT / 4);
    }

    let topic = descriptor.topic.as_str();
    for _ in 0..5 {
        let begin = Instant::now();
        let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, 1).unwrap();
        reader.next_batch(1).await.unwrap().unwrap();
        println!("open and first record: {:?}", begin.elapsed());
    }
    for round in 0..2 {
        let begin = Clock::now();
        let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, COUNT).unwrap();
        let mut count = 0;
        while let Some(messages) = reader.next_batch(4096).await.unwrap() {
            count += messages.len() as i64;
        }
        begin.rate(&format!("batch read {round}"), count);
        for (name, projection) in [
            ("all columns", None),
            ("one column", Some(vec![1])),
            ("count", Some(vec![])),
        ] {
            let begin = Clock::now();
            let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, COUNT).unwrap();
            let mut decoder =
                ArrowDecoder::new(platform.registry.clone(), descriptor.into(), projection)
                    .unwrap();
            let mut rows = 0;
            while let Some(messages) = reader.next_batch(4096).await.unwrap() {
                rows += decoder
                    .decode(&messages.refs())
                    .await
                    .unwrap()
                    .batch
                    .num_rows() as i64;
            }
            begin.rate(&format!("batch read and arrow, {name} {round}"), rows);
        }
    }
}
