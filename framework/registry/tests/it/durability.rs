//! What was answered is there after a restart.

use mesh_core::ErrorKind;
use mesh_registry::{Registry, RegistryConfig};
use serde_json::{Value, json};

use crate::harness::{Server, on_sqlite};

#[tokio::test]
async fn a_restart_keeps_schemas_versions_settings_and_the_next_id() {
    let server = Server::start().await;
    let none = json!({"compatibility": "NONE"});
    server.check("PUT /config", none.clone(), 200, none).await;
    let full = json!({"compatibility": "FULL"});
    server.check("PUT /config/s", full.clone(), 200, full).await;
    server
        .check(
            "PUT /mode/t",
            json!({"mode": "READONLY"}),
            200,
            json!({"mode": "READONLY"}),
        )
        .await;
    assert_eq!(server.register("s", "\"int\"").await, 1);
    assert_eq!(server.register("u", "\"long\"").await, 2);
    server
        .check("DELETE /subjects/u", Value::Null, 200, json!([1]))
        .await;
    server
        .check(
            "DELETE /subjects/u?permanent=true",
            Value::Null,
            200,
            json!([1]),
        )
        .await;

    let server = server.restart().await;
    for (request, expected) in [
        ("GET /subjects", json!(["s"])),
        ("GET /config", json!({"compatibilityLevel": "NONE"})),
        ("GET /config/s", json!({"compatibilityLevel": "FULL"})),
        ("GET /mode/t", json!({"mode": "READONLY"})),
        (
            "GET /subjects/s/versions/latest",
            json!({"subject": "s", "version": 1, "id": 1, "schema": "\"int\""}),
        ),
    ] {
        server.check(request, Value::Null, 200, expected).await;
    }
    assert_eq!(
        server.register("v", "\"string\"").await,
        3,
        "the id of a deleted schema stays taken"
    );
    assert_eq!(server.register("s", "\"int\"").await, 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let no_database = directory.path().join("notes.txt");
    std::fs::write(
        &no_database,
        "this is a text file, and no database at all".repeat(100),
    )
    .unwrap();
    let under_a_file = no_database.join("registry.db");
    for path in [no_database, under_a_file] {
        let error = Registry::open(RegistryConfig::new(&path))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        assert!(error.to_string().contains("notes.txt"), "{error}");
        assert!(error.mend_text().is_some());
    }
}

#[tokio::test]
async fn every_commit_is_synced_to_a_write_ahead_log() {
    if !on_sqlite() {
        return;
    }
    let server = Server::start().await;
    server.register("s", "\"int\"").await;
    let log = server.database().with_extension("db-wal");
    assert!(
        log.metadata().unwrap().len() > 0,
        "the change is in the log before the answer"
    );
}
