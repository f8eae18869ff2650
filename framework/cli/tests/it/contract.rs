//! `mesh contract` as people use it.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::harness::{mesh, programs, text, workspace};

const ORDERS: &str = "\
Order ID,Customer E-Mail,total,placed_at
1,ann@shop.example,12.50,2024-01-01T10:00:00Z
2,bob@shop.example,7.05,2024-01-02T10:00:00Z
";

/// Runs `mesh contract` in `folder` and expects it to end with `status` and to say `expected`.
fn check(folder: &Path, arguments: &[&str], status: i32, expected: &[&str]) -> String {
    let mut command = mesh();
    command.current_dir(folder).arg("contract").args(arguments);
    let output = command.output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    for part in expected {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    said
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("orders.csv"), ORDERS).unwrap();
    folder
}

#[test]
fn a_sample_becomes_a_product_that_is_linted_shown_and_exported() {
    let folder = folder();
    let at = folder.path();
    let said = check(
        at,
        &["import", "orders.csv", "--domain=shop"],
        0,
        &[
            "wrote orders/contract.odcs.yaml",
            "shop.orders: 4 columns, kind event, key order_id, time in placed_at",
            "customer_e_mail: e-mail address",
            "2 rows were looked at",
            "next: mesh contract lint orders",
        ],
    );
    assert!(!said.contains("ann@"), "{said}");
    check(
        at,
        &["import", "orders.csv", "--domain=shop"],
        1,
        &["is there already", "--force"],
    );
    check(
        at,
        &["import", "orders.csv", "--domain=shop", "--force"],
        0,
        &["wrote"],
    );
    check(
        at,
        &["lint", "orders"],
        0,
        &["still a guess", "2 files are valid", "contract.odcs.yaml:"],
    );
    check(at, &["lint", "--strict", "orders"], 1, &["to be mended"]);
    check(
        at,
        &["show", "orders"],
        0,
        &[
            "Orders 1.0.0",
            "shop.orders.v1",
            "customer_e_mail",
            "decimal(12,2)",
            "personal",
        ],
    );
    check(
        at,
        &["export", "orders", "--format=sql"],
        0,
        &["CREATE TABLE \"shop\".\"orders\""],
    );
    check(
        at,
        &["export", "orders", "--format=html", "--output=o.html"],
        0,
        &[],
    );
    assert!(
        fs::read_to_string(at.join("o.html"))
            .unwrap()
            .starts_with("<!doctype html>")
    );
    check(
        at,
        &["export", "orders", "--format=xml"],
        2,
        &["`xml`", "json-schema"],
    );
    // And back: what is exported is imported.
    for (format, name) in [
        ("avro", "o.avsc"),
        ("json-schema", "o.json"),
        ("protobuf", "o.proto"),
        ("sql", "o.sql"),
    ] {
        let (format, output) = (format!("--format={format}"), format!("--output={name}"));
        check(at, &["export", "orders", &format, &output], 0, &[]);
        let again = format!("--output=again-{name}");
        check(
            at,
            &["import", name, "--domain=shop", "--key=order_id", &again],
            0,
            &["4 columns"],
        );
    }
}

#[test]
fn lint_names_every_place_and_ends_with_its_status() {
    let folder = folder();
    let at = folder.path();
    check(
        at,
        &["import", "orders.csv", "--domain=shop", "--output=p"],
        0,
        &[],
    );
    let path = at.join("p/contract.odcs.yaml");
    let broken = fs::read_to_string(&path)
        .unwrap()
        .replace("status: draft", "status: live");
    fs::write(&path, broken).unwrap();
    check(
        at,
        &["lint", "p"],
        1,
        &[
            "p/contract.odcs.yaml:6:",
            "status",
            "`live`",
            "to be mended",
        ],
    );
    check(at, &["show", "p"], 1, &["`live`", "lint"]);
    let output = mesh()
        .current_dir(at)
        .args(["contract", "lint", "--json", "p"])
        .output()
        .unwrap();
    let answer: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &answer["files"]),
        (Some(1), &2.into())
    );
    assert_eq!(answer["errors"][0]["line"], 6);
    assert!(
        answer["errors"][0]["mend"]
            .as_str()
            .unwrap()
            .contains("`draft`")
    );
    fs::write(at.join("p/notes.odcs.yaml"), b"\xff").unwrap();
    check(at, &["lint", "p"], 1, &["notes.odcs.yaml:1:1", "UTF-8"]);
    check(at, &["lint", "gone.odcs.yaml"], 1, &["gone.odcs.yaml"]);
    check(at, &["lint", "."], 1, &["`live`"]);
    fs::create_dir(at.join("empty")).unwrap();
    check(at, &["lint", "empty"], 1, &["no contract", ".odcs.yaml"]);
    // A product and a contract that do not fit each other.
    fs::write(
        &path,
        fs::read_to_string(&path)
            .unwrap()
            .replace("status: live", "status: draft")
            .replace("shop", "store"),
    )
    .unwrap();
    check(at, &["lint", "p"], 1, &["`shop` here and `store`"]);
}

