//! Snapshots, early ends, and bounds on memory, time and number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mesh_core::ErrorKind;
use mesh_query::{Engine, QueryOptions};

use crate::harness::{Platform, Sale, access, ask, check, fails, sale, send};

/// A sale of about half a kilobyte.
fn wide(id: i64) -> Sale {
    Sale {
        note: Some(format!("{id:-^500}")),
        ..sale(id, "north", id % 1000)
    }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_a_topic_as_it_was_while_a_producer_writes() {
    let platform = Platform::start().await;
    let sales = Arc::new(platform.publish::<Sale>().await);
    send(&sales, (0..5_000).map(|id| sale(id, "north", 1))).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (sales, stop) = (Arc::clone(&sales), Arc::clone(&stop));
        async move {
            let mut id = 5_000;
            while !stop.load(Ordering::Relaxed) {
                send(&sales, (id..id + 50).map(|id| sale(id, "north", 1))).await;
                id += 50;
            }
            id
        }
    });
    let session = platform.session().await;
    let mut last = 0;
    for _ in 0..20 {
        // Each product of a query is read three times and is the same each time.
        let answer = ask(
            &session,
            "SELECT (SELECT count(*) FROM shop.sales) a, \
            (SELECT count(DISTINCT sale_id) FROM shop.sales) b, \
            (SELECT count(*) FROM shop.sales a JOIN shop.sales b USING (sale_id)) c",
        )
        .await
        .unwrap();
        let counts: Vec<i64> = answer
            .split(',')
            .map(|count| count.parse().unwrap())
            .collect();
        assert!(
            counts[0] >= last && counts.iter().all(|count| *count == counts[0]),
            "{answer}"
        );
        last = counts[0];
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    assert!(
        written > 5_000 && last > 5_000,
        "the producer wrote meanwhile"
    );
    check(
        &session,
        "SELECT count(*) FROM shop.sales",
        &written.to_string(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_and_a_dropped_query_stop_the_reading() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..200_000).map(wide)).await;
    let mut config = platform.config();
    config.prefetch_bytes = 1 << 20;
    let engine = Engine::new(config).unwrap();
    let session = engine.session(access()).await.unwrap();
    // The engine's own connection is there from now on.
    check(
        &session,
        "SELECT count(*) FROM shop.sales WHERE _offset < 0",
        "0",
    )
    .await;
    let idle = Duration::from_millis(300);
    tokio::time::sleep(idle).await;
    let connections = || platform.broker.metrics().connections;
    let (before, resting) = (platform.broker.metrics().fetched_bytes, connections());
    let size = platform.broker.metrics().produced_bytes;

    let mut answer = session
        .query("SELECT * FROM shop.sales LIMIT 10")
        .await
        .unwrap();
    assert_eq!(
        answer
            .collect()
            .await
            .unwrap()
            .iter()
            .map(|b| b.num_rows())
            .sum::<usize>(),
        10
    );
    assert!(answer.stats().records_read <= 200, "{:?}", answer.stats());
    let mut limited = session
        .query_with(
            "SELECT note FROM shop.sales WHERE sale_id >= 0",
            QueryOptions::limited(Some(5)),
        )
        .await
        .unwrap();
    assert_eq!(limited.collect().await.unwrap()[0].num_rows(), 5);
    assert!(
        limited.stats().records_read < 100_000,
        "{:?}",
        limited.stats()
    );
    drop((answer, limited));

    let mut dropped = session.query("SELECT * FROM shop.sales").await.unwrap();
    dropped.next_batch().await.unwrap().unwrap();
    assert!(connections() > resting);
    drop(dropped);
    until("the consumers are gone", || connections() <= resting).await;
    let fetched = platform.broker.metrics().fetched_bytes - before;
    tokio::time::sleep(idle).await;
    assert_eq!(
        platform.broker.metrics().fetched_bytes - before,
        fetched,
        "nothing fetches on"
    );
    println!("fetched {fetched} of {size} bytes");

    let slow = QueryOptions::limited(None);
    let slow = {
        let mut slow = slow;
        slow.timeout = Some(Duration::from_millis(400));
        slow
    };
    let begun = Instant::now();
    let mut endless = session
        .query_with(
            "SELECT count(*) FROM shop.sales a CROSS JOIN shop.sales b WHERE a.note < b.note",
            slow,
        )
        .await
        .unwrap();
    assert_eq!(
        endless.collect().await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    drop(endless);
    until("the consumers are gone", || connections() <= resting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_over_the_number_are_refused_and_places_come_back() {
    let platform = Platform::start().await;
    platform.publish::<Sale>().await;
    let mut config = platform.config();
    config.max_queries = 1;
    let session = Engine::new(config)
        .unwrap()
        .session(access())
        .await
        .unwrap();
    let running = session.query("SELECT 1").await.unwrap();
    assert_eq!(
        fails(&session, "SELECT 1").await.kind(),
        ErrorKind::ResourceExhausted
    );
    drop(running);
    check(&session, "SELECT 1", "1").await;
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// In a process of its own: of one that has run other tests too the resident memory would
/// tell about them.
#[test]
fn memory_is_bounded_and_aggregates_spill() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "limits::memory_in_a_process_of_its_own"])
        .args(["--ignored", "--nocapture"])
        // What glibc keeps for each thread would hide the rest.
        .env("MALLOC_ARENA_MAX", "2")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by memory_is_bounded_and_aggregates_spill"]
async fn memory_in_a_process_of_its_own() {
    const ROWS: i64 = 400_000;
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..ROWS).map(wide)).await;
    drop(sales);
    let mut config = platform.config();
    config.memory_bytes = 64 << 20;
    config.prefetch_bytes = 2 << 20;
    let dir = tempfile::tempdir().unwrap();
    config.spill_dir = Some(dir.path().to_owned());
    let session = Engine::new(config.clone())
        .unwrap()
        .session(access())
        .await
        .unwrap();
    check(
        &session,
        "SELECT count(*) FROM shop.sales",
        &ROWS.to_string(),
    )
    .await;

    let before = resident();
    let peak = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let watch = tokio::spawn({
        let peak = Arc::clone(&peak);
        async move {
            loop {
                peak.fetch_max(resident(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    // 200 MB of notes, each a group of its own, and the same sorted.
    check(
        &session,
        "SELECT count(*), sum(n) FROM (SELECT note, count(*) n FROM shop.sales GROUP BY note)",
        &format!("{ROWS},{ROWS}"),
    )
    .await;
    check(
        &session,
        "SELECT sale_id FROM (SELECT sale_id, note, row_number() OVER (ORDER BY note DESC) n \
        FROM shop.sales) WHERE n = 1",
        "99999",
    )
    .await;
    watch.abort();
    let grown = peak.load(Ordering::Relaxed).saturating_sub(before);
    println!(
        "resident memory grew by {} MB over a topic of 200 MB",
        grown >> 20
    );
    assert!(grown < 180 << 20, "grew by {} MB", grown >> 20);

    config.spill_bytes = 1 << 20;
    let session = Engine::new(config)
        .unwrap()
        .session(access())
        .await
        .unwrap();
    let error = fails(
        &session,
        "SELECT count(*) FROM (SELECT note FROM shop.sales GROUP BY note)",
    )
    .await;
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error:?}");
    assert!(error.to_string().contains("disk"), "{error:?}");
}
