//! Versions are registered once, kept under one contract, and one stands for the product.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Sample, Server, check_problem, sample};

#[tokio::test]
async fn registering_twice_is_registering_once() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    let first = server.register(&product).await;
    assert_eq!(
        (first.status, &first.body["outcome"]),
        (201, &json!("created"))
    );
    assert_eq!(first.body["current_version"], "1.0.0");
    assert_eq!(first.body["topic"], "loan.applications.v1");
    let again = server.register(&product).await;
    assert_eq!(
        (again.status, &again.body["outcome"]),
        (200, &json!("unchanged"))
    );
    for field in ["registered_at", "updated_at"] {
        assert_eq!(again.body[field], first.body[field], "{field}");
    }
    let list = server.get("/api/v1/products").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_version_keeps_its_contract() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    server.register_all(std::slice::from_ref(&product)).await;
    let other = Sample {
        note: "To be changed.",
        ..product.clone()
    };
    server
        .refused(
            &other.put(),
            &other.body(),
            409,
            &["another contract", "raise `version`", "1.0.0"],
        )
        .await;
    let detail = server.get(&product.path()).await;
    assert_eq!(detail["contract_text"], product.contract_text());
    let raised = Sample {
        version: "1.0.1",
        ..other
    };
    server.register_all(std::slice::from_ref(&raised)).await;
    let detail = server.get(&product.path()).await;
    assert_eq!(detail["contract_text"], raised.contract_text());
}

#[tokio::test]
async fn product_file_and_schema_ids_may_be_sent_anew() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    let first = server.register(&product).await;
    let moved = Sample {
        team: "Credit",
        tag: "moved",
        ..product.clone()
    };
    let mut body = moved.body();
    body["value_schema_id"] = json!(7);
    let reply = server.call(&moved.put(), &body).await;
    assert_eq!(
        (reply.status, &reply.body["outcome"]),
        (200, &json!("updated"))
    );
    assert_eq!(reply.body["registered_at"], first.body["registered_at"]);
    let detail = server.get(&product.path()).await;
    assert_eq!(
        (
            &detail["owner"],
            &detail["value_schema_id"],
            &detail["tags"]
        ),
        (
            &json!("Credit"),
            &json!(7),
            &json!(["moved", "bank", "checked"])
        ),
    );
    let list = server.get("/api/v1/products?owner=Lending").await;
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn a_contract_id_belongs_to_one_product() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    server.register_all(std::slice::from_ref(&product)).await;
    let thief = sample("ads.applications");
    let mut body = thief.body();
    for text in ["contract", "product"] {
        let stolen = body[text]
            .as_str()
            .unwrap()
            .replace(&thief.contract_id(), &product.contract_id());
        body[text] = json!(stolen);
    }
    let words = ["contract of this id", "loan.applications"];
    server.refused(&thief.put(), &body, 409, &words).await;
    server
        .refused(
            "GET /api/v1/domains/ads",
            &Value::Null,
            404,
            &["no such domain"],
        )
        .await;
}

#[tokio::test]
async fn the_newest_active_version_stands_for_the_product() {
    let server = Server::start().await;
    for (version, status, current) in [
        ("1.9.0", "active", "1.9.0"),
        ("1.10.0", "active", "1.10.0"),
        ("1.2.0", "active", "1.10.0"),
        ("2.0.0", "draft", "1.10.0"),
        ("2.0.1", "active", "2.0.1"),
        ("1.10.1", "deprecated", "2.0.1"),
        ("3.0.0", "proposed", "2.0.1"),
        ("2.0.2", "retired", "1.10.1"),
    ] {
        let product = Sample {
            version,
            status,
            ..sample("loan.applications")
        };
        let reply = server.register(&product).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        assert_eq!(reply.body["current_version"], current, "after {version}");
        let detail = server.get(&product.path()).await;
        assert_eq!(detail["version"], current);
        let list = server.get("/api/v1/products").await;
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert_eq!(list["items"][0]["version"], current);
    }
    let detail = server.get("/api/v1/products/loan/applications").await;
    let versions: Vec<String> = detail["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| {
            format!(
                "{} {} {}",
                v["version"], v["current"], v["current_of_major"]
            )
        })
        .collect();
    assert_eq!(
        versions,
        [
            r#""3.0.0" false true"#,
            r#""2.0.2" false true"#,
            r#""2.0.1" false false"#,
            r#""2.0.0" false false"#,
            r#""1.10.1" true true"#,
            r#""1.10.0" false false"#,
            r#""1.9.0" false false"#,
            r#""1.2.0" false false"#,
        ]
    );
    for (asked, found) in [
        ("1.9.0", "1.9.0"),
        ("v1", "1.10.1"),
        ("v2", "2.0.2"),
        ("v3", "3.0.0"),
    ] {
        let path = format!("/api/v1/products/loan/applications/versions/{asked}");
        assert_eq!(server.get(&path).await["version"], found, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_registrations_at_once_one_creates() {
    let server = Server::start().await;
    let product = sample("loan.applications");
    let (put, body) = (product.put(), product.body());
    let replies = join_all((0..24).map(|_| server.call(&put, &body))).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses.pop(), Some(201));
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");

    // Two teams that disagree on one version: one text wins, the other is told.
    let texts = ["To be first.", "To be second."].map(|note| Sample {
        note,
        version: "2.0.0",
        ..product.clone()
    });
    let put = texts[0].put();
    let bodies = texts.each_ref().map(Sample::body);
    let replies = join_all((0..24).map(|at| server.call(&put, &bodies[at % 2]))).await;
    let kept = server.get(&product.path()).await["contract_text"].clone();
    let mut created = 0;
    for (at, reply) in replies.iter().enumerate() {
        if bodies[at % 2]["contract"] == kept {
            assert!(matches!(reply.status, 200 | 201), "{}", reply.body);
            created += u16::from(reply.status == 201);
        } else {
            check_problem(reply, &put, 409, &["raise `version`"]);
        }
    }
    assert_eq!(created, 1);
}
