//! Compatibility levels and modes.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn levels_are_global_and_by_subject() {
    let server = Server::start().await;
    let none = || Value::Null;
    let is = |level: &str| json!({ "compatibilityLevel": level });
    let put = |level: &str| json!({ "compatibility": level });
    server
        .check("GET /config", none(), 200, is("BACKWARD"))
        .await;
    server
        .check(
            "GET /config/s?defaultToGlobal=true",
            none(),
            200,
            is("BACKWARD"),
        )
        .await;
    for level in [
        "NONE",
        "BACKWARD",
        "BACKWARD_TRANSITIVE",
        "FORWARD",
        "FORWARD_TRANSITIVE",
        "FULL",
        "FULL_TRANSITIVE",
    ] {
        let small = level.to_lowercase();
        server
            .check("PUT /config", put(&small), 200, put(level))
            .await;
        server.check("GET /config", none(), 200, is(level)).await;
    }
    // A level can be set before the subject is there.
    server
        .check("PUT /config/s", put("FORWARD"), 200, put("FORWARD"))
        .await;
    server
        .check("GET /config/s", none(), 200, is("FORWARD"))
        .await;
    server
        .check("DELETE /config/s", none(), 200, is("FORWARD"))
        .await;
    server
        .refused(
            "GET /config/s",
            none(),
            40408,
            &["subject-level compatibility"],
        )
        .await;
    server
        .check(
            "GET /config/s?defaultToGlobal=true",
            none(),
            200,
            is("FULL_TRANSITIVE"),
        )
        .await;
    server
        .check("DELETE /config", none(), 200, is("FULL_TRANSITIVE"))
        .await;
    server
        .check("GET /config", none(), 200, is("BACKWARD"))
        .await;
    for body in [put("SIDEWAYS"), json!({}), json!({"compatibility": ""})] {
        server
            .refused("PUT /config", body.clone(), 42203, &["Valid values"])
            .await;
        server
            .refused("PUT /config/s", body, 42203, &["Valid values"])
            .await;
    }
    for (body, words) in [
        (
            json!({"validateFields": true}),
            "'validateFields' is not supported",
        ),
        (
            json!({"overrideRuleSet": {"domainRules": [{"name": "x"}]}}),
            "'overrideRuleSet' is not supported",
        ),
        (
            json!({"compatibility": "FULL", "alias": 7}),
            "'alias' is not of its type",
        ),
        (json!({"alias": "s"}), "alias of itself"),
    ] {
        server.refused("PUT /config/s", body, 42203, &[words]).await;
    }
    server
        .refused(
            "PUT /config",
            json!({"alias": "t"}),
            42203,
            &["not for a context"],
        )
        .await;
}

#[tokio::test]
async fn a_read_only_subject_takes_no_change_and_still_answers() {
    let server = Server::start().await;
    let none = || Value::Null;
    let mode = |mode: &str| json!({ "mode": mode });
    let int = json!({"schema": "\"int\""});
    server
        .check("GET /mode", none(), 200, mode("READWRITE"))
        .await;
    server.register("s", "\"int\"").await;
    server
        .check("PUT /mode/s", mode("readonly"), 200, mode("READONLY"))
        .await;
    server
        .check("GET /mode/s", none(), 200, mode("READONLY"))
        .await;
    let long = json!({"schema": "\"long\""});
    server
        .refused(
            "POST /subjects/s/versions",
            long.clone(),
            42205,
            &["read-only"],
        )
        .await;
    server
        .refused("DELETE /subjects/s", none(), 42205, &["read-only"])
        .await;
    server
        .refused(
            "DELETE /subjects/s/versions/1",
            none(),
            42205,
            &["read-only"],
        )
        .await;
    server
        .refused(
            "PUT /config/s",
            json!({"compatibility": "NONE"}),
            42205,
            &[],
        )
        .await;
    // What is registered already is found, and other subjects are free.
    server
        .check(
            "POST /subjects/s/versions",
            int.clone(),
            200,
            json!({"id": 1}),
        )
        .await;
    server
        .check(
            "POST /subjects/t/versions",
            int.clone(),
            200,
            json!({"id": 1}),
        )
        .await;

    server
        .check("PUT /mode", mode("READONLY"), 200, mode("READONLY"))
        .await;
    server
        .refused("POST /subjects/u/versions", int.clone(), 42205, &[])
        .await;
    server
        .check("PUT /mode/u", mode("READWRITE"), 200, mode("READWRITE"))
        .await;
    server
        .check("POST /subjects/u/versions", int, 200, json!({"id": 1}))
        .await;
    server
        .check("DELETE /mode/s", none(), 200, mode("READONLY"))
        .await;
    server
        .check(
            "GET /mode/s?defaultToGlobal=true",
            none(),
            200,
            mode("READONLY"),
        )
        .await;
    server
        .refused("PUT /mode", mode("SLEEPY"), 42204, &["Invalid mode"])
        .await;
    server
        .refused("PUT /mode", mode("FORWARD"), 42205, &["not supported"])
        .await;
}
