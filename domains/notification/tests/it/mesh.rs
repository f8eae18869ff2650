//! A platform for one test, and the domain on it.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Descriptor, EventId, Record, TraceContext};
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Running};
use mesh_stream::{
    Admin, CatalogClient, Decoder, GroupConsumer, Headers, Producer, RawRecord, Registered,
    RegistryClient, StreamConfig, TopicSpec, TypedProducer, register_product,
};
use notification::settings::Settings;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Mesh {
    running: Option<Running>,
    config: Config,
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
    /// Starts all of it without a mail server.
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::read(|_| None).unwrap()).await
    }

    /// Starts all of it; what the domain reads of others is there, and empty.
    pub(crate) async fn start_with(settings: Settings) -> Self {
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
        let domain = notification::domain(settings.clone()).unwrap();
        for product in domain.reads() {
            if product.contract.domain != env!("CARGO_PKG_NAME") {
                provide(&stream, product).await;
            }
        }
        let mut mesh = Self {
            running: None,
            config,
            base: String::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stream,
            servers,
            broker,
            _folder: folder,
        };
        mesh.restart(settings).await;
        mesh
    }

    /// Stops the domain if it runs, and starts it on the same store.
    pub(crate) async fn restart(&mut self, settings: Settings) {
        self.halt().await;
        let domain = notification::domain(settings).unwrap();
        let running = Running::start(domain, self.config.clone()).await.unwrap();
        self.base = format!("http://{}", running.address());
        self.running = Some(running);
        self.until("ready", |status| status["ready"] == true).await;
    }

    /// Stops the domain alone.
    pub(crate) async fn halt(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// The arguments that run the domain's own program on this platform and store.
    pub(crate) fn arguments(&self) -> Vec<String> {
        [
            ("bootstrap", self.config.bootstrap.clone()),
            ("registry-url", self.config.registry_url.to_string()),
            ("catalog-url", self.config.catalog_url.to_string()),
            ("data-dir", self.config.data_dir.display().to_string()),
            ("listen", self.config.listen.to_string()),
        ]
        .map(|(name, value)| format!("--{name}={value}"))
        .to_vec()
    }

    /// Answers for the domain `name` with `router`.
    pub(crate) async fn stand_in(&mut self, name: &str, router: axum::Router) {
        let url = serve(router, &mut self.servers).await;
        let catalog = CatalogClient::new(&self.config.catalog_url).unwrap();
        let url = url.parse().unwrap();
        catalog.register_domain(name, &url, &[]).await.unwrap();
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
        self.publish_as(EventId::new(), record).await;
    }

    /// Publishes a record as the event `id`.
    pub(crate) async fn publish_as<R: Record>(&self, id: EventId, record: &R) {
        self.publish_all(&[(id, record.clone())]).await;
    }

    /// Publishes records under ids of the test's own.
    pub(crate) async fn publish_all<R: Record>(&self, events: &[(EventId, R)]) {
        let ids = provide(&self.stream, R::descriptor()).await;
        let producer = Producer::new(&self.stream).unwrap();
        let typed: TypedProducer<R> = TypedProducer::new(producer, ids);
        let mut deliveries = Vec::new();
        for (id, record) in events {
            let headers = Headers {
                event_id: *id,
                ..Headers::of::<R>(TraceContext::new())
            };
            deliveries.push(typed.send_with(record, headers).await.unwrap());
        }
        for delivery in deliveries {
            delivery.await.unwrap();
        }
    }

    /// A reader of `R` from its first record on.
    pub(crate) fn reader<R: Record>(&self) -> Reader<R> {
        let topic = R::descriptor().topic.as_str();
        let group = format!("judge-{}", EventId::new());
        let registry = RegistryClient::new(&self.stream.registry_url).unwrap();
        Reader {
            consumer: GroupConsumer::new(&self.stream, &group, &[topic]).unwrap(),
            decoder: Decoder::new(registry).unwrap(),
        }
    }

    /// Stops the domain, and then the platform.
    pub(crate) async fn stop(mut self) {
        self.halt().await;
        for server in &self.servers {
            server.abort();
        }
        self.broker.shutdown().await.unwrap();
    }
}

pub(crate) struct Reader<R: Record> {
    consumer: GroupConsumer,
    decoder: Decoder<R>,
}

impl<R: Record> Reader<R> {
    /// The next record, with its key; a tombstone has no value.
    pub(crate) async fn next(&self) -> (R::Key, Option<R>) {
        let raw = tokio::time::timeout(Duration::from_secs(30), self.raw());
        let raw = raw.await.expect("a record within 30 s");
        let record = self.decoder.decode(&raw).await.unwrap();
        (record.key, record.value)
    }

    /// Makes sure that nothing more comes.
    pub(crate) async fn nothing_more(&self) {
        let raw = tokio::time::timeout(Duration::from_millis(1_500), self.raw()).await;
        assert!(raw.is_err(), "one more record came");
    }

    /// The next record, however long it takes; the domain may still have to make the topic.
    async fn raw(&self) -> RawRecord {
        loop {
            match self.consumer.recv().await {
                Ok(raw) => return raw,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    }
}
