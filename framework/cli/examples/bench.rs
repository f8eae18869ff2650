//! What the framework costs over its bare parts, as ratios of one run on the embedded
//! broker: typed publishing beside raw librdkafka, and a scan in SQL beside batch
//! consumption and decoding. `cargo run --example bench -- [records]`.
//!
//! Both sides of a pair send or read the same bytes with the same settings of librdkafka;
//! each is run three times in turn and the fastest counts.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Record, TimestampMicros, TraceContext};
use mesh_enforcement::Access;
use mesh_query::{Engine, QueryConfig};
use mesh_registry::{Registry, RegistryConfig};
use mesh_stream::batch::{ArrowDecoder, PartitionReader};
use mesh_stream::{
    Admin, Headers, Producer, RegistryClient, StreamConfig, TopicSpec, TypedProducer,
    register_product,
};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

mod postings {
    mesh_macros::contract!("examples/contracts/bench.odcs.yaml");
}
use postings::{Posting, PostingDirection};

const ROUNDS: usize = 3;

fn posting(n: i64) -> Posting {
    Posting {
        posting_id: n,
        account_id: 1_000_000 + n % 4_500,
        booked_on: chrono::NaiveDate::from_ymd_opt(1998, 1, 1 + (n % 28) as u32).unwrap(),
        direction: if n % 3 == 0 {
            PostingDirection::Credit
        } else {
            PostingDirection::Debit
        },
        amount: mesh_core::Decimal::from_unscaled(i128::from(n % 9_000_000)).unwrap(),
        partner: (n % 2 == 0).then(|| format!("YZ/{:08}", n % 90_000_000)),
        booked_at: TimestampMicros(1_700_000_000_000_000 + n),
    }
}

/// A fresh topic: what one round wrote must not be in the next one's way.
async fn topic(admin: &Admin, name: &str) {
    let mut spec = TopicSpec::from(Posting::descriptor());
    spec.name = name.to_owned();
    admin.ensure_topic(&spec).await.unwrap();
}

fn print(what: &str, records: i64, ours: Duration, bare: Duration) {
    let rate = |time: Duration| records as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{what}: {:.2}M records/s, bare {:.2}M records/s, ratio {:.2}",
        rate(ours),
        rate(bare),
        bare.as_secs_f64() / ours.as_secs_f64()
    );
}

#[tokio::main]
async fn main() {
    let records: i64 = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(BrokerConfig::new(
        folder.path().join("kafka"),
        ([127, 0, 0, 1], 0).into(),
    ))
    .await
    .unwrap();
    let registry = Registry::open(RegistryConfig::new(folder.path().join("registry.sqlite")))
        .await
        .unwrap();
    let catalog = Catalog::open(CatalogConfig {
        database: folder.path().join("catalog.sqlite"),
    })
    .await
    .unwrap();
    let registry_url = serve(registry.router()).await;
    let catalog_url = serve(catalog.router()).await;
    let config = StreamConfig::new(broker.bootstrap(), registry_url.clone(), "bench");
    let client = RegistryClient::new(&registry_url).unwrap();
    let registered = register_product(&client, Posting::descriptor())
        .await
        .unwrap();
    let admin = Admin::new(&config).unwrap();
    let own = Posting::descriptor().topic.as_str();

    // Publishing. Both send key, value and the three headers of an event.
    let (mut typed, mut raw) = (Duration::MAX, Duration::MAX);
    for round in 0..ROUNDS {
        if round == 0 {
            topic(&admin, own).await;
        }
        let name = format!("bench.raw.v{round}");
        topic(&admin, &name).await;
        raw = raw.min(publish_raw(&config, &name, registered, records).await);
        if round + 1 == ROUNDS {
            // The last round's records are the ones that are read below.
            recreate(&config, &admin, own).await;
        }
        typed = typed.min(publish_typed(&config, registered, records).await);
    }
    print("typed publish beside raw librdkafka", records, typed, raw);

    // Reading.
    let (low, high) = admin.watermarks(own, 0).await.unwrap();
    let stored = high - low;
    register(&catalog_url, registered).await;
    let mut query = QueryConfig::new(config.clone(), catalog_url);
    query.target_partitions = 1;
    let engine = Engine::new(query).unwrap();
    let access = Access::new("user:bench".parse().unwrap(), "analysis".parse().unwrap());
    let session = engine.session(access).await.unwrap();
    let statement = "SELECT count(posting_id), count(account_id), count(booked_on), count(direction), \
         sum(amount), count(partner), max(booked_at) FROM bench.postings";
    let (mut sql, mut bare) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut decoder =
            ArrowDecoder::new(client.clone(), Posting::descriptor().into(), None).unwrap();
        let mut reader = PartitionReader::open(&config, own, 0, low, high).unwrap();
        let mut rows = 0;
        while let Some(messages) = reader.next_batch(8192).await.unwrap() {
            rows += decoder
                .decode(&messages.refs())
                .await
                .unwrap()
                .batch
                .num_rows();
        }
        assert_eq!(rows as i64, stored);
        bare = bare.min(begun.elapsed());

        let begun = Instant::now();
        let mut answer = session.query(statement).await.unwrap();
        let batches = answer.collect().await.unwrap();
        assert_eq!(
            batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
            1
        );
        sql = sql.min(begun.elapsed());
    }
    print(
        "SQL scan of every column beside batch consume + decode",
        stored,
        sql,
        bare,
    );
}

