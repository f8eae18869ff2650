//! Every record once.

use std::sync::Arc;

use mesh_core::ErrorKind;
use mesh_history::{At, HistoryWriter};
use mesh_stream::{TopicSpec, TransactionalProducer};

use crate::harness::{Platform, SALES, check_sales, sale, sales};

#[tokio::test(flavor = "multi_thread")]
async fn many_commits_hold_the_topic_s_rows_exactly() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    let reference = product.source().product_ref();
    assert!(
        history
            .snapshot(&reference, At::Latest)
            .await
            .unwrap()
            .is_none()
    );
    let mut next = 0;
    for step in 0..25 {
        let until = next + step * 40;
        platform.send(&product, sales(next..until)).await;
        next = until;
        let passed = writer.pass(&product.source()).await.unwrap();
        assert_eq!(passed.rows, step as u64 * 40);
        // Nothing new is nothing to commit.
        let again = writer.pass(&product.source()).await.unwrap();
        assert_eq!((again.rows, again.commits), (0, 0));
    }
    let snapshot = product.snapshot(&history, At::Latest).await;
    check_sales(&snapshot, 0..next).await;
    assert!(snapshot.unreadable.is_empty() && snapshot.missing.is_empty());
    // Another process finds the same, from a checkpoint and the commits after it.
    assert!(snapshot.version > 20);
    let log = platform
        .root()
        .join(format!("{}/sales_v1/_delta_log", platform.domain));
    assert!(log.join("_last_checkpoint").exists());
    let (other, _) = platform.writer(platform.config());
    let found = product.snapshot(&other, At::Latest).await;
    assert_eq!(
        (found.version, &found.ends),
        (snapshot.version, &snapshot.ends)
    );
    assert_eq!(found.files, snapshot.files);
    assert_eq!(found.schema, snapshot.schema);
    check_sales(&found, 0..next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_of_little_memory_commits_as_it_goes() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    platform.send(&product, sales(0..20_000)).await;
    let (history, writer) = platform.writer(platform.config());
    let passed = writer.pass(&product.source()).await.unwrap();
    assert_eq!(passed.rows, 20_000);
    assert!(passed.commits > 2, "{passed:?}");
    check_sales(&product.snapshot(&history, At::Latest).await, 0..20_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_at_once_write_each_row_once() {
    let platform = Platform::start().await;
    let product = Arc::new(platform.product(SALES).await);
    let mut config = platform.config();
    config.file_bytes = 16 * 1024;
    config.buffer_bytes = 16 * 1024;
    let writers: Vec<Arc<HistoryWriter>> = (0..2)
        .map(|_| Arc::new(platform.writer(config.clone()).1))
        .collect();
    let mut lost = 0;
    for round in 0..8 {
        platform
            .send(&product, sales(round * 3000..(round + 1) * 3000))
            .await;
        let passes = writers.iter().map(|writer| {
            let (writer, product) = (Arc::clone(writer), Arc::clone(&product));
            tokio::spawn(async move { writer.pass(&product.source()).await })
        });
        for pass in futures::future::join_all(passes).await {
            if let Err(error) = pass.unwrap() {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                assert!(error.is_retryable());
                lost += 1;
            }
        }
    }
    for writer in &writers {
        writer.pass(&product.source()).await.unwrap();
    }
    assert!(lost > 0, "the writers never met");
    let (history, _) = platform.writer(config);
    let snapshot = product.snapshot(&history, At::Latest).await;
    check_sales(&snapshot, 0..24_000).await;
    // Who lost took its files away.
    let folder = platform
        .root()
        .join(format!("{}/sales_v1", platform.domain));
    let files = folder.read_dir().unwrap().flatten().filter(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "parquet")
    });
    assert_eq!(files.count(), snapshot.files.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_aborted_or_is_open_is_not_in_it() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let (history, writer) = platform.writer(platform.config());
    let id = format!("history-{}", platform.domain);
    let producer = TransactionalProducer::init(&platform.stream, &id)
        .await
        .unwrap();
    let mut expected = 0;
    for round in 0..6_i64 {
        producer.begin().unwrap();
        let ids = expected..expected + 50;
        for row in ids.clone().map(|id| match round % 2 {
            0 => sale(id, id * 7 + 1),
            _ => sale(id, 5),
        }) {
            drop(producer.send(product.record(&row)).await.unwrap());
        }
        producer.flush().await.unwrap();
        // Open: nothing of it is seen.
        writer.pass(&product.source()).await.unwrap();
        match round % 2 {
            0 => {
                producer.commit().await.unwrap();
                expected = ids.end;
            }
            _ => producer.abort().await.unwrap(),
        }
        writer.pass(&product.source()).await.unwrap();
    }
    let snapshot = product.snapshot(&history, At::Latest).await;
    let mut found: Vec<_> = crate::harness::rows(&snapshot)
        .await
        .into_values()
        .collect();
    found.sort_unstable();
    let sold: Vec<_> = (0..expected)
        .map(|id| (id, i128::from(id * 7 + 1)))
        .collect();
    assert_eq!(found, sold);
    // The marks of transactions are passed too.
    let topic = product.descriptor.topic.as_str();
    for (partition, end) in &snapshot.ends {
        let (_, high) = platform.admin.watermarks(topic, *partition).await.unwrap();
        assert_eq!(*end, high);
    }
    assert!(snapshot.unreadable.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_not_mixed_with_the_old() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    platform.send(&product, sales(0..100)).await;
    let (history, writer) = platform.writer(platform.config());
    writer.pass(&product.source()).await.unwrap();
    let topic = product.descriptor.topic.as_str();
    platform.admin.delete_topic(topic).await.unwrap();
    let spec = TopicSpec::from(product.descriptor);
    platform.admin.ensure_topic(&spec).await.unwrap();
    // Longer than the old one was, so that its offsets alone say nothing.
    platform.send(&product, sales(1000..2000)).await;
    let error = writer.pass(&product.source()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:?}");
    assert!(error.mend_text().unwrap().contains("move the table away"));
    check_sales(&product.snapshot(&history, At::Latest).await, 0..100).await;
    // The mend. Who has read the old table, and looks only when the new one is as long, is not
    // deceived by it.
    let (other, _) = platform.writer(platform.config());
    let old = product.snapshot(&other, At::Latest).await;
    let folder = platform
        .root()
        .join(format!("{}/sales_v1", platform.domain));
    std::fs::rename(&folder, platform.root().join("old")).unwrap();
    writer.pass(&product.source()).await.unwrap();
    check_sales(&product.snapshot(&history, At::Latest).await, 1000..2000).await;
    for id in 2000.. {
        platform.send(&product, sales(id..id + 1)).await;
        writer.pass(&product.source()).await.unwrap();
        let now = product.snapshot(&history, At::Latest).await;
        if now.version > old.version {
            let found = product.snapshot(&other, At::Latest).await;
            check_sales(&found, 1000..id + 1).await;
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_follows_until_it_is_stopped() {
    let platform = Platform::start().await;
    let product = platform.product(SALES).await;
    let mut config = platform.config();
    config.poll = std::time::Duration::from_millis(50);
    config.commit_age = std::time::Duration::from_millis(200);
    config.maintain_every = std::time::Duration::from_millis(300);
    let (history, writer) = platform.writer(config);
    let writer = Arc::new(writer);
    writer.follow([product.source()]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move {
            writer.run(async move { drop(stopped.await) }).await;
        }
    });
    for part in 0..20 {
        platform
            .send(&product, sales(part * 100..(part + 1) * 100))
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    let reference = product.source().product_ref();
    loop {
        let found = history.snapshot(&reference, At::Latest).await.unwrap();
        if found.is_some_and(|found| found.rows() == 2000) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    drop(stop);
    running.await.unwrap();
    let progress = writer.progress();
    assert!(progress[&reference].rows <= 2000 && progress[&reference].error.is_none());
    check_sales(&product.snapshot(&history, At::Latest).await, 0..2000).await;
}
