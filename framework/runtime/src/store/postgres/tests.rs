//! What only a store at the other end of a connection goes through.

use sqlx::{AssertSqlSafe, ConnectOptions};
use uuid::Uuid;

use crate::store::suite::server::{self, Cluster, Proxy};
use crate::store::suite::{Place, committed, on_now, put, row};
use crate::store::{Commit, Outcome, Store};

/// Runs a statement as somebody else, in the schema of `place`.
async fn besides(place: &Place, statement: &str) -> Option<String> {
    let options = place.config.store_url.as_ref().unwrap().options();
    let mut connection = options
        .options([("search_path", &*place.config.store_schema)])
        .connect()
        .await
        .unwrap();
    sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
        .fetch_optional(&mut connection)
        .await
        .unwrap()
}

/// Ends the session that holds the lock of `place`.
async fn end_writer(place: &Place) {
    let statement = format!(
        "SELECT CAST(pg_terminate_backend(a.pid, 5000) AS TEXT)
         FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
         WHERE l.locktype = 'advisory' AND a.application_name = 'mesh {}'",
        place.config.store_schema
    );
    assert_eq!(besides(place, &statement).await.as_deref(), Some("true"));
}

fn document(store: &Store, key: &str) -> Commit {
    Commit {
        documents: vec![put("a", key, "1")],
        outputs: vec![row("t", 1, Uuid::new_v4())],
        ..on_now(store)
    }
}

