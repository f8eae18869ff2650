//! A platform, and a domain of files, for one test. The domain's name is the test's own,
//! so that tests can share a Kafka (`MESH_KAFKA_BOOTSTRAP`).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use mesh_broker::{Broker, BrokerConfig};
use mesh_catalog::{Catalog, CatalogConfig};
use mesh_core::Descriptor;
use mesh_registry::{Registry, RegistryConfig};
use mesh_runtime::{Config, Running};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Mesh {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) name: String,
    pub(crate) bootstrap: String,
    registry_url: String,
    catalog_url: String,
    servers: Vec<JoinHandle<()>>,
    _broker: Option<Broker>,
}

impl Drop for Mesh {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

async fn serve(router: axum::Router, servers: &mut Vec<JoinHandle<()>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    servers.push(tokio::spawn(async move {
        axum::serve(listener, router).await.unwrap();
    }));
    url
}

impl Mesh {
    pub(crate) async fn start() -> Self {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .try_init()
            .ok();
        let dir = tempfile::tempdir().unwrap();
        let (broker, bootstrap) = match std::env::var("MESH_KAFKA_BOOTSTRAP") {
            Ok(bootstrap) => (None, bootstrap),
            Err(_) => {
                let mut config =
                    BrokerConfig::new(dir.path().join("kafka"), "127.0.0.1:0".parse().unwrap());
                config.worker_threads = 2;
                let broker = Broker::start(config).await.unwrap();
                let bootstrap = broker.bootstrap().to_owned();
                (Some(broker), bootstrap)
            }
        };
        let mut servers = Vec::new();
        let registry = Registry::open(RegistryConfig::new(dir.path().join("registry.db")));
        let registry_url = serve(registry.await.unwrap().router(), &mut servers).await;
        let database = dir.path().join("catalog.db");
        let catalog = Catalog::open(CatalogConfig { database }).await.unwrap();
        let catalog_url = serve(catalog.router(), &mut servers).await;
        let mesh = Self {
            name: format!("ship{}", uuid::Uuid::new_v4().simple()),
            dir,
            bootstrap,
            registry_url,
            catalog_url,
            servers,
            _broker: broker,
        };
        std::fs::create_dir_all(mesh.folder().join("products/parcels")).unwrap();
        std::fs::create_dir_all(mesh.folder().join("in")).unwrap();
        mesh
    }

    /// The domain's folder, which is its source directory too.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("domains").join(&self.name)
    }

    /// Writes the domain's one product; `sources` is the value of `mesh.sources` in YAML's
    /// flow style.
    pub(crate) fn product(&self, sources: &str) {
        let name = &self.name;
        let folder = self.folder().join("products/parcels");
        std::fs::write(folder.join("product.odps.yaml"), product(name, sources)).unwrap();
        std::fs::write(folder.join("contract.odcs.yaml"), contract(name)).unwrap();
    }

    pub(crate) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder().join("in").join(file), text).unwrap();
    }

    pub(crate) fn append(&self, file: &str, text: &str) {
        use std::io::Write;
        let mut options = std::fs::OpenOptions::new();
        let path = self.folder().join("in").join(file);
        let mut file = options.append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) async fn run(&self) -> Hosted {
        let domain = mesh_ingest::load(&self.folder()).unwrap();
        let mut config = Config::new(&self.name, self.dir.path().join("store")).unwrap();
        config.bootstrap.clone_from(&self.bootstrap);
        config.registry_url = self.registry_url.parse().unwrap();
        config.catalog_url = self.catalog_url.parse().unwrap();
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.source_dir = Some(self.folder());
        let running = Running::start(domain, config).await.unwrap();
        Hosted {
            base: format!("http://{}", running.address()),
            running,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// The header called `name` of every record in the topic.
    pub(crate) async fn header(&self, name: &'static str) -> Vec<String> {
        let (bootstrap, topic) = (self.bootstrap.clone(), format!("{}.parcels.v1", self.name));
        let records = tokio::task::spawn_blocking(move || {
            read_all(&bootstrap, &topic, |message| {
                let headers = message.headers().unwrap();
                let header = headers.iter().find(|header| header.key == name);
                let value = header.and_then(|header| header.value).unwrap_or_default();
                String::from_utf8(value.to_vec()).unwrap()
            })
        });
        records.await.unwrap()
    }

    /// The keys of the records in `topic`, framed.
    pub(crate) async fn keys(&self, topic: &str) -> Vec<Vec<u8>> {
        let (bootstrap, topic) = (self.bootstrap.clone(), topic.to_owned());
        let keys = move || {
            read_all(&bootstrap, &topic, |message| {
                message.key().unwrap().to_vec()
            })
        };
        tokio::task::spawn_blocking(keys).await.unwrap()
    }

    /// The rows in `topic` as JSON, under the contract of the product in `folder`.
    pub(crate) async fn json(&self, topic: &str, folder: &str) -> Vec<String> {
        let (bootstrap, topic) = (self.bootstrap.clone(), topic.to_owned());
        let file = self
            .folder()
            .join("products")
            .join(folder)
            .join("contract.odcs.yaml");
        let text = std::fs::read_to_string(file).unwrap().leak();
        let product = Descriptor::parse("contract.odcs.yaml", text, None).unwrap();
        let rows = move || {
            read_all(&bootstrap, &topic, |message| {
                let value = |schema: &str, framed: &[u8]| {
                    let schema = Schema::parse_str(schema).unwrap();
                    let reader = GenericDatumReader::builder(&schema).build().unwrap();
                    reader.read_value(&mut &framed[5..]).unwrap()
                };
                match message.payload() {
                    Some(payload) => {
                        let row = product.decode_row(&value(&product.value_schema, payload));
                        Json::Object(row.unwrap()).to_string()
                    }
                    None => {
                        let key = value(&product.key_schema, message.key().unwrap());
                        let key = product.decode_row_key(&key).unwrap();
                        format!("deleted {}", Json::Object(key))
                    }
                }
            })
        };
        tokio::task::spawn_blocking(rows).await.unwrap()
    }

    /// What the topic holds for a reader of what is committed, in its order.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let (bootstrap, topic) = (self.bootstrap.clone(), format!("{}.parcels.v1", self.name));
        let text = contract(&self.name).leak();
        let descriptor = Descriptor::parse("contract.odcs.yaml", text, None).unwrap();
        tokio::task::spawn_blocking(move || read(&bootstrap, &topic, &descriptor.value_schema))
            .await
            .unwrap()
    }
}

