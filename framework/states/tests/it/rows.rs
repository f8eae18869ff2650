//! Which rows a table has.

use rdkafka::producer::Producer;

use crate::harness::{PATIENCE, Platform, Rows, Writer, check, row, rows};

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_row_of_each_key_without_the_deleted() {
    let platform = Platform::start().await;
    let topic = platform.topic(3).await;
    let writer = platform.writer();
    for round in 0..4 {
        for n in 0..300 {
            writer.put(&topic, format!("k{n}"), format!("{round}"));
        }
    }
    for n in 0..50 {
        writer.delete(&topic, format!("k{n}"));
        writer.delete(&topic, format!("never there {n}"));
    }
    for n in 0..10 {
        writer.put(&topic, format!("k{n}"), "back");
    }
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let snapshot = platform.caught_up(&table).await;
    let mut expected: Rows = (50..300).map(|n| row(format!("k{n}"), "3")).collect();
    expected.extend((0..10).map(|n| row(format!("k{n}"), "back")));
    check(&snapshot, &expected);
    assert_eq!(snapshot.len(), 260);
    assert!(snapshot.get(b"k20").unwrap().is_none());
    assert!(snapshot.get(b"never there 1").unwrap().is_none());

    // The same while it is followed: a key twice in one batch, deleted and put again.
    for _ in 0..3 {
        writer.delete(&topic, "k100");
        writer.put(&topic, "k100", "last");
        writer.put(&topic, "k101", "gone");
        writer.delete(&topic, "k101");
    }
    writer.flush();
    expected.insert(b"k100".to_vec(), b"last".to_vec());
    expected.remove(b"k101".as_slice());
    let snapshot = platform.caught_up(&table).await;
    check(&snapshot, &expected);
    let place = snapshot.get(b"k100").unwrap().unwrap();
    assert!(place.timestamp > 1_600_000_000_000);
    assert_eq!(place.key(), b"k100");
    assert_eq!(place.partition, mesh_stream::partition_for(b"k100", 3));
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_partitions_that_are_not_theirs_are_found() {
    let platform = Platform::start().await;
    let topic = platform.topic(4).await;
    let writer = platform.writer();
    let home = mesh_stream::partition_for(b"a", 4);
    let other = (home + 1) % 4;
    writer.send(&topic, Some(other), Some(b"a"), Some(b"elsewhere"));
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let snapshot = platform.caught_up(&table).await;
    let found = snapshot.get(b"a").unwrap().unwrap();
    assert_eq!(
        (found.partition, found.value()),
        (other, b"elsewhere".as_slice())
    );

    writer.send(&topic, Some(home), Some(b"a"), Some(b"at home"));
    writer.flush();
    let snapshot = platform.caught_up(&table).await;
    assert_eq!(snapshot.get(b"a").unwrap().unwrap().value(), b"at home");
    let all: Vec<_> = snapshot.all_of(b"a").unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(snapshot.len(), 2);
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_key_are_counted_and_passed_over() {
    let platform = Platform::start().await;
    // A compacted topic refuses them.
    let topic = platform.topic_of(2, "delete").await;
    let writer = platform.writer();
    writer.send(&topic, Some(1), Some(b"a"), Some(b"1"));
    writer.flush();
    writer.send(&topic, Some(1), None, Some(b"nobody"));
    writer.send(&topic, Some(1), None, None);
    writer.flush();
    writer.send(&topic, Some(1), Some(b"b"), Some(b"2"));
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let snapshot = platform.caught_up(&table).await;
    check(&snapshot, &Rows::from([row("a", "1"), row("b", "2")]));
    let status = table.status();
    assert_eq!(status.partitions[1].keyless, 2);
    assert_eq!(status.partitions[1].last_keyless, Some(2));
    assert_eq!(status.partitions[0].last_keyless, None);
    assert_eq!((status.rows(), status.records), (2, 4));
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_keys_and_values_and_large_ones() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    let large = vec![7; 900_000];
    writer.put(&topic, "", "empty key");
    writer.put(&topic, "empty value", "");
    writer.put(&topic, "large", &large);
    writer.put(&topic, vec![0xff; 3000], "long key");
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let snapshot = platform.caught_up(&table).await;
    let expected = Rows::from([
        row("", "empty key"),
        row("empty value", ""),
        row("large", large),
        row(vec![0xff; 3000], "long key"),
    ]);
    check(&snapshot, &expected);
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_committed_is_not_seen() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &Rows::new());
    let id = format!("t{}", uuid::Uuid::new_v4());
    let writer = Writer::new(&platform.stream.bootstrap, Some(&id));
    writer.producer.init_transactions(PATIENCE).unwrap();
    let mut expected = Rows::new();
    for round in 0..6 {
        writer.producer.begin_transaction().unwrap();
        for n in 0..20 {
            writer.put(&topic, format!("k{n}"), format!("{round}"));
        }
        writer.delete(&topic, "k0");
        writer.flush();
        if round % 2 == 0 {
            writer.producer.commit_transaction(PATIENCE).unwrap();
            expected = (1..20)
                .map(|n| row(format!("k{n}"), round.to_string()))
                .collect();
        } else {
            // Open: the end that readers are told is before it.
            check(&platform.caught_up(&table).await, &expected);
            writer.producer.abort_transaction(PATIENCE).unwrap();
        }
        let snapshot = platform.caught_up(&table).await;
        check(&snapshot, &expected);
        assert_eq!(rows(&snapshot).len(), 19);
    }
    states.close().await.unwrap();
}
