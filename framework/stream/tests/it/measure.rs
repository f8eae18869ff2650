//! Figures, printed by `cargo test --release --test stream measure -- --ignored --nocapture`.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use mesh_core::Record;
use mesh_stream::batch::{ArrowDecoder, PartitionReader};
use mesh_stream::{Admin, Producer, TopicSpec, TypedProducer, WriterSchema, register_product};

use crate::platform::Platform;
use crate::records::{Reading, framed, reading};

const COUNT: i64 = 1_000_000;

fn rate(what: &str, count: i64, begin: Instant) {
    let seconds = begin.elapsed().as_secs_f64();
    println!("{what}: {:.2}M/s", count as f64 / seconds / 1e6);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure() {
    let schema = WriterSchema::parse(1, Reading::descriptor().value_schema.clone()).unwrap();
    let bytes = framed(1, &reading(3_333));
    let begin = Instant::now();
    for _ in 0..COUNT {
        schema.check(&bytes[5..]).unwrap();
    }
    rate("structure check", COUNT, begin);

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
    let begin = Instant::now();
    for n in 0..COUNT {
        drop(typed.send(&reading(n)).await.unwrap());
    }
    typed.flush(Duration::from_secs(120)).await.unwrap();
    rate("typed publish", COUNT, begin);

    let topic = descriptor.topic.as_str();
    let begin = Instant::now();
    let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, 1).unwrap();
    reader.next_batch(1).await.unwrap().unwrap();
    println!("open and first record: {:?}", begin.elapsed());
    for round in 0..2 {
        let begin = Instant::now();
        let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, COUNT).unwrap();
        let mut count = 0;
        while let Some(messages) = reader.next_batch(4096).await.unwrap() {
            count += messages.len() as i64;
        }
        rate(&format!("batch read {round}"), count, begin);
        for (name, projection) in [
            ("all columns", None),
            ("one column", Some(vec![1])),
            ("count", Some(vec![])),
        ] {
            let begin = Instant::now();
            let mut reader = PartitionReader::open(&platform.config, topic, 0, 0, COUNT).unwrap();
            let mut decoder =
                ArrowDecoder::new(platform.registry.clone(), descriptor.into(), projection)
                    .unwrap();
            let mut rows = 0;
            let mut decoding = Duration::ZERO;
            while let Some(messages) = reader.next_batch(4096).await.unwrap() {
                let at = Instant::now();
                rows += decoder
                    .decode(&messages.refs())
                    .await
                    .unwrap()
                    .batch
                    .num_rows() as i64;
                decoding += at.elapsed();
            }
            rate(
                &format!("batch read and arrow, {name} {round}"),
                rows,
                begin,
            );
            println!(
                "  decoding alone: {:.2}M/s",
                rows as f64 / decoding.as_secs_f64() / 1e6
            );
        }
    }
}
