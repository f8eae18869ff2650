//! Figures, printed by `cargo test --test states measure -- --ignored --nocapture`.
//! `MESH_STATES_KEYS` says of how many keys.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use mesh_core::Record;
use mesh_states::{Chunk, States, StatesConfig};
use mesh_stream::batch::TopicFollower;
use mesh_stream::{Admin, RegistryClient, StreamConfig, partition_for};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::accounts::{account, decoder, publish};
use crate::harness::{Platform, reach};

const CHILD: &str = "MESH_STATES_MEASURE";
const KEYS: &str = "MESH_STATES_KEYS";
const PARTITIONS: i32 = 2;

/// Prepares a topic, and has a process of its own measured on it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure() {
    let keys: i64 = std::env::var(KEYS).map_or(1_000_000, |keys| keys.parse().unwrap());
    let mut platform = Platform::start().await;
    let (_, producer) = publish(&mut platform).await;
    let topic = platform.topic(PARTITIONS).await;
    let writer = platform.writer();
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut send = |id: i64, visits: i64| {
        let account = account(id, visits);
        key.clear();
        value.clear();
        producer.encoder().put_key(&account.key(), &mut key);
        producer.encoder().put_value(&account, &mut value).unwrap();
        writer.put(&topic, &key, &value);
        key.len() + value.len()
    };
    let mut bytes = 0;
    // In no order, each once.
    for n in 0..keys {
        bytes += send((n * 7_368_787) % keys, 0);
    }
    writer.flush();
    println!("{keys} keys of {} bytes each", bytes as i64 / keys);
    run(&platform, &topic, keys, "build");
    run(&platform, &topic, keys, "read");
    let mut random = StdRng::seed_from_u64(1);
    let updates = keys / 10;
    for _ in 0..updates {
        send(random.random_range(0..keys), 1);
    }
    writer.flush();
    run(&platform, &topic, updates, "update");
}

fn run(platform: &Platform, topic: &str, count: i64, what: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "measure::measured", "--nocapture", "-q"])
        .env(
            CHILD,
            [
                &platform.folder().display().to_string(),
                &platform.stream.bootstrap,
                &platform.stream.registry_url,
                topic,
                &count.to_string(),
                what,
            ]
            .join("|"),
        )
        .status()
        .unwrap();
    assert!(status.success());
}

/// Not a test: the process that is measured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measured() {
    let Ok(arguments) = std::env::var(CHILD) else {
        return;
    };
    let [dir, bootstrap, registry, topic, count, what] =
        arguments.split('|').collect::<Vec<_>>()[..]
    else {
        panic!("wrong arguments");
    };
    let count: i64 = count.parse().unwrap();
    let stream = StreamConfig::new(bootstrap, registry, "states-measure");
    let registry = RegistryClient::new(registry).unwrap();
    match what {
        "build" => {
            let bare = bare(&stream, topic, count).await;
            let applied = apply(dir, &stream, topic, count).await;
            println!("built / read alone: {:.3}", applied / bare);
        }
        "update" => {
            apply(dir, &stream, topic, count).await;
        }
        _ => read(dir, &stream, topic, count, &registry).await,
    }
    println!("  most memory of this process: {} MB", peak_mb());
}

/// Reads the topic and does nothing with it.
async fn bare(stream: &StreamConfig, topic: &str, count: i64) -> f64 {
    let (stream, topic) = (stream.clone(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let count = count as usize;
        let mut follower =
            TopicFollower::open(&stream, &topic, PARTITIONS as usize, 8 << 20).unwrap();
        for partition in 0..PARTITIONS {
            follower.add(partition, 0).unwrap();
        }
        let mut taken = 0;
        while taken < count {
            let followed = follower.poll(8192, Duration::from_millis(100));
            taken += followed.messages.len();
        }
        rate("read alone", count as f64, begun)
    })
    .await
    .unwrap()
}

async fn apply(dir: &str, stream: &StreamConfig, topic: &str, count: i64) -> f64 {
    let states = States::open(StatesConfig::new(dir, stream.clone()))
        .await
        .unwrap();
    let ends = ends(stream, topic).await;
    let begun = Instant::now();
    let table = states.table(topic).await.unwrap();
    let reached = tokio::time::timeout(Duration::from_secs(1800), table.reach(&ends)).await;
    reached.unwrap().unwrap();
    let rate = rate("applied", count as f64, begun);
    assert_eq!(table.status().records as i64, count);
    drop(table);
    let begun = Instant::now();
    let bytes = states.disk_bytes().await.unwrap();
    states.close().await.unwrap();
    println!(
        "  closed in {:.2} s, {} MB on disk",
        begun.elapsed().as_secs_f64(),
        bytes >> 20
    );
    rate
}

