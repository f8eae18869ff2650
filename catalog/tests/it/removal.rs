//! A version that is taken out leaves the others as if it had never been there; and a contract
//! may hold the schema of a topic that was there before it.

use serde_json::{Value, json};

use crate::harness::{Server, sample};

#[tokio::test]
async fn a_removed_version_is_gone_and_another_stands_for_the_product() {
    let server = Server::start().await;
    let one = sample("loan.applications");
    let mut two = one.clone();
    two.version = "2.0.0";
    server.register_all(&[one.clone(), two.clone()]).await;
    let path = one.path();
    assert_eq!(server.get(&path).await["version"], "2.0.0");

    let delete = |version: &str| format!("DELETE {path}/versions/{version}");
    let reply = server.call(&delete("2.0.0"), &Value::Null).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body["current_version"], "1.0.0");
    assert_eq!(server.get(&path).await["version"], "1.0.0");
    server
        .refused(&delete("2.0.0"), &Value::Null, 404, &["2.0.0"])
        .await;
    server
        .refused(&delete("v1"), &Value::Null, 400, &["version"])
        .await;

    let reply = server.call(&delete("1.0.0"), &Value::Null).await;
    assert_eq!(reply.body["current_version"], Value::Null);
    let list = server.get("/api/v1/products").await;
    assert_eq!(list["items"], json!([]));
    // The version may come back, with another contract even.
    let mut other = one.clone();
    other.note = "Anew.";
    server.register_all(&[other]).await;
}

#[tokio::test]
async fn what_was_decided_goes_with_the_last_version_of_a_major() {
    let server = Server::start().await;
    let one = sample("loan.applications");
    let mut two = one.clone();
    (two.version, two.status) = ("2.0.0", "draft");
    server.register_all(&[one.clone(), two.clone()]).await;
    let switch = json!({"products": {"applications": 2}});
    let reply = server
        .call("POST /api/v1/domains/loan/switch", &switch)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let delete = format!("DELETE {}/versions/2.0.0", one.path());
    assert_eq!(server.call(&delete, &Value::Null).await.status, 200);
    server.register_all(&[two.clone()]).await;
    let detail = server.get(&format!("{}/versions/2.0.0", one.path())).await;
    assert_eq!(detail["status"], "draft");
}

#[tokio::test]
async fn a_contract_that_holds_its_schema_is_registered_under_that() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    let foreign = r#"{"type":"record","name":"Old","namespace":"com.bank","fields":[]}"#;
    let contract = product.contract_text().replace(
        "      - property: mesh.kind\n",
        &format!(
            "      - property: mesh.valueSchema\n        value: '{foreign}'\n      \
             - property: mesh.keySchema\n        value: unregistered\n      - property: mesh.kind\n"
        ),
    );
    let mut body = product.body();
    body["contract"] = json!(contract);
    body["key_schema_id"] = json!(0);
    server
        .refused(
            &product.put(),
            &body,
            400,
            &["value_schema", "mesh.valueSchema"],
        )
        .await;
    body["value_schema"] = json!(foreign);
    let reply = server.call(&product.put(), &body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let detail = server.get(&product.path()).await;
    assert_eq!(detail["value_schema"], foreign);
    assert_eq!(detail["key_schema_id"], 0);
}
