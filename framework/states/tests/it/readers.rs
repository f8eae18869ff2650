//! Those who read while the table moves on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mesh_core::ErrorKind;
use mesh_states::{Phase, States};

use crate::harness::{Platform, Rows, check, reach, row, rows, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_stays_while_the_table_moves_on() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let writer = platform.writer();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let mut kept = Vec::new();
    let mut expected = Rows::new();
    for round in 0..10 {
        for n in 0..200 {
            let (key, value) = row(format!("k{n}"), format!("{round}"));
            match (n + round) % 7 {
                0 => {
                    writer.delete(&topic, &key);
                    expected.remove(&key);
                }
                _ => {
                    writer.put(&topic, &key, &value);
                    expected.insert(key, value);
                }
            }
        }
        writer.flush();
        kept.push((platform.caught_up(&table).await, expected.clone()));
    }
    for (snapshot, expected) in &kept {
        check(snapshot, expected);
    }
    // Also when the topic is another, and the table with it.
    platform.delete_topic(&topic).await;
    platform.make_topic(&topic, 2).await;
    until("it is built anew", || table.status().rebuilt == 1).await;
    assert!(rows(&platform.caught_up(&table).await).is_empty());
    for (snapshot, expected) in &kept {
        check(snapshot, expected);
    }
    states.close().await.unwrap();
}

/// Every record raises the values of two keys that no batch may part: of one partition, and
/// in one transaction of the store if of one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_readers_see_one_moment() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = Arc::new(platform.writer());
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    platform.caught_up(&table).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (table, done) = (table.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                let (mut looks, mut last) = (0, 0);
                while !done.load(Ordering::Relaxed) {
                    let snapshot = table.snapshot().unwrap();
                    let end = snapshot.ends()[0].1;
                    assert!(end >= last, "a table went back");
                    last = end;
                    // Record n puts key n % 10: what a prefix of the topic leaves is known.
                    let expected: Rows = (0..10.min(end))
                        .map(|key| {
                            let latest = (end - 1) - (end - 1 - key).rem_euclid(10);
                            row(format!("k{key}"), format!("{latest}"))
                        })
                        .collect();
                    check(&snapshot, &expected);
                    looks += 1;
                }
                looks
            })
        })
        .collect();
    let feeder = {
        let (writer, topic) = (Arc::clone(&writer), topic.clone());
        std::thread::spawn(move || {
            for n in 0..20_000 {
                writer.put(&topic, format!("k{}", n % 10), format!("{n}"));
                if n % 500 == 0 {
                    writer.flush();
                }
            }
            writer.flush();
        })
    };
    tokio::task::spawn_blocking(move || feeder.join().unwrap())
        .await
        .unwrap();
    platform.caught_up(&table).await;
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reach_waits_for_what_was_written_and_no_longer() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let writer = platform.writer();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    reach(&table, &[]).await;
    for n in 0..200 {
        writer.put(&topic, "k", format!("{n}"));
        writer.flush();
        let snapshot = platform.caught_up(&table).await;
        assert_eq!(
            snapshot.get(b"k").unwrap().unwrap().value(),
            n.to_string().as_bytes()
        );
    }
    // What is not there yet is waited for, by as many as like.
    let end = platform.ends(&topic).await;
    let (partition, next) = end.iter().copied().max_by_key(|end| end.1).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let table = table.clone();
        waiting.push(tokio::spawn(async move {
            table.reach(&[(partition, next + 1)]).await
        }));
    }
    let further = [(partition, next + 1)];
    let early = tokio::time::timeout(Duration::from_millis(300), table.reach(&further));
    assert!(early.await.is_err());
    assert!(waiting.iter().all(|task| !task.is_finished()));
    writer.put(&topic, "k", "last");
    writer.flush();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_nobody_asks_for_is_left_alone_and_taken_up_again() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    writer.put(&topic, "a", "1");
    writer.flush();
    let mut config = platform.config();
    config.idle = Duration::from_millis(300);
    let states = States::open(config).await.unwrap();
    let table = states.table(&topic).await.unwrap();
    platform.caught_up(&table).await;
    for round in 0..3 {
        until("nobody follows", || states.status()[0].phase == Phase::Idle).await;
        writer.put(&topic, "b", format!("{round}"));
        writer.flush();
        // Without an owner it does not move.
        assert_eq!(states.status()[0].partitions[0].applied, round + 1);
        let error = table.snapshot().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let expected = Rows::from([row("a", "1"), row("b", round.to_string())]);
        check(&platform.caught_up(&table).await, &expected);
    }
    assert_eq!(table.status().records, 4);
    assert_eq!(table.status().rebuilt, 0);
    // Who waits is not left alone.
    let waiting = {
        let table = table.clone();
        tokio::spawn(async move { table.reach(&[(0, 5)]).await })
    };
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(table.status().phase, Phase::Following);
    writer.put(&topic, "c", "1");
    writer.flush();
    waiting.await.unwrap().unwrap();
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_room_says_so() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    for n in 0..20_000 {
        writer.put(&topic, format!("k{n}"), vec![7; 200]);
    }
    writer.flush();
    let mut config = platform.config();
    config.max_disk_bytes = Some(1 << 20);
    let states = States::open(config).await.unwrap();
    let table = states.table(&topic).await.unwrap();
    let ends = platform.ends(&topic).await;
    let begun = std::time::Instant::now();
    // Whether the first look comes before the end or after it is open.
    let error = loop {
        match table.reach(&ends).await {
            Ok(()) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => break error,
        }
        assert!(begun.elapsed() < crate::harness::PATIENCE);
    };
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error:?}");
    states.close().await.unwrap();
}

/// A broker that is away is waited for, and what was applied is read meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away() {
    let mut platform = Platform::start().await;
    let Some(broker) = platform.broker.take() else {
        return;
    };
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    writer.put(&topic, "a", "1");
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    platform.caught_up(&table).await;
    let address = broker.local_addr();
    broker.abandon().await;
    let waiting = {
        let table = table.clone();
        tokio::spawn(async move { table.reach(&[(0, 2)]).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    check(&table.snapshot().unwrap(), &Rows::from([row("a", "1")]));
    let config = mesh_broker::BrokerConfig::new(platform.dir.path().join("broker"), address);
    platform.broker = Some(mesh_broker::Broker::start(config).await.unwrap());
    writer.put(&topic, "b", "2");
    writer.flush();
    waiting.await.unwrap().unwrap();
    let expected = Rows::from([row("a", "1"), row("b", "2")]);
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().rebuilt, 0);
    states.close().await.unwrap();
}
