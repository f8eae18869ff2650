//! Ten thousand transfers between a hundred accounts, ordered by many callers at once, and
//! judged by a client that is not ours from what stands in the topics.
//!
//! It runs on the embedded broker, and on the cluster that `MESH_KAFKA_BOOTSTRAP` names if it is
//! set; that cluster is there for tests: the topics of this domain are deleted first.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::mesh::{Mesh, OPENING};

const ACCOUNTS: i64 = 100;
const TRANSFERS: usize = 10_000;
const CALLERS: usize = 64;

/// A Python that has confluent-kafka with Avro, if this run has one.
fn python() -> Option<String> {
    let python = std::env::var("MESH_CLIENT_PYTHON").ok();
    if python.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_CLIENT_PYTHON has to name a Python with confluent-kafka in CI"
        );
        eprintln!("skipped: MESH_CLIENT_PYTHON does not name a Python with confluent-kafka");
    }
    python
}

fn judge(python: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge_transfers.py");
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{wrong}");
    println!("{}", said.trim());
}

/// A number below `below` that follows from `seed`: SplitMix64 (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014).
fn drawn(seed: u64, below: u64) -> u64 {
    let mut mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

/// The orders: most are small, one in ten is more than most accounts hold, and one in fifty
/// goes to an account that there is not.
fn orders() -> Vec<Json> {
    let account = |seed| 1 + drawn(seed, ACCOUNTS as u64) as i64;
    (0..TRANSFERS)
        .map(|at| {
            let seed = at as u64 * 8;
            let from = account(seed);
            let to = match drawn(seed + 1, 50) {
                0 => ACCOUNTS + 1,
                _ => 1 + (from + drawn(seed + 2, ACCOUNTS as u64 - 1) as i64) % ACCOUNTS,
            };
            let hundredths = match drawn(seed + 3, 10) {
                0 => 100_000 + drawn(seed + 4, 400_000),
                _ => 1 + drawn(seed + 4, 30_000),
            };
            let amount = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            json!({"transfer_id": format!("t-{at}"), "from_account": from, "to_account": to,
                "amount": amount, "value_date": "1999-01-31"})
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_transfers_at_once_overdraw_nothing_and_lose_nothing() {
    let Some(python) = python() else { return };
    let kafka = std::env::var("MESH_KAFKA_BOOTSTRAP").ok();
    if let Some(kafka) = &kafka {
        judge(&python, &["--bootstrap", kafka, "--clean"]);
    }
    let mesh = Mesh::start(kafka).await;
    let bank = Arc::new(mesh.run(ACCOUNTS).await);

    let begun = Instant::now();
    let orders = Arc::new(orders());
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers: JoinSet<Vec<(usize, u16, Json)>> = JoinSet::new();
    for _ in 0..CALLERS {
        let (bank, orders, next) = (Arc::clone(&bank), Arc::clone(&orders), Arc::clone(&next));
        callers.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(order) = orders.get(at) else {
                    return answers;
                };
                let (status, answer) = bank.post("/v1/transfers", order).await;
                answers.push((at, status, answer));
                // One in twenty is sent again at once, as by a caller who lost the answer.
                if at.is_multiple_of(20) {
                    let (status, answer) = bank.post("/v1/transfers", order).await;
                    answers.push((at, status, answer));
                }
            }
        });
    }
    let mut ordered: BTreeMap<usize, String> = BTreeMap::new();
    let mut refused: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(answers) = callers.join_next().await {
        for (at, status, answer) in answers.unwrap() {
            if status != 200 {
                *refused.entry(status).or_default() += 1;
                continue;
            }
            let id = answer["payment_id"].as_str().unwrap().to_owned();
            let known = ordered.entry(at).or_insert_with(|| id.clone());
            assert_eq!(*known, id, "an order that came again made another payment");
        }
    }
    let taken = begun.elapsed();
    assert_eq!(refused, BTreeMap::new(), "how often callers were refused");
    assert_eq!(ordered.len(), TRANSFERS);
    bank.until_idle().await;
    let settled = begun.elapsed();
    println!(
        "{TRANSFERS} transfers: ordered in {:.1} s by {CALLERS} callers, all final after {:.1} s",
        taken.as_secs_f64(),
        settled.as_secs_f64()
    );

    let expected: Vec<Json> = orders
        .iter()
        .enumerate()
        .map(|(at, order)| {
            let mut order = order.clone();
            order["payment_id"] = json!(ordered[&at]);
            order
        })
        .collect();
    let file = mesh.folder.path().join("ordered.json");
    std::fs::write(&file, Json::from(expected).to_string()).unwrap();
    let bootstrap = mesh.bootstrap.clone();
    let registry = mesh.registry_url.clone();
    let accounts = ACCOUNTS.to_string();
    tokio::task::spawn_blocking(move || {
        judge(
            &python,
            &[
                "--bootstrap",
                &bootstrap,
                "--registry",
                &registry,
                "--ordered",
                file.to_str().unwrap(),
                "--accounts",
                &accounts,
                "--opening",
                OPENING,
            ],
        );
    })
    .await
    .unwrap();

    let Some(bank) = Arc::into_inner(bank) else {
        panic!("a caller is still there")
    };
    bank.stop().await;
    mesh.stop().await;
}
