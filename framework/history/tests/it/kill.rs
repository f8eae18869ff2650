//! A writer that is killed again and again, at any instant.

use std::process::Stdio;
use std::time::Duration;

use mesh_core::contract::Contract;
use mesh_history::{At, History, HistoryConfig, HistorySnapshot, HistoryWriter, Source};
use mesh_stream::StreamConfig;

use crate::harness::{Platform, SALES, check_sales, sales};

const FLAG: &str = "MESH_HISTORY_CHILD";

/// The process that is killed: writes and merges as fast as it can, in small commits.
#[tokio::test(flavor = "multi_thread")]
async fn process() {
    let Ok(arguments) = std::env::var(FLAG) else {
        return;
    };
    let arguments: Vec<&str> = arguments.split('|').collect();
    let [root, bootstrap, registry, domain] = arguments[..] else {
        panic!("four arguments");
    };
    let contract = SALES.replace("@domain@", domain);
    let contract = Contract::parse("contract.odcs.yaml", &contract).unwrap();
    let mut config = HistoryConfig::new(root);
    config.buffer_bytes = 8 * 1024;
    config.file_bytes = 8 * 1024;
    config.commit_age = Duration::from_millis(20);
    config.poll = Duration::from_millis(5);
    config.maintain_every = Duration::from_millis(50);
    config.checkpoint_every = 5;
    let history = History::open(config).unwrap();
    let stream = StreamConfig::new(bootstrap, registry, "history-child");
    let writer = HistoryWriter::new(history, stream).unwrap();
    writer.follow([Source::of(contract.into())]);
    writer.run(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_neither_lose_nor_double_a_row() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let arguments = [
        platform.root().to_str().unwrap(),
        &platform.stream.bootstrap,
        &platform.stream.registry_url,
        &platform.domain,
    ]
    .join("|");
    let (history, writer) = platform.writer(platform.config());
    let reference = product.source().product_ref();
    let (mut next, mut moved) = (0, 0);
    for round in 0..40_u64 {
        let before = history.snapshot(&reference, At::Latest).await.unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["kill::process", "--exact", "--nocapture"])
            .env(FLAG, &arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        platform.send(&product, sales(next..next + 500)).await;
        next += 500;
        // Every second one only once it writes, the others from before they have begun.
        let version = |found: &Option<HistorySnapshot>| found.as_ref().map(|found| found.version);
        let waits = round % 2 == 0;
        loop {
            if !waits {
                break;
            }
            let now = history.snapshot(&reference, At::Latest).await.unwrap();
            if version(&now) > version(&before) {
                moved += 1;
                break;
            }
            assert_eq!(child.try_wait().unwrap(), None, "the child ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis((round * 37) % 300)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(moved, 20);
    writer.pass(&product.source()).await.unwrap();
    let snapshot = product.snapshot(&history, At::Latest).await;
    check_sales(&snapshot, 0..next).await;

    // What the killed left behind goes when its time of grace is over.
    let mut config = platform.config();
    config.grace = Duration::ZERO;
    let (cleaner, _) = platform.writer(config);
    cleaner.clean(&reference).await.unwrap();
    let folder = platform
        .root()
        .join(format!("{}/sales_v1", platform.domain));
    let left = folder
        .read_dir()
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file());
    assert_eq!(left.count(), snapshot.files.len());
    check_sales(&product.snapshot(&cleaner, At::Latest).await, 0..next).await;
}
