//! A registry on a free port, and requests to it. It keeps its state in SQLite, or in
//! Postgres if `MESH_TEST_STORE` is `postgres`.

use std::path::{Path, PathBuf};

use mesh_registry::{Database, Registry, RegistryConfig, serve};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[path = "../../../runtime/tests/support/postgres.rs"]
pub(crate) mod postgres;

/// Where a registry keeps its state whose folder is `directory`.
fn database(directory: &Path) -> Database {
    match std::env::var("MESH_TEST_STORE").as_deref() {
        Ok("postgres") => {
            let url = postgres::shared().expect("MESH_TEST_STORE wants Postgres");
            on_server(&url, directory)
        }
        Ok("sqlite" | "") | Err(_) => Database::file(directory.join("new/registry.db")),
        Ok(other) => panic!("MESH_TEST_STORE is sqlite or postgres, not {other}"),
    }
}

/// The schema of a server that belongs to `directory`.
pub(crate) fn on_server(url: &str, directory: &Path) -> Database {
    let unique = directory.file_name().unwrap().as_encoded_bytes();
    let unique: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
    let database: Database = url.parse().unwrap();
    database.in_schema(&format!("t{unique}")).unwrap()
}

/// Whether the registries of the tests keep their state in SQLite.
pub(crate) fn on_sqlite() -> bool {
    std::env::var("MESH_TEST_STORE").as_deref() != Ok("postgres")
}

pub(crate) struct Server {
    pub(crate) base: String,
    client: reqwest::Client,
    directory: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<mesh_core::Result<()>>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn start_in(directory: tempfile::TempDir) -> Self {
        let database = database(directory.path());
        Self::start_on(directory, RegistryConfig::new(database)).await
    }

    pub(crate) async fn start_on(directory: tempfile::TempDir, config: RegistryConfig) -> Self {
        let registry = Registry::open(config).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(serve(registry, listener, async move {
            stopped.await.ok();
        }));
        Self {
            base,
            client: reqwest::Client::new(),
            directory,
            stop,
            running,
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("new/registry.db")
    }

    /// Stops the registry and starts it again on the same file.
    pub(crate) async fn restart(self) -> Self {
        self.stop.send(()).unwrap();
        drop(self.client);
        self.running.await.unwrap().unwrap();
        Self::start_in(self.directory).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<String>) -> Reply {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .body(body);
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = (!body.is_null()).then(|| body.to_string());
        self.send(method, path, body).await
    }

    /// Sends, and expects status and body.
    pub(crate) async fn check(&self, request: &str, body: Value, status: u16, expected: Value) {
        let (method, path) = request.split_once(' ').unwrap();
        let reply = self.call(method, path, body).await;
        assert_eq!(
            (reply.status, &reply.body),
            (status, &expected),
            "{request}"
        );
        assert_eq!(
            reply.content_type, "application/vnd.schemaregistry.v1+json",
            "{request}"
        );
    }

    /// Sends, and expects an error of `code` whose message holds every one of `words`.
    pub(crate) async fn refused(&self, request: &str, body: Value, code: u32, words: &[&str]) {
        let (method, path) = request.split_once(' ').unwrap();
        let reply = self.call(method, path, body).await;
        let status = if code > 999 { code / 100 } else { code };
        let message = reply.body["message"].as_str().unwrap_or_default();
        assert_eq!(
            (u32::from(reply.status), &reply.body["error_code"]),
            (status, &json!(code)),
            "{request}: {}",
            reply.body
        );
        for word in words {
            assert!(message.contains(word), "{request}: '{word}' in {message}");
        }
    }

    pub(crate) async fn register(&self, subject: &str, schema: &str) -> u64 {
        let reply = self
            .call(
                "POST",
                &format!("/subjects/{subject}/versions"),
                json!({ "schema": schema }),
            )
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["id"].as_u64().unwrap()
    }
}

pub(crate) async fn read(response: reqwest::Response) -> Reply {
    let status = response.status().as_u16();
    let content_type = response
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let text = response.text().await.unwrap();
    Reply {
        status,
        content_type,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// A record `bank.R` with these fields, written as JSON without the brackets.
pub(crate) fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"bank","fields":[{fields}]}}"#)
}
