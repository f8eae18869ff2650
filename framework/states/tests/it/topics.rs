//! Topics that become others.

use mesh_core::ErrorKind;
use mesh_states::Phase;
use rdkafka::Offset;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::harness::{Platform, Rows, check, reach, row, rows, until};

/// Waits until the table is of the topic as it is now.
async fn of_now(platform: &Platform, table: &mesh_states::StateTable, expected: &Rows) {
    let begun = std::time::Instant::now();
    loop {
        let snapshot = platform.caught_up(table).await;
        if rows(&snapshot) == *expected {
            return;
        }
        assert!(begun.elapsed() < crate::harness::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_another() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    // Shorter, as long, and longer than the one before.
    for (round, count) in [30, 10, 10, 40].into_iter().enumerate() {
        if round > 0 {
            platform.delete_topic(&topic).await;
            platform.make_topic(&topic, 2).await;
        }
        let writer = platform.writer();
        let mut expected = Rows::new();
        for n in 0..count {
            let (key, value) = row(format!("{round} {n}"), format!("{n}"));
            writer.put(&topic, &key, &value);
            expected.insert(key, value);
        }
        writer.flush();
        of_now(&platform, &table, &expected).await;
        check(&platform.caught_up(&table).await, &expected);
        assert_eq!(table.status().rebuilt, round as u64);
    }
    states.close().await.unwrap();

    // The same while nobody looks, with as many records.
    platform.delete_topic(&topic).await;
    platform.make_topic(&topic, 2).await;
    let writer = platform.writer();
    let expected: Rows = (0..60).map(|n| row(format!("new {n}"), "1")).collect();
    for (key, value) in &expected {
        writer.put(&topic, key, value);
    }
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().rebuilt, 4);
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_gone_and_comes_back() {
    let platform = Platform::start().await;
    let states = platform.states().await;
    let error = states.table("lab.never.v1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let topic = platform.topic(1).await;
    let writer = platform.writer();
    writer.put(&topic, "a", "1");
    writer.flush();
    let table = states.table(&topic).await.unwrap();
    platform.caught_up(&table).await;
    platform.delete_topic(&topic).await;
    until("it fails", || table.status().phase == Phase::Failing).await;
    let error = table.snapshot().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert_eq!(
        table.reach(&[]).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );

    platform.make_topic(&topic, 1).await;
    let writer = platform.writer();
    writer.put(&topic, "b", "2");
    writer.flush();
    until("it is followed again", || table.snapshot().is_ok()).await;
    check(
        &platform.caught_up(&table).await,
        &Rows::from([row("b", "2")]),
    );
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_come_later_are_read() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    writer.send(&topic, Some(0), Some(b"a"), Some(b"1"));
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let old = platform.caught_up(&table).await;
    platform.admin.add_partitions(&topic, 3).await.unwrap();
    let writer = platform.writer();
    writer.send(&topic, Some(2), Some(b"b"), Some(b"2"));
    writer.flush();
    // Asked for before the table knows of it.
    reach(&table, &[(2, 1)]).await;
    let mut expected = Rows::from([row("a", "1"), row("b", "2")]);
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(old.ends(), [(0, 1)]);
    check(&old, &Rows::from([row("a", "1")]));
    states.close().await.unwrap();
    drop((old, table));

    // The same while nobody looks.
    platform.admin.add_partitions(&topic, 5).await.unwrap();
    let writer = platform.writer();
    writer.send(&topic, Some(4), Some(b"c"), Some(b"3"));
    writer.flush();
    expected.extend([row("c", "3")]);
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    let status = table.status();
    assert_eq!(
        (status.records, status.rebuilt, status.partitions.len()),
        (1, 0, 5)
    );
    states.close().await.unwrap();
}

async fn delete_records(platform: &Platform, topic: &str, partition: i32, before: i64) {
    let (admin, options) = platform.rd_admin();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(before))
        .unwrap();
    admin.delete_records(&list, &options).await.unwrap();
    let (low, _) = platform.admin.watermarks(topic, partition).await.unwrap();
    assert_eq!(low, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_trimmed_from_the_topic_leaves_the_table() {
    let platform = Platform::start().await;
    let topic = platform.topic_of(2, "delete").await;
    let writer = platform.writer();
    for n in 0..100 {
        writer.send(
            &topic,
            Some(0),
            Some(format!("k{n}").as_bytes()),
            Some(b"1"),
        );
    }
    writer.send(&topic, Some(1), Some(b"other"), Some(b"1"));
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    assert_eq!(platform.caught_up(&table).await.len(), 101);
    delete_records(&platform, &topic, 0, 40).await;
    until("rows leave", || table.status().rows() == 61).await;
    let mut expected: Rows = (40..100).map(|n| row(format!("k{n}"), "1")).collect();
    expected.extend([row("other", "1")]);
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().rebuilt, 0);
    states.close().await.unwrap();
    drop(table);

    // What was not read is gone: what it replaced, or deleted, nobody can tell.
    for n in 40..60 {
        writer.send(&topic, Some(0), Some(format!("k{n}").as_bytes()), None);
    }
    for n in 60..70 {
        writer.send(
            &topic,
            Some(0),
            Some(format!("k{n}").as_bytes()),
            Some(b"2"),
        );
    }
    writer.flush();
    delete_records(&platform, &topic, 0, 125).await;
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let mut expected: Rows = (65..70).map(|n| row(format!("k{n}"), "2")).collect();
    expected.extend([row("other", "1")]);
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().rebuilt, 1);
    states.close().await.unwrap();
}

/// A tombstone may be compacted away `delete.retention.ms` after it was written: who did not
/// read for so long must not go on as if it had seen all.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_may_have_missed_tombstones_is_built_anew() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    writer.put(&topic, "a", "1");
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    platform.caught_up(&table).await;
    states.close().await.unwrap();
    let changes = [("delete.retention.ms".to_owned(), Some("1".to_owned()))].into();
    platform
        .admin
        .alter_settings(&topic, &changes)
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(
        &platform.caught_up(&table).await,
        &Rows::from([row("a", "1")]),
    );
    // Once, and not for as long as it is followed.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    check(
        &platform.caught_up(&table).await,
        &Rows::from([row("a", "1")]),
    );
    let status = table.status();
    assert_eq!((status.rebuilt, status.records), (1, 1));
    states.close().await.unwrap();
}

/// A hole is no end: what compaction left is applied, and what it took is not missed.
#[tokio::test(flavor = "multi_thread")]
async fn ends_of_holes_are_reached() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let id = format!("t{}", uuid::Uuid::new_v4());
    let writer = crate::harness::Writer::new(&platform.stream.bootstrap, Some(&id));
    use rdkafka::producer::Producer;
    let patience = crate::harness::PATIENCE;
    writer.producer.init_transactions(patience).unwrap();
    for _ in 0..3 {
        // Nothing but marks and what nobody may see.
        writer.producer.begin_transaction().unwrap();
        writer.put(&topic, "a", "1");
        writer.flush();
        writer.producer.abort_transaction(patience).unwrap();
    }
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let snapshot = platform.caught_up(&table).await;
    assert_eq!(snapshot.ends(), [(0, 6)]);
    assert!(snapshot.is_empty());
    states.close().await.unwrap();
}
