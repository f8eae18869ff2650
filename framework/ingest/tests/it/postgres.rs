//! Rows of a Postgres, by outbox and from a table that grows.

use std::sync::OnceLock;
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};

use super::harness::Mesh;
use super::server::Cluster;

/// One server for all tests of this process; none where Postgres is not installed.
fn server() -> Option<&'static Cluster> {
    static SERVER: OnceLock<Option<Cluster>> = OnceLock::new();
    SERVER.get_or_init(Cluster::start).as_ref()
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(&cluster.url()).await.unwrap()
}

/// A schema of its own, and the variable that the source reads.
async fn prepare(cluster: &Cluster, schema: &str) -> PgConnection {
    // SAFETY: every test sets the same value before any source reads it.
    unsafe { std::env::set_var("TEST_SHOP_DATABASE_URL", cluster.url()) };
    let mut connection = connect(cluster).await;
    let text = format!("CREATE SCHEMA {schema}; SET search_path = {schema}");
    connection.execute(sqlx::AssertSqlSafe(text)).await.unwrap();
    connection
}

const OUTBOX: &str = "CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, product text NOT NULL,
    \"row\" jsonb NOT NULL, deleted boolean NOT NULL DEFAULT false)";

fn insert(id: i32, town: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!(
        "INSERT INTO outbox (product, \"row\") VALUES ('parcels',
         '{{\"parcel_id\": {id}, \"town\": \"{town}\", \"sent_on\": \"1970-01-02\"}}')"
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_committed_behind_a_later_one_is_not_missed() {
    let Some(cluster) = server() else { return };
    let mesh = Mesh::start().await;
    let schema = format!("s{}", mesh.name);
    let mut one = prepare(cluster, &schema).await;
    one.execute(OUTBOX).await.unwrap();
    let mut two = connect(cluster).await;
    let path = format!("SET search_path = {schema}");
    two.execute(sqlx::AssertSqlSafe(path)).await.unwrap();
    mesh.product(&format!(
        "[{{ type: postgres, url_variable: TEST_SHOP_DATABASE_URL, outbox: {schema}.outbox }}]"
    ));
    one.execute(insert(1, "Brno")).await.unwrap();
    one.execute("INSERT INTO outbox (product, \"row\") VALUES ('other', '{\"x\": 1}')")
        .await
        .unwrap();
    let hosted = mesh.run().await;
    let at = |position: u64| {
        move |status: &serde_json::Value| {
            status["sources"][0]["position"] == position && status["outbox_pending"] == 0
        }
    };
    hosted.until("the first is there", at(2)).await;
    // Number 3 is handed out, and stays open while 4 and 5 are committed.
    one.execute("BEGIN").await.unwrap();
    one.execute(insert(3, "Praha")).await.unwrap();
    two.execute(insert(4, "Plzeň")).await.unwrap();
    two.execute(insert(5, "Zlín")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(mesh.rows().await, ["1 Brno - 1"]);
    one.execute("COMMIT").await.unwrap();
    hosted.until("all are there", at(5)).await;
    let all = ["1 Brno - 1", "3 Praha - 1", "4 Plzeň - 1", "5 Zlín - 1"];
    assert_eq!(mesh.rows().await, all);
    hosted.running.stop().await;
    // What was published may go, and nothing comes again after a restart.
    two.execute("DELETE FROM outbox").await.unwrap();
    two.execute(insert(6, "Brno")).await.unwrap();
    let hosted = mesh.run().await;
    hosted.until("the last is there", at(6)).await;
    let rows = mesh.rows().await;
    assert_eq!((rows.len(), rows[4].as_str()), (5, "6 Brno - 1"));
    // A row that is none names its number, and no value.
    two.execute(insert(7, "SECRET-TOWN-TOO-LONG"))
        .await
        .unwrap();
    let status = hosted
        .until("the row is refused", |status| {
            status["sources"][0]["error"].is_string()
        })
        .await;
    let error = status["sources"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("number: 7") && error.contains("town") && !error.contains("SECRET"),
        "{error}"
    );
    two.execute("DELETE FROM outbox WHERE seq = 7")
        .await
        .unwrap();
    two.execute(insert(8, "Brno")).await.unwrap();
    hosted.until("it goes on", at(8)).await;
    hosted.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_grows_is_read_by_its_columns() {
    let Some(cluster) = server() else { return };
    let mesh = Mesh::start().await;
    let schema = format!("s{}", mesh.name);
    let mut one = prepare(cluster, &schema).await;
    one.execute(
        "CREATE TABLE parcels (id serial PRIMARY KEY, \"Town\" text, remark text, sent date);
         INSERT INTO parcels (\"Town\", remark, sent)
         SELECT 'Brno', 'n' || i, '1970-01-03' FROM generate_series(1, 2500) i",
    )
    .await
    .unwrap();
    let sources = |more: &str| {
        format!(
            "[{{ type: postgres, url_variable: TEST_SHOP_DATABASE_URL, table: {schema}.parcels, \
             cursor: id, columns: {{ id: parcel_id, Town: town, sent: sent_on{more} }} }}]"
        )
    };
    mesh.product(&sources(""));
    let hosted = mesh.run().await;
    let status = hosted
        .until("an unknown column is named", |status| {
            status["sources"][0]["error"].is_string()
        })
        .await;
    let error = status["sources"][0]["error"].as_str().unwrap();
    assert!(error.contains("remark"), "{error}");
    hosted.running.stop().await;
    mesh.product(&sources(", remark: note"));
    let hosted = mesh.run().await;
    hosted
        .until("all are there", |status| {
            status["sources"][0]["position"] == 2_500 && status["outbox_pending"] == 0
        })
        .await;
    let rows = mesh.rows().await;
    assert_eq!(
        (rows.len(), rows[2_499].as_str()),
        (2_500, "2500 Brno n2500 2")
    );
    // Numbers that are handed out ahead have no order.
    one.execute("ALTER SEQUENCE parcels_id_seq CACHE 20")
        .await
        .unwrap();
    hosted.running.stop().await;
    one.execute("INSERT INTO parcels (\"Town\") VALUES ('Brno')")
        .await
        .unwrap();
    let hosted = mesh.run().await;
    let status = hosted
        .until("the cache is refused", |status| {
            status["sources"][0]["error"].is_string()
        })
        .await;
    let error = status["sources"][0]["error"].as_str().unwrap();
    assert!(error.contains("CACHE 1"), "{error}");
    hosted.running.stop().await;
}
