//! A platform for one test, and the domain on it.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Descriptor, Record};
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Running};
use mesh_stream::{
    Admin, Producer, Registered, RegistryClient, StreamConfig, TopicSpec, TypedProducer,
    register_product,
};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Mesh {
    running: Running,
    base: String,
    http: reqwest::Client,
    stream: StreamConfig,
    servers: Vec<JoinHandle<()>>,
    broker: Broker,
    _folder: tempfile::TempDir,
}

async fn serve(router: axum::Router, servers: &mut Vec<JoinHandle<()>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    servers.push(tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    }));
    url
}

/// Makes the topic and the schemas of a product that the domain reads, as its owner would.
async fn provide(stream: &StreamConfig, product: &Descriptor) -> Registered {
    let registry = RegistryClient::new(&stream.registry_url).unwrap();
    let ids = register_product(&registry, product).await.unwrap();
    let admin = Admin::new(stream).unwrap();
    admin.ensure_topic(&TopicSpec::from(product)).await.unwrap();
    ids
}

impl Mesh {
    /// Starts all of it; what the domain reads of others is there, and empty.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let mut config = BrokerConfig::new(folder.path().join("kafka"), address);
        config.worker_threads = 2;
        let broker = Broker::start(config).await.unwrap();
        let mut servers = Vec::new();
        let registry = Registry::open(RegistryConfig::new(folder.path().join("registry.db")));
        let registry_url = serve(registry.await.unwrap().router(), &mut servers).await;
        let database = folder.path().join("catalog.db");
        let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
        let catalog_url = serve(catalog.router(), &mut servers).await;

        let store = folder.path().join("store");
        let mut config = Config::new(env!("CARGO_PKG_NAME"), store).unwrap();
        config.bootstrap = broker.bootstrap();
        config.registry_url = registry_url.parse().unwrap();
        config.catalog_url = catalog_url.parse().unwrap();
        config.listen = address;
        let stream = StreamConfig::new(broker.bootstrap(), &registry_url, "test");
        let domain = ads::domain();
        for product in domain.reads() {
            if product.contract.domain != env!("CARGO_PKG_NAME") {
                provide(&stream, product).await;
            }
        }
        let running = Running::start(domain, config).await.unwrap();
        Self {
            base: format!("http://{}", running.address()),
            running,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stream,
            servers,
            broker,
            _folder: folder,
        }
    }

    /// `POST path` to the domain; the status and what was answered. A domain that is still
    /// starting is asked again.
    pub(crate) async fn post(&self, path: &str, body: &Json) -> (u16, Json) {
        let begun = Instant::now();
        loop {
            let request = self.http.post(format!("{}{path}", self.base)).json(body);
            let (status, answer) = self.ask(request).await;
            if status != 503 || begun.elapsed() > Duration::from_secs(30) {
                return (status, answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `GET path` of the domain; the status and what was answered.
    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        self.ask(self.http.get(format!("{}{path}", self.base)))
            .await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> (u16, Json) {
        let request = request
            .header("Mesh-Principal", "user:tester")
            .header("Mesh-Purpose", "test");
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// Waits until the domain's `/status` is as `wanted`.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        loop {
            let (_, status) = self.get("/status").await;
            if wanted(&status) {
                return status;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{what}: {status:#}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until as many records stand in `topic`.
    pub(crate) async fn until_published(&self, topic: &str, records: u64) {
        self.until("published", |status| {
            let products = status["products"].as_array().unwrap();
            let product = products.iter().find(|product| product["topic"] == topic);
            product.is_some_and(|product| product["published"] == records)
                && status["outbox_pending"] == 0
        })
        .await;
    }

    /// Publishes a record of a product that the domain reads, as its owner would.
    pub(crate) async fn publish<R: Record>(&self, record: &R) {
        let ids = provide(&self.stream, R::descriptor()).await;
        let producer = Producer::new(&self.stream).unwrap();
        let typed: TypedProducer<R> = TypedProducer::new(producer, ids);
        typed.send(record).await.unwrap().await.unwrap();
    }

    /// Stops the domain, and then the platform.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        for server in &self.servers {
            server.abort();
        }
        self.broker.shutdown().await.unwrap();
    }
}