async fn recreate(config: &StreamConfig, admin: &Admin, name: &str) {
    let client: rdkafka::admin::AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .create()
        .unwrap();
    client
        .delete_topics(&[name], &rdkafka::admin::AdminOptions::new())
        .await
        .unwrap();
    topic(admin, name).await;
}

async fn publish_typed(
    config: &StreamConfig,
    registered: mesh_stream::Registered,
    records: i64,
) -> Duration {
    let producer = TypedProducer::<Posting>::new(Producer::new(config).unwrap(), registered);
    let begun = Instant::now();
    for n in 0..records {
        drop(producer.send(&posting(n)).await.unwrap());
    }
    producer.flush(Duration::from_secs(120)).await.unwrap();
    begun.elapsed()
}

async fn publish_raw(
    config: &StreamConfig,
    topic: &str,
    registered: mesh_stream::Registered,
    records: i64,
) -> Duration {
    let encoder = mesh_stream::Encoder::<Posting>::new(registered);
    let ready: Vec<_> = (0..records)
        .map(|n| {
            let record = posting(n);
            (encoder.key(&record.key()), encoder.value(&record).unwrap())
        })
        .collect();
    let headers = Headers::of::<Posting>(TraceContext::new()).to_kafka();
    // The settings of `mesh_stream::Producer`.
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("compression.type", "lz4")
        .set("queue.buffering.max.kbytes", "65536")
        .create()
        .unwrap();
    let begun = Instant::now();
    for (key, value) in &ready {
        let mut record = BaseRecord::to(topic)
            .key(&key[..])
            .payload(&value[..])
            .headers(headers.clone());
        while let Err((_, back)) = producer.send(record) {
            record = back;
            producer.poll(Duration::from_millis(1));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(120)).unwrap();
    begun.elapsed()
}

async fn register(catalog_url: &str, registered: mesh_stream::Registered) {
    let descriptor = Posting::descriptor();
    let answer = reqwest::Client::new()
        .put(format!(
            "{catalog_url}/api/v1/products/bench/postings/versions/1.0.0"
        ))
        .json(&serde_json::json!({
            "product": include_str!("contracts/product.odps.yaml"),
            "contract": descriptor.contract_text,
            "topic": descriptor.topic.as_str(),
            "key_schema_id": registered.key_id,
            "value_schema_id": registered.value_id,
            "key_schema": descriptor.key_schema,
            "value_schema": descriptor.value_schema,
        }))
        .send()
        .await
        .unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}

async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
