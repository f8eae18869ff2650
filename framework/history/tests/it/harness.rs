//! A broker and a registry, a product of the test's own, and its table read back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use mesh_broker::{Broker, BrokerConfig};
use mesh_core::{Descriptor, EventId, TraceContext};
use mesh_history::{At, DataFile, History, HistoryConfig, HistorySnapshot, HistoryWriter, Source};
use mesh_registry::{Registry, RegistryConfig};
use mesh_stream::{
    Admin, Headers, Outgoing, Producer, Registered, RegistryClient, StreamConfig, TopicSpec,
    put_frame, register_product,
};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value as Json, json};

pub(crate) const SALES: &str = include_str!("contracts/sales.odcs.yaml");
pub(crate) const SALES_WIDER: &str = include_str!("contracts/sales_wider.odcs.yaml");
pub(crate) const STORES: &str = include_str!("contracts/stores.odcs.yaml");

pub(crate) struct Platform {
    pub(crate) stream: StreamConfig,
    pub(crate) registry: RegistryClient,
    pub(crate) admin: Admin,
    pub(crate) producer: Producer,
    /// A domain that no other test has.
    pub(crate) domain: String,
    _broker: Option<Broker>,
    dir: tempfile::TempDir,
}

/// A product, registered, with a topic.
pub(crate) struct Product {
    pub(crate) descriptor: &'static Descriptor,
    pub(crate) registered: Registered,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (broker, bootstrap) = match std::env::var("MESH_KAFKA_BOOTSTRAP") {
            Ok(bootstrap) => (None, bootstrap),
            Err(_) => {
                let config = BrokerConfig::new(dir.path().join("broker"), any);
                let broker = Broker::start(config).await.unwrap();
                let bootstrap = broker.bootstrap();
                (Some(broker), bootstrap)
            }
        };
        let registry = Registry::open(RegistryConfig::new(dir.path().join("registry.db")))
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind(any).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = registry.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let stream = StreamConfig::new(bootstrap, &url, "history-test");
        Self {
            registry: RegistryClient::new(&url).unwrap(),
            admin: Admin::new(&stream).unwrap(),
            producer: Producer::new(&stream).unwrap(),
            domain: format!("shop{}", uuid::Uuid::new_v4().simple()),
            stream,
            _broker: broker,
            dir,
        }
    }

    /// Where the tables are.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("history")
    }

    /// The folder of this platform, with its broker's logs.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) async fn product(&self, contract: &str) -> Product {
        let text: &'static str = contract.replace("@domain@", &self.domain).leak();
        let descriptor = Descriptor::parse("contract.odcs.yaml", text, None).unwrap();
        let descriptor: &'static Descriptor = Box::leak(Box::new(descriptor));
        let registered = register_product(&self.registry, descriptor).await.unwrap();
        self.admin
            .ensure_topic(&TopicSpec::from(descriptor))
            .await
            .unwrap();
        Product {
            descriptor,
            registered,
        }
    }

    /// Small enough that little data makes many files.
    pub(crate) fn config(&self) -> HistoryConfig {
        let mut config = HistoryConfig::new(self.root().to_str().unwrap());
        config.buffer_bytes = 64 * 1024;
        config.file_bytes = 64 * 1024;
        config.row_group_rows = 1000;
        config.checkpoint_every = 10;
        config
    }

    pub(crate) fn writer(&self, config: HistoryConfig) -> (History, HistoryWriter) {
        let history = History::open(config).unwrap();
        let writer = HistoryWriter::new(history.clone(), self.stream.clone()).unwrap();
        (history, writer)
    }

    /// Sends rows and waits until they are there.
    pub(crate) async fn send(&self, product: &Product, rows: impl IntoIterator<Item = Json>) {
        for row in rows {
            let record = product.record(&row);
            // Flushed below; a delivery that fails shows in the counts.
            drop(self.producer.send(record).await.unwrap());
        }
        self.producer
            .flush(std::time::Duration::from_secs(60))
            .await
            .unwrap();
    }

    /// Sends bytes as they are, and gives their offset.
    pub(crate) async fn send_raw(&self, product: &Product, value: Option<Vec<u8>>) -> (i32, i64) {
        let mut record = product.record(&sale(-1, 0));
        (record.partition, record.value) = (Some(1), value.map(Into::into));
        self.producer.send(record).await.unwrap().await.unwrap()
    }
}

impl Product {
    pub(crate) fn source(&self) -> Source {
        Source::of(Arc::new(self.descriptor.contract.clone()))
    }

    pub(crate) fn record(&self, row: &Json) -> Outgoing {
        let Json::Object(row) = row else {
            panic!("no row");
        };
        let encoded = self.descriptor.encode_row(row).unwrap();
        Outgoing {
            value: Some(framed(self.registered.value_id, &encoded.value)),
            ..self.outgoing(&encoded.key)
        }
    }

