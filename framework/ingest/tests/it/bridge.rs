//! Products fed by other products: an old major version beside the new one.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use super::harness::Mesh;

/// Writes a product with its contract into `folder` of the domain.
pub(super) fn product(mesh: &Mesh, folder: &str, version: &str, sources: &str, columns: &str) {
    let (name, major) = (&mesh.name, &version[..1]);
    let folder = mesh.folder().join("products").join(folder);
    // The harness makes a folder for its own product.
    std::fs::remove_dir(mesh.folder().join("products/parcels")).ok();
    std::fs::create_dir_all(&folder).unwrap();
    let id = format!("urn:test:contract:{name}.stock");
    let product = format!(
        "apiVersion: v1.0.0
kind: DataProduct
id: urn:test:product:{name}.stock
name: stock
version: \"{version}\"
status: active
domain: {name}
description: {{ purpose: Stock. }}
team: {{ name: Shipping }}
outputPorts:
  - {{ name: stream, type: kafka, version: \"{version}\", contractId: \"{id}\" }}
customProperties:
  - property: mesh.sources
    value: {sources}
"
    );
    let contract = format!(
        "apiVersion: v3.2.0
kind: DataContract
id: {id}
version: \"{version}\"
status: active
domain: {name}
description: {{ purpose: Stock. }}
slaProperties: [{{ property: retention, value: -1 }}]
schema:
  - name: stock
    physicalName: {name}.stock.v{major}
    customProperties:
      - {{ property: mesh.kind, value: state }}
      - {{ property: mesh.partitions, value: 1 }}
    properties:
{columns}"
    );
    std::fs::write(folder.join("product.odps.yaml"), product).unwrap();
    std::fs::write(folder.join("contract.odcs.yaml"), contract).unwrap();
}

const NEW: &str = "      - {name: article, logicalType: integer, primaryKey: true, primaryKeyPosition: 1, required: true}
      - {name: place, logicalType: string, required: true, enum: [{value: HALL}, {value: YARD}]}
      - {name: pieces, logicalType: integer, required: true}
      - {name: price, logicalType: number, physicalType: \"decimal(6,2)\", customProperties: [{property: precision, value: 6}, {property: scale, value: 2}]}
      - {name: checked, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: date, required: true}}}
      - {name: inside, logicalType: boolean}
";
const OLD: &str = "      - {name: article_no, logicalType: integer, logicalTypeOptions: {format: i64}, primaryKey: true, primaryKeyPosition: 1, required: true}
      - {name: site, logicalType: string, required: true, enum: [{value: HALL}, {value: OUTSIDE}]}
      - {name: count, logicalType: string, required: true}
      - {name: price, logicalType: number, required: true, physicalType: \"decimal(9,3)\", customProperties: [{property: precision, value: 9}, {property: scale, value: 3}]}
      - {name: checked, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: date, required: true}}}
      - {name: currency, logicalType: string, required: true}
";
const BRIDGE: &str = "[{ type: product, contract: products/stock/contract.odcs.yaml, ignore: [inside], \
    columns: { article: article_no, place: site, pieces: count }, \
    values: { site: { YARD: OUTSIDE } }, default: { currency: EUR, price: \"0\" } }]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_major_is_fed_from_the_new_one_with_deletions() {
    let mesh = Mesh::start().await;
    product(&mesh, "stock", "2.0.0", "[{ type: http }]", NEW);
    product(&mesh, "stock_v1", "1.4.0", BRIDGE, OLD);
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;
    let rows = r#"[
        {"article": 1, "place": "HALL", "pieces": 5, "price": "1.25", "checked": {"a": "2026-01-31"}},
        {"article": 2, "place": "YARD", "pieces": 7, "inside": true}]"#;
    let response = hosted
        .http
        .post(format!("{}/v1/stock", hosted.base))
        .header("Mesh-Principal", "service:depot")
        .header("Mesh-Purpose", "operations")
        .body(rows)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    let fed = |count: u64| {
        move |status: &serde_json::Value| {
            status["handlers"][0]["handled"] == count && status["outbox_pending"] == 0
        }
    };
    hosted.until("both are fed", fed(2)).await;
    let old = format!("{}.stock.v1", mesh.name);
    assert_eq!(
        mesh.json(&old, "stock_v1").await,
        [
            r#"{"article_no":1,"site":"HALL","count":"5","price":"1.250","checked":{"a":"2026-01-31"},"currency":"EUR"}"#,
            r#"{"article_no":2,"site":"OUTSIDE","count":"7","price":"0.000","checked":null,"currency":"EUR"}"#,
        ]
    );
    // A deletion, as any writer of the new topic may send it.
    let new = format!("{}.stock.v2", mesh.name);
    let key = mesh.keys(&new).await.remove(0);
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", &mesh.bootstrap)
        .create()
        .unwrap();
    producer
        .send(BaseRecord::<[u8], [u8]>::to(&new).key(&key))
        .map_err(|(error, _)| error)
        .unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
    hosted.until("the deletion is fed", fed(3)).await;
    let shown = mesh.json(&old, "stock_v1").await;
    assert_eq!(
        shown.last().map(String::as_str),
        Some("deleted {\"article_no\":1}")
    );
    hosted.running.stop().await;
}

#[test]
fn a_mapping_that_loses_or_invents_something_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mesh = runtime.block_on(Mesh::start());
    product(&mesh, "stock", "2.0.0", "[{ type: http }]", NEW);
    for (from, to, words) in [
        (
            "ignore: [inside]",
            "ignore: []",
            "inside: the column has no place",
        ),
        ("pieces: count", "pieces: counted", "no column"),
        (
            "pieces: count",
            "pieces: count, price: count",
            "two columns are mapped to one",
        ),
        (
            "YARD: OUTSIDE",
            "YARD: NOWHERE",
            "the symbol `YARD`|NOWHERE",
        ),
        (
            "site: { YARD: OUTSIDE }",
            "",
            "the symbol `YARD` is not known here",
        ),
        (
            "currency: EUR, ",
            "",
            "currency: a required column gets no value",
        ),
        (
            ", price: \"0\"",
            "",
            "price: a required column would get null",
        ),
        ("price: \"0\"", "price: \"0.1234\"", "price"),
        ("article: article_no, ", "", "article"),
        (
            "currency: EUR",
            "money: EUR",
            "the contract has no such column",
        ),
        ("products/stock/", "../", "leads out of the domain's folder"),
        ("products/stock/", "products/gone/", "cannot be read"),
        (
            "products/stock/",
            "products/stock_v1/",
            "fed by itself|no column",
        ),
    ] {
        assert_eq!(BRIDGE.matches(from).count(), 1, "{from}");
        product(&mesh, "stock_v1", "1.4.0", &BRIDGE.replace(from, to), OLD);
        let error = mesh_ingest::load(&mesh.folder())
            .err()
            .expect(to)
            .to_string();
        assert!(
            words
                .split('|')
                .any(|words| { words.split(": ").all(|word| error.contains(word)) }),
            "{from} -> {to}: {words:?} in {error}"
        );
    }
}

#[test]
fn products_that_feed_each_other_are_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mesh = runtime.block_on(Mesh::start());
    let read = |folder: &str| {
        format!("[{{ type: product, contract: products/{folder}/contract.odcs.yaml }}]")
    };
    product(&mesh, "stock", "2.0.0", &read("stock_v1"), NEW);
    product(&mesh, "stock_v1", "1.4.0", &read("stock"), NEW);
    let error = mesh_ingest::load(&mesh.folder()).err().unwrap().to_string();
    assert!(
        error.contains("fed by itself") && error.contains("stock.v"),
        "{error}"
    );
}