async fn count(store: &Store) -> i64 {
    store.mark("a").await.unwrap().count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_is_followed_by_another() {
    let Some(url) = server::shared() else { return };
    let place = Place::at(&url);
    let store = place.open().await;
    committed(&store, document(&store, "one")).await;
    let snapshot = store.version();
    end_writer(&place).await;
    committed(&store, document(&store, "two")).await;
    assert!(
        store.version() > snapshot + 1,
        "snapshots before are checked"
    );
    assert_eq!((count(&store).await, store.pending()), (2, 2));
    // Also when nobody writes.
    end_writer(&place).await;
    store.check().await.unwrap();
    let second = Store::open(&place.config).await.unwrap_err().to_string();
    assert!(second.contains("used by another process"), "{second}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_a_commit_neither_loses_nor_doubles_it() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let place = Place::at(&proxy.url());
    let store = place.open().await;
    proxy.break_before_commit();
    let error = store.commit(&document(&store, "one")).await.unwrap_err();
    assert!(error.is_retryable(), "{}", error.log_line());
    assert_eq!((count(&store).await, store.pending()), (0, 0));
    committed(&store, document(&store, "one")).await;
    for key in ["two", "three"] {
        proxy.break_after_commit();
        committed(&store, document(&store, key)).await;
    }
    assert_eq!((count(&store).await, store.pending()), (3, 3));
    assert_eq!(store.outbox_page(0, 10).await.unwrap().len(), 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_in_doubt_is_found_later_and_checked_against() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let place = Place::at(&proxy.url());
    let store = place.open().await;
    let snapshot = store.version();
    // The commit is made, and for longer than it waits nobody can be asked whether it was.
    proxy.break_after_commit_and_refuse();
    let error = store.commit(&document(&store, "one")).await.unwrap_err();
    assert!(error.is_retryable(), "{}", error.log_line());
    let doubted = store.version();
    assert!(doubted > snapshot);
    proxy.pass();
    // Decided in between, on a read that did not see it.
    let stale = Commit {
        snapshot: doubted,
        reads: vec![("a".into(), "one".into(), 0)],
        ..document(&store, "two")
    };
    assert_eq!(store.commit(&stale).await.unwrap(), Outcome::Conflict);
    assert_eq!((count(&store).await, store.pending()), (1, 1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_lost_the_store_commits_nothing_more() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let mut place = Place::at(&proxy.url());
    let old = place.open().await;
    committed(&old, document(&old, "one")).await;
    proxy.refuse();
    // In vain for now: nobody can be reached.
    assert!(
        old.commit(&document(&old, "lost"))
            .await
            .unwrap_err()
            .is_retryable()
    );
    place.config.store_url = Some(cluster.url().parse().unwrap());
    let new = place.open().await;
    committed(&new, document(&new, "two")).await;
    proxy.pass();
    for _ in 0..2 {
        let error = old.commit(&document(&old, "lost")).await.unwrap_err();
        assert!(error.to_string().contains("taken over"), "{error}");
        assert!(!error.is_retryable());
    }
    assert!(!old.check().await.unwrap_err().is_retryable());
    old.close().await;
    committed(&new, document(&new, "three")).await;
    assert_eq!((count(&new).await, new.pending()), (3, 3));
    new.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_guards_where_the_lock_does_not() {
    let Some(url) = server::shared() else { return };
    let place = Place::at(&url);
    let store = place.open().await;
    // As another process writes it that was given the lock by a pooler.
    besides(
        &place,
        "UPDATE meta SET value = 'other' WHERE name = 'mark'",
    )
    .await;
    let error = store.commit(&document(&store, "lost")).await.unwrap_err();
    assert!(error.to_string().contains("taken over"), "{error}");
    assert_eq!(count(&store).await, 0);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_dropped_ends_the_store_and_begins_empty() {
    let Some(url) = server::shared() else { return };
    let place = Place::at(&url);
    let store = place.open().await;
    committed(&store, document(&store, "one")).await;
    let outbox = store.outbox_id();
    let drop = format!("DROP SCHEMA {} CASCADE", place.config.store_schema);
    besides(&place, &drop).await;
    let error = store.commit(&document(&store, "two")).await.unwrap_err();
    assert!(error.to_string().contains("tables are gone"), "{error}");
    store.close().await;
    let store = place.open().await;
    assert_eq!((count(&store).await, store.pending()), (0, 0));
    assert_ne!(store.outbox_id(), outbox);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_keeps_what_was_committed() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let place = Place::at(&cluster.url());
    let store = place.open().await;
    for at in 0..3 {
        committed(&store, document(&store, &at.to_string())).await;
        cluster.crash();
    }
    committed(&store, document(&store, "last")).await;
    assert_eq!((count(&store).await, store.pending()), (4, 4));
    cluster.kill();
    let commit = document(&store, "away");
    assert!(store.commit(&commit).await.unwrap_err().is_retryable());
    assert!(store.check().await.unwrap_err().is_retryable());
    assert!(
        store
            .document("a", "last")
            .await
            .unwrap_err()
            .is_retryable()
    );
    cluster.start_again();
    store.check().await.unwrap();
    assert_eq!(store.commit(&commit).await.unwrap(), Outcome::Committed);
    assert_eq!(count(&store).await, 5);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_durable_whatever_the_user_is_configured_for() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let place = Place::at(&cluster.url());
    for (configured, wanted) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let alter = format!("ALTER ROLE mesh SET synchronous_commit = {configured}");
        besides(&place, &alter).await;
        let store = place.open().await;
        let mut tx = store.backend.begin().await.unwrap();
        let crate::store::backend::Connection::Postgres(connection) = tx.connection().unwrap()
        else {
            panic!("not Postgres");
        };
        let found: String = sqlx::query_scalar("SHOW synchronous_commit")
            .fetch_one(connection)
            .await
            .unwrap();
        assert_eq!(found, wanted);
        drop(tx);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_share_a_database_and_a_wrong_one_is_refused() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (one, two) = (Place::at(&cluster.url()), Place::at(&cluster.url()));
    let (first, second) = (one.open().await, two.open().await);
    committed(&first, document(&first, "one")).await;
    assert_eq!((count(&first).await, count(&second).await), (1, 0));
    first.close().await;
    second.close().await;
    besides(
        &one,
        "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0",
    )
    .await;
    for (database, words) in [("latin", "as UTF-8"), ("none", "no such database")] {
        let url = cluster
            .url()
            .replace("/postgres?", &format!("/{database}?"));
        let error = Store::open(&Place::at(&url).config).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Each migration has a twin, under the same number.
#[test]
fn both_databases_are_at_the_same_release() {
    let versions = |migrations: sqlx::migrate::Migrator| -> Vec<i64> {
        migrations
            .iter()
            .map(|migration| migration.version)
            .collect()
    };
    assert_eq!(
        versions(sqlx::migrate!("./migrations")),
        versions(sqlx::migrate!("./migrations/postgres"))
    );
}
