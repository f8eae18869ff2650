//! A platform for one test, the domain on it, and the two domains that it asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json as Body, Router};
use loan::products::inputs::{
    ApplicantProfile, ApplicantProfileAccounts, ApplicantProfileAccountsRole, ApplicantScore,
    ApplicantScoreBand, BankPayment, HistoryEntry, HistoryEntrySource,
};
use loan::settings::Settings;
use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::{Descriptor, Record};
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Running};
use mesh_stream::{
    Admin, Producer, Registered, RegistryClient, StreamConfig, TopicSpec, TypedProducer,
    register_product,
};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the transaction domain answers, by account.
type Histories = Arc<Mutex<HashMap<i64, Vec<HistoryEntry>>>>;

pub(crate) struct Mesh {
    stream: StreamConfig,
    catalog_url: String,
    histories: Histories,
    servers: Vec<JoinHandle<()>>,
    broker: Broker,
    folder: tempfile::TempDir,
}

pub(crate) struct Hosted {
    running: Running,
    base: String,
    http: reqwest::Client,
}

async fn serve(router: Router, servers: &mut Vec<JoinHandle<()>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    servers.push(tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    }));
    url
}

async fn provide(stream: &StreamConfig, product: &Descriptor) -> Registered {
    let registry = RegistryClient::new(&stream.registry_url).unwrap();
    let ids = register_product(&registry, product).await.unwrap();
    let admin = Admin::new(stream).unwrap();
    admin.ensure_topic(&TopicSpec::from(product)).await.unwrap();
    ids
}

/// A client who owns the account of the same number and is old enough.
async fn profile(Path(client_id): Path<i64>) -> Body<Json> {
    let profile = ApplicantProfile {
        client_id,
        birth_date: "1960-01-01".parse().unwrap(),
        accounts: vec![ApplicantProfileAccounts {
            account_id: client_id,
            role: ApplicantProfileAccountsRole::Owner,
        }],
    };
    Body(profile.to_json())
}

async fn score(Body(asked): Body<Json>) -> Body<Json> {
    let score = ApplicantScore {
        client_id: asked["client_id"].as_i64().unwrap(),
        account_id: asked["account_id"].as_i64().unwrap(),
        as_of: asked["as_of"].as_str().unwrap().parse().unwrap(),
        points: 640,
        band: ApplicantScoreBand::A,
        average_balance: "20000".parse().unwrap(),
        minimum_balance: "500".parse().unwrap(),
        scorecard_version: "1.0.0".to_owned(),
    };
    Body(score.to_json())
}

async fn history(Path(account): Path<i64>, State(known): State<Histories>) -> Body<Json> {
    let known = known.lock().unwrap();
    let entries = known.get(&account).into_iter().flatten();
    let items: Vec<Json> = entries.map(Record::to_json).collect();
    Body(json!({ "items": items }))
}

/// Two years of a good income on an account, up to the day of the application.
fn income(account_id: i64) -> Vec<HistoryEntry> {
    let booked_on = |at: i64| {
        let start: chrono::NaiveDate = "1995-01-10".parse().unwrap();
        start + chrono::Days::new(at as u64 * 30)
    };
    (0..25)
        .map(|at| HistoryEntry {
            transaction_id: account_id * 1_000 + at,
            account_id,
            booked_on: booked_on(at),
            signed_amount: "30000".parse().unwrap(),
            purpose: None,
            source: HistoryEntrySource::Import,
        })
        .collect()
}

impl Mesh {
    /// Starts a platform with the clients and accounts 1 to 4. `rows` are lines of the bank's file
    /// of loans: number, account, day, amount, months, payment, status.
    pub(crate) async fn start(rows: &[&str]) -> Self {
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

        let accounts = (1..=4).map(|account| (account, income(account)));
        let histories: Histories = Arc::new(Mutex::new(accounts.collect()));
        let customer = Router::new()
            .route("/v1/profiles/{client_id}", get(profile))
            .route("/v1/credit_scores", post(score));
        let transaction = Router::new()
            .route("/v1/accounts/{account_id}/transactions", get(history))
            .with_state(Arc::clone(&histories));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        for (name, router) in [("customer", customer), ("transaction", transaction)] {
            let api_url = serve(router, &mut servers).await;
            let entry = http.put(format!("{catalog_url}/api/v1/domains/{name}"));
            let answer = entry.json(&json!({ "api_url": api_url })).send().await;
            assert!(answer.unwrap().status().is_success());
        }

        let bank = folder.path().join("bank");
        std::fs::create_dir(&bank).unwrap();
        let name = concat!("lo", "an");
        let head = format!("{name}_id;account_id;date;amount;duration;payments;status");
        let text = format!("{head}\n{}\n", rows.join("\n"));
        std::fs::write(bank.join(format!("{name}.asc")), text).unwrap();
        let owners: String = (1..=4).map(|n| format!("{n};{n};{n};OWNER\n")).collect();
        let text = format!("disp_id;client_id;account_id;type\n{owners}");
        std::fs::write(bank.join("disp.asc"), text).unwrap();

        let stream = StreamConfig::new(broker.bootstrap(), &registry_url, "test");
        provide(&stream, BankPayment::descriptor()).await;
        Self {
            stream,
            catalog_url,
            histories,
            servers,
            broker,
            folder,
        }
    }

    /// The domain on this platform.
    pub(crate) async fn run(&self, settings: Settings) -> Hosted {
        let store = self.folder.path().join("store");
        let mut config = Config::new(env!("CARGO_PKG_NAME"), store).unwrap();
        config.bootstrap = self.broker.bootstrap();
        config.registry_url = self.stream.registry_url.parse().unwrap();
        config.catalog_url = self.catalog_url.parse().unwrap();
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.source_dir = Some(self.folder.path().join("bank"));
        let running = Running::start(loan::domain(settings), config)
            .await
            .unwrap();
        Hosted {
            base: format!("http://{}", running.address()),
            running,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Adds a booking to what the transaction domain knows.
    pub(crate) fn book(&self, entry: HistoryEntry) {
        let mut histories = self.histories.lock().unwrap();
        histories.entry(entry.account_id).or_default().push(entry);
    }

    /// Publishes a payment, as its owner would.
    pub(crate) async fn publish(&self, payment: &BankPayment) {
        let ids = provide(&self.stream, BankPayment::descriptor()).await;
        let producer = Producer::new(&self.stream).unwrap();
        let typed: TypedProducer<BankPayment> = TypedProducer::new(producer, ids);
        typed.send(payment).await.unwrap().await.unwrap();
    }

    pub(crate) async fn stop(self) {
        for server in &self.servers {
            server.abort();
        }
        self.broker.shutdown().await.unwrap();
    }
}

impl Hosted {
    /// `GET path` of the domain; the status and what was answered.
    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        let request = self.http.get(format!("{}{path}", self.base));
        let request = request
            .header("Mesh-Principal", "user:tester")
            .header("Mesh-Purpose", "test");
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// Waits until `GET path` is answered as `wanted`.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        loop {
            let (_, found) = self.get(path).await;
            if wanted(&found) {
                return found;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{path}: {found:#}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many events the handler `service` has handled and set aside.
    pub(crate) async fn until_serviced(&self, handled: u64, set_aside: u64) {
        self.until("/status", |status| {
            let handlers = status["handlers"].as_array().into_iter().flatten();
            let mut service = handlers.filter(|handler| handler["name"] == "service");
            service.next().is_some_and(|service| {
                service["handled"] == handled && service["set_aside"] == set_aside
            })
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}
