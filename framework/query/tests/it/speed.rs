//! What SQL costs over reading and decoding alone, as a ratio of one run.

use std::time::{Duration, Instant};

use mesh_core::Record;
use mesh_query::Engine;
use mesh_stream::batch::{ArrowDecoder, PartitionReader};
use mesh_stream::{Admin, RegistryClient};

use crate::harness::{Platform, Sale, access, sale, send};

const ROWS: i64 = 300_000;

/// Every partition one after the other, each block decoded whole.
async fn bare(platform: &Platform) -> Duration {
    let registry = RegistryClient::new(&platform.stream.registry_url).unwrap();
    let admin = Admin::new(&platform.stream).unwrap();
    let topic = Sale::descriptor().topic.as_str();
    let begun = Instant::now();
    let mut rows = 0;
    for partition in 0..admin.partitions(topic).await.unwrap() {
        let (low, high) = admin.watermarks(topic, partition).await.unwrap();
        let mut decoder =
            ArrowDecoder::new(registry.clone(), Sale::descriptor().into(), None).unwrap();
        let mut reader =
            PartitionReader::open(&platform.stream, topic, partition, low, high).unwrap();
        while let Some(messages) = reader.next_batch(8192).await.unwrap() {
            rows += decoder
                .decode(&messages.refs())
                .await
                .unwrap()
                .batch
                .num_rows();
        }
    }
    assert_eq!(rows as i64, ROWS);
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_beside_bare_consuming_and_decoding() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..ROWS).map(|id| sale(id, "north", id))).await;
    let mut config = platform.config();
    config.target_partitions = 1;
    let session = Engine::new(config)
        .unwrap()
        .session(access())
        .await
        .unwrap();
    let scan = async |sql: &str| {
        let begun = Instant::now();
        let mut answer = session.query(sql).await.unwrap();
        let rows: usize = answer
            .collect()
            .await
            .unwrap()
            .iter()
            .map(|b| b.num_rows())
            .sum();
        assert!(rows > 0);
        begun.elapsed()
    };
    let [mut alone, mut whole, mut narrow, mut count] = [Duration::MAX; 4];
    for _ in 0..3 {
        alone = alone.min(bare(&platform).await);
        whole = whole.min(scan("SELECT * FROM shop.sales").await);
        narrow = narrow.min(scan("SELECT sum(amount) FROM shop.sales").await);
        count = count.min(scan("SELECT count(*) FROM shop.sales").await);
    }
    println!(
        "{ROWS} rows, one stream: consume + decode {alone:?}; as a ratio of it: \
         SELECT * {:.2}, sum of one column {:.2}, count(*) {:.2}",
        whole.as_secs_f64() / alone.as_secs_f64(),
        narrow.as_secs_f64() / alone.as_secs_f64(),
        count.as_secs_f64() / alone.as_secs_f64(),
    );
    // Generous: other tests run beside it.
    assert!(whole < alone * 4 + Duration::from_secs(1));
}