pub(crate) fn product(name: &str, sources: &str) -> String {
    format!(
        "apiVersion: v1.0.0
kind: DataProduct
id: urn:test:product:{name}.parcels
name: parcels
version: \"1.0.0\"
status: active
domain: {name}
description: {{ purpose: Parcels. }}
team: {{ name: Shipping }}
outputPorts:
  - {{ name: stream, type: kafka, version: \"1.0.0\", contractId: \"urn:test:contract:{name}.parcels\" }}
customProperties:
  - property: mesh.sources
    value: {sources}
"
    )
}

pub(crate) fn contract(name: &str) -> String {
    format!(
        "apiVersion: v3.2.0
kind: DataContract
id: urn:test:contract:{name}.parcels
version: \"1.0.0\"
status: active
domain: {name}
description: {{ purpose: Parcels. }}
slaProperties: [{{ property: retention, value: -1 }}]
schema:
  - name: parcel
    physicalName: {name}.parcels.v1
    physicalType: topic
    customProperties:
      - {{ property: mesh.kind, value: event }}
    properties:
      - {{ name: parcel_id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1, required: true }}
      - {{ name: town, logicalType: string, required: true, logicalTypeOptions: {{ maxLength: 12 }} }}
      - {{ name: note, logicalType: string }}
      - {{ name: sent_on, logicalType: date }}
"
    )
}

fn read(bootstrap: &str, topic: &str, schema: &str) -> Vec<String> {
    let schema = Schema::parse_str(schema).unwrap();
    read_all(bootstrap, topic, |message| {
        // Behind the frame: a zero byte and the schema's id.
        let mut body = &message.payload().unwrap()[5..];
        let reader = GenericDatumReader::builder(&schema).build().unwrap();
        shown(&reader.read_value(&mut body).unwrap())
    })
}

fn read_all<T>(bootstrap: &str, topic: &str, take: impl Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&assignment).unwrap();
    let mut rows = Vec::new();
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no end of {topic}"
        );
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return rows,
            Some(message) => rows.push(take(&message.unwrap())),
        }
    }
}

/// A row as one line: `1 Brno - 10000`, its date in days.
fn shown(value: &Value) -> String {
    let Value::Record(columns) = value else {
        panic!("no record")
    };
    let cell = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Int(number) | Value::Date(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let cells: Vec<String> = columns
        .iter()
        .map(|(_, value)| match value {
            Value::Union(_, inner) => cell(inner),
            value => cell(value),
        })
        .collect();
    cells.join(" ")
}

/// A domain that runs.
pub(crate) struct Hosted {
    pub(crate) running: Running,
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
}

impl Hosted {
    /// Polls `/status` until `wanted` holds.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let begun = Instant::now();
        loop {
            let response = self.http.get(format!("{}/status", self.base)).send().await;
            let status: Json = response.unwrap().json().await.unwrap();
            if wanted(&status) {
                return status;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{what}: {status:#}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Until as many rows stand in the topic and nothing waits to be published.
    pub(crate) async fn until_published(&self, rows: u64) {
        self.until("published", |status| {
            status["products"][0]["published"] == rows && status["outbox_pending"] == 0
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}
