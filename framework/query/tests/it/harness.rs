//! A platform in one process: broker, registry, catalog and SQL.

use std::net::SocketAddr;
use std::time::Duration;

use arrow::array::RecordBatch;
use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Error, Record, TraceContext};
use mesh_enforcement::Access;
use mesh_query::render::CsvWriter;
use mesh_query::{Engine, QueryConfig, Session};
use mesh_registry::{Registry, RegistryConfig};
use mesh_stream::{
    Admin, Headers, Outgoing, Producer, RegistryClient, StreamConfig, TopicSpec, TypedProducer,
    register_product,
};

pub(crate) mod sales {
    mesh_macros::contract!("tests/it/contracts/sales/contract.odcs.yaml");
}
pub(crate) mod sales_wider {
    mesh_macros::contract!("tests/it/contracts/sales_wider/contract.odcs.yaml");
}
pub(crate) mod sales_next {
    mesh_macros::contract!("tests/it/contracts/sales_next/contract.odcs.yaml");
}
pub(crate) mod stores {
    mesh_macros::contract!("tests/it/contracts/stores/contract.odcs.yaml");
}

pub(crate) use sales::{Sale, SaleStatus};
pub(crate) use stores::StoreProfile;

pub(crate) struct Platform {
    pub(crate) broker: Broker,
    pub(crate) stream: StreamConfig,
    pub(crate) catalog_url: String,
    pub(crate) catalog: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

pub(crate) async fn serve(router: axum::Router) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, server)
}

pub(crate) fn access() -> Access {
    Access::new("anna".parse().unwrap(), "analysis".parse().unwrap())
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Its broker as `change` makes it.
    pub(crate) async fn start_with(change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = BrokerConfig::new(dir.path().join("broker"), any);
        change(&mut config);
        let broker = Broker::start(config).await.unwrap();
        let registry = Registry::open(RegistryConfig::new(dir.path().join("registry.db")))
            .await
            .unwrap();
        let (registry_url, _) = serve(registry.router()).await;
        let catalog = Catalog::open(CatalogConfig {
            database: dir.path().join("catalog.db"),
        })
        .await
        .unwrap();
        let (catalog_url, catalog) = serve(catalog.router()).await;
        Self {
            stream: StreamConfig::new(broker.bootstrap(), registry_url, "query-test"),
            broker,
            catalog_url,
            catalog,
            dir,
        }
    }

    /// Bytes that the logs of all topics take on disk.
    pub(crate) fn log_bytes(&self) -> u64 {
        let mut folders = vec![self.dir.path().join("broker")];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            // What the broker deletes meanwhile takes no room.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|is| is == "log") {
                    bytes += entry.metadata().map_or(0, |metadata| metadata.len());
                }
            }
        }
        bytes
    }

    /// Registers product `R` everywhere and gives a producer of it.
    pub(crate) async fn publish<R: Record>(&self) -> TypedProducer<R> {
        self.publish_as("active").await
    }

    /// The same, with `status` in both files.
    pub(crate) async fn publish_as<R: Record>(&self, status: &str) -> TypedProducer<R> {
        let descriptor = R::descriptor();
        let registry = RegistryClient::new(&self.stream.registry_url).unwrap();
        let registered = register_product(&registry, descriptor).await.unwrap();
        Admin::new(&self.stream)
            .unwrap()
            .ensure_topic(&TopicSpec::from(descriptor))
            .await
            .unwrap();
        let contract = &descriptor.contract;
        let with_status = |text: &str| text.replace("status: active", &format!("status: {status}"));
        let url = format!(
            "{}/api/v1/products/{}/{}/versions/{}",
            self.catalog_url, contract.domain, contract.product, contract.version
        );
        let answer = reqwest::Client::new()
            .put(url)
            .json(&serde_json::json!({
                "product": descriptor.product_text.as_deref().map(with_status),
                "contract": with_status(&descriptor.contract_text),
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
        TypedProducer::new(Producer::new(&self.stream).unwrap(), registered)
    }

    pub(crate) fn config(&self) -> QueryConfig {
        let mut config = QueryConfig::new(self.stream.clone(), &self.catalog_url);
        config.target_partitions = 2;
        config.catalog_max_age = Duration::ZERO;
        config
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(self.config()).unwrap()
    }

    pub(crate) async fn session(&self) -> Session {
        self.engine().session(access()).await.unwrap()
    }
}

pub(crate) fn sale(sale_id: i64, store: &str, cents: i64) -> Sale {
    Sale {
        sale_id,
        store: store.to_owned(),
        amount: format!("{}.{:02}", cents / 100, cents % 100)
            .parse()
            .unwrap(),
        status: if sale_id % 2 == 0 {
            SaleStatus::Paid
        } else {
            SaleStatus::Open
        },
        sold_at: mesh_core::TimestampMicros(1_700_000_000_000_000 + sale_id),
        note: (sale_id % 3 == 0).then(|| format!("note {sale_id}")),
    }
}

pub(crate) fn store(store: &str, city: &str, visits: i64) -> StoreProfile {
    StoreProfile {
        store: store.to_owned(),
        city: city.to_owned(),
        visits,
        opened_on: Some("2001-02-03".parse().unwrap()),
        labels: vec!["a".into(), "b,\"c\"".into()],
        manager: Some(stores::StoreProfileManager {
            name: "Jo".into(),
            age: None,
        }),
        opens_at: Some(mesh_core::TimeMillis(30_600_000)),
        stock: [("ink".to_owned(), 3), ("pen".to_owned(), 7)].into(),
    }
}

/// Publishes and waits until all is there.
pub(crate) async fn send<R: Record>(
    producer: &TypedProducer<R>,
    records: impl IntoIterator<Item = R>,
) {
    for record in records {
        // Flushed below; a delivery that fails shows in the counts.
        drop(producer.send(&record).await.unwrap());
    }
    producer.flush(Duration::from_secs(60)).await.unwrap();
}

/// Publishes bytes that no producer of ours would.
pub(crate) async fn send_raw(
    platform: &Platform,
    topic: &str,
    partition: i32,
    key: &[u8],
    value: Option<Vec<u8>>,
) -> i64 {
    // Kept until the record has arrived.
    let producer = Producer::new(&platform.stream).unwrap();
    let delivery = producer
        .send(Outgoing {
            topic: topic.to_owned(),
            partition: Some(partition),
            key: key.to_vec().into(),
            value: value.map(Into::into),
            headers: Headers::of::<Sale>(TraceContext::new()),
            timestamp: None,
        })
        .await
        .unwrap();
    delivery.await.unwrap().1
}

pub(crate) async fn batches(session: &Session, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    session.query(sql).await?.collect().await
}

/// The answer as CSV without its head, a line per row, lines joined by `;`.
pub(crate) async fn ask(session: &Session, sql: &str) -> Result<String, Error> {
    let mut text = String::new();
    for batch in batches(session, sql).await? {
        text.push_str(&CsvWriter::new().rows(&batch)?);
    }
    Ok(text.trim_end().replace("\r\n", ";"))
}

pub(crate) async fn check(session: &Session, sql: &str, expected: &str) {
    match ask(session, sql).await {
        Ok(answer) => assert_eq!(answer, expected, "{sql}"),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

pub(crate) async fn fails(session: &Session, sql: &str) -> Error {
    match ask(session, sql).await {
        Ok(answer) => panic!("{sql} answers {answer}"),
        Err(error) => error,
    }
}
