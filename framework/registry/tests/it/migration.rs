//! A database that the release before has written.

use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::harness::{Server, on_sqlite};

#[tokio::test]
async fn a_database_of_the_first_release_opens_with_all_that_is_in_it() {
    if !on_sqlite() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("new")).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("new/registry.db"))
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let all = sqlx::migrate!("./migrations");
    let first = all.iter().filter(|migration| migration.version == 1);
    Migrator::with_migrations(first.cloned().collect())
        .run(&pool)
        .await
        .unwrap();
    // As it stands in a file that was kept: the fingerprints are those of type and text.
    sqlx::raw_sql(
        r#"INSERT INTO schemas (id, schema_type, fingerprint, schema) VALUES
               (1, 'AVRO', '8c1fabdf-1f37-5621-9ee8-b5ae61ce4470', '"int"'),
               (2, 'AVRO', '4dc90c03-d299-595e-8418-8be3cc3e0221', '"long"'),
               (7, 'AVRO', 'a', '"string"');
           DELETE FROM schemas WHERE id = 7;
           INSERT INTO versions (subject, version, schema_id, deleted, registered_at) VALUES
               ('s', 1, 1, 1, 0), ('s', 2, 2, 0, 0), ('t', 1, 1, 0, 0);
           INSERT INTO settings (subject, compatibility, mode) VALUES
               ('', 'FULL', NULL), ('t', NULL, 'READONLY')"#,
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;

    let server = Server::start_in(directory).await;
    for (request, expected) in [
        ("GET /subjects", json!(["s", "t"])),
        ("GET /subjects/s/versions?deleted=true", json!([1, 2])),
        (
            "GET /schemas/ids/2?fetchMaxId=true",
            json!({"schema": "\"long\"", "maxId": 7}),
        ),
        ("GET /schemas/ids/1/subjects", json!(["t"])),
        ("GET /config", json!({"compatibilityLevel": "FULL"})),
        ("GET /mode/t", json!({"mode": "READONLY"})),
    ] {
        server.check(request, Value::Null, 200, expected).await;
    }
    assert_eq!(server.register("t", "\"int\"").await, 1);
    assert_eq!(server.register("u", "\"long\"").await, 2);
    assert_eq!(server.register("u2", "\"bytes\"").await, 8);
}
