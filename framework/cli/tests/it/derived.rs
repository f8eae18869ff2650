//! A product that is a statement over others, hosted by `mesh run`, and killed meanwhile.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Demo, mesh};

const PRODUCT: &str = r#"apiVersion: v1.0.0
kind: DataProduct
id: urn:mesh:product:reporting.turnover
name: turnover
version: "1.0.0"
status: active
domain: reporting
description:
  purpose: What is booked in four weeks.
team:
  name: Reporting
  members:
    - username: reporting@bank.example
      role: owner
outputPorts:
  - name: stream
    type: kafka
    version: "1.0.0"
    contractId: urn:mesh:contract:reporting.turnover
customProperties:
  - property: mesh.sources
    value:
      - type: sql
        purpose: reporting
        lateness: 60d
        query: >
          SELECT date_bin(INTERVAL '28 days', booked_on) AS begins, direction,
          count(*) AS bookings, sum(amount) AS total
          FROM transaction.transactions WHERE transaction_id < 1000000000000000
          GROUP BY 1, 2
"#;

const CONTRACT: &str = r#"apiVersion: v3.2.0
kind: DataContract
id: urn:mesh:contract:reporting.turnover
version: "1.0.0"
status: active
domain: reporting
description:
  purpose: What is booked in four weeks.
slaProperties:
  - property: retention
    value: -1
schema:
  - name: turnover
    physicalName: reporting.turnover.v1
    physicalType: topic
    customProperties:
      - property: mesh.kind
        value: event
      - property: mesh.eventTime
        value: begins
    properties:
      - name: begins
        logicalType: timestamp
        physicalType: timestamp-millis
        required: true
        primaryKey: true
        primaryKeyPosition: 1
      - name: direction
        logicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 2
      - name: bookings
        logicalType: integer
        logicalTypeOptions: { format: i64 }
        required: true
      - name: total
        logicalType: number
        physicalType: decimal(24,2)
        customProperties:
          - { property: precision, value: 24 }
          - { property: scale, value: 2 }
        required: true
"#;

fn host(folder: &Path, demo: &mut Demo) -> Child {
    let (kafka, registry, http) = demo.addresses();
    mesh()
        .arg("run")
        .arg(folder)
        .args(["--bootstrap", &kafka, "--registry-url", &registry])
        .args(["--catalog-url", &http, "--listen", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(folder.join("data"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap()
}

#[test]
fn a_statement_feeds_a_product_exactly_once() {
    let mut demo = Demo::start_embedded(&[]);
    let folder = demo.folder().join("reporting");
    let product = folder.join("products/turnover");
    fs::create_dir_all(&product).unwrap();
    fs::write(product.join("product.odps.yaml"), PRODUCT).unwrap();
    fs::write(product.join("contract.odcs.yaml"), CONTRACT).unwrap();
    // Payouts, whose numbers are the highest, are booked on the day of an application that is
    // long past: they come later than any lateness.
    // While the bank publishes, the host dies and comes again.
    for _ in 0..4 {
        let mut hosted = host(&folder, &mut demo);
        std::thread::sleep(Duration::from_millis(2_500));
        hosted.kill().unwrap();
        hosted.wait().unwrap();
    }
    demo.wait_for("The mesh stays up");
    let mut hosted = host(&folder, &mut demo);
    let statement = "SELECT date_bin(INTERVAL '28 days', booked_on) AS begins, direction, \
        count(*) AS bookings, sum(amount) AS total FROM transaction.transactions \
        WHERE transaction_id < 1000000000000000 GROUP BY 1, 2";
    // Windows that are over: the latest booking, less the lateness, is behind their end.
    let expected = format!(
        "SELECT count(*), sum(bookings), sum(total) FROM ({statement}) WHERE begins < \
         (SELECT date_bin(INTERVAL '28 days', max(booked_on) - INTERVAL '60 days') \
         FROM transaction.transactions WHERE transaction_id < 1000000000000000)"
    );
    let published = "SELECT count(*), sum(bookings), sum(total) FROM reporting.turnover";
    let begun = Instant::now();
    loop {
        let registered = demo.sql("SHOW TABLES").contains("reporting,turnover");
        if registered && demo.sql(published) == demo.sql(&expected) {
            break;
        }
        if begun.elapsed() > Duration::from_secs(120) {
            let log = fs::read_to_string(folder.join("log")).unwrap();
            let is = registered.then(|| demo.sql(published));
            panic!("{is:?} is not {}\n{log}", demo.sql(&expected));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    // Each window once, with what is in it.
    let wrong = format!(
        "SELECT count(*) FROM reporting.turnover p JOIN ({statement}) q \
         USING (begins, direction) WHERE p.bookings <> q.bookings OR p.total <> q.total"
    );
    assert_eq!(demo.sql(&wrong), "0");
    assert_eq!(
        demo.sql("SELECT count(*) - count(DISTINCT (begins, direction)) FROM reporting.turnover"),
        "0"
    );
    hosted.kill().unwrap();
    hosted.wait().unwrap();
    assert_eq!(demo.stop(), Some(0));
}
