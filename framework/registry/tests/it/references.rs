//! Schemas that refer to schemas of other subjects.

use serde_json::{Value, json};

use crate::harness::{Server, record};

fn money() -> String {
    r#"{"type":"record","name":"Money","namespace":"bank","fields":[{"name":"cents","type":"long"}]}"#
        .to_owned()
}

fn account(field: &str) -> String {
    format!(
        r#"{{"type":"record","name":"Account","namespace":"bank","fields":[{{"name":"balance","type":"{field}"}}]}}"#
    )
}

fn reference(name: &str, subject: &str, version: i64) -> Value {
    json!({"name": name, "subject": subject, "version": version})
}

/// Registers money, an account that uses it, and a bank that uses both by way of the account.
async fn bank(server: &Server) {
    assert_eq!(server.register("money", &money()).await, 1);
    let body = json!({
        "schema": account("Money"),
        "references": [reference("bank.Money", "money", 1)],
    });
    let at = "POST /subjects/account/versions";
    server.check(at, body, 200, json!({"id": 2})).await;
    let body = json!({
        "schema": r#"{"type":"record","name":"Bank","fields":[
            {"name":"main","type":"bank.Account"},{"name":"reserve","type":"bank.Money"}]}"#,
        "references": [reference("bank.Account", "account", -1)],
    });
    let at = "POST /subjects/bank/versions";
    server.check(at, body, 200, json!({"id": 3})).await;
}

#[tokio::test]
async fn types_of_other_subjects_are_used_by_name_and_kept_by_reference() {
    let server = Server::start().await;
    bank(&server).await;
    let to_money = [reference("bank.Money", "money", 1)];
    let to_account = [reference("bank.Account", "account", 1)];
    let short = r#"{"type":"record","name":"Bank","fields":[{"name":"main","type":"bank.Account"},{"name":"reserve","type":"bank.Money"}]}"#;
    let whole = format!(
        r#"{{"type":"record","name":"Bank","fields":[{{"name":"main","type":{}}},{{"name":"reserve","type":"bank.Money"}}]}}"#,
        account("Money").replace(
            r#""Money""#,
            r#"{"type":"record","name":"Money","fields":[{"name":"cents","type":"long"}]}"#
        )
    );
    for (request, expected) in [
        (
            "GET /schemas/ids/2",
            json!({"schema": account("Money"), "references": to_money}),
        ),
        (
            "GET /subjects/bank/versions/1",
            json!({"subject": "bank", "version": 1, "id": 3, "schema": short,
                "references": to_account}),
        ),
        (
            "GET /schemas?subjectPrefix=bank",
            json!([{"subject": "bank", "version": 1, "id": 3, "schema": short,
                "references": to_account}]),
        ),
        (
            "GET /schemas/ids/3?format=resolved",
            json!({"schema": whole, "references": to_account}),
        ),
        (
            "GET /subjects/bank/versions/1/schema?format=resolved",
            serde_json::from_str(&whole).unwrap(),
        ),
        ("GET /subjects/money/versions/1/referencedby", json!([2])),
        (
            "GET /subjects/account/versions/latest/referencedby",
            json!([3]),
        ),
        ("GET /subjects/bank/versions/1/referencedby", json!([])),
    ] {
        server.check(request, Value::Null, 200, expected).await;
    }
    // Looked up with references, by way of a deleted one too, and written out.
    let found = json!({"subject": "bank", "version": 1, "id": 3, "schema": short,
        "references": to_account});
    for body in [
        json!({"schema": short, "references": to_account}),
        json!({"schema": whole}),
    ] {
        server
            .check("POST /subjects/bank", body, 200, found.clone())
            .await;
    }
    // The references are a part of what a schema is.
    assert_eq!(server.register("money-2", &money()).await, 1);
    let body = json!({"schema": account("Money"),
        "references": [reference("bank.Money", "money-2", 1)]});
    server
        .refused("POST /subjects/account", body.clone(), 40403, &[])
        .await;
    server
        .check(
            "POST /subjects/account-2/versions",
            body,
            200,
            json!({"id": 4}),
        )
        .await;
    let server = server.restart().await;
    let at = "GET /subjects/money-2/versions/1/referencedby";
    server.check(at, Value::Null, 200, json!([4])).await;
}

