//! Moves and erasures, on a platform.

use std::path::Path;

use axum::routing::get;
use axum::{Json, Router};
use customer::products::inputs::{BorrowedLoan, BorrowedLoanStatus as Loan};
use customer::products::{
    Change, ChangeKind as Kind, CreditScore, Erasure, ErasureStatus, Profile,
};
use serde_json::json;

use crate::mesh::{Mesh, Reader};

const DISTRICTS: &str = "A1;A2;A3;A4;A5;A6;A7;A8;A9;A10;A11;A12;A13;A14;A15;A16\r\n\
    1;\"Hl.m. Praha\";\"Prague\";1204953;0;0;0;1;1;100.0;12541;0.29;0.43;167;85677;99107\r\n\
    69;\"Jesenik\";\"north Moravia\";42821;4;13;5;1;3;48.4;8173;?;7.01;124;?;1358\r\n";
const CLIENTS: &str = "\"client_id\";\"birth_number\";\"district_id\"\r\n\
    1;\"706213\";1\r\n2;\"450204\";1\r\n3;\"450204\";69\r\n";
const DISPOSITIONS: &str = "\"disp_id\";\"client_id\";\"account_id\";\"type\"\r\n\
    1;1;11;\"OWNER\"\r\n2;2;12;\"OWNER\"\r\n3;3;13;\"OWNER\"\r\n";