async fn read(dir: &str, stream: &StreamConfig, topic: &str, keys: i64, registry: &RegistryClient) {
    let begun = Instant::now();
    let states = States::open(StatesConfig::new(dir, stream.clone()))
        .await
        .unwrap();
    let table = states.table(topic).await.unwrap();
    reach(&table, &ends(stream, topic).await).await;
    println!("  opened in {:.3} s", begun.elapsed().as_secs_f64());
    let mut decoder = decoder(registry);
    let mut chunk = Chunk::new();
    for pass in ["first", "second"] {
        let snapshot = table.snapshot().unwrap();
        let begun = Instant::now();
        let mut rows = 0;
        for partition in 0..PARTITIONS {
            let mut scan = snapshot.rows(partition);
            while scan.fill(8192, 2 << 20, &mut chunk).unwrap() {
                rows += black_box(chunk.messages()).len();
            }
        }
        let raw = rate(&format!("scanned, {pass} pass"), rows as f64, begun);
        let begun = Instant::now();
        let mut decoding = Duration::ZERO;
        for partition in 0..PARTITIONS {
            let mut scan = snapshot.rows(partition);
            while scan.fill(8192, 2 << 20, &mut chunk).unwrap() {
                let messages = chunk.messages();
                let begun = Instant::now();
                black_box(decoder.decode(&messages).await.unwrap());
                decoding += begun.elapsed();
            }
        }
        let whole = rate(
            &format!("scanned and decoded, {pass} pass"),
            rows as f64,
            begun,
        );
        let alone = rows as f64 / decoding.as_secs_f64();
        println!(
            "  decoding alone {:.2}M/s; with the scan / alone {:.3}; scan / decoding alone {:.2}",
            alone / 1e6,
            whole / alone,
            raw / alone
        );
        assert_eq!(rows as i64, keys);
    }
    let mut random = StdRng::seed_from_u64(2);
    let snapshot = table.snapshot().unwrap();
    for (what, from) in [("present", 0), ("absent", keys)] {
        let mut times = Vec::new();
        for _ in 0..50_000 {
            let id = from + random.random_range(0..keys);
            // As the encoder frames it: the schema's id is taken from a row that is there.
            let key = key_like(&snapshot, id);
            let begun = Instant::now();
            let found = black_box(snapshot.get(&key).unwrap());
            times.push(begun.elapsed());
            assert_eq!(found.is_some(), from == 0);
        }
        times.sort_unstable();
        let at = |part: f64| times[(times.len() as f64 * part) as usize].as_secs_f64() * 1e6;
        println!(
            "  get of a key that is {what}: p50 {:.1} us, p99 {:.1} us, p99.9 {:.1} us",
            at(0.5),
            at(0.99),
            at(0.999)
        );
    }
    let begun = Instant::now();
    for _ in 0..10_000 {
        black_box(table.snapshot().unwrap());
    }
    println!(
        "  a snapshot: {:.1} us",
        begun.elapsed().as_secs_f64() * 1e6 / 1e4
    );
    drop((snapshot, table));
    states.close().await.unwrap();
}

/// The framed key of account `id`.
fn key_like(snapshot: &mesh_states::Snapshot, id: i64) -> Vec<u8> {
    thread_local! {
        static FRAME: std::cell::OnceCell<Vec<u8>> = const { std::cell::OnceCell::new() };
    }
    FRAME.with(|frame| {
        let mut key = frame
            .get_or_init(|| {
                let row = snapshot.rows(0).next().unwrap().unwrap();
                row.key()[..5].to_vec()
            })
            .clone();
        // Avro's long: zigzag, seven bits a byte.
        let mut rest = ((id << 1) ^ (id >> 63)) as u64;
        while rest >= 0x80 {
            key.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        key.push(rest as u8);
        debug_assert!(partition_for(&key, PARTITIONS) < PARTITIONS);
        key
    })
}

async fn ends(stream: &StreamConfig, topic: &str) -> Vec<(i32, i64)> {
    let admin = Admin::new(stream).unwrap();
    let mut ends = Vec::new();
    for partition in 0..PARTITIONS {
        ends.push((
            partition,
            admin.watermarks(topic, partition).await.unwrap().1,
        ));
    }
    ends
}

fn rate(what: &str, count: f64, begun: Instant) -> f64 {
    let rate = count / begun.elapsed().as_secs_f64();
    println!("  {what}: {:.3}M/s", rate / 1e6);
    rate
}

/// The most memory that this process has had.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