    pub(crate) fn tombstone(&self, row: &Json) -> Outgoing {
        let row: &Map<String, Json> = row.as_object().unwrap();
        self.outgoing(&self.descriptor.encode_row_key(row).unwrap())
    }

    fn outgoing(&self, key: &[u8]) -> Outgoing {
        Outgoing {
            topic: self.descriptor.topic.as_str().to_owned(),
            partition: None,
            key: framed(self.registered.key_id, key),
            value: None,
            headers: Headers {
                event_id: EventId::derived(&["history-test", &uuid::Uuid::new_v4().to_string()]),
                contract_version: self.descriptor.contract.version.to_string(),
                trace: TraceContext::new(),
                outbox: None,
                ends: None,
            },
            timestamp: None,
        }
    }

    pub(crate) async fn snapshot(&self, history: &History, at: At) -> HistorySnapshot {
        let found = history.snapshot(&self.source().product_ref(), at).await;
        found.unwrap().unwrap()
    }
}

fn framed(id: u32, avro: &[u8]) -> bytes::Bytes {
    let mut bytes = Vec::new();
    put_frame(id, &mut bytes);
    bytes.extend_from_slice(avro);
    bytes.into()
}

/// A minute apart, from 2023-11-14 on.
pub(crate) const FIRST: i64 = 1_700_000_000_000_000;
pub(crate) const STEP: i64 = 60_000_000;

pub(crate) fn sale(sale_id: i64, cents: i64) -> Json {
    let micros = FIRST + sale_id * STEP;
    let sold_at = chrono::DateTime::from_timestamp_micros(micros).unwrap();
    json!({
        "sale_id": sale_id,
        "store": format!("store {}", sale_id % 7),
        "amount": format!("{}.{:02}", cents / 100, cents % 100),
        "status": if sale_id % 2 == 0 { "PAID" } else { "OPEN" },
        "sold_at": sold_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "note": (sale_id % 3 == 0).then(|| format!("note {sale_id}")),
    })
}

pub(crate) fn sales(ids: std::ops::Range<i64>) -> impl Iterator<Item = Json> {
    ids.map(|id| sale(id, id * 7 + 1))
}

/// The rows of a file as they stand in it.
pub(crate) async fn read_file(snapshot: &HistorySnapshot, file: &DataFile) -> Vec<RecordBatch> {
    let bytes = snapshot
        .store
        .get(&file.path)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// The sales of a state of a table: number and cents, by partition and offset, each of which
/// is there once.
pub(crate) async fn rows(snapshot: &HistorySnapshot) -> BTreeMap<(i32, i64), (i64, i128)> {
    let mut found = BTreeMap::new();
    for file in snapshot.files.iter() {
        let mut rows = 0;
        for batch in read_file(snapshot, file).await {
            rows += batch.num_rows() as u64;
            let long = |name: &str| {
                batch
                    .column_by_name(name)
                    .unwrap()
                    .as_primitive::<Int64Type>()
            };
            let partitions = batch.column_by_name("_partition").unwrap();
            let partitions = partitions.as_primitive::<Int32Type>();
            let amounts = batch.column_by_name("amount").unwrap();
            let amounts = amounts.as_primitive::<Decimal128Type>();
            for row in 0..batch.num_rows() {
                let place = (partitions.value(row), long("_offset").value(row));
                let sale = (long("sale_id").value(row), amounts.value(row));
                assert_eq!(found.insert(place, sale), None, "{place:?} twice");
                let Some(told) = &file.offsets else {
                    continue;
                };
                assert!(
                    told.iter().any(|range| range.partition == place.0
                        && (range.first..=range.last).contains(&place.1)),
                    "{place:?} is not told"
                );
                assert!(batch.column_by_name("_timestamp").unwrap().is_valid(row));
            }
        }
        assert_eq!(rows, file.rows);
    }
    found
}

/// Checks that the table has exactly `sales(ids)`, and no hole below its ends.
pub(crate) async fn check_sales(snapshot: &HistorySnapshot, ids: std::ops::Range<i64>) {
    let found = rows(snapshot).await;
    let mut sold: Vec<_> = found.values().copied().collect();
    sold.sort_unstable();
    let expected: Vec<_> = ids.map(|id| (id, i128::from(id * 7 + 1))).collect();
    assert_eq!(sold.len(), expected.len());
    assert!(sold == expected, "other rows");
    assert_eq!(snapshot.rows(), expected.len() as u64);
    let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
    for (partition, offset) in found.keys() {
        let next = ends.entry(*partition).or_default();
        assert_eq!(next, offset, "a hole in partition {partition}");
        *next += 1;
    }
    for (partition, end) in &snapshot.ends {
        assert_eq!(ends.get(partition).copied().unwrap_or(0), *end);
    }
}
