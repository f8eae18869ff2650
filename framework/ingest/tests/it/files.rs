//! Files as sources.

use serde_json::json;

use super::harness::Mesh;

const CSV: &str =
    "{ type: file, path: in/parcels.csv, columns: { Parcel No: parcel_id }, ignore: [weight] }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delimited_file_is_published_once_with_names_mapped_and_left_out() {
    let mesh = Mesh::start().await;
    mesh.product(&format!("[{CSV}]"));
    // A mark of UTF-8, CRLF, quotes with a line's end and a delimiter inside, an empty line,
    // and no end of the last line.
    mesh.write(
        "parcels.csv",
        "\u{feff}Parcel No,town,weight,sent_on,note\r\n1,Brno,2.5,1970-01-02,\r\n\r\n 2 ,\"Ústí, \nport\",1,,\"a \"\"b\"\"\"\r\n3,Plzeň,,1970-01-04,last",
    );
    let hosted = mesh.run().await;
    hosted.until_published(3).await;
    let rows = mesh.rows().await;
    assert_eq!(
        rows,
        ["1 Brno - 1", "2 Ústí, \nport a \"b\" -", "3 Plzeň last 3"]
    );
    hosted.stop().await;
    // A source that was read to its end stays so.
    let hosted = mesh.run().await;
    hosted
        .until("ready", |status| status["ready"] == true)
        .await;
    hosted.stop().await;
    assert_eq!(mesh.rows().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_goes_on_where_the_last_life_ended() {
    let mesh = Mesh::start().await;
    mesh.product("[{ type: file, path: in/parcels.csv, follow: true }]");
    let line = |at: u32| format!("{at},Brno\n");
    let mut text = String::from("parcel_id,town\n");
    text.extend((0..5_000).map(line));
    mesh.write("parcels.csv", &text);
    let hosted = mesh.run().await;
    hosted
        .until("some", |status| {
            status["sources"][0]["position"].as_u64() > Some(0)
        })
        .await;
    // Stopped somewhere on the way, or at the end: nothing may be lost or doubled.
    hosted.stop().await;
    mesh.append("parcels.csv", &(5_000..6_000).map(line).collect::<String>());
    let hosted = mesh.run().await;
    let all = text.len() as u64 + (5_000..6_000).map(|at| line(at).len() as u64).sum::<u64>();
    hosted
        .until("all", |status| {
            status["sources"][0]["position"] == all && status["outbox_pending"] == 0
        })
        .await;
    hosted.stop().await;
    let expected: Vec<String> = (0..6_000).map(|at| format!("{at} Brno - -")).collect();
    assert_eq!(mesh.rows().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_being_written_waits_until_it_is_whole() {
    for (path, first, half, rest) in [
        (
            "in/parcels.csv",
            "parcel_id,town\n1,Brno\n",
            "2,Pr",
            "aha\n",
        ),
        (
            "in/parcels.jsonl",
            "{\"parcel_id\": 1, \"town\": \"Brno\"}\n\n",
            "{\"parcel_id\": 2, \"town\": \"Pr",
            "aha\"}\n",
        ),
    ] {
        let mesh = Mesh::start().await;
        mesh.product(&format!("[{{ type: file, path: {path}, follow: true }}]"));
        let file = path.trim_start_matches("in/");
        mesh.write(file, format!("{first}{half}"));
        let hosted = mesh.run().await;
        hosted.until_published(1).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(mesh.rows().await, ["1 Brno - -"], "{path}");
        mesh.append(file, rest);
        hosted.until_published(2).await;
        assert_eq!(mesh.rows().await, ["1 Brno - -", "2 Praha - -"], "{path}");
        hosted.stop().await;
    }
}

/// What is wrong stops the source, by file, line and field, and nothing of the batch is
/// published; once it is mended, all is.
async fn stops(file: &str, wrong: &str, named: &[&str], mended: &str) {
    let mesh = Mesh::start().await;
    mesh.product(&format!("[{{ type: file, path: in/{file} }}]"));
    mesh.write(file, wrong);
    let hosted = mesh.run().await;
    let status = hosted
        .until("an error", |status| {
            status["sources"][0]["error"].is_string()
        })
        .await;
    let error = status["sources"][0]["error"].as_str().unwrap();
    for name in named {
        assert!(error.contains(name), "{name} is not in: {error}");
    }
    assert!(error.contains(file), "{error}");
    assert!(!error.contains("SECRET"), "{error}");
    assert_eq!(status["sources"][0]["position"], json!(0));
    mesh.write(file, mended);
    hosted.until_published(2).await;
    assert_eq!(mesh.rows().await, ["1 Brno - -", "2 Praha - -"], "{error}");
    hosted.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_row_stops_the_source_until_it_is_mended() {
    let good = "parcel_id,town\n1,Brno\n2,Praha\n";
    stops(
        "a.csv",
        "parcel_id,town\n1,Brno\nSECRET,Praha\n",
        &["parcel_id", "line: 3", "an integer"],
        good,
    )
    .await;
    stops(
        "b.csv",
        "parcel_id,town\n1,Brno\n2,SECRET SECRET SECRET\n",
        &["town", "line: 3", "longer than 12"],
        good,
    )
    .await;
    stops(
        "c.csv",
        "parcel_id,town\n1,Brno\n2,Praha,SECRET\n",
        &["line: 3", "another number of cells"],
        good,
    )
    .await;
    stops("d.csv", "parcel_id\n1\n2\n", &["town", "header"], good).await;
    stops(
        "e.csv",
        "parcel_id,town,colour\n1,Brno,SECRET\n",
        &["colour", "no such column", "ignore"],
        good,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_line_of_json_stops_the_source_until_it_is_mended() {
    let good = "{\"parcel_id\":1,\"town\":\"Brno\"}\n{\"parcel_id\":2,\"town\":\"Praha\"}\n";
    stops(
        "a.jsonl",
        "{\"parcel_id\":1,\"town\":\"Brno\"}\n{\"parcel_id\":2,\"town\":\"SECRET\n",
        &["line: 2", "no JSON object"],
        good,
    )
    .await;
    stops(
        "b.jsonl",
        "{\"parcel_id\":1,\"town\":\"Brno\"}\n{\"parcel_id\":\"SECRET\",\"town\":\"Praha\"}\n",
        &["line: 2", "parcel_id", "an int"],
        good,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_has_become_shorter_is_not_guessed_at() {
    let mesh = Mesh::start().await;
    mesh.product("[{ type: file, path: in/parcels.csv, follow: true }]");
    mesh.write("parcels.csv", "parcel_id,town\n1,Brno\n2,Praha\n");
    let hosted = mesh.run().await;
    hosted.until_published(2).await;
    mesh.write("parcels.csv", "parcel_id,town\n3,Zlín\n");
    hosted
        .until("an error", |status| {
            status["sources"][0]["error"]
                .as_str()
                .is_some_and(|error| error.contains("shorter"))
        })
        .await;
    hosted.stop().await;
    assert_eq!(mesh.rows().await.len(), 2);
}
