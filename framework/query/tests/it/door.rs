//! The HTTP door.

use axum::body::Body;
use axum::http::{Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh_query::{openapi, query_router};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::flight::with_logins;
use crate::harness::{Platform, Sale, StoreProfile, sale, send, store};

async fn post(
    router: &axum::Router,
    headers: &[(&str, &str)],
    body: Value,
) -> (u16, String, String) {
    let mut request = Request::post("/api/v1/sql").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

const WHO: [(&str, &str); 2] = [("Mesh-Principal", "anna"), ("Mesh-Purpose", "analysis")];

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_json_csv_and_text() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(
        &sales,
        [
            sale(1, "north", 5),
            sale(9_007_199_254_740_993, "so\"uth, x", 123_456),
        ],
    )
    .await;
    send(&stores, [store("north", "Oslo", 1)]).await;
    let router = query_router(platform.engine(), None);
    let sql =
        "SELECT sale_id, store, amount, status, sold_at, note FROM shop.sales ORDER BY sale_id";

    let (status, kind, body) = post(&router, &WHO, json!({"sql": sql})).await;
    assert_eq!((status, kind.as_str()), (200, "application/json"), "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        answer["columns"][2],
        json!({"name": "amount", "type": "DECIMAL(12,2)", "nullable": false})
    );
    assert_eq!(answer["columns"][3]["type"], "VARCHAR");
    let sold_at = &answer["rows"][1][4];
    assert_eq!(
        answer["rows"],
        json!([
            [
                1,
                "north",
                "0.05",
                "OPEN",
                "2023-11-14T22:13:20.000001+00:00",
                null
            ],
            [
                "9007199254740993",
                "so\"uth, x",
                "1234.56",
                "OPEN",
                sold_at,
                "note 9007199254740993"
            ],
        ])
    );
    assert_eq!(answer["stats"]["rows"], 2);
    assert_eq!(answer["stats"]["records_read"], 2);

    let nested = json!({"sql": "SELECT labels, manager, CAST('NaN' AS DOUBLE), X'0aff', 1e0 FROM shop.stores"});
    let (_, _, body) = post(&router, &WHO, nested).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["rows"][0][0], json!(["a", "b,\"c\""]), "{body}");
    assert_eq!(answer["rows"][0][1], json!({"name": "Jo", "age": null}));
    assert_eq!(
        (&answer["rows"][0][2], &answer["rows"][0][3]),
        (&json!("NaN"), &json!("0aff"))
    );

    let csv = [WHO[0], WHO[1], ("Accept", "text/csv")];
    let (_, kind, body) = post(&router, &csv, json!({"sql": sql, "limit": 1})).await;
    assert!(kind.starts_with("text/csv"));
    assert_eq!(
        body,
        "sale_id,store,amount,status,sold_at,note\r\n\
        1,north,0.05,OPEN,2023-11-14T22:13:20.000001+00:00,\r\n"
    );
    let (_, _, body) = post(
        &router,
        &csv,
        json!({"sql": "SELECT 'a\"b' x, '' e, NULL n"}),
    )
    .await;
    assert_eq!(body, "x,e,n\r\n\"a\"\"b\",\"\",\r\n");

    let text = [WHO[0], WHO[1], ("Accept", "text/html, text/plain;q=0.9")];
    let (_, _, body) = post(&router, &text,
        json!({"sql": "SELECT store, amount, note, E'\\x1b[31m' c FROM shop.sales ORDER BY sale_id"})).await;
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(
        lines[0], " store     |  amount | note                  | c",
        "{body}"
    );
    assert_eq!(
        lines[2],
        " north     |    0.05 | NULL                  | \\u{1b}[31m"
    );
    assert!(
        lines[4].starts_with("(2 rows, ") && lines[4].contains("2 records"),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_problem_documents() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, [sale(0, "north", 5)]).await;
    let router = query_router(platform.engine(), None);
    for (headers, body, status, part) in [
        (vec![], json!({"sql": "SELECT 1"}), 401, "Mesh-Principal"),
        (
            WHO.to_vec(),
            json!({"sql": "DROP TABLE shop.sales"}),
            403,
            "only statements that read",
        ),
        (
            WHO.to_vec(),
            json!({"sql": "SELECT * FROM shop.nothing"}),
            404,
            "SHOW TABLES",
        ),
        (WHO.to_vec(), json!({"sql": "SELEC"}), 400, "parse"),
        (
            WHO.to_vec(),
            json!({"sql": "SELECT 1/sale_id FROM shop.sales"}),
            400,
            "NULLIF",
        ),
        (WHO.to_vec(), json!({"query": "SELECT 1"}), 400, "sql"),
        (
            vec![WHO[0], WHO[1], ("Accept", "image/png")],
            json!({"sql": "SELECT 1"}),
            400,
            "accept",
        ),
    ] {
        let (found, kind, text) = post(&router, &headers, body).await;
        assert_eq!(
            (found, kind.as_str()),
            (status, "application/problem+json"),
            "{text}"
        );
        assert!(text.contains(part), "{part} in {text}");
    }
    let paths = serde_json::to_value(openapi()).unwrap();
    assert!(paths["paths"]["/api/v1/sql"]["post"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fails_half_way_says_so() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    // The last record of the one partition that is read at the end divides by zero.
    send(&sales, (1..60_000).map(|id| sale(id, "north", 5))).await;
    let mut config = platform.config();
    config.target_partitions = 1;
    let router = query_router(mesh_query::Engine::new(config).unwrap(), None);
    let sql = "SELECT 1 / (sale_id - 59990) FROM shop.sales";
    let (status, _, body) = post(&router, &WHO, json!({"sql": sql})).await;
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["error"]["detail"], "a division by zero");
    assert!(answer["stats"].is_null() && !answer["rows"].as_array().unwrap().is_empty());
    let request = Request::post("/api/v1/sql")
        .header("content-type", "application/json")
        .header("accept", "text/csv")
        .header("mesh-principal", "anna")
        .header("mesh-purpose", "analysis")
        .body(Body::from(json!({"sql": sql}).to_string()))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert!(
        axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_people_log_in_nobody_is_believed_to_be_another() {
    let platform = Platform::start().await;
    let router = query_router(platform.engine(), with_logins().logins);
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let (anna, wrong) = (basic("anna:annaanna"), basic("anna:bobbob"));
    let purpose = ("Mesh-Purpose", "analysis");
    let cases: [(&[(&str, &str)], u16); 7] = [
        (&[("Authorization", &anna), purpose], 200),
        (
            &[
                ("Authorization", &anna),
                ("Mesh-Principal", "anna"),
                purpose,
            ],
            200,
        ),
        (
            &[("Authorization", &anna), ("Mesh-Principal", "bob"), purpose],
            401,
        ),
        (&[("Authorization", &wrong), purpose], 401),
        (
            &[("Authorization", &wrong), ("Authorization", &anna), purpose],
            401,
        ),
        (&[("Authorization", "Bearer annaanna"), purpose], 401),
        (&WHO, 401),
    ];
    let statements = "/api/v1/sql/statements";
    let nobody = format!("{statements}/0197c6b6-0000-7000-8000-000000000000");
    for (headers, expected) in cases {
        let (status, _, body) = post(&router, headers, json!({"sql": "SELECT 1"})).await;
        assert_eq!(status, expected, "{headers:?}: {body}");
        assert!(!body.contains("bobbob"), "{body}");
        for (method, path) in [
            ("GET", statements),
            ("GET", &nobody),
            ("DELETE", &nobody),
            ("POST", "/api/v1/sql/follow"),
        ] {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let refused = response.status() == 401;
            assert_eq!(refused, expected == 401, "{method} {path} {headers:?}");
            let challenge = response.headers().get("www-authenticate");
            assert_eq!(challenge.is_some(), refused);
        }
    }
    let open = Request::get("/api/v1/sql/openapi.json");
    let open = router.oneshot(open.body(Body::empty()).unwrap()).await;
    assert_eq!(open.unwrap().status(), 200);
}
