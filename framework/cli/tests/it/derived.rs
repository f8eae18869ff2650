//! A product that is a statement over others, hosted by `mesh run`, and killed meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
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
    follows(&mut demo);
    assert_eq!(demo.stop(), Some(0));
}

/// `mesh sql --follow` is interrupted, and goes on where it was.
fn follows(demo: &mut Demo) {
    let (.., http) = demo.addresses();
    let place = demo.folder().join("place");
    let position = format!("--position={}", place.display());
    let statement =
        "SELECT transaction_id FROM transaction.transactions WHERE direction = 'CREDIT'";
    let follow = |from: &str| {
        let mut child = mesh()
            .args(["sql", "--follow", statement, "--from", from, &position])
            .args(["--format=csv", "--url", &http])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Followed { child, out }
    };
    let all: usize = demo
        .sql(&format!("SELECT count(*) FROM ({statement})"))
        .parse()
        .unwrap();
    let begun = Instant::now();
    let mut first = follow("beginning");
    let head = first.lines(1);
    assert_eq!(head, ["transaction_id"]);
    let mut rows = first.lines(all);
    // Its last position is kept before it says anything more.
    while !place.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    drop(first);
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows.len(), all, "each row once");
    // What was told is not told again.
    let mut more = follow("beginning");
    assert_eq!(more.lines(1), head);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(more.stop(), "");
    // A full disk is said, and nothing counts as told.
    let untold = demo.folder().join("untold");
    let full = mesh()
        .args([
            "sql",
            "--follow",
            statement,
            "--from=beginning",
            "--format=csv",
        ])
        .args(["--url", &http, "--position"])
        .arg(&untold)
        .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&full.stderr);
    assert!(
        !full.status.success() && said.contains("cannot be written"),
        "{said}"
    );
    assert!(!untold.exists());
    // What is no place to begin is said.
    fs::write(&place, "{}").unwrap();
    let mut refused = follow("now");
    assert!(!refused.child.wait().unwrap().success());
}

struct Followed {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Followed {
    fn lines(&mut self, count: usize) -> Vec<String> {
        let lines: Vec<String> = self
            .out
            .by_ref()
            .lines()
            .take(count)
            .map(Result::unwrap)
            .collect();
        assert_eq!(lines.len(), count, "it ended");
        lines
    }

    /// Ctrl-C, which is the end that it has.
    fn stop(mut self) -> String {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: sends a signal to a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        text
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}
