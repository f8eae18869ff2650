//! Registries that share one Postgres.

use std::collections::{BTreeMap, BTreeSet};

use mesh_registry::{Database, Registry, RegistryConfig};
use serde_json::{Value, json};

use crate::harness::{Server, on_server, postgres, record};

/// Two registries that were started at once on one empty schema.
async fn two(url: &str) -> [Server; 2] {
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let database = on_server(url, directories[0].path());
    let start = directories.map(|directory| {
        let config = RegistryConfig::new(database.clone());
        Server::start_on(directory, config)
    });
    let servers = futures::future::join_all(start).await;
    servers.try_into().ok().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_registries_never_give_an_id_or_a_version_twice() {
    let Some(url) = postgres::shared() else {
        return;
    };
    let servers = two(&url).await;
    let level = json!({"compatibility": "NONE"});
    servers[0]
        .check("PUT /config", level.clone(), 200, level)
        .await;
    // 20 schemas, each registered by both in a subject of its own and in a common one.
    let answers = futures::future::join_all((0..80).map(|n| {
        let server = &servers[n % 2];
        async move {
            let schema = record(&format!(r#"{{"name":"f{}","type":"int"}}"#, n / 4));
            let own = format!("own-{}", n / 4);
            let subject = if n % 4 < 2 { "common" } else { own.as_str() };
            (n / 4, server.register(subject, &schema).await)
        }
    }))
    .await;
    let mut by_schema: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    for (schema, id) in answers {
        by_schema.entry(schema).or_default().insert(id);
    }
    let ids: BTreeSet<u64> = by_schema.values().flatten().copied().collect();
    assert!(
        by_schema.values().all(|ids| ids.len() == 1),
        "{by_schema:?}"
    );
    assert_eq!(ids, (1..=20).collect(), "ids follow one another");
    let versions: Vec<u32> = (1..=20).collect();
    for server in &servers {
        server
            .check(
                "GET /subjects/common/versions",
                Value::Null,
                200,
                json!(versions),
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_writes_the_other_sees_at_once_and_a_crash_keeps() {
    let Some(cluster) = postgres::Cluster::start() else {
        return;
    };
    let servers = two(&cluster.url()).await;
    for n in 0..10 {
        let (one, other) = (&servers[n % 2], &servers[(n + 1) % 2]);
        let subject = format!("s{n}");
        let schema = record(&format!(r#"{{"name":"f{n}","type":"int"}}"#));
        assert_eq!(one.register(&subject, &schema).await, n as u64 + 1);
        let at = format!("GET /subjects/{subject}/versions");
        other.check(&at, Value::Null, 200, json!([1])).await;
    }
    cluster.kill();
    servers[0]
        .refused(
            "POST /subjects/s/versions",
            json!({"schema": "\"int\""}),
            50001,
            &["backend data store"],
        )
        .await;
    cluster.start_again();
    // Broken connections are found out and made anew.
    for server in &servers {
        for request in ["/subjects/s9/versions", "/subjects/s8/versions"] {
            let mut reply = server.call("GET", request, Value::Null).await;
            for _ in 0..20 {
                if reply.status == 200 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                reply = server.call("GET", request, Value::Null).await;
            }
            assert_eq!(reply.body, json!([1]), "{}", reply.status);
        }
    }
    assert_eq!(servers[1].register("after", "\"int\"").await, 11);
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_refused_in_words_and_never_shown() {
    for (url, words) in [
        ("postgres://user:secret@host", "write `postgres://user@host"),
        (
            "postgres://user:secret@host/db?sslmod=require",
            "parameters are",
        ),
        ("postgres://user:secret@host/db?sslmode=safe", "sslmode is"),
        ("mysql://user:secret@host/db", "begins with postgres://"),
        ("", "path of a SQLite file"),
    ] {
        let error = url.parse::<Database>().unwrap_err();
        let text = format!("{error} {error:?} {:?}", error.mend_text());
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    let url = "postgres://user:secret@127.0.0.1:1/db?sslmode=disable";
    let database: Database = url.parse().unwrap();
    assert_eq!(database.to_string(), "127.0.0.1:1/db");
    assert_eq!(format!("{database:?}"), "Database(127.0.0.1:1/db)");
    assert!(database.clone().in_schema("a-b").is_err());
    if let Some(url) = postgres::shared() {
        let wrong = url.replacen("/postgres?", "/none?", 1);
        let error = Registry::open(RegistryConfig::new(wrong.parse::<Database>().unwrap()))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no such database"), "{error}");
    }
}