fn bank(folder: &Path) {
    for (file, text) in [
        ("district.asc", DISTRICTS),
        ("client.asc", CLIENTS),
        ("disp.asc", DISPOSITIONS),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
}

async fn sources_are_done(mesh: &Mesh) {
    mesh.until("the files are read", |status| {
        let sources = status["sources"].as_array().unwrap();
        let files = sources.iter().filter(|source| source["name"] != "drift");
        files.into_iter().all(|source| source["done"] == true)
    })
    .await;
}

fn loan(loan_id: i64, client_id: i64, status: Loan) -> BorrowedLoan {
    BorrowedLoan {
        loan_id,
        client_id,
        status,
    }
}

async fn changed(reader: &Reader<Change>) -> (i64, Kind, Option<i32>, Option<String>) {
    let change = reader.next().await.1.unwrap();
    (
        change.client_id,
        change.kind,
        change.district_id,
        change.reason,
    )
}

#[tokio::test]
async fn a_move_is_told_and_the_profile_follows() {
    let folder = tempfile::tempdir().unwrap();
    bank(folder.path());
    let mut mesh = Mesh::start(folder.path()).await;
    sources_are_done(&mesh).await;
    let changes = mesh.reader::<Change>();
    let request = |number: u32, district: i32| {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        json!({ "request_id": id, "district_id": district })
    };
    for (path, body, status, part) in [
        (
            "/v1/clients/9/address",
            request(1, 69),
            404,
            "no such client",
        ),
        ("/v1/clients/x/address", request(1, 69), 400, "client_id"),
        ("/v1/clients/1/address", request(1, 7), 400, "district_id"),
        (
            "/v1/clients/1/address",
            json!({ "district_id": 69 }),
            400,
            "request_id",
        ),
    ] {
        let (answered, problem) = mesh.post(path, &body).await;
        assert_eq!(answered, status, "{path} {problem}");
        assert!(problem.to_string().contains(part), "{path} {problem}");
    }
    let (status, first) = mesh.post("/v1/clients/1/address", &request(1, 69)).await;
    assert_eq!(
        (status, &first["district_id"]),
        (200, &json!(null)),
        "{first}"
    );
    // The same request again, and one that changes nothing.
    assert_eq!(
        mesh.post("/v1/clients/1/address", &request(1, 69)).await,
        (200, first)
    );
    assert_eq!(
        mesh.post("/v1/clients/1/address", &request(2, 69)).await.0,
        200
    );
    let (_, profile) = mesh.get("/v1/profiles/1").await;
    assert_eq!(profile["district_name"], "Jesenik");
    assert_eq!(profile["district_unemployment_1995"], json!(null));
    assert!(
        profile["data_note"]
            .as_str()
            .unwrap()
            .contains("district 69")
    );
    assert_eq!(profile["birth_date"], "1970-12-13");
    assert_eq!(
        mesh.post("/v1/clients/1/address", &request(3, 1)).await.0,
        200
    );
    assert_eq!(
        changed(&changes).await,
        (1, Kind::AddressChanged, Some(69), None)
    );
    assert_eq!(
        changed(&changes).await,
        (1, Kind::AddressChanged, Some(1), None)
    );
    assert_eq!(
        mesh.post("/v1/clients/2/address", &request(1, 69)).await.0,
        200
    );
    assert_eq!(
        changed(&changes).await,
        (2, Kind::AddressChanged, Some(69), None)
    );
    changes.nothing_more().await;

    // Who has moved stays so, even if the files are read again into a new store.
    mesh.lose_the_store().await;
    mesh.restart().await;
    sources_are_done(&mesh).await;
    assert_eq!(mesh.get("/v1/profiles/2").await.1["district_id"], 69);
    mesh.stop().await;
}

#[tokio::test]
async fn who_is_erased_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    bank(folder.path());
    let mut mesh = Mesh::start(folder.path()).await;
    sources_are_done(&mesh).await;
    let history = Router::new().route(
        "/v1/accounts/{account_id}/transactions",
        get(async || Json(json!({ "items": [] }))),
    );
    mesh.stand_in("transaction", history).await;
    for client_id in [1, 2] {
        let question =
            json!({ "client_id": client_id, "account_id": 10 + client_id, "as_of": "1997-01-01" });
        assert_eq!(mesh.post("/v1/credit_scores", &question).await.0, 200);
    }
    let changes = mesh.reader::<Change>();
    let (status, problem) = mesh.post("/v1/clients/9/erasure", &json!({})).await;
    assert_eq!(status, 404, "{problem}");
    let (status, problem) = mesh.get("/v1/clients/1/erasure").await;
    assert_eq!(status, 404, "{problem}");

    // Refused while one of two loans runs, however it stands; and asked for again afterwards.
    mesh.publish(&[loan(5, 1, Loan::Active), loan(6, 1, Loan::Defaulted)])
        .await;
    mesh.until("the loans are known", |status| {
        let handlers = status["handlers"].as_array().unwrap();
        handlers
            .iter()
            .any(|one| one["name"] == "running_loans" && one["handled"] == 2)
    })
    .await;
    let (status, asked) = mesh.post("/v1/clients/1/erasure", &json!({})).await;
    assert_eq!(
        (status, &asked["status"]),
        (200, &json!("REQUESTED")),
        "{asked}"
    );
    assert_eq!(
        changed(&changes).await,
        (1, Kind::ErasureRequested, None, None)
    );
    let why = Some("RUNNING_LOAN".to_owned());
    assert_eq!(
        changed(&changes).await,
        (1, Kind::ErasureRefused, None, why.clone())
    );
    assert_eq!(
        mesh.get("/v1/clients/1/erasure").await.1["status"],
        "REFUSED"
    );
    mesh.publish(&[loan(5, 1, Loan::PaidOff)]).await;
    mesh.until("a loan is paid", |status| {
        let handlers = status["handlers"].as_array().unwrap();
        handlers
            .iter()
            .any(|one| one["name"] == "running_loans" && one["handled"] == 3)
    })
    .await;
    mesh.post("/v1/clients/1/erasure", &json!({})).await;
    assert_eq!(changed(&changes).await.1, Kind::ErasureRequested);
    assert_eq!(
        changed(&changes).await,
        (1, Kind::ErasureRefused, None, why)
    );
    assert_eq!(mesh.get("/v1/profiles/1").await.0, 200);

    // Erased without one: profile and score are gone, here and in their topics.
    for _ in 0..2 {
        let (status, asked) = mesh.post("/v1/clients/2/erasure", &json!({})).await;
        assert_eq!(status, 200, "{asked}");
    }
    assert_eq!(
        changed(&changes).await,
        (2, Kind::ErasureRequested, None, None)
    );
    assert_eq!(changed(&changes).await, (2, Kind::Erased, None, None));
    assert_eq!(
        mesh.post("/v1/clients/2/erasure", &json!({})).await.1["status"],
        "ERASED"
    );
    changes.nothing_more().await;
    assert_eq!(
        gone(&mesh.reader::<Profile>(), 4, |key| key.client_id == 2).await,
        [true, false]
    );
    assert_eq!(
        gone(&mesh.reader::<CreditScore>(), 3, |key| key.client_id == 2).await,
        [true, false]
    );
    let erasures = mesh.reader::<Erasure>();
    let mut last = None;
    for _ in 0..6 {
        let row = erasures.next().await.1.unwrap();
        last = if row.client_id == 2 {
            Some(row.status)
        } else {
            last
        };
    }
    assert_eq!(last, Some(ErasureStatus::Erased));

    // Not after a restart, not with a new store that reads the files again.
    mesh.restart().await;
    assert_eq!(mesh.get("/v1/profiles/2").await.0, 404);
    mesh.lose_the_store().await;
    mesh.restart().await;
    sources_are_done(&mesh).await;
    for path in ["/v1/profiles/2", "/v1/credit_scores/2"] {
        assert_eq!(mesh.get(path).await.0, 404, "{path}");
    }
    let question = json!({ "client_id": 2, "account_id": 12, "as_of": "1998-01-01" });
    assert_eq!(mesh.post("/v1/credit_scores", &question).await.0, 404);
    assert_eq!(mesh.get("/v1/profiles/3").await.0, 200);
    assert_eq!(mesh.get("/v1/credit_scores/1").await.0, 200);
    let topic = mesh.reader::<Profile>();
    assert_eq!(
        gone(&topic, 4, |key| key.client_id == 2).await,
        [true, false]
    );
    topic.nothing_more().await;
    mesh.stop().await;
}

/// Of the next `records`, whether each of the client's own has a value, in their order.
async fn gone<R: mesh_core::Record>(
    reader: &Reader<R>,
    records: usize,
    is_theirs: impl Fn(&R::Key) -> bool,
) -> Vec<bool> {
    let mut values = Vec::new();
    for _ in 0..records {
        let (key, value) = reader.next().await;
        if is_theirs(&key) {
            values.push(value.is_some());
        }
    }
    values
}
