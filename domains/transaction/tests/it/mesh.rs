//! A platform for one test, and the domain on it, with a small bank to read.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::Descriptor;
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Running};
use mesh_stream::{Admin, RegistryClient, StreamConfig, TopicSpec, register_product};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use transaction::settings::Settings;

/// What every account of the small bank is opened with, in CZK.
pub(crate) const OPENING: &str = "1000.00";

pub(crate) struct Mesh {
    pub(crate) bootstrap: String,
    pub(crate) registry_url: String,
    pub(crate) folder: tempfile::TempDir,
    catalog_url: String,
    servers: Vec<JoinHandle<()>>,
    broker: Option<Broker>,
}

pub(crate) struct Hosted {
    running: Running,
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
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
async fn provide(stream: &StreamConfig, product: &Descriptor) {
    let registry = RegistryClient::new(&stream.registry_url).unwrap();
    register_product(&registry, product).await.unwrap();
    let admin = Admin::new(stream).unwrap();
    admin.ensure_topic(&TopicSpec::from(product)).await.unwrap();
}

/// A bank of accounts 1 to `accounts`, each with one deposit of [`OPENING`].
fn write_bank(folder: &Path, accounts: i64) {
    let write = |name: &str, head: &str, row: &dyn Fn(i64) -> String| {
        let rows: String = (1..=accounts).map(row).collect();
        std::fs::write(folder.join(name), format!("{head}\n{rows}")).unwrap();
    };
    write(
        "account.asc",
        "account_id;district_id;frequency;date",
        &|n| format!("{n};1;POPLATEK MESICNE;950101\n"),
    );
    write("disp.asc", "disp_id;client_id;account_id;type", &|n| {
        format!("{n};{n};{n};OWNER\n")
    });
    write(
        "trans_small.asc",
        "trans_id;account_id;date;type;operation;amount;balance;k_symbol;bank;account",
        &|n| format!("{n};{n};950102;PRIJEM;VKLAD;{OPENING};{OPENING};;;\n"),
    );
}

impl Mesh {
    /// The embedded platform, or Kafka at `bootstrap` with registry and catalog in this process.
    pub(crate) async fn start(bootstrap: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (broker, bootstrap) = match bootstrap {
            Some(bootstrap) => (None, bootstrap),
            None => {
                let address = "127.0.0.1:0".parse().unwrap();
                let mut config = BrokerConfig::new(folder.path().join("kafka"), address);
                config.worker_threads = 2;
                let broker = Broker::start(config).await.unwrap();
                let bootstrap = broker.bootstrap().to_owned();
                (Some(broker), bootstrap)
            }
        };
        let mut servers = Vec::new();
        let registry = Registry::open(RegistryConfig::new(folder.path().join("registry.db")));
        let registry_url = serve(registry.await.unwrap().router(), &mut servers).await;
        let database = folder.path().join("catalog.db");
        let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
        let catalog_url = serve(catalog.router(), &mut servers).await;
        Self {
            bootstrap,
            registry_url,
            catalog_url,
            folder,
            servers,
            broker,
        }
    }

    /// The domain on this platform, with a bank of so many accounts.
    pub(crate) async fn run(&self, accounts: i64) -> Hosted {
        let bank = self.folder.path().join("bank");
        if !bank.exists() {
            std::fs::create_dir(&bank).unwrap();
            write_bank(&bank, accounts);
        }
        self.host(bank).await
    }

    async fn host(&self, bank: PathBuf) -> Hosted {
        let store = self.folder.path().join("store");
        let mut config = Config::new(env!("CARGO_PKG_NAME"), store).unwrap();
        config.bootstrap.clone_from(&self.bootstrap);
        config.registry_url = self.registry_url.parse().unwrap();
        config.catalog_url = self.catalog_url.parse().unwrap();
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.source_dir = Some(bank);
        let stream = StreamConfig::new(&self.bootstrap, &self.registry_url, "test");
        let domain = transaction::domain(Settings::read(|_| None).unwrap());
        for product in domain.reads() {
            if product.contract.domain != env!("CARGO_PKG_NAME") {
                provide(&stream, product).await;
            }
        }
        let running = Running::start(domain, config).await.unwrap();
        let hosted = Hosted {
            base: format!("http://{}", running.address()),
            running,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        hosted
            .until("the bank is read", |status| {
                status["ready"] == true && all(&status["sources"], |source| source["done"] == true)
            })
            .await;
        hosted
    }

    pub(crate) async fn stop(self) {
        for server in &self.servers {
            server.abort();
        }
        if let Some(broker) = self.broker {
            broker.shutdown().await.unwrap();
        }
    }
}

fn all(list: &Json, check: impl Fn(&Json) -> bool) -> bool {
    list.as_array().unwrap().iter().all(check)
}

impl Hosted {
    /// `POST path`; the status and what was answered.
    pub(crate) async fn post(&self, path: &str, body: &Json) -> (u16, Json) {
        self.ask(self.http.post(format!("{}{path}", self.base)).json(body))
            .await
    }

    /// `GET path`; the status and what was answered.
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
                begun.elapsed() < Duration::from_secs(120),
                "{what}: {status:#}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every order is handled and everything is published.
    pub(crate) async fn until_idle(&self) -> Json {
        self.until("idle", |status| {
            status["outbox_pending"] == 0 && all(&status["handlers"], |handler| handler["lag"] == 0)
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}
