//! Statements by their ids at the HTTP door: formats, parameters, answers fetched later, and
//! what one principal may use.

use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use arrow::ipc::reader::StreamReader;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use axum::{Router, body::Bytes};
use mesh_query::{Engine, openapi, query_router};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{Platform, Sale, StoreProfile, sale, send, store};

const LATER: &str = "/api/v1/sql/statements";

struct Answer {
    status: u16,
    id: Option<String>,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn request(
    who: &str,
    method: Method,
    path: &str,
    accept: &str,
    body: Option<Value>,
) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("accept", accept)
        .header("mesh-principal", who)
        .header("mesh-purpose", "analysis");
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    request.body(body).unwrap()
}

async fn send_to(router: &Router, request: Request<Body>) -> Answer {
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers().get("mesh-statement");
    let id = id.map(|id| id.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    Answer { status, id, body }
}

async fn get(router: &Router, who: &str, path: &str, accept: &str) -> Answer {
    send_to(router, request(who, Method::GET, path, accept, None)).await
}

async fn post(router: &Router, path: &str, accept: &str, body: Value) -> Answer {
    send_to(
        router,
        request("anna", Method::POST, path, accept, Some(body)),
    )
    .await
}

/// The statement's state once it is one of `states`.
async fn becomes(router: &Router, id: &str, states: &[&str]) -> Value {
    let begun = Instant::now();
    loop {
        let answer = get(router, "anna", &format!("{LATER}/{id}"), "*/*").await;
        assert_eq!(answer.status, 200);
        let status = answer.json();
        if states.contains(&status["state"].as_str().unwrap()) {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn arrow(body: &Bytes) -> Vec<RecordBatch> {
    let reader = StreamReader::try_new(&body[..], None).unwrap();
    reader.collect::<Result<_, _>>().unwrap()
}

fn parquet(body: Bytes) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(body).unwrap();
    builder.build().unwrap().collect::<Result<_, _>>().unwrap()
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

const ARROW: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_arrow_and_parquet_hold_the_same_rows() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(&sales, (0..30_000).map(|id| sale(id, "north", id))).await;
    send(
        &stores,
        [store("north", "Oslo", 1), store("south", "Rome", 2)],
    )
    .await;
    let router = query_router(platform.engine(), None);
    let sql = json!({"sql": "SELECT sale_id, store, amount, status, sold_at, note \
        FROM shop.sales ORDER BY sale_id"});
    let ipc = arrow(&post(&router, "/api/v1/sql", ARROW, sql.clone()).await.body);
    let file = parquet(post(&router, "/api/v1/sql", PARQUET, sql).await.body);
    assert_eq!((rows(&ipc), rows(&file)), (30_000, 30_000));
    let schema = ipc[0].schema();
    assert_eq!(schema.field(2).data_type(), &DataType::Decimal128(12, 2));
    assert_eq!(schema.field(3).data_type(), &DataType::Utf8);
    let all = |batches| arrow::compute::concat_batches(&schema, batches).unwrap();
    assert_eq!(all(&ipc), all(&file));
    let ids = all(&ipc);
    assert!(
        ids.column(0)
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .copied()
            .eq(0..30_000)
    );

    let nested = json!({"sql": "SELECT * FROM shop.stores ORDER BY store"});
    let ipc = arrow(
        &post(&router, "/api/v1/sql", ARROW, nested.clone())
            .await
            .body,
    );
    let file = parquet(post(&router, "/api/v1/sql", PARQUET, nested).await.body);
    assert_eq!(rows(&file), 2);
    assert_eq!(ipc[0].columns(), file[0].columns());
    let none = json!({"sql": "SELECT * FROM shop.sales WHERE sale_id < 0"});
    let ipc = post(&router, "/api/v1/sql", ARROW, none.clone()).await;
    assert_eq!(rows(&arrow(&ipc.body)), 0);
    let file = post(&router, "/api/v1/sql", PARQUET, none).await;
    assert_eq!(rows(&parquet(file.body)), 0);
    // What fails half way breaks off, so that nobody takes it for the whole.
    let fails = json!({"sql": "SELECT 1 / (sale_id - 29990) FROM shop.sales"});
    for format in [ARROW, PARQUET] {
        let request = request(
            "anna",
            Method::POST,
            "/api/v1/sql",
            format,
            Some(fails.clone()),
        );
        let response = router.clone().oneshot(request).await.unwrap();
        let whole = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        assert!(whole.is_err_and(|_| true), "{format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_take_parameters_and_settings() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..10).map(|id| sale(id, "north", id * 100))).await;
    let router = query_router(platform.engine(), None);
    for (body, status, part) in [
        (
            json!({"sql": "SELECT sale_id FROM shop.sales WHERE amount = $1", "parameters": ["7.00"]}),
            200,
            "[7]",
        ),
        (
            json!({"sql": "SELECT sale_id FROM shop.sales WHERE amount = $1", "parameters": [7]}),
            200,
            "[7]",
        ),
        (
            json!({"sql": "SELECT count(*) FROM shop.sales WHERE sold_at >= $1 AND store = $2",
            "parameters": ["2023-11-14T22:13:20.000005Z", "north"]}),
            200,
            "[5]",
        ),
        (
            json!({"sql": "SELECT $1 IS NULL, $2", "parameters": [null, true]}),
            200,
            "[true,true]",
        ),
        (json!({"sql": "SELECT $1 + 1"}), 400, "number of parameters"),
        (
            json!({"sql": "SELECT 1", "parameters": [1]}),
            400,
            "number of parameters",
        ),
        (
            json!({"sql": "SELECT 1 FROM shop.sales WHERE sale_id = $1", "parameters": ["zebra"]}),
            400,
            "$1",
        ),
        (
            json!({"sql": "SELECT $1", "parameters": [[1]]}),
            400,
            "a list or an object",
        ),
        (
            json!({"sql": "SELECT 1", "settings": {"statement_timeout": "5s"}}),
            200,
            "[1]",
        ),
        (
            json!({"sql": "SELECT 1", "settings": {"batch_size": 5}}),
            404,
            "no such setting",
        ),
        (
            json!({"sql": "SELECT 1", "settings": {"mesh.purpose": "x"}}),
            400,
            "Mesh-Purpose",
        ),
        (
            json!({"sql": "SELECT count(*) FROM shop.sales a, shop.sales b, shop.sales c, shop.sales d, \
            shop.sales e, shop.sales f, shop.sales g, shop.sales h WHERE a.amount + b.amount + \
            c.amount + d.amount + e.amount + f.amount + g.amount + h.amount < 0",
            "settings": {"statement_timeout": 50}}),
            504,
            "longer than it may",
        ),
    ] {
        let answer = post(&router, "/api/v1/sql", "*/*", body).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.status, status, "{text}");
        assert!(text.contains(part), "{part} in {text}");
        assert!(!text.contains("zebra"), "{text}");
        assert!(answer.id.is_some(), "every statement has an id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_for_whoever_asked() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..20_000).map(|id| sale(id, "north", id))).await;
    let mut config = platform.config();
    config.keeping.statements = 3;
    let router = query_router(Engine::new(config).unwrap(), None);
    let body = json!({"sql": "SELECT sale_id, status FROM shop.sales ORDER BY sale_id"});
    let taken = post(&router, LATER, "*/*", body).await;
    assert_eq!(taken.status, 202);
    let id = taken.id.clone().unwrap();
    assert_eq!(taken.json()["id"], json!(id));
    let status = becomes(&router, &id, &["finished"]).await;
    assert_eq!(status["progress"]["rows"], 20_000);
    assert_eq!(status["progress"]["records_read"], 20_000);
    let result = status["result"].as_str().unwrap();
    for _ in 0..2 {
        let answer = get(&router, "anna", result, "*/*").await;
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        assert_eq!(answer["rows"].as_array().unwrap().len(), 20_000);
        assert_eq!(answer["rows"][1], json!([1, "OPEN"]));
        assert_eq!(answer["stats"]["rows"], 20_000);
    }
    assert_eq!(
        rows(&arrow(&get(&router, "anna", result, ARROW).await.body)),
        20_000
    );
    assert_eq!(
        rows(&parquet(get(&router, "anna", result, PARQUET).await.body)),
        20_000
    );

    // To others it is as if it were not there.
    let path = format!("{LATER}/{id}");
    for (method, path) in [
        (Method::GET, path.as_str()),
        (Method::GET, result),
        (Method::DELETE, &path),
    ] {
        let answer = send_to(&router, request("bob", method, path, "*/*", None)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(
        get(&router, "bob", LATER, "*/*").await.json()["statements"],
        json!([])
    );
    let mut other = request("anna", Method::GET, result, "*/*", None);
    let purpose = "marketing".parse().unwrap();
    other.headers_mut().insert("mesh-purpose", purpose);
    assert_eq!(send_to(&router, other).await.status, 403);

    // One that fails says why, and holds no row.
    let body = json!({"sql": "SELECT 1 / (sale_id - 7) FROM shop.sales"});
    let failed = post(&router, LATER, "*/*", body).await.id.unwrap();
    let status = becomes(&router, &failed, &["failed"]).await;
    assert_eq!(status["error"]["detail"], "a division by zero");
    let answer = get(&router, "anna", &format!("{LATER}/{failed}/result"), "*/*").await;
    assert_eq!(answer.status, 400);
    let last = post(&router, LATER, "*/*", json!({"sql": "SELECT 1"}))
        .await
        .id
        .unwrap();
    becomes(&router, &last, &["finished"]).await;
    let refused = post(&router, LATER, "*/*", json!({"sql": "SELECT 1"})).await;
    assert_eq!(refused.status, 429);
    let listed = get(&router, "anna", LATER, "*/*").await.json();
    let listed: Vec<&str> = listed["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| statement["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, [&id, &failed, &last]);
    let ended = send_to(&router, request("anna", Method::DELETE, &path, "*/*", None)).await;
    assert_eq!(ended.status, 204);
    assert_eq!(get(&router, "anna", &path, "*/*").await.status, 404);
    assert_eq!(
        get(&router, "anna", &format!("{LATER}/nonsense"), "*/*")
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_answers_are_bounded_in_bytes_and_time() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..20_000).map(|id| sale(id, "north", id))).await;
    let mut config = platform.config();
    config.keeping.bytes = 100_000;
    config.keeping.life = Duration::from_millis(50);
    let router = query_router(Engine::new(config).unwrap(), None);
    let body = json!({"sql": "SELECT sale_id, store, sold_at FROM shop.sales"});
    let id = post(&router, LATER, "*/*", body).await.id.unwrap();
    let path = format!("{LATER}/{id}");
    let mut last = Value::Null;
    let begun = Instant::now();
    // It fails, and is forgotten soon after.
    loop {
        let answer = get(&router, "anna", &path, "*/*").await;
        if answer.status == 404 {
            break;
        }
        last = answer.json();
        assert!(begun.elapsed() < Duration::from_secs(60), "{last}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(last["state"], "failed", "{last}");
    assert_eq!(last["error"]["status"], 429, "{last}");
}

/// Takes long, reads little and holds little.
const SLOW: &str = "SELECT count(*) FROM shop.sales a, shop.sales b, shop.sales c \
    WHERE a.amount + b.amount + c.amount < 0";

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_ended_by_its_id_whichever_way_it_was_sent() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..2_000).map(|id| sale(id, "north", id))).await;
    let mut config = platform.config();
    config.per_principal.queries = 1;
    let router = query_router(Engine::new(config).unwrap(), None);
    let running = post(&router, LATER, "*/*", json!({"sql": SLOW}))
        .await
        .id
        .unwrap();
    becomes(&router, &running, &["running"]).await;
    // Only one of anna's runs at a time: another waits if it may, and is refused if not.
    let waiting = post(&router, LATER, "*/*", json!({"sql": "SELECT 1"}))
        .await
        .id
        .unwrap();
    let refused = post(&router, "/api/v1/sql", "*/*", json!({"sql": "SELECT 1"})).await;
    assert_eq!(refused.status, 429);
    let bob = request(
        "bob",
        Method::POST,
        "/api/v1/sql",
        "*/*",
        Some(json!({"sql": "SELECT 1"})),
    );
    assert_eq!(
        send_to(&router, bob).await.status,
        200,
        "others are not kept waiting"
    );
    assert_eq!(
        becomes(&router, &waiting, &["queued"]).await["state"],
        "queued"
    );
    let early = get(&router, "anna", &format!("{LATER}/{running}/result"), "*/*").await;
    assert_eq!(early.status, 422);
    let path = format!("{LATER}/{running}");
    let ended = send_to(&router, request("anna", Method::DELETE, &path, "*/*", None)).await;
    assert_eq!(ended.status, 204);
    becomes(&router, &running, &["cancelled"]).await;
    becomes(&router, &waiting, &["finished"]).await;
    let answer = get(&router, "anna", &format!("{LATER}/{running}/result"), "*/*").await;
    assert_eq!(answer.status, 409);

    // One whose answer is waited for, by the id that its client chose.
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let mut slow = request(
        "anna",
        Method::POST,
        "/api/v1/sql",
        "*/*",
        Some(json!({"sql": SLOW})),
    );
    slow.headers_mut()
        .insert("mesh-statement", id.parse().unwrap());
    let waits = tokio::spawn({
        let router = router.clone();
        async move { send_to(&router, slow).await }
    });
    let path = format!("{LATER}/{id}");
    let begun = Instant::now();
    loop {
        let answer = get(&router, "anna", &path, "*/*").await;
        if answer.status == 200 && answer.json()["state"] == "running" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let listed = get(&router, "anna", LATER, "*/*").await.json();
    assert!(listed.to_string().contains(id), "{listed}");
    assert!(!listed.to_string().contains("SELECT"), "texts are not kept");
    let mut again = request(
        "anna",
        Method::POST,
        "/api/v1/sql",
        "*/*",
        Some(json!({"sql": "SELECT 1"})),
    );
    again
        .headers_mut()
        .insert("mesh-statement", id.parse().unwrap());
    assert_eq!(send_to(&router, again).await.status, 409);
    let ended = send_to(&router, request("anna", Method::DELETE, &path, "*/*", None)).await;
    assert_eq!(ended.status, 204);
    let answer = waits.await.unwrap();
    assert_eq!((answer.status, answer.id.as_deref()), (409, Some(id)));
    assert_eq!(
        get(&router, "anna", &path, "*/*").await.status,
        404,
        "it is forgotten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_reads_and_holds_so_much_and_no_more() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..50_000).map(|id| sale(id, "north", id))).await;
    let mut config = platform.config();
    config.per_principal.bytes_scanned = Some(200_000);
    let router = query_router(Engine::new(config).unwrap(), None);
    let all = post(
        &router,
        "/api/v1/sql",
        "*/*",
        json!({"sql": "SELECT count(*) FROM shop.sales"}),
    )
    .await;
    let text = String::from_utf8(all.body.to_vec()).unwrap();
    assert_eq!(all.status, 429, "{text}");
    assert!(text.contains("more bytes than it may"), "{text}");
    let few = json!({"sql": "SELECT sale_id FROM shop.sales LIMIT 5"});
    assert_eq!(post(&router, "/api/v1/sql", "*/*", few).await.status, 200);

    let mut config = platform.config();
    config.per_principal.memory_bytes = Some(1 << 20);
    let router = query_router(Engine::new(config).unwrap(), None);
    // Half a million keys do not fit, and a join's table does not spill.
    let large = json!({"sql": "SELECT count(*) FROM shop.sales a JOIN shop.sales b \
        ON a.sale_id = b.sale_id AND a.store || b.store <> 'x'"});
    let refused = post(&router, "/api/v1/sql", "*/*", large.clone()).await;
    let text = String::from_utf8(refused.body.to_vec()).unwrap();
    assert_eq!(refused.status, 429, "{text}");
    assert!(text.contains("more memory"), "{text}");
    let router = query_router(platform.engine(), None);
    assert_eq!(post(&router, "/api/v1/sql", "*/*", large).await.status, 200);
}

#[test]
fn every_route_is_described() {
    let api = serde_json::to_value(openapi()).unwrap();
    for (path, methods) in [
        ("/api/v1/sql", vec!["post"]),
        (LATER, vec!["get", "post"]),
        ("/api/v1/sql/statements/{id}", vec!["delete", "get"]),
        ("/api/v1/sql/statements/{id}/result", vec!["get"]),
    ] {
        let mut found: Vec<&String> = api["paths"][path].as_object().unwrap().keys().collect();
        found.sort();
        assert_eq!(found, methods, "{path}");
    }
    let run = &api["paths"]["/api/v1/sql"]["post"]["responses"]["200"];
    for format in [ARROW, PARQUET, "application/json", "text/csv", "text/plain"] {
        assert!(run["content"][format].is_object(), "{format}");
    }
    let body = &api["components"]["schemas"]["SqlRequest"]["properties"];
    assert!(body["parameters"].is_object() && body["settings"].is_object());
}
