//! Tables over topics with transactions: what is open or aborted is never a row, and the
//! offsets that marks of transactions take are no obstacle, wherever they stand.

use std::time::{Duration, Instant};

use mesh_broker::FlushPolicy;
use mesh_core::{Record, TraceContext};
use mesh_stream::{Encoder, Headers, Outgoing, TransactionalProducer, TypedProducer};

use crate::harness::{Platform, Sale, StoreProfile, ask, check, sale, store};

/// A transactional writer of one product.
struct Writer<R> {
    producer: TransactionalProducer,
    encoder: Encoder<R>,
}

impl<R: Record> Writer<R> {
    async fn new(platform: &Platform, product: &TypedProducer<R>, id: &str) -> Self {
        Self {
            producer: TransactionalProducer::init(&platform.stream, id)
                .await
                .unwrap(),
            encoder: Encoder::new(product.encoder().registered()),
        }
    }

    fn begin(&self) -> &Self {
        self.producer.begin().unwrap();
        self
    }

    /// Writes into the open transaction, and waits until it stands in the log.
    async fn put(&self, partition: Option<i32>, records: impl IntoIterator<Item = R>) -> &Self {
        for record in records {
            let value = self.encoder.value(&record).unwrap();
            self.put_raw(partition, self.encoder.key(&record.key()), Some(value))
                .await;
        }
        self.producer.flush().await.unwrap();
        self
    }

    async fn put_raw(
        &self,
        partition: Option<i32>,
        key: bytes::Bytes,
        value: Option<bytes::Bytes>,
    ) {
        let sent = self.producer.send(Outgoing {
            topic: R::descriptor().topic.as_str().to_owned(),
            partition,
            key,
            value,
            headers: Headers::of::<R>(TraceContext::new()),
            timestamp: None,
        });
        drop(sent.await.unwrap());
    }

    async fn commit(&self) {
        self.producer.commit().await.unwrap();
    }

    async fn abort(&self) {
        self.producer.abort().await.unwrap();
    }
}

fn sales(ids: std::ops::Range<i64>) -> impl Iterator<Item = Sale> {
    ids.map(|id| sale(id, "north", id))
}

/// Nothing here waits for more than is there, so nothing may take long.
async fn quickly<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what)
        .await
        .expect("the end of a table comes")
}

const ALL: &str = "SELECT count(*), sum(sale_id) FROM shop.sales";

