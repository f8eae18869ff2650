//! What SQL costs over its bare parts, as ratios of one run: a cold scan of a topic beside
//! batch consumption and decoding, a warm query over the history beside DataFusion on the
//! same files, a slice of event time beside the whole, and look-ups by key.
//! `cargo run --release --example bench_sql -- [records]`; on the embedded broker, or on the
//! Kafka that MESH_KAFKA_BOOTSTRAP names.
//!
//! Both sides of a pair read the same bytes with as many streams; each is run three times in
//! turn and the fastest counts. Nothing is kept of the answers or of the rows.
//!
//! `MESH_SPARK="$(framework/query/examples/spark/prepare)"` puts Apache Spark beside the cold
//! scan: the same topic, the same aggregates, as many threads, after a first run to warm up.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Record, TimestampMicros};
use mesh_enforcement::Access;
use mesh_history::{At, History, HistoryConfig, HistoryWriter, ProductRef, Source};
use mesh_query::{Engine, Parts, QueryConfig, Session};
use mesh_registry::{Registry, RegistryConfig};
use mesh_states::{States, StatesConfig};
use mesh_stream::batch::{ArrowDecoder, PartitionReader};
use mesh_stream::{
    Admin, CatalogClient, Producer, RegistryClient, StreamConfig, TopicSpec, TypedProducer,
    register_product,
};
use rand::RngExt;

mod postings {
    mesh_macros::contract!("../../cli/examples/contracts/bench.odcs.yaml");
}
mod stores {
    mesh_macros::contract!("tests/it/contracts/stores/contract.odcs.yaml");
}
use postings::{Posting, PostingDirection};
use stores::StoreProfile;

const ROUNDS: usize = 3;
/// The postings are spread over a thousand days.
const DAYS: i64 = 1_000;
const DAY: i64 = 86_400_000_000;
const BEGIN: i64 = 1_600_000_000_000_000 / DAY * DAY;
const LOOKUPS: usize = 5_000;

fn posting(n: i64, all: i64) -> Posting {
    // In about the order of its time, as records come.
    let at = BEGIN + n * DAYS * (DAY / 1_000) / all * 1_000;
    Posting {
        posting_id: n,
        account_id: 1_000_000 + n * 7_919 % 450_000,
        booked_on: NaiveDate::from_ymd_opt(1998, 1, 1 + (n % 28) as u32).unwrap(),
        direction: match n % 3 {
            0 => PostingDirection::Credit,
            _ => PostingDirection::Debit,
        },
        amount: mesh_core::Decimal::from_unscaled(i128::from(n * 31 % 9_000_000)).unwrap(),
        partner: (n % 2 == 0).then(|| format!("YZ/{:08}", n % 90_000_000)),
        booked_at: TimestampMicros(at),
    }
}

fn profile(n: i64) -> StoreProfile {
    StoreProfile {
        store: format!("store-{n}"),
        city: "Oslo".to_owned(),
        visits: n,
        opened_on: None,
        labels: vec![],
        manager: None,
        opens_at: None,
        stock: Default::default(),
    }
}

