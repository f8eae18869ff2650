//! Event products as tables.

use mesh_core::ErrorKind;

use crate::harness::{
    Platform, Sale, StoreProfile, ask, batches, check, fails, sale, sales_next, sales_wider, send,
    send_raw, store,
};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_projected_joined_and_grouped() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(
        &sales,
        (0..1000).map(|id| sale(id, ["north", "south"][id as usize % 2], id * 10)),
    )
    .await;
    send(
        &stores,
        [store("north", "Oslo", 1), store("south", "Rome", 2)],
    )
    .await;
    let session = platform.session().await;

    check(&session, "SELECT count(*) FROM shop.sales", "1000").await;
    check(
        &session,
        "SELECT count(*), sum(amount), min(sale_id), max(sale_id) FROM shop.sales",
        "1000,49950.00,0,999",
    )
    .await;
    check(
        &session,
        "SELECT sale_id, store, amount, status, sold_at, note FROM shop.sales \
        WHERE sale_id IN (3, 4) ORDER BY sale_id",
        "3,south,0.30,OPEN,2023-11-14T22:13:20.000003+00:00,note 3;\
         4,north,0.40,PAID,2023-11-14T22:13:20.000004+00:00,",
    )
    .await;
    check(
        &session,
        "SELECT amount FROM shop.sales WHERE sale_id = 999",
        "99.90",
    )
    .await;
    check(
        &session,
        "SELECT status, count(*) FROM shop.sales WHERE store = 'south' \
        GROUP BY status ORDER BY 1",
        "OPEN,500",
    )
    .await;
    check(
        &session,
        "SELECT s.city, count(*), sum(amount) FROM shop.sales JOIN shop.stores s \
        USING (store) GROUP BY s.city ORDER BY 1",
        "Oslo,500,24950.00;Rome,500,25000.00",
    )
    .await;
    // Both sides of a self-join see the same rows.
    check(
        &session,
        "SELECT count(*) FROM shop.sales a JOIN shop.sales b USING (sale_id)",
        "1000",
    )
    .await;
    check(&session, "WITH big AS (SELECT * FROM shop.sales WHERE amount > 99) \
        SELECT count(*) FROM big WHERE EXISTS (SELECT 1 FROM shop.stores s WHERE s.store = big.store)",
        "9").await;
    check(
        &session,
        "SELECT row_number() OVER (ORDER BY sale_id DESC) AS n, sale_id \
        FROM shop.sales ORDER BY n LIMIT 2",
        "1,999;2,998",
    )
    .await;
    check(
        &session,
        "SELECT manager['name'], labels[2], opened_on FROM shop.stores ORDER BY store LIMIT 1",
        "Jo,\"b,\"\"c\"\"\",2001-02-03",
    )
    .await;
    check(
        &session,
        "SELECT opens_at, map_keys(stock)[1], map_values(stock)[2], cardinality(stock) \
        FROM shop.stores WHERE opens_at < '09:00:00' ORDER BY store LIMIT 1",
        "08:30:00,ink,7,2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_columns_show_when_they_are_named() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..300).map(|id| sale(id, "north", id))).await;
    let session = platform.session().await;
    let columns = async |sql: &str| {
        let batch = batches(&session, sql).await.unwrap().remove(0);
        let names: Vec<String> = batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        names.join(" ")
    };
    assert_eq!(
        columns("SELECT * FROM shop.sales LIMIT 1").await,
        "sale_id store amount status sold_at note"
    );
    assert_eq!(
        columns("SELECT * FROM shop.sales WHERE _offset >= 0 LIMIT 1").await,
        "sale_id store amount status sold_at note _offset"
    );
    check(
        &session,
        "SELECT count(DISTINCT _partition), min(_offset) FROM shop.sales",
        "3,0",
    )
    .await;
    check(
        &session,
        "SELECT count(*) FROM (SELECT _partition p, max(_offset) + 1 - count(*) gap \
        FROM shop.sales GROUP BY 1) WHERE gap = 0",
        "3",
    )
    .await;
    check(
        &session,
        "SELECT count(*) FROM shop.sales WHERE _timestamp > now() - INTERVAL '1 hour' \
        AND _timestamp <= now()",
        "300",
    )
    .await;
    // No decoding is needed for these, nor for a count.
    check(
        &session,
        "SELECT count(*) FROM (SELECT _partition, _offset FROM shop.sales)",
        "300",
    )
    .await;
    check(
        &session,
        "SELECT count(*) FROM (SELECT * FROM shop.sales EXCEPT SELECT * FROM shop.sales)",
        "0",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_stand_beside_each_other() {
    let platform = Platform::start().await;
    let first = platform.publish::<Sale>().await;
    send(&first, (0..100).map(|id| sale(id, "north", id))).await;
    let session = platform.session().await;
    assert_eq!(session.tables(), ["shop.sales", "shop.sales_v1"]);
    check(&session, "SELECT count(*) FROM shop.sales_v1", "100").await;

    // Rows of the first version have no channel; rows of both alternate in one topic.
    let wider = platform.publish::<sales_wider::Sale>().await;
    for id in 100..200 {
        let from = sale(id, "north", id);
        let record = sales_wider::Sale {
            sale_id: id,
            store: from.store.clone(),
            amount: from.amount,
            status: sales_wider::SaleStatus::Open,
            sold_at: from.sold_at,
            note: from.note.clone(),
            channel: Some("web".into()),
        };
        send(&wider, [record]).await;
        send(&first, [sale(id + 1000, "north", id)]).await;
    }
    let session = platform.session().await;
    check(
        &session,
        "SELECT channel, count(*), count(DISTINCT sale_id) FROM shop.sales \
        GROUP BY channel ORDER BY channel",
        "web,100,100;,200,200",
    )
    .await;

    let next = platform.publish::<sales_next::Sale>().await;
    send(
        &next,
        [sales_next::Sale {
            sale_id: 1,
            total: "5.00".parse().unwrap(),
        }],
    )
    .await;
    let session = platform.session().await;
    assert_eq!(
        session.tables(),
        ["shop.sales", "shop.sales_v1", "shop.sales_v2"]
    );
    check(&session, "SELECT total FROM shop.sales", "5.00").await;
    check(&session, "SELECT count(*) FROM shop.sales_v1", "300").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_read_by_its_version_and_says_so_by_its_name() {
    let platform = Platform::start().await;
    let sales = platform.publish_as::<Sale>("draft").await;
    send(&sales, (0..10).map(|id| sale(id, "north", id))).await;
    let session = platform.session().await;
    assert_eq!(session.tables(), ["shop.sales_v1"]);
    check(&session, "SELECT count(*) FROM shop.sales_v1", "10").await;
    let error = fails(&session, "SELECT count(*) FROM shop.sales").await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.message(),
        "`shop.sales` is not in service: its version 1.0.0 is a draft"
    );
    let mend = error.mend_text().unwrap();
    assert!(mend.contains("`status: active`") && mend.contains("`shop.sales_v1`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_shows_the_tables_and_no_more() {
    let platform = Platform::start().await;
    platform.publish::<Sale>().await;
    let session = platform.session().await;
    check(
        &session,
        "SELECT table_schema, table_name, table_type FROM information_schema.tables \
        WHERE table_schema <> 'information_schema' ORDER BY 2",
        "shop,sales,BASE TABLE;shop,sales_v1,BASE TABLE",
    )
    .await;
    check(
        &session,
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns \
        WHERE table_name = 'sales' AND column_name IN ('amount', 'note') ORDER BY 1",
        "amount,\"DECIMAL(12,2)\",NO;note,VARCHAR,YES",
    )
    .await;
    check(
        &session,
        "SHOW TABLES",
        "shop,sales,event,1.0.0,shop,To be queried in tests.;\
         shop,sales_v1,event,1.0.0,shop,To be queried in tests.",
    )
    .await;
    assert!(
        ask(&session, "SHOW COLUMNS FROM shop.sales")
            .await
            .unwrap()
            .contains("sold_at")
    );
    let described = ask(&session, "DESCRIBE shop.sales").await.unwrap();
    assert!(
        described.contains("sale_id,BIGINT,NO,YES,,The sale's number.;")
            && described.contains("note,VARCHAR,YES,NO,personal,"),
        "{described}"
    );
    check(
        &session,
        "SELECT owner, kind, version, status, event_time, topic FROM information_schema.tables \
        WHERE table_name = 'sales'",
        "shop,event,1.0.0,active,sold_at,shop.sales.v1",
    )
    .await;
    check(
        &session,
        "SELECT ordinal_position, numeric_precision, numeric_scale \
        FROM information_schema.columns WHERE table_name = 'sales' AND column_name = 'amount'",
        "3,12,2",
    )
    .await;
    assert!(
        ask(&session, "SHOW FUNCTIONS")
            .await
            .unwrap()
            .contains("upper")
    );
    for sql in [
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM shop.nothing",
        "DESCRIBE shop.nothing",
        "SELECT * FROM sales",
        "SELECT * FROM other.sales",
    ] {
        assert_eq!(
            fails(&session, sql).await.kind(),
            ErrorKind::NotFound,
            "{sql}"
        );
    }
    assert_eq!(
        fails(&session, "SELECT nothing FROM shop.sales")
            .await
            .kind(),
        ErrorKind::InvalidInput
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn products_without_a_row() {
    let platform = Platform::start().await;
    platform.publish::<Sale>().await;
    platform.publish::<StoreProfile>().await;
    let session = platform.session().await;
    check(
        &session,
        "SELECT count(*), sum(amount) FROM shop.sales",
        "0,",
    )
    .await;
    check(&session, "SELECT * FROM shop.stores", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_record_is_named_and_nothing_of_it_told() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..50).map(|id| sale(id, "north", id))).await;
    let mut value = sales
        .encoder()
        .value(&sale(7, "secret-store", 1))
        .unwrap()
        .to_vec();
    value.truncate(value.len() - 3);
    let offset = send_raw(&platform, "shop.sales.v1", 1, b"k", Some(value)).await;
    let session = platform.session().await;
    let error = fails(&session, "SELECT sum(amount) FROM shop.sales").await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = format!("{error} {}", error.log_line());
    for part in [
        "shop.sales.v1",
        "partition: 1",
        &format!("offset: {offset}"),
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
    // Counting decodes nothing.
    check(&session, "SELECT count(*) FROM shop.sales", "51").await;
    send_raw(&platform, "shop.sales.v1", 2, b"k", None).await;
    assert_eq!(
        fails(&session, "SELECT count(*) FROM shop.sales")
            .await
            .kind(),
        ErrorKind::Corrupt
    );
}
