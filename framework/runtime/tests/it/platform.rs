//! The platform for a test: broker, registry and catalog, each of which can go away.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::Record;
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Domain, Running};
use mesh_stream::{
    Decoder, Producer, RawRecord, RegistryClient, StreamConfig, TypedProducer, register_product,
};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

use super::cluster::{self, Cluster};
use super::shop::{Order, Payout};
use super::store;

/// Tests on a given cluster share its topics, whose names stand in the contracts, so they run
/// one after the other there.
static SHARED: Mutex<()> = Mutex::const_new(());

pub(crate) struct Platform {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) bootstrap: String,
    pub(crate) registry_url: String,
    pub(crate) catalog_url: String,
    broker: Option<Broker>,
    servers: Vec<JoinHandle<()>>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

/// An address that is free now, and stays it: the system gives no port below 32768 to
/// those who ask for any, and another process of these tests begins elsewhere.
pub(crate) fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 97).unwrap() * 120;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let mut platform = Self::absent().await;
        platform.arrive().await;
        platform
    }

    /// Addresses at which nobody listens yet.
    pub(crate) async fn absent() -> Self {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .try_init()
            .ok();
        let external = cluster::bootstrap();
        let turn = match external {
            Some(_) => Some(SHARED.lock().await),
            None => None,
        };
        let platform = Self {
            dir: tempfile::tempdir().unwrap(),
            bootstrap: external.clone().unwrap_or_else(|| free().to_string()),
            registry_url: std::env::var("MESH_TEST_REGISTRY_URL")
                .unwrap_or_else(|_| format!("http://{}", free())),
            catalog_url: format!("http://{}", free()),
            broker: None,
            servers: Vec::new(),
            _turn: turn,
        };
        if external.is_some() {
            platform.clear().await;
        }
        platform
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .create()
            .unwrap()
    }

    /// Forgets what other tests have left on a given cluster.
    async fn clear(&self) {
        let admin = self.admin();
        let options = AdminOptions::new();
        let topics = [
            "shop.orders.v1",
            "shop.payouts.v1",
            "shop.totals.v1",
            "shop.payouts.v2",
            "shop.totals.v2",
        ];
        admin.delete_topics(&topics, &options).await.unwrap();
        admin
            .delete_groups(
                &[
                    "shop.pay",
                    "shop.pay_v2",
                    "shop.tally",
                    "shop.through",
                    "shop.again",
                    "shop.add_up",
                ],
                &options,
            )
            .await
            .unwrap();
        // This release of rdkafka fails an assertion when it drops a client that has
        // deleted groups.
        std::mem::forget(admin);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    pub(crate) async fn arrive(&mut self) {
        self.start_broker().await;
        if std::env::var("MESH_TEST_REGISTRY_URL").is_err() {
            let registry = Registry::open(RegistryConfig::new(self.dir.path().join("registry.db")));
            self.serve(self.registry_url.clone(), registry.await.unwrap().router())
                .await;
        }
        let database = self.dir.path().join("catalog.db");
        let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
        self.serve(self.catalog_url.clone(), catalog.router()).await;
    }

    async fn serve(&mut self, url: String, router: axum::Router) {
        let listener = TcpListener::bind(url.trim_start_matches("http://"))
            .await
            .unwrap();
        self.servers.push(tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
    }

    pub(crate) async fn start_broker(&mut self) {
        if let Some(cluster) = Cluster::given() {
            cluster.restart(1).await;
        } else if cluster::bootstrap().is_none() {
            let address = self.bootstrap.parse().unwrap();
            let mut config = BrokerConfig::new(self.dir.path().join("kafka"), address);
            config.group_min_session_timeout = Duration::from_secs(1);
            config.worker_threads = 2;
            self.broker = Some(Broker::start(config).await.unwrap());
        }
    }

    /// Stops the broker as a kill would; `false` if it is not this test's to stop.
    pub(crate) async fn kill_broker(&mut self) -> bool {
        match (self.broker.take(), Cluster::given()) {
            (Some(broker), _) => broker.abandon().await,
            (None, Some(cluster)) => cluster.kill(1).await,
            (None, None) => return false,
        }
        true
    }

    /// Whether the broker is embedded, so that a test may take its files away.
    pub(crate) fn is_embedded(&self) -> bool {
        self.broker.is_some()
    }

    pub(crate) fn config(&self, name: &str) -> Config {
        config(
            self.dir.path(),
            name,
            &self.bootstrap,
            &self.registry_url,
            &self.catalog_url,
        )
    }

    pub(crate) async fn run(&self, domain: Domain) -> Running {
        Running::start(domain, self.config("shop")).await.unwrap()
    }

    /// As another process of the domain, with a data folder of its own.
    pub(crate) async fn run_in(&self, folder: &str, domain: Domain) -> Running {
        Running::start(domain, self.config(folder)).await.unwrap()
    }

    pub(crate) fn stream(&self) -> StreamConfig {
        StreamConfig::new(&self.bootstrap, &self.registry_url, "test")
    }

    pub(crate) async fn producer<R: Record>(&self) -> (Producer, TypedProducer<R>) {
        let registry = RegistryClient::new(&self.registry_url).unwrap();
        let ids = register_product(&registry, R::descriptor()).await.unwrap();
        let producer = Producer::new(&self.stream()).unwrap();
        (producer.clone(), TypedProducer::new(producer, ids))
    }

    /// Everything that stands in the topic of `R`, read without the framework's consumers.
    pub(crate) async fn read<R: Record>(&self) -> Vec<R> {
        let registry = RegistryClient::new(&self.registry_url).unwrap();
        let decoder: Decoder<R> = Decoder::new(registry).unwrap();
        let mut records = Vec::new();
        for raw in self.read_raw(R::descriptor().topic.as_str()).await {
            records.extend(decoder.decode(&raw).await.unwrap().value);
        }
        records
    }

    pub(crate) async fn read_raw(&self, topic: &str) -> Vec<RawRecord> {
        let (bootstrap, topic) = (self.bootstrap.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || read_raw(&bootstrap, &topic))
            .await
            .unwrap()
    }

    pub(crate) async fn payouts(&self) -> Vec<Payout> {
        self.read().await
    }

    pub(crate) async fn orders(&self) -> Vec<Order> {
        self.read().await
    }
}

/// Says nothing of the ends of partitions, which are asked for.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            println!("the reader: {error}: {reason}");
        }
    }
}

