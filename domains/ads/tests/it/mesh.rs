//! A platform for one test, and the domain on it, in this process or in one that can be killed.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ads::settings::Settings;
use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Descriptor, EventId, Record};
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Running};
use mesh_stream::{
    Admin, Decoder, GroupConsumer, Producer, Received, Registered, RegistryClient, StreamConfig,
    TopicSpec, TypedProducer, register_product,
};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long nothing more has to come before a topic counts as read.
const SILENCE: Duration = Duration::from_millis(700);

/// Longer than the host takes between two measurements of the lag.
const LAG_MEASURED: Duration = Duration::from_millis(2_500);

pub(crate) struct Mesh {
    running: Option<Running>,
    base: String,
    http: reqwest::Client,
    stream: StreamConfig,
    catalog_url: String,
    servers: Vec<JoinHandle<()>>,
    broker: Broker,
    folder: tempfile::TempDir,
}

/// The settings that the environment variables `set` make.
pub(crate) fn settings(set: &[(&str, &str)]) -> Settings {
    Settings::read(|name| {
        let found = set.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
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
    /// Starts the platform; what the domain reads of others is there, and empty.
    pub(crate) async fn platform() -> Self {
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
        let stream = StreamConfig::new(broker.bootstrap(), &registry_url, "test");
        for product in ads::domain(settings(&[])).reads() {
            if product.contract.domain != env!("CARGO_PKG_NAME") {
                provide(&stream, product).await;
            }
        }
        Self {
            running: None,
            base: String::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stream,
            catalog_url,
            servers,
            broker,
            folder,
        }
    }

    /// Starts the platform and the domain without a source directory.
    pub(crate) async fn start() -> Self {
        let mut mesh = Self::platform().await;
        mesh.run(settings(&[]), None).await;
        mesh
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Starts the domain in this process, on the store that it had before if it had one.
    pub(crate) async fn run(&mut self, settings: Settings, source_dir: Option<&Path>) {
        let mut config = Config::new(env!("CARGO_PKG_NAME"), self.store()).unwrap();
        config.bootstrap = self.stream.bootstrap.clone();
        config.registry_url = self.stream.registry_url.parse().unwrap();
        config.catalog_url = self.catalog_url.parse().unwrap();
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.source_dir = source_dir.map(Path::to_owned);
        let running = Running::start(ads::domain(settings), config).await.unwrap();
        self.base = format!("http://{}", running.address());
        self.running = Some(running);
    }

    /// Stops the domain in order and leaves the platform.
    pub(crate) async fn halt(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Takes the domain's store away, as when its disk is lost.
    pub(crate) fn lose_store(&self) {
        std::fs::remove_dir_all(self.store()).unwrap();
    }

    /// Starts the domain as a process of its own, which kills itself at `failpoint`, and waits for its
    /// end.
    pub(crate) async fn run_until_killed(
        &mut self,
        source_dir: &Path,
        set: &[(&str, &str)],
        failpoint: &str,
    ) {
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_ads"))
            .args(["--bootstrap", &self.stream.bootstrap])
            .args(["--registry-url", &self.stream.registry_url])
            .args(["--catalog-url", &self.catalog_url])
            .args(["--listen", &address.to_string()])
            .arg("--data-dir")
            .arg(self.store())
            .arg("--source-dir")
            .arg(source_dir)
            .envs(set.iter().copied())
            .env("MESH_FAILPOINT", failpoint)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // A test that fails meanwhile leaves no process behind.
        let mut child = Ended(child);
        let begun = Instant::now();
        loop {
            if let Some(status) = child.0.try_wait().unwrap() {
                assert_eq!(status.code(), None, "{failpoint}: not killed but {status}");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{failpoint} was not passed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `POST path` to the domain; the status and what was answered. A domain that is still
    /// starting is asked again.
    pub(crate) async fn post(&self, path: &str, body: &Json) -> (u16, Json) {
        let begun = Instant::now();
        loop {
            let request = self.http.post(format!("{}{path}", self.base)).json(body);
            let (status, answer) = self.ask(request).await;
            if status != 503 || begun.elapsed() > PATIENCE {
                return (status, answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `POST path` that has to be taken.
    pub(crate) async fn accept(&self, path: &str, body: &Json) -> Json {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 200, "{path} {body}: {answer:#}");
        answer
    }

    /// `GET path` of the domain; the status and what was answered.
    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        self.ask(self.http.get(format!("{}{path}", self.base)))
            .await
    }

    /// `GET path` without principal and purpose; the status and the type of what was answered.
    pub(crate) async fn get_as_nobody(&self, path: &str) -> (u16, String) {
        let request = self.http.get(format!("{}{path}", self.base));
        let response = request.send().await.unwrap();
        let kind = response.headers().get("content-type").unwrap();
        let kind = kind.to_str().unwrap().to_owned();
        (response.status().as_u16(), kind)
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
            assert!(begun.elapsed() < PATIENCE, "{what}: {status:#}");
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

    /// Waits until the report is read, no handler is behind, and nothing waits to be published.
    pub(crate) async fn until_read(&self) -> Json {
        let begun = Instant::now();
        let mut still: Option<(Instant, Json)> = None;
        loop {
            let (_, status) = self.get("/status").await;
            let all = |part: &str, test: fn(&Json) -> bool| {
                let parts = status[part].as_array();
                parts.is_some_and(|parts| !parts.is_empty() && parts.iter().all(test))
            };
            let at_rest = status["outbox_pending"] == 0
                && all("sources", |source| source["done"] == true)
                && all("handlers", |handler| handler["lag"] == 0);
            // Lags are measured now and then, so one alone may be from before.
            still = match (at_rest, still.take()) {
                (false, _) => None,
                (true, Some((since, known))) if known == status => Some((since, known)),
                (true, _) => Some((Instant::now(), status.clone())),
            };
            if let Some((since, status)) = &still
                && since.elapsed() > LAG_MEASURED
            {
                return status.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{status:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The records of `R`'s topic, which have to be `expected` and no more.
    pub(crate) async fn read<R: Record>(&self, expected: usize) -> Vec<Received<R>> {
        let found = self.read_all::<R>(expected).await;
        let topic = R::descriptor().topic.as_str();
        assert_eq!(found.len(), expected, "records of {topic}");
        found
    }

    /// The records of `R`'s topic, which have to be at least `least`.
    pub(crate) async fn read_all<R: Record>(&self, least: usize) -> Vec<Received<R>> {
        let topic = R::descriptor().topic.as_str();
        let group = format!("test-{}", EventId::new());
        let consumer = GroupConsumer::new(&self.stream, &group, &[topic]).unwrap();
        let registry = RegistryClient::new(&self.stream.registry_url).unwrap();
        let decoder: Decoder<R> = Decoder::new(registry).unwrap();
        let mut found = Vec::new();
        let begun = Instant::now();
        loop {
            let wait = match found.len() < least {
                true => PATIENCE.saturating_sub(begun.elapsed()),
                false => SILENCE,
            };
            match tokio::time::timeout(wait, consumer.recv()).await {
                Ok(Ok(record)) => found.push(decoder.decode(&record).await.unwrap()),
                Ok(Err(error)) => assert!(error.is_retryable(), "{}", error.log_line()),
                Err(_) => break,
            }
        }
        consumer.close().await;
        found
    }

    /// The latest record of each key of a state product, of which there have to be `keys`.
    pub(crate) async fn latest<R: Record>(&self, keys: usize) -> Vec<R> {
        use mesh_core::RecordKey;
        let mut latest = BTreeMap::new();
        for received in self.read_all::<R>(keys).await {
            latest.insert(received.key.to_text(), received.value);
        }
        let latest: Vec<R> = latest.into_values().flatten().collect();
        let topic = R::descriptor().topic.as_str();
        assert_eq!(latest.len(), keys, "keys of {topic}");
        latest
    }

    /// Publishes records of a product, as its owner would, under new event ids.
    pub(crate) async fn publish<R: Record>(&self, records: &[R]) {
        let ids = provide(&self.stream, R::descriptor()).await;
        let producer = Producer::new(&self.stream).unwrap();
        let typed: TypedProducer<R> = TypedProducer::new(producer, ids);
        for record in records {
            typed.send(record).await.unwrap().await.unwrap();
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

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