#[tokio::main]
async fn main() {
    let records: i64 = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().unwrap());
    let streams = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let folder = tempfile::tempdir().unwrap();
    let embedded = match std::env::var("MESH_KAFKA_BOOTSTRAP") {
        Ok(_) => None,
        Err(_) => {
            let any = ([127, 0, 0, 1], 0).into();
            let config = BrokerConfig::new(folder.path().join("kafka"), any);
            Some(Broker::start(config).await.unwrap())
        }
    };
    let bootstrap = match &embedded {
        Some(broker) => broker.bootstrap(),
        None => std::env::var("MESH_KAFKA_BOOTSTRAP").unwrap(),
    };
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
    let stream = StreamConfig::new(bootstrap, registry_url, "bench-sql");
    let postings = publish::<Posting>(&stream, &catalog_url).await;
    send(&postings, (0..records).map(|n| posting(n, records))).await;
    let profiles = publish::<StoreProfile>(&stream, &catalog_url).await;
    let keys = (records / 10).max(1_000);
    send(&profiles, (0..keys).map(profile)).await;

    let mut query = QueryConfig::new(stream.clone(), &catalog_url);
    query.target_partitions = streams;
    let history = History::open(HistoryConfig::new(
        folder.path().join("history").display().to_string(),
    ))
    .unwrap();
    let states = States::open(StatesConfig::new(
        folder.path().join("states"),
        stream.clone(),
    ))
    .await
    .unwrap();

    // Cold: without history, so that every record comes from Kafka.
    let topic_only = session(&Engine::new(query.clone()).unwrap()).await;
    cold(&stream, &topic_only, streams, folder.path()).await;

    let writer = HistoryWriter::new(history.clone(), stream.clone()).unwrap();
    let begun = Instant::now();
    let source = Source::of(Arc::new(Posting::descriptor().contract.clone()));
    writer.pass(&source).await.unwrap();
    println!(
        "history written: {:.2}M records/s",
        records as f64 / begun.elapsed().as_secs_f64() / 1e6
    );
    let mut parts = Parts::default();
    parts.history = Some(history.clone());
    parts.states = Some(states.clone());
    let engine = Engine::with(query, parts).unwrap();
    let session = session(&engine).await;
    warm(&history, &session, streams).await;
    slice(&session).await;
    lookups(&stream, &states, &session, keys).await;
}

async fn session(engine: &Engine) -> Session {
    let access = Access::new("user:bench".parse().unwrap(), "analysis".parse().unwrap());
    engine.session(access).await.unwrap()
}

async fn publish<R: Record>(stream: &StreamConfig, catalog_url: &str) -> TypedProducer<R> {
    let descriptor = R::descriptor();
    let registry = RegistryClient::new(&stream.registry_url).unwrap();
    let registered = register_product(&registry, descriptor).await.unwrap();
    Admin::new(stream)
        .unwrap()
        .ensure_topic(&TopicSpec::from(descriptor))
        .await
        .unwrap();
    CatalogClient::new(&catalog_url.parse().unwrap())
        .unwrap()
        .register_product(descriptor, &registered)
        .await
        .unwrap();
    TypedProducer::new(Producer::new(stream).unwrap(), registered)
}

async fn send<R: Record>(producer: &TypedProducer<R>, records: impl Iterator<Item = R>) {
    for record in records {
        drop(producer.send(&record).await.unwrap());
    }
    producer.flush(Duration::from_secs(600)).await.unwrap();
}

async fn timed(session: &Session, sql: &str) -> (Duration, Vec<RecordBatch>) {
    let begun = Instant::now();
    let mut answer = session.query(sql).await.unwrap();
    let batches = answer.collect().await.unwrap();
    (begun.elapsed(), batches)
}

const SCAN: &str = "SELECT count(posting_id), count(account_id), count(booked_on), \
    count(direction), sum(amount), count(partner), max(booked_at) FROM bench.postings";

