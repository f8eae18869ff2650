//! This test binary, started again as the process of the domain.

use std::process::Stdio;

use mesh_runtime::Running;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::platform::{Client, Platform, config};
use super::{replay, shop, store, transform};

/// Before the number of orders: the domain with the Kafka-to-Kafka handler.
const TRANSFORM: &str = "transform ";
/// Before the way of the handlers and the number of orders: the domain with a replay.
const REPLAY: &str = "replay ";
const FLAG: &str = "MESH_RUNTIME_TEST_CHILD";

/// Not a test of its own: what [`spawn`] runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process() {
    let Ok(arguments) = std::env::var(FLAG) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .try_init()
        .ok();
    let arguments: Vec<&str> = arguments.split('|').collect();
    let [dir, bootstrap, registry_url, catalog_url, orders] = arguments.as_slice() else {
        panic!("wrong arguments");
    };
    let config = config(dir.as_ref(), "shop", bootstrap, registry_url, catalog_url);
    let domain = match (orders.strip_prefix(TRANSFORM), orders.strip_prefix(REPLAY)) {
        (Some(orders), _) => transform::domain(orders.parse().unwrap()),
        (_, Some(rest)) => match rest.split_once(' ').unwrap() {
            ("outbox", orders) => replay::outbox(orders.parse().unwrap()),
            (_, orders) => replay::through(orders.parse().unwrap()),
        },
        _ => shop::domain(orders.parse().unwrap(), 100),
    };
    let running = Running::start(domain, config).await.unwrap();
    println!("\nLISTENS {}", running.address());
    let error = running.failed().await;
    println!("\nFAILED {error}");
}

/// The domain as a process of its own, with its API.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) client: Client,
}

pub(crate) async fn spawn(platform: &Platform, orders: u64, failpoint: &str) -> Process {
    start(platform, &orders.to_string(), failpoint).await
}

pub(crate) async fn spawn_transform(platform: &Platform, orders: u64, failpoint: &str) -> Process {
    start(platform, &format!("{TRANSFORM}{orders}"), failpoint).await
}

pub(crate) async fn spawn_replay(
    platform: &Platform,
    way: &str,
    orders: u64,
    failpoint: &str,
) -> Process {
    start(platform, &format!("{REPLAY}{way} {orders}"), failpoint).await
}

async fn start(platform: &Platform, orders: &str, failpoint: &str) -> Process {
    let arguments = [
        &platform.dir.path().display().to_string(),
        &platform.bootstrap,
        &platform.registry_url,
        &platform.catalog_url,
        &orders.to_owned(),
    ]
    .map(String::as_str)
    .join("|");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child::process", "--exact", "--nocapture"])
        .env(FLAG, arguments)
        .env("MESH_FAILPOINT", failpoint)
        .envs(store::environment())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the child listens");
        if let Some(address) = line.strip_prefix("LISTENS ") {
            // Keeps the pipe open and empty for as long as the child writes.
            let client = Client::at(address);
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Process { child, client };
        }
    }
}