impl ConsumerContext for Quiet {}

/// Reads what is committed; offsets may be marks of transactions, so the ends are told by
/// the client.
fn read_raw(bootstrap: &str, topic: &str) -> Vec<RawRecord> {
    let consumer: BaseConsumer<Quiet> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create_with_context(Quiet)
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    let mut left: BTreeSet<i32> = (0..3).collect();
    for partition in &left {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut records = Vec::new();
    let begun = Instant::now();
    while !left.is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the ends of {left:?} do not come"
        );
        let message = match consumer.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
                continue;
            }
            Some(message) => message.unwrap(),
        };
        records.push(RawRecord {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(|bytes| bytes.to_vec().into()),
            value: message.payload().map(|bytes| bytes.to_vec().into()),
            headers: message
                .headers()
                .map(|headers| {
                    headers
                        .iter()
                        .map(|header| {
                            (
                                header.key.to_owned(),
                                header.value.map(|value| value.to_vec().into()),
                            )
                        })
                        .collect()
                })
                .unwrap_or_default(),
        });
    }
    records
}

pub(crate) fn config(
    dir: &Path,
    name: &str,
    bootstrap: &str,
    registry_url: &str,
    catalog_url: &str,
) -> Config {
    let mut config = Config::new("shop", dir.join(name)).unwrap();
    config.bootstrap = bootstrap.to_owned();
    config.registry_url = registry_url.parse().unwrap();
    config.catalog_url = catalog_url.parse().unwrap();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.source_dir = Some(dir.to_owned());
    store::choose(&mut config, dir, name);
    config.handler_attempts = 2;
    config.request_timeout = Duration::from_secs(3);
    config.body_limit = 1_000;
    // A killed member holds its partitions for this long.
    for (name, value) in [
        ("session.timeout.ms", "1500"),
        ("heartbeat.interval.ms", "300"),
    ] {
        config.kafka.insert(name.into(), value.into());
    }
    if let Ok(debug) = std::env::var("MESH_TEST_KAFKA_DEBUG") {
        config.kafka.insert("debug".into(), debug);
    }
    config
}

/// Calls a domain's API.
pub(crate) struct Client {
    pub(crate) base: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn of(running: &Running) -> Self {
        Self::at(&running.address().to_string())
    }

    pub(crate) fn at(address: &str) -> Self {
        Self {
            base: format!("http://{address}"),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method.parse().unwrap(), url)
    }

    pub(crate) fn governed(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path)
            .header("Mesh-Principal", "anna")
            .header("Mesh-Purpose", "test")
    }

    pub(crate) async fn json(&self, path: &str) -> (u16, Json) {
        let response = self.governed("GET", path).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Polls `/status` until `wanted` holds.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        loop {
            if let Ok(response) = self.request("GET", "/status").send().await {
                let status: Json = response.json().await.unwrap();
                if wanted(&status) {
                    return status;
                }
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "{what}: {status:#}"
                );
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Polls until `orders` orders are paid, tallied and published.
    pub(crate) async fn until_paid(&self, orders: u64) -> Json {
        self.until("all is paid", |status| is_paid(status, orders))
            .await
    }
}

pub(crate) fn is_paid(status: &Json, orders: u64) -> bool {
    let handler = |at: usize| &status["handlers"][at];
    status["outbox_pending"] == 0
        && handler(0)["handled"] == orders
        && handler(1)["handled"] == orders
}
