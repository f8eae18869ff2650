//! State products: the latest row of each key.

use mesh_core::{ErrorKind, Record};
use mesh_query::Engine;

use crate::harness::{Platform, StoreProfile, access, check, fails, send, send_raw, store};

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_row_of_each_key_without_the_deleted() {
    let platform = Platform::start().await;
    let stores = platform.publish::<StoreProfile>().await;
    for round in 0..5 {
        send(
            &stores,
            (0..200).map(|n| store(&format!("s{n}"), "Oslo", round)),
        )
        .await;
    }
    for n in 0..50 {
        drop(
            stores
                .delete(&store(&format!("s{n}"), "", 0).key())
                .await
                .unwrap(),
        );
    }
    send(&stores, (0..10).map(|n| store(&format!("s{n}"), "Rome", 9))).await;
    let session = platform.session().await;
    check(&session, "SELECT count(*) FROM shop.stores", "160").await;
    check(
        &session,
        "SELECT city, visits, count(*), count(DISTINCT store) FROM shop.stores \
        GROUP BY 1, 2 ORDER BY 1",
        "Oslo,4,150,150;Rome,9,10,10",
    )
    .await;
    check(
        &session,
        "SELECT visits FROM shop.stores WHERE store = 's5'",
        "9",
    )
    .await;
    check(
        &session,
        "SELECT count(*) FROM shop.stores WHERE store = 's20'",
        "0",
    )
    .await;
    check(
        &session,
        "SELECT count(*) FROM (SELECT * FROM shop.stores LIMIT 7)",
        "7",
    )
    .await;
    check(
        &session,
        "SELECT count(DISTINCT (_partition, _offset)) FROM shop.stores",
        "160",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_do_not_fit_in_memory_are_spilled() {
    let platform = Platform::start().await;
    let stores = platform.publish::<StoreProfile>().await;
    for round in 0..3 {
        send(
            &stores,
            (0..20_000).map(|n| store(&format!("store-{n}"), "Oslo", round * 100_000 + n)),
        )
        .await;
    }
    for n in 0..1000 {
        drop(
            stores
                .delete(&store(&format!("store-{n}"), "", 0).key())
                .await
                .unwrap(),
        );
    }
    stores
        .flush(std::time::Duration::from_secs(30))
        .await
        .unwrap();
    let expected = format!("19000,{},{}", 201_000, (201_000_i64..220_000).sum::<i64>());
    let sql = "SELECT count(*), min(visits), sum(visits) FROM shop.stores";
    let mut config = platform.config();
    check(
        &Engine::new(config.clone())
            .unwrap()
            .session(access())
            .await
            .unwrap(),
        sql,
        &expected,
    )
    .await;
    let dir = tempfile::tempdir().unwrap();
    config.state_memory_bytes = 0;
    config.spill_dir = Some(dir.path().join("spill"));
    let session = Engine::new(config.clone())
        .unwrap()
        .session(access())
        .await
        .unwrap();
    check(&session, sql, &expected).await;
    config.spill_bytes = 1000;
    let session = Engine::new(config)
        .unwrap()
        .session(access())
        .await
        .unwrap();
    assert_eq!(
        fails(&session, sql).await.kind(),
        ErrorKind::ResourceExhausted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_row_that_cannot_be_read() {
    let platform = Platform::start().await;
    let stores = platform.publish::<StoreProfile>().await;
    let profile = store("north", "Oslo", 1);
    let key = stores.encoder().key(&profile.key());
    let partition = mesh_stream::partition_for(&key, 2);
    send_raw(
        &platform,
        "shop.stores.v1",
        partition,
        &key,
        Some(vec![0, 0, 0, 0, 99, 1]),
    )
    .await;
    let session = platform.session().await;
    assert_eq!(
        fails(&session, "SELECT * FROM shop.stores").await.kind(),
        ErrorKind::Corrupt
    );
    // Once it was replaced it is nobody's business.
    send(&stores, [profile]).await;
    check(&session, "SELECT city FROM shop.stores", "Oslo").await;
}
