//! `mesh replay` against a domain and a platform, each in a process or runtime of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mesh_core::Result;
use mesh_runtime::{Config, Context, Domain, Effects, Handler, Replay, Running};
use mesh_stream::{
    Producer, Received, RegistryClient, StreamConfig, TypedProducer, register_product,
};
use serde_json::Value as Json;

use crate::harness::{mesh, text};

mesh_macros::contract!("tests/it/contracts/orders/contract.odcs.yaml");
mesh_macros::contract!("tests/it/contracts/payouts/contract.odcs.yaml");
mod v2 {
    mesh_macros::contract!("tests/it/contracts/payouts_v2/contract.odcs.yaml");
}

struct Pay;

#[async_trait]
impl Handler<Order> for Pay {
    async fn handle(&self, event: &Received<Order>, _: &Context) -> Result<Effects> {
        let order = event.value.clone().unwrap();
        Ok(Effects::new().emit(&Payout {
            order_id: order.order_id,
            customer: order.customer,
            amount: order.amount,
            total: 0,
        }))
    }
}

struct PayAnew;

#[async_trait]
impl Handler<Order> for PayAnew {
    async fn handle(&self, event: &Received<Order>, _: &Context) -> Result<Effects> {
        let order = event.value.clone().unwrap();
        Ok(Effects::new().emit(&v2::Payout {
            order_id: order.order_id,
            customer: order.customer,
            amount: order.amount * 2,
            total: 0,
        }))
    }
}

/// A platform that is stopped when it is dropped.
pub(crate) struct Platform {
    child: Child,
    _folder: tempfile::TempDir,
    bootstrap: String,
    registry: String,
    pub(crate) http: String,
}

impl Platform {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = mesh()
            .args([
                "up",
                "--kafka-port=0",
                "--registry-port=0",
                "--http-port=0",
                "--postgres-port=0",
            ])
            .arg(format!("--data-dir={}", folder.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |name: &str| loop {
            let line = lines
                .next()
                .expect("the platform says where it is")
                .unwrap();
            if let Some(address) = line.trim().strip_prefix(name) {
                return address.trim().to_owned();
            }
        };
        let (bootstrap, registry, catalog) =
            (address("Kafka"), address("Registry"), address("Catalog"));
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            _folder: folder,
            bootstrap,
            registry,
            http: catalog.trim_end_matches("/api/v1/products").to_owned(),
        }
    }

    /// `mesh replay …`; what it says, and whether it went well.
    async fn replay(&self, arguments: &[&str]) -> (bool, String) {
        self.mesh(&[&["replay"], arguments].concat()).await
    }