#[tokio::test(flavor = "multi_thread")]
async fn open_and_aborted_records_are_no_rows() {
    let platform = Platform::start().await;
    let product = platform.publish::<Sale>().await;
    let [first, second] = ["first", "second"].map(|id| Writer::new(&platform, &product, id));
    let (first, second) = (first.await, second.await);
    let session = platform.session().await;

    // Between committed ones, in every partition.
    for partition in 0..3 {
        let base = i64::from(partition) * 100;
        first
            .begin()
            .put(Some(partition), sales(base..base + 10))
            .await
            .commit()
            .await;
        first
            .begin()
            .put(Some(partition), sales(1_000..1_020))
            .await
            .abort()
            .await;
        first
            .begin()
            .put(Some(partition), sales(base + 10..base + 20))
            .await
            .commit()
            .await;
    }
    // 20 each, from 0, 100 and 200 on.
    quickly(check(&session, ALL, "60,6570")).await;

    // An open one hides what comes after it in its partition, and nothing elsewhere.
    first.begin().put(Some(0), sales(2_000..2_005)).await;
    second.begin().put(Some(0), sales(300..303)).await;
    second.put(Some(1), sales(303..305)).await.commit().await;
    quickly(check(&session, ALL, "62,7177")).await;
    quickly(check(
        &session,
        "SELECT _partition, count(*), max(sale_id) FROM shop.sales GROUP BY 1 ORDER BY 1",
        "0,20,19;1,22,304;2,20,219",
    ))
    .await;
    first.abort().await;
    quickly(check(&session, ALL, "65,8080")).await;
    first
        .begin()
        .put(Some(0), sales(305..306))
        .await
        .commit()
        .await;
    quickly(check(&session, ALL, "66,8385")).await;
    // Each once, and in the order of the log.
    quickly(check(
        &session,
        "SELECT count(DISTINCT sale_id), count(DISTINCT (_partition, _offset)) FROM shop.sales",
        "66,66",
    ))
    .await;
    quickly(check(
        &session,
        "SELECT sale_id FROM shop.sales WHERE _partition = 0 AND sale_id > 17 ORDER BY _offset",
        "18;19;300;301;302;305",
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_ends_where_only_marks_and_aborted_records_stand() {
    let platform = Platform::start().await;
    let product = platform.publish::<Sale>().await;
    let writer = Writer::new(&platform, &product, "writer").await;
    let session = platform.session().await;
    quickly(check(&session, ALL, "0,")).await;

    // Nothing but an aborted transaction.
    writer
        .begin()
        .put(Some(0), sales(0..10))
        .await
        .abort()
        .await;
    quickly(check(&session, ALL, "0,")).await;
    quickly(check(
        &session,
        "SELECT sale_id FROM shop.sales LIMIT 3",
        "",
    ))
    .await;

    // Rows, then the mark of their transaction.
    writer
        .begin()
        .put(Some(0), sales(10..13))
        .await
        .commit()
        .await;
    quickly(check(&session, ALL, "3,33")).await;

    // Rows, then several aborted transactions and their marks.
    for _ in 0..3 {
        writer.begin().put(Some(0), sales(0..2)).await;
        writer.put(Some(1), sales(0..2)).await.abort().await;
    }
    quickly(check(&session, ALL, "3,33")).await;

    // An open one at the end, behind what is aborted.
    writer.begin().put(Some(0), sales(0..2)).await;
    quickly(check(&session, ALL, "3,33")).await;
    writer.commit().await;
    quickly(check(&session, ALL, "5,34")).await;

    for (limit, rows) in [(0, 0), (1, 1), (4, 4), (5, 5), (6, 5), (1_000, 5)] {
        let counted =
            format!("SELECT count(*) FROM (SELECT sale_id FROM shop.sales LIMIT {limit})");
        quickly(check(&session, &counted, &rows.to_string())).await;
    }
    quickly(check(
        &session,
        "SELECT sale_id FROM shop.sales ORDER BY _partition, _offset LIMIT 2 OFFSET 2",
        "12;0",
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_sees_what_was_committed_when_it_was_planned() {
    let platform = Platform::start().await;
    let product = platform.publish::<Sale>().await;
    let writer = Writer::new(&platform, &product, "writer").await;
    let other = Writer::new(&platform, &product, "other").await;
    let session = platform.session().await;
    writer
        .begin()
        .put(Some(0), sales(0..5))
        .await
        .commit()
        .await;
    writer.begin().put(Some(0), sales(5..10)).await;
    other
        .begin()
        .put(Some(1), sales(10..15))
        .await
        .abort()
        .await;

    let rows = async |mut answer: mesh_query::QueryResult| {
        let batches = quickly(answer.collect()).await.unwrap();
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>()
    };
    // It is read only after the transaction has ended, the one way or the other.
    let before = session
        .query("SELECT sale_id FROM shop.sales")
        .await
        .unwrap();
    writer.commit().await;
    other
        .begin()
        .put(Some(1), sales(15..18))
        .await
        .commit()
        .await;
    assert_eq!(rows(before).await, 5);
    let before = session
        .query("SELECT sale_id FROM shop.sales")
        .await
        .unwrap();
    writer.begin().put(Some(0), sales(0..2)).await.abort().await;
    writer.begin().put(Some(0), sales(18..20)).await;
    assert_eq!(rows(before).await, 13);
    writer.commit().await;
    assert_eq!(quickly(ask(&session, ALL)).await.unwrap(), "15,130");
}

/// A long partition is read in ranges; here an aborted transaction lies across their seam.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_partition_meet_within_an_aborted_transaction() {
    let platform = Platform::start().await;
    let product = platform.publish::<Sale>().await;
    let writer = Writer::new(&platform, &product, "writer").await;
    let session = platform.session().await;
    writer
        .begin()
        .put(Some(2), sales(0..40_000))
        .await
        .commit()
        .await;
    writer
        .begin()
        .put(Some(2), sales(40_000..80_000))
        .await
        .abort()
        .await;
    writer
        .begin()
        .put(Some(2), sales(80_000..120_000))
        .await
        .commit()
        .await;
    let expected: i64 = (0..40_000).chain(80_000..120_000).sum();
    quickly(check(&session, ALL, &format!("80000,{expected}"))).await;
    quickly(check(
        &session,
        "SELECT count(*) FROM (SELECT sale_id FROM shop.sales LIMIT 40001)",
        "40001",
    ))
    .await;
    // And when nearly nothing is left of the second range.
    writer
        .begin()
        .put(Some(2), sales(120_000..240_000))
        .await
        .abort()
        .await;
    quickly(check(&session, ALL, &format!("80000,{expected}"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_that_of_committed_records() {
    let platform = Platform::start().await;
    let product = platform.publish::<StoreProfile>().await;
    let writer = Writer::new(&platform, &product, "writer").await;
    let session = platform.session().await;
    let rows = "SELECT store, visits FROM shop.stores ORDER BY store";
    let visits = |visits| {
        [
            store("north", "Oslo", visits),
            store("south", "Rome", visits),
        ]
    };

    writer.begin().put(None, visits(1)).await.commit().await;
    writer.begin().put(None, visits(2)).await.abort().await;
    quickly(check(&session, rows, "north,1;south,1")).await;

    // Aborted and open deletions take nothing away.
    let key = |name| writer.encoder.key(&store(name, "", 0).key());
    writer.begin().put_raw(None, key("north"), None).await;
    writer.producer.flush().await.unwrap();
    quickly(check(&session, rows, "north,1;south,1")).await;
    writer.abort().await;
    quickly(check(&session, rows, "north,1;south,1")).await;

    writer.begin().put_raw(None, key("north"), None).await;
    writer.put(None, [store("south", "Rome", 3)]).await;
    quickly(check(&session, rows, "north,1;south,1")).await;
    writer.commit().await;
    quickly(check(&session, rows, "south,3")).await;
    writer.begin().put(None, visits(4)).await.abort().await;
    quickly(check(&session, rows, "south,3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compaction_left_is_read_as_before() {
    let platform = Platform::start_with(|config| {
        config.segment_bytes = 32 * 1024;
        config.log_cleaner_backoff = Duration::from_millis(50);
        config.log_retention_check_interval = Duration::from_millis(50);
        config.flush = FlushPolicy::Interval(Duration::from_millis(50));
    })
    .await;
    let product = platform.publish::<StoreProfile>().await;
    let writer = Writer::new(&platform, &product, "first").await;
    let round = |visits: i64| (0..200).map(move |n| store(&format!("s{n}"), "Oslo", visits));
    // The last words on the first stores stand early and those on the others late, so that
    // holes of all sizes lie between; what is aborted is never the last word.
    writer.begin().put(None, round(1)).await.commit().await;
    let one_round = platform.log_bytes();
    for visits in 2..20 {
        let others = round(visits).skip(10 * visits as usize);
        writer.begin().put(None, others).await.commit().await;
        writer.begin().put(None, round(1_000)).await.abort().await;
    }
    let gone = store("s0", "", 0).key();
    drop(product.delete(&gone).await.unwrap());
    product.flush(Duration::from_secs(30)).await.unwrap();
    let begun = Instant::now();
    // Some 28 rounds were written.
    while platform.log_bytes() > one_round * 14 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is compacted"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let session = platform.session().await;
    let expected: i64 = (0..200).map(|n: i64| (n / 10).clamp(1, 19)).sum();
    let count = "SELECT count(*), sum(visits) FROM shop.stores";
    check(&session, count, &format!("199,{}", expected - 1)).await;
    check(
        &session,
        "SELECT visits FROM shop.stores WHERE store IN ('s5', 's55', 's199') ORDER BY 1",
        "1;5;19",
    )
    .await;
    // And with more on top of it.
    let again = (0..100).map(|n| store(&format!("s{n}"), "Rome", 30));
    writer.begin().put(None, again).await.commit().await;
    let cities = "SELECT city, count(*) FROM shop.stores GROUP BY 1 ORDER BY 1";
    quickly(check(&session, cities, "Oslo,100;Rome,100")).await;
}