/// Apache Spark, which scans the same topic when it is told to.
struct Spark {
    child: std::process::Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Spark {
    /// Nothing where no Spark was prepared.
    fn start(stream: &StreamConfig, streams: usize, folder: &std::path::Path) -> Option<Self> {
        let home = std::path::PathBuf::from(std::env::var_os("MESH_SPARK")?);
        let descriptor = Posting::descriptor();
        let schema = folder.join("posting.avsc");
        std::fs::write(&schema, &descriptor.value_schema).unwrap();
        let select = SCAN.trim_start_matches("SELECT ").split(" FROM ").next();
        let script =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/spark/scan.py");
        let mut child = Command::new(home.join("venv/bin/python"))
            .arg(script)
            .arg(format!("--home={}", home.display()))
            .arg(format!("--bootstrap={}", stream.bootstrap))
            .arg(format!("--topic={}", descriptor.topic.as_str()))
            .arg(format!("--schema={}", schema.display()))
            .arg(format!("--streams={streams}"))
            .args(select.unwrap().split(", "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut spark = Self { child, answers };
        assert_eq!(spark.line(), "ready");
        Some(spark)
    }

    fn scan(&mut self, rows: i64) -> Duration {
        writeln!(self.child.stdin.as_mut().unwrap(), "scan").unwrap();
        let line = self.line();
        let (seconds, read) = line.split_once(' ').unwrap();
        assert_eq!(read.parse(), Ok(rows));
        Duration::from_secs_f64(seconds.parse().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        // It ends when nothing more is asked.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

async fn cold(stream: &StreamConfig, session: &Session, streams: usize, folder: &std::path::Path) {
    let topic = Posting::descriptor().topic.as_str();
    let admin = Admin::new(stream).unwrap();
    let partitions = admin.partitions(topic).await.unwrap();
    let mut ranges = Vec::new();
    for partition in 0..partitions {
        let (low, high) = admin.watermarks(topic, partition).await.unwrap();
        // As many readers as the query has streams, of the same length.
        let pieces = (streams as i64 / i64::from(partitions)).max(1);
        let step = (high - low) / pieces + 1;
        for piece in 0..pieces {
            let from = low + piece * step;
            ranges.push((partition, from, (from + step).min(high)));
        }
    }
    let rows: i64 = ranges.iter().map(|(_, from, to)| to - from).sum();
    let mut spark = Spark::start(stream, streams, folder);
    let (mut ours, mut bare, mut sparks) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let readers = ranges.iter().map(|(partition, from, to)| {
            let (stream, partition, from, to) = (stream.clone(), *partition, *from, *to);
            tokio::spawn(async move {
                let registry = RegistryClient::new(&stream.registry_url).unwrap();
                let mut decoder =
                    ArrowDecoder::new(registry, Posting::descriptor().into(), None).unwrap();
                let topic = Posting::descriptor().topic.as_str();
                let mut reader =
                    PartitionReader::open(&stream, topic, partition, from, to).unwrap();
                let mut rows = 0;
                while let Some(messages) = reader.next_batch(8192).await.unwrap() {
                    let decoded = decoder.decode(&messages.refs()).await.unwrap();
                    rows += decoded.batch.num_rows() as i64;
                }
                rows
            })
        });
        let mut read = 0;
        for reader in readers.collect::<Vec<_>>() {
            read += reader.await.unwrap();
        }
        assert_eq!(read, rows);
        bare = bare.min(begun.elapsed());
        ours = ours.min(timed(session, SCAN).await.0);
        if let Some(spark) = &mut spark {
            sparks = sparks.min(spark.scan(rows));
        }
    }
    told("cold scan / batch consume + decode", rows, ours, bare);
    if spark.is_some() {
        told("cold scan / Apache Spark", rows, ours, sparks);
    }
}

async fn warm(history: &History, session: &Session, streams: usize) {
    let product = ProductRef::new("bench", "postings", 1);
    let snapshot = history
        .snapshot(&product, At::Latest)
        .await
        .unwrap()
        .unwrap();
    let root = snapshot.url.to_file_path().unwrap();
    let files: Vec<String> = snapshot
        .files
        .iter()
        .map(|file| {
            let name = file.path.to_string();
            root.join(name).display().to_string()
        })
        .collect();
    let rows = snapshot.rows() as i64;
    println!(
        "history: {} files, {:.1} bytes a row",
        files.len(),
        snapshot.bytes() as f64 / rows as f64
    );
    let config = SessionConfig::new().with_target_partitions(streams);
    let plain = SessionContext::new_with_config(config);
    let table = plain
        .read_parquet(files, ParquetReadOptions::default())
        .await
        .unwrap();
    plain.register_table("postings", table.into_view()).unwrap();
    for (what, sql) in [
        ("warm query of every column / DataFusion on the files", SCAN),
        (
            "warm groups / DataFusion on the files",
            "SELECT account_id % 1000 AS a, direction, count(*), sum(amount) FROM bench.postings \
             GROUP BY 1, 2",
        ),
        (
            "warm filter / DataFusion on the files",
            "SELECT count(*), max(partner) FROM bench.postings WHERE amount > 80000",
        ),
    ] {
        let (mut ours, mut bare) = (Duration::MAX, Duration::MAX);
        for _ in 0..=ROUNDS {
            ours = ours.min(timed(session, sql).await.0);
            let begun = Instant::now();
            let theirs = plain.sql(&sql.replace("bench.", "")).await.unwrap();
            theirs.collect().await.unwrap();
            bare = bare.min(begun.elapsed());
        }
        told(what, rows, ours, bare);
    }
}

async fn slice(session: &Session) {
    let from = DAYS / 2;
    let instant = |day: i64| {
        let at = chrono::DateTime::from_timestamp_micros(BEGIN + day * DAY).unwrap();
        at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    // Ten of a thousand days.
    let sql = format!(
        "{SCAN} WHERE booked_at >= TIMESTAMP '{}' AND booked_at < TIMESTAMP '{}'",
        instant(from),
        instant(from + 10)
    );
    let (mut part, mut whole) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        part = part.min(timed(session, &sql).await.0);
        whole = whole.min(timed(session, SCAN).await.0);
    }
    println!(
        "1 % of the event time / all: {:.1} ms / {:.1} ms, ratio {:.3}",
        part.as_secs_f64() * 1e3,
        whole.as_secs_f64() * 1e3,
        part.as_secs_f64() / whole.as_secs_f64()
    );
}

async fn lookups(stream: &StreamConfig, states: &States, session: &Session, keys: i64) {
    let topic = StoreProfile::descriptor().topic.as_str();
    let begun = Instant::now();
    let (_, counted) = timed(session, "SELECT count(*) FROM shop.stores").await;
    drop(counted);
    println!(
        "state table of {keys} keys made: {:.2}M records/s",
        keys as f64 / begun.elapsed().as_secs_f64() / 1e6
    );
    let registry = RegistryClient::new(&stream.registry_url).unwrap();
    let registered = register_product(&registry, StoreProfile::descriptor())
        .await
        .unwrap();
    let encoder = mesh_stream::Encoder::<StoreProfile>::new(registered);
    let snapshot = states.table(topic).await.unwrap().snapshot().unwrap();
    let mut random = rand::rng();
    let mut times = Vec::with_capacity(LOOKUPS);
    for _ in 0..LOOKUPS {
        let key = encoder.key(&profile(random.random_range(0..keys)).key());
        let begun = Instant::now();
        assert!(snapshot.get(&key).unwrap().is_some());
        times.push(begun.elapsed());
    }
    quantiles("look-up by key in the store", &mut times);
    let mut times = Vec::with_capacity(LOOKUPS / 10);
    for _ in 0..LOOKUPS / 10 {
        let key = random.random_range(0..keys);
        let sql = format!("SELECT visits FROM shop.stores WHERE store = 'store-{key}'");
        times.push(timed(session, &sql).await.0);
    }
    quantiles("look-up by key as a statement of SQL", &mut times);
}

fn quantiles(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6;
    println!("{what}: p50 {:.0} us, p99 {:.0} us", at(0.5), at(0.99));
}

fn told(what: &str, rows: i64, ours: Duration, bare: Duration) {
    let rate = |time: Duration| rows as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{what}: {:.2}M rows/s / {:.2}M rows/s, ratio {:.2}",
        rate(ours),
        rate(bare),
        bare.as_secs_f64() / ours.as_secs_f64()
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