#[test]
fn the_commands_of_the_documentation_work() {
    let folder = folder();
    let document = fs::read_to_string(workspace().join("docs/formats.md")).unwrap();
    let commands: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("    mesh contract "))
        .collect();
    assert!(commands.len() >= 4, "{commands:?}");
    let path = format!(
        "{}:{}",
        programs().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for command in commands {
        let output = Command::new("sh")
            .current_dir(folder.path())
            .env("PATH", &path)
            .args(["-c", command])
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", text(&output));
    }
    assert!(folder.path().join("orders.html").exists());
}

#[test]
fn the_repositorys_contracts_are_valid() {
    check(&workspace(), &["lint", "domains"], 0, &["files are valid"]);
}

#[test]
fn what_an_import_needs_is_asked_for() {
    let folder = folder();
    let at = folder.path();
    check(
        at,
        &["import", "orders.csv"],
        1,
        &["domain is not named", "--domain"],
    );
    check(
        at,
        &["import", "orders.csv", "--domain=shop", "--key=nothing"],
        1,
        &["`nothing` is no column"],
    );
    check(
        at,
        &["import", "gone.csv", "--domain=shop"],
        1,
        &["gone.csv", "cannot be opened"],
    );
    check(at, &["import", "--domain=shop"], 2, &["FILE"]);
    check(
        at,
        &["import", "orders.csv", "--delimiter=ab"],
        2,
        &["one character"],
    );
    fs::write(at.join("x.bin"), "x").unwrap();
    check(
        at,
        &["import", "x.bin", "--domain=shop"],
        1,
        &["by its ending", "--format"],
    );
    fs::write(at.join("lines.csv"), "a,b\n1,2\n2,3\n").unwrap();
    check(
        at,
        &["import", "lines.csv", "--domain=shop"],
        1,
        &["known to be the key", "a, b", "--key"],
    );
}

/// Answers each request by the status and the body that `answer` gives for its path.
fn registry(answer: fn(&str) -> (u16, String)) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let (status, body) = answer(head.split(' ').nth(1).unwrap_or_default());
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    format!("http://127.0.0.1:{}", address.port())
}

#[test]
fn a_subject_of_a_registry_becomes_a_product() {
    let url = registry(|path| match path {
        "/subjects/shop.orders.v1-value/versions/latest" => {
            let schema = r#"{"type":"record","name":"Order","fields":[{"name":"order_id","type":"long"},{"name":"total","type":"double"}]}"#;
            (
                200,
                serde_json::json!({"subject": "x", "version": 1, "id": 7, "schema": schema})
                    .to_string(),
            )
        }
        "/subjects/with%2Frefs/versions/latest" => (
            200,
            r#"{"schema": "{}", "schemaType": "JSON", "references": [{"name": "a"}]}"#.to_owned(),
        ),
        _ => (404, r#"{"error_code": 40401, "message": "no"}"#.to_owned()),
    });
    let folder = folder();
    let at = folder.path();
    let registry = format!("--registry={url}");
    check(
        at,
        &["import", "--subject=shop.orders.v1-value", &registry],
        0,
        &[
            "shop.orders: 2 columns",
            "key order_id",
            "orders/contract.odcs.yaml",
        ],
    );
    check(
        at,
        &["import", "--subject=gone", &registry],
        1,
        &["404", "gone", "/subjects"],
    );
    check(
        at,
        &["import", "--subject=with/refs", &registry],
        1,
        &["other subjects", "one file"],
    );
    let down = check(
        at,
        &[
            "import",
            "--subject=a",
            "--registry=http://me:secret@127.0.0.1:9",
        ],
        1,
        &["does not answer", "mesh up", "127.0.0.1:9"],
    );
    assert!(!down.contains("secret"), "{down}");
    check(
        at,
        &["import", "--subject=a", "--registry=nowhere"],
        1,
        &["no URL"],
    );
}