#[tokio::test]
async fn references_that_do_not_hold_are_refused() {
    let server = Server::start().await;
    bank(&server).await;
    let at = "POST /subjects/s/versions";
    let money_2 = money().replace("cents", "pence");
    server.register("other", &money_2).await;
    let uses = account("Money");
    for (references, words) in [
        (
            json!([]),
            "'Money' is neither a primitive type nor a type defined",
        ),
        (
            json!([reference("bank.Money", "money", 2)]),
            "No schema reference found for subject \"money\" and version 2",
        ),
        (
            json!([reference("bank.Money", "none", -1)]),
            "subject \"none\" and version latest",
        ),
        (
            json!([reference("bank.Money", "money", 0)]),
            "Invalid reference",
        ),
        (json!([reference("", "money", 1)]), "Invalid reference"),
        (
            json!([reference("a", "money", 1), reference("b", "other", 1)]),
            "'bank.Money' is defined twice",
        ),
    ] {
        let body = json!({"schema": uses, "references": references});
        server.refused(at, body.clone(), 42201, &[words]).await;
        let check = "POST /compatibility/subjects/s/versions";
        server.refused(check, body, 42201, &[words]).await;
    }
    // The same schema by two ways is one.
    let twice = json!([
        reference("a", "account", 1),
        reference("m", "money", 1),
        reference("n", "money", 1),
    ]);
    let body = json!({"schema": r#"["bank.Account","bank.Money"]"#, "references": twice});
    let reply = server.call("POST", "/subjects/s/versions", body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_check_looks_into_what_is_referred_to() {
    let server = Server::start().await;
    bank(&server).await;
    let dollars = money().replace(
        r#"{"name":"cents","type":"long"}"#,
        r#"{"name":"cents","type":"long"},{"name":"currency","type":"string"}"#,
    );
    let level = json!({"compatibility": "NONE"});
    server
        .check("PUT /config/money", level.clone(), 200, level)
        .await;
    server.register("money", &dollars).await;
    let body = json!({
        "schema": account("Money"),
        "references": [reference("bank.Money", "money", 2)],
    });
    server
        .refused(
            "POST /subjects/account/versions",
            body.clone(),
            409,
            &["field 'currency' of record bank.Money in the new schema has no default"],
        )
        .await;
    server
        .check(
            "POST /compatibility/subjects/account/versions/1",
            body,
            200,
            json!({"is_compatible": false}),
        )
        .await;
    // The versions before are read with what they refer to.
    let body = json!({
        "schema": account("Money"),
        "references": [reference("money", "money", 1)],
    });
    let at = "POST /subjects/account/versions";
    server.check(at, body, 200, json!({"id": 5})).await;
}

#[tokio::test]
async fn what_is_referred_to_is_not_deleted() {
    let server = Server::start().await;
    bank(&server).await;
    let none = || Value::Null;
    for request in [
        "DELETE /subjects/money",
        "DELETE /subjects/money/versions/1",
        "DELETE /subjects/account",
    ] {
        server
            .refused(request, none(), 42206, &["One or more references exist"])
            .await;
    }
    server
        .check("DELETE /subjects/bank", none(), 200, json!([1]))
        .await;
    let at = "GET /subjects/account/versions/1/referencedby";
    server.check(at, none(), 200, json!([])).await;
    let at = "GET /subjects/account/versions/1/referencedby?deleted=true";
    server.check(at, none(), 200, json!([3])).await;
    server
        .check("DELETE /subjects/account/versions/1", none(), 200, json!(1))
        .await;
    // Data under the deleted schema is still read, for which this is needed.
    let at = "DELETE /subjects/account/versions/1?permanent=true";
    server.refused(at, none(), 42206, &["version=1"]).await;
    let resolved = server
        .call("GET", "/schemas/ids/3?format=resolved", none())
        .await;
    assert_eq!(resolved.status, 200, "{}", resolved.body);
    // A deleted version takes no new reference.
    let body = json!({"schema": r#""bank.Account""#,
        "references": [reference("bank.Account", "account", 1)]});
    let at = "POST /subjects/s/versions";
    server
        .refused(at, body, 42201, &["No schema reference found"])
        .await;
    for request in [
        "DELETE /subjects/bank?permanent=true",
        "DELETE /subjects/account?permanent=true",
        "DELETE /subjects/money",
        "DELETE /subjects/money?permanent=true",
    ] {
        server.check(request, none(), 200, json!([1])).await;
    }
}

#[tokio::test]
async fn the_size_of_what_is_referred_to_counts() {
    let server = Server::start().await;
    let doc = "d".repeat(400_000);
    let at = "POST /subjects/s/versions";
    let mut references = Vec::new();
    for n in 0..3 {
        let subject = format!("large-{n}");
        let schema = record(&format!(r#"{{"name":"a","type":"int","doc":"{doc}"}}"#))
            .replace("\"R\"", &format!("\"R{n}\""));
        server.register(&subject, &schema).await;
        references.push(reference(&subject, &subject, 1));
        let body = json!({"schema": r#""int""#, "references": references});
        if n < 2 {
            let reply = server
                .call("POST", &format!("/subjects/s{n}/versions"), body)
                .await;
            assert_eq!(reply.status, 200, "{}", reply.body);
        } else {
            server
                .refused(at, body, 42209, &["together with what it refers to"])
                .await;
        }
    }
    // A chain that nests deeply is used and checked, and not written out.
    let mut previous = String::from("\"int\"");
    for n in 0..60 {
        let nested = format!(
            "{}{previous}{}",
            r#"{"type":"array","items":"#.repeat(5),
            "}".repeat(5)
        );
        let body = json!({
            "schema": format!(r#"{{"type":"record","name":"C{n}","fields":[{{"name":"a","type":{nested}}}]}}"#),
            "references": match n {
                0 => json!([]),
                _ => json!([reference("before", &format!("c{}", n - 1), 1)]),
            },
        });
        let reply = server
            .call("POST", &format!("/subjects/c{n}/versions"), body)
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        previous = format!("\"C{n}\"");
    }
    server
        .refused(
            "GET /subjects/c59/versions/1?format=resolved",
            Value::Null,
            42201,
            &["cannot be written as one text"],
        )
        .await;
}
