//! A catalog on a free port, requests to it, and products to register.

use std::path::PathBuf;

use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::avro::{SchemaUse, key_schema, value_schema};
use mesh_core::contract::Contract;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    directory: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(directory: tempfile::TempDir) -> Self {
        let database = directory.path().join("new/catalog.db");
        let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            axum::serve(listener, catalog.router())
                .with_graceful_shutdown(async move {
                    stopped.await.ok();
                })
                .await
                .unwrap();
            catalog.close().await;
        });
        Self {
            base,
            client: reqwest::Client::new(),
            directory,
            stop,
            running,
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("new/catalog.db")
    }

    /// Stops the catalog and starts it again on the same file.
    pub(crate) async fn restart(self) -> Self {
        self.stop.send(()).unwrap();
        drop(self.client);
        self.running.await.unwrap();
        Self::start_in(self.directory).await
    }

    /// Sends `GET /path` or another method, with a JSON body unless it is null.
    pub(crate) async fn call(&self, request: &str, body: &Value) -> Reply {
        let (method, path) = request.split_once(' ').unwrap();
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.base));
        if !body.is_null() {
            request = request.json(body);
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.call(&format!("GET {path}"), &Value::Null).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(reply.header("content-type"), "application/json");
        reply.body
    }

    /// Sends, and expects a problem document of `status` that holds every one of `words`.
    pub(crate) async fn refused(&self, request: &str, body: &Value, status: u16, words: &[&str]) {
        let reply = self.call(request, body).await;
        check_problem(&reply, request, status, words);
    }

    pub(crate) async fn register(&self, product: &Sample) -> Reply {
        self.call(&product.put(), &product.body()).await
    }

    /// Registers each, which must be new.
    pub(crate) async fn register_all(&self, products: &[Sample]) {
        for product in products {
            let reply = self.register(product).await;
            assert_eq!(reply.status, 201, "{}: {}", product.put(), reply.body);
        }
    }
}

pub(crate) fn check_problem(reply: &Reply, request: &str, status: u16, words: &[&str]) {
    let text = reply.body.to_string();
    assert_eq!(reply.status, status, "{request}: {text}");
    assert_eq!(
        reply.header("content-type"),
        "application/problem+json",
        "{request}"
    );
    assert_eq!(reply.body["status"], status, "{request}");
    for field in ["type", "title", "detail", "mend"] {
        assert!(
            reply.body[field].is_string(),
            "{request}: {field} in {text}"
        );
    }
    for word in words {
        assert!(text.contains(word), "{request}: '{word}' in {text}");
    }
}

pub(crate) async fn read(response: reqwest::Response) -> Reply {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    Reply {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// A product to register; the fields are what the tests vary.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) domain: &'static str,
    pub(crate) product: String,
    pub(crate) version: &'static str,
    pub(crate) status: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) team: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) purpose: &'static str,
    /// The contract's purpose, to make another text of the same meaning.
    pub(crate) note: &'static str,
    /// The contract it reads.
    pub(crate) reads: Option<&'static str>,
}

pub(crate) fn sample(name: &str) -> Sample {
    let (domain, product) = name.split_once('.').unwrap();
    Sample {
        domain: Box::leak(domain.to_owned().into_boxed_str()),
        product: product.to_owned(),
        version: "1.0.0",
        status: "active",
        kind: "state",
        team: "Lending",
        tag: "bank",
        purpose: "To be read.",
        note: "To be kept.",
        reads: None,
    }
}

impl Sample {
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/products/{}/{}", self.domain, self.product)
    }

    pub(crate) fn put(&self) -> String {
        format!("PUT {}/versions/{}", self.path(), self.version)
    }

    pub(crate) fn contract_id(&self) -> String {
        format!("urn:mesh:contract:{}.{}", self.domain, self.product)
    }

    fn topic(&self) -> String {
        let major = self.version.split('.').next().unwrap();
        format!("{}.{}.v{major}", self.domain, self.product)
    }

    pub(crate) fn product_text(&self) -> String {
        let Self {
            domain,
            product,
            version,
            team,
            tag,
            purpose,
            ..
        } = self;
        let contract_id = self.contract_id();
        let input = self.reads.map_or(String::new(), |id| {
            format!(
                "inputPorts:\n  - name: upstream\n    version: \"1.0.0\"\n    contractId: {id}\n"
            )
        });
        format!(
            "apiVersion: v1.0.0
kind: DataProduct
id: urn:mesh:product:{domain}.{product}
name: {product}
version: \"1.0.0\"
status: active
domain: {domain}
description:
  purpose: {purpose}
tags: [{tag}]
team:
  name: {team}
  members:
    - username: jana@bank.example
      role: owner
support:
  - channel: help
    url: https://help.example
{input}outputPorts:
  - name: stream
    type: kafka
    version: \"{version}\"
    contractId: {contract_id}
"
        )
    }

    pub(crate) fn contract_text(&self) -> String {
        let Self {
            domain,
            version,
            status,
            kind,
            note,
            ..
        } = self;
        let (contract_id, topic) = (self.contract_id(), self.topic());
        format!(
            "apiVersion: v3.2.0
kind: DataContract
id: {contract_id}
version: \"{version}\"
status: {status}
domain: {domain}
tags: [bank, checked]
description:
  purpose: {note}
  limitations: Not for marketing.
slaProperties:
  - property: retention
    value: -1
  - property: latency
    value: 5
    unit: s
schema:
  - name: entry
    physicalName: {topic}
    description: One entry.
    customProperties:
      - property: mesh.kind
        value: {kind}
      - property: mesh.subjectKey
        value: client_id
    properties:
      - name: client_id
        logicalType: integer
        logicalTypeOptions: {{ format: i64 }}
        primaryKey: true
        required: true
        classification: personal
        description: The client's number in Přerov.
      - name: grade
        logicalType: string
        required: true
        enum:
          - value: GOOD
            description: Pays.
          - value: BAD
      - name: amount
        logicalType: number
        physicalType: decimal(12,2)
        customProperties:
          - property: precision
            value: 12
          - property: scale
            value: 2
      - name: place
        logicalType: object
        properties:
          - name: street
            logicalType: string
"
        )
    }

    pub(crate) fn body(&self) -> Value {
        let contract_text = self.contract_text();
        let contract = Contract::parse("contract.odcs.yaml", &contract_text).unwrap();
        json!({
            "product": self.product_text(),
            "contract": contract_text,
            "topic": self.topic(),
            "key_schema_id": 1,
            "value_schema_id": 2,
            "key_schema": key_schema(&contract).to_string(),
            "value_schema": value_schema(&contract, SchemaUse::Write).to_string(),
        })
    }
}