    async fn mesh(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = mesh();
        command.args(arguments).args(["--url", &self.http]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        (output.status.success(), text(&output))
    }

    async fn sum(&self, table: &str) -> String {
        let statement = format!("SELECT sum(amount) FROM {table}");
        let (_, answer) = self.mesh(&["sql", "--format=csv", &statement]).await;
        answer.lines().nth(1).unwrap_or(&answer).to_owned()
    }

    /// Asks until the table's sum is `expected`: the catalog is asked anew after a while.
    async fn until_sum(&self, table: &str, expected: &str) {
        let begun = Instant::now();
        loop {
            let sum = self.sum(table).await;
            if sum == expected {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{table}: {sum}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn domain(platform: &Platform, folder: &std::path::Path) -> Running {
    let domain = Domain::new("kiosk")
        .product::<Order>()
        .product::<Payout>()
        .product::<v2::Payout>()
        .handler::<Order, _>("pay", Pay)
        .replay::<Order>("pay", Replay::new(2, PayAnew).writes::<v2::Payout>());
    let mut config = Config::new("kiosk", folder).unwrap();
    config.bootstrap.clone_from(&platform.bootstrap);
    config.registry_url = platform.registry.parse().unwrap();
    config.catalog_url = platform.http.parse().unwrap();
    config.listen = "127.0.0.1:0".parse().unwrap();
    Running::start(domain, config).await.unwrap()
}

async fn publish(platform: &Platform) {
    let stream = StreamConfig::new(&platform.bootstrap, &platform.registry, "test");
    let registry = RegistryClient::new(&platform.registry).unwrap();
    let ids = register_product(&registry, <Order as mesh_core::Record>::descriptor());
    let producer = Producer::new(&stream).unwrap();
    let typed = TypedProducer::<Order>::new(producer.clone(), ids.await.unwrap());
    for order_id in 1..=100 {
        let order = Order {
            order_id,
            customer: "anna".to_owned(),
            amount: 10,
            wish: None,
        };
        drop(typed.send(&order).await.unwrap());
    }
    producer.flush(Duration::from_secs(30)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_started_looked_at_switched_over_and_retired() {
    let platform = Platform::start();
    let folder = tempfile::tempdir().unwrap();
    let running = domain(&platform, folder.path()).await;
    while !running.waiting().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    publish(&platform).await;
    platform.until_sum("kiosk.payouts", "1000").await;

    let (done, said) = platform.replay(&["status"]).await;
    assert!(
        done && said.contains("kiosk.pay 2") && said.contains("ready"),
        "{said}"
    );
    for (arguments, words) in [
        (
            &["start", "kiosk", "pay", "--from=soon"][..],
            ["earliest", "mend:"],
        ),
        (
            &["start", "kiosk", "pay", "--from=2999-01-01"],
            ["future", "mend:"],
        ),
        (
            &["start", "kiosk", "pay", "--from=0=1"],
            ["each partition", "mend:"],
        ),
        (
            &["start", "kiosk", "sell", "--from=earliest"],
            ["sell", "mend:"],
        ),
        (
            &["start", "kiosk", "pay", "--version=3", "--from=earliest"],
            ["take one of pay 2", "mend:"],
        ),
        (&["status", "bakery"], ["bakery", "mend:"]),
        (&["switch", "kiosk", "pay"], ["not started", "mend:"]),
        (
            &["status", "kiosk", "--api=http://127.0.0.1:9"],
            ["does not answer", "mend:"],
        ),
    ] {
        let (done, said) = platform.replay(arguments).await;
        assert!(!done, "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {word:?} in {said}");
        }
    }

    let (done, said) = platform
        .replay(&["start", "kiosk", "pay", "--from=earliest", "--as=user:anna"])
        .await;
    assert!(done && said.contains("by user:anna"), "{said}");
    // Beside the old version it is read under its own name.
    platform.until_sum("kiosk.payouts_v2", "2000").await;
    assert_eq!(platform.sum("kiosk.payouts").await, "1000");
    let begun = Instant::now();
    loop {
        let (done, said) = platform.replay(&["status", "kiosk", "pay", "--json"]).await;
        assert!(done, "{said}");
        let status: Json = serde_json::from_str(&said).unwrap();
        let replay = &status["items"][0];
        if replay["state"] == "following" && replay["remaining"] == 0 {
            assert_eq!(replay["percent"], 100.0);
            assert_eq!(replay["partitions"].as_array().unwrap().len(), 3);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{status:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let (done, said) = platform.replay(&["switch", "kiosk", "pay"]).await;
    assert!(done && said.contains("switched"), "{said}");
    platform.until_sum("kiosk.payouts", "2000").await;
    assert_eq!(platform.sum("kiosk.payouts_v1").await, "1000");
    let (done, said) = platform.replay(&["abandon", "kiosk", "pay"]).await;
    assert!(!done && said.contains("in service"), "{said}");
    let (done, said) = platform.replay(&["retire", "kiosk", "pay"]).await;
    assert!(done && !said.contains("still fed"), "{said}");
    publish(&platform).await;
    platform.until_sum("kiosk.payouts", "4000").await;
    assert_eq!(platform.sum("kiosk.payouts_v1").await, "1000");
    running.stop().await;
}
