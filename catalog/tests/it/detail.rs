//! A product's page has all that a reader needs.

use serde_json::{Value, json};

use crate::harness::{Sample, Server, sample};

#[tokio::test]
async fn a_product_is_shown_in_full() {
    let server = Server::start().await;
    let product = Sample {
        reads: Some("urn:mesh:contract:customer.profiles"),
        ..sample("loan.applications")
    };
    server.register_all(std::slice::from_ref(&product)).await;
    let detail = server.get(&product.path()).await;
    let sent = product.body();
    for (field, expected) in [
        ("domain", json!("loan")),
        ("product", json!("applications")),
        ("version", json!("1.0.0")),
        ("kind", json!("state")),
        ("status", json!("active")),
        ("owner", json!("Lending")),
        ("description", json!("To be read.")),
        ("purpose", json!("To be kept.")),
        ("limitations", json!("Not for marketing.")),
        ("tags", json!(["bank", "checked"])),
        ("topic", json!("loan.applications.v1")),
        ("key_subject", json!("loan.applications.v1-key")),
        ("value_subject", json!("loan.applications.v1-value")),
        ("dead_letter_topic", json!("loan.applications.v1.dlq")),
        ("key_schema_id", json!(1)),
        ("value_schema_id", json!(2)),
        ("key_schema", sent["key_schema"].clone()),
        ("value_schema", sent["value_schema"].clone()),
        ("contract_text", sent["contract"].clone()),
        ("product_text", sent["product"].clone()),
        ("contract_id", json!("urn:mesh:contract:loan.applications")),
        ("product_id", json!("urn:mesh:product:loan.applications")),
        ("record", json!("Entry")),
        ("subject_key", json!("client_id")),
        ("event_time", Value::Null),
        ("partitions", json!(1)),
        ("retention_ms", json!(-1)),
        ("compatibility", json!("FULL_TRANSITIVE")),
        (
            "team",
            json!({"name": "Lending", "description": null, "members": [
            {"username": "jana@bank.example", "name": null, "role": "owner"}]}),
        ),
        (
            "support",
            json!([{"channel": "help", "url": "https://help.example",
            "description": null, "tool": null}]),
        ),
        (
            "service_levels",
            json!([
            {"property": "retention", "value": -1, "unit": null, "element": null, "description": null},
            {"property": "latency", "value": 5, "unit": "s", "element": null, "description": null}]),
        ),
        (
            "input_ports",
            json!([{"name": "upstream", "version": "1.0.0",
            "contract_id": "urn:mesh:contract:customer.profiles"}]),
        ),
        (
            "output_ports",
            json!([{"name": "stream", "description": null, "kind": "kafka",
            "version": "1.0.0", "contract_id": "urn:mesh:contract:loan.applications"}]),
        ),
        (
            "upstream",
            json!([{"contract_id": "urn:mesh:contract:customer.profiles",
            "domain": null, "product": null}]),
        ),
    ] {
        assert_eq!(detail[field], expected, "{field}");
    }
    let columns: Vec<String> = detail["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            [
                "name",
                "type",
                "nullable",
                "classification",
                "key",
                "primary_key",
                "partition_key",
            ]
            .map(|field| column[field].to_string().replace('"', ""))
            .join(" | ")
        })
        .collect();
    assert_eq!(
        columns,
        [
            "client_id | long | false | personal | 1 | 1 | null",
            "grade | enum(GOOD, BAD) | false | null | null | null | null",
            "amount | decimal(12,2) | true | null | null | null | null",
            "place | object<street: string> | true | null | null | null | null",
        ]
    );
    assert_eq!(
        detail["columns"][1]["symbols"],
        json!([{"value": "GOOD", "description": "Pays."}, {"value": "BAD", "description": null}])
    );
    assert_eq!(detail["columns"][3]["fields"][0]["name"], "street");
    assert_eq!(
        detail["columns"][0]["description"],
        "The client's number in Přerov."
    );

    // Lineage names the product as soon as somebody registers it.
    server.register_all(&[sample("customer.profiles")]).await;
    let detail = server.get(&product.path()).await;
    assert_eq!(
        detail["upstream"][0],
        json!({"contract_id": "urn:mesh:contract:customer.profiles",
            "domain": "customer", "product": "profiles"})
    );
}

#[tokio::test]
async fn an_event_product_has_its_partition_key_as_kafka_key() {
    let server = Server::start().await;
    let product = Sample {
        kind: "event",
        ..sample("transaction.payments")
    };
    let body = {
        let contract = product.contract_text().replace(
            "      - name: grade\n",
            "      - name: account_id\n        logicalType: string\n        required: true\n        \
             partitioned: true\n      - name: grade\n",
        );
        let parsed = mesh_core::contract::Contract::parse("c", &contract).unwrap();
        let mut body = product.body();
        body["contract"] = json!(contract);
        let value = mesh_core::avro::value_schema(&parsed, mesh_core::avro::SchemaUse::Write);
        body["value_schema"] = json!(value.to_string());
        body["key_schema"] = json!(mesh_core::avro::key_schema(&parsed).to_string());
        body
    };
    let reply = server.call(&product.put(), &body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let detail = server.get(&product.path()).await;
    let keys: Vec<(&Value, &Value, &Value)> = detail["columns"]
        .as_array()
        .unwrap()
        .iter()
        .take(2)
        .map(|column| {
            (
                &column["key"],
                &column["primary_key"],
                &column["partition_key"],
            )
        })
        .collect();
    let one = json!(1);
    assert_eq!(
        keys,
        [
            (&Value::Null, &one, &Value::Null),
            (&one, &Value::Null, &one)
        ]
    );
}
