//! Where the columns of an answer come from.

use std::sync::{Arc, Mutex};

use mesh_query::{Engine, LineageSink, LineageTopic, Parts, Session};
use serde_json::Value;

use crate::harness::{Platform, Sale, StoreProfile, access, ask, sale, send};

/// `column <- topic.column:SUBTYPE+SUBTYPE, …` for each column, and `rows <- …`.
async fn lines(session: &Session, sql: &str) -> String {
    let event = session.lineage(sql).await.unwrap();
    let facet = &event["outputs"][0]["facets"]["columnLineage"];
    let inputs = |list: &Value| {
        let inputs = list.as_array().unwrap().iter().map(|input| {
            let steps: Vec<&str> = input["transformations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|step| step["subtype"].as_str().unwrap())
                .collect();
            let name = input["name"].as_str().unwrap();
            let topic = name.trim_start_matches("shop.").trim_end_matches(".v1");
            format!(
                "{topic}.{}:{}",
                input["field"].as_str().unwrap(),
                steps.join("+")
            )
        });
        inputs.collect::<Vec<_>>().join(", ")
    };
    let mut lines: Vec<String> = facet["fields"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, field)| format!("{name} <- {}", inputs(&field["inputFields"])))
        .collect();
    lines.push(format!("rows <- {}", inputs(&facet["dataset"])));
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_column_is_followed_to_where_it_comes_from() {
    let platform = Platform::start().await;
    platform.publish::<Sale>().await;
    platform.publish::<StoreProfile>().await;
    let session = platform.session().await;
    for (sql, expected) in [
        (
            "SELECT sale_id AS id, amount * 2 AS twice, 1 AS one FROM shop.sales WHERE store = 'x'",
            "id <- sales.sale_id:IDENTITY\n\
             twice <- sales.amount:TRANSFORMATION\n\
             one <- \n\
             rows <- sales.store:FILTER",
        ),
        (
            "SELECT s.city, sum(amount) AS total FROM shop.sales JOIN shop.stores s USING (store) \
             GROUP BY s.city ORDER BY total",
            "city <- stores.city:IDENTITY\n\
             total <- sales.amount:AGGREGATION\n\
             rows <- sales.amount:SORT, sales.store:JOIN, stores.city:GROUP_BY, stores.store:JOIN",
        ),
        (
            "SELECT CASE WHEN status = 'PAID' THEN note ELSE 'none' END AS shown FROM shop.sales",
            "shown <- sales.note:TRANSFORMATION, sales.status:CONDITIONAL\n\
             rows <- ",
        ),
        (
            "WITH big AS (SELECT sale_id, store FROM shop.sales WHERE amount > 5) \
             SELECT store, (SELECT max(visits) FROM shop.stores i WHERE i.store = big.store) AS v \
             FROM big WHERE EXISTS (SELECT 1 FROM shop.stores e WHERE e.city = big.store)",
            "store <- sales.store:IDENTITY\n\
             v <- stores.visits:AGGREGATION\n\
             rows <- sales.amount:FILTER, sales.store:FILTER, stores.city:FILTER, stores.store:FILTER",
        ),
        (
            "SELECT store FROM shop.sales UNION SELECT city FROM shop.stores",
            "store <- sales.store:IDENTITY, stores.city:IDENTITY\n\
             rows <- sales.store:GROUP_BY, stores.city:GROUP_BY",
        ),
        (
            "SELECT rank() OVER (PARTITION BY store ORDER BY amount) AS place FROM shop.sales",
            "place <- sales.amount:WINDOW, sales.store:WINDOW\nrows <- ",
        ),
        (
            "WITH RECURSIVE r AS (SELECT sale_id AS a, store AS b FROM shop.sales \
             UNION ALL SELECT a + 1, b FROM r WHERE a < 5) SELECT a, b FROM r",
            "a <- sales.sale_id:TRANSFORMATION\n\
             b <- sales.store:IDENTITY\n\
             rows <- sales.sale_id:FILTER",
        ),
    ] {
        assert_eq!(lines(&session, sql).await, expected, "{sql}");
    }
}

fn told(sink: Arc<dyn LineageSink>) -> Parts {
    let mut parts = Parts::default();
    parts.lineage = Some(sink);
    parts
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Value>>);

impl LineageSink for Kept {
    fn emit(&self, event: Value) {
        self.0.lock().unwrap().push(event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_its_lineage_at_its_end() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..10).map(|id| sale(id, "north", 1))).await;
    let kept = Arc::new(Kept::default());
    let engine = Engine::with(platform.config(), told(kept.clone())).unwrap();
    let session = engine.session(access()).await.unwrap();
    ask(&session, "SELECT sale_id FROM shop.sales")
        .await
        .unwrap();
    ask(&session, "SELECT sale_id FROM shop.sales")
        .await
        .unwrap();
    ask(&session, "SELECT 1 / (sale_id - sale_id) FROM shop.sales")
        .await
        .unwrap_err();
    drop(session.query("SELECT store FROM shop.sales").await.unwrap());
    ask(&session, "SHOW TABLES").await.unwrap();
    let events = kept.0.lock().unwrap();
    let told: Vec<&str> = events
        .iter()
        .map(|event| event["eventType"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["COMPLETE", "COMPLETE", "FAIL", "ABORT"]);
    assert_eq!(events[0]["job"], events[1]["job"]);
    assert_ne!(events[0]["run"], events[1]["run"]);
    assert_ne!(events[0]["job"], events[2]["job"]);
    assert_eq!(events[0]["inputs"][0]["name"], "shop.sales.v1");
    let text = events[0].to_string();
    assert!(!text.contains("SELECT"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lineage_is_a_product_of_the_platform() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    send(&sales, (0..10).map(|id| sale(id, "north", 1))).await;
    let catalog = platform.catalog_url.parse().unwrap();
    let sink = Arc::new(LineageTopic::start(platform.stream.clone(), catalog));
    let engine = Engine::with(platform.config(), told(sink)).unwrap();
    let session = engine.session(access()).await.unwrap();
    ask(&session, "SELECT sum(amount) AS total FROM shop.sales")
        .await
        .unwrap();
    let told = "SELECT event_type, inputs[1], event LIKE '%AGGREGATION%' FROM platform.lineage \
        WHERE inputs[1] = 'shop.sales.v1'";
    for _ in 0..100 {
        let session = engine.session(access()).await.unwrap();
        if let Ok(answer) = ask(&session, told).await
            && answer == "COMPLETE,shop.sales.v1,true"
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the platform does not tell its lineage");
}
