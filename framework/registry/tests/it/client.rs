//! Confluent's own client for Python. `MESH_CLIENT_PYTHON` names a Python that has it, see
//! `.ci/clients`; without one the tests are skipped, which is a failure where `CI` is set.
//! With `MESH_APICURIO_URL` its answers are also held against those of an Apicurio Registry,
//! which `.ci/apicurio` starts; it must hold nothing.

use std::path::Path;

use crate::harness::Server;

#[tokio::test]
async fn confluents_client_finds_what_it_expects() {
    check("confluent.py", &[]).await;
}

#[tokio::test]
async fn its_json_and_protobuf_serializers_work() {
    check("serializers.py", &[]).await;
}

#[tokio::test]
async fn it_finds_what_apicurio_answers_but_for_what_is_documented() {
    let Ok(other) = std::env::var("MESH_APICURIO_URL") else {
        eprintln!("skipped: MESH_APICURIO_URL is not set");
        return;
    };
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/registry.md");
    print!("{}", check("apicurio.py", &[&other, document]).await);
}

/// Runs a script that ends with "ok" against a fresh registry; what it printed.
async fn check(script: &str, more: &[&str]) -> String {
    let Some(python) = std::env::var_os("MESH_CLIENT_PYTHON") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_CLIENT_PYTHON is not set"
        );
        eprintln!("skipped: MESH_CLIENT_PYTHON is not set");
        return String::new();
    };
    let server = Server::start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    let output = tokio::process::Command::new(python)
        .arg("-B")
        .arg(script)
        .arg(&server.base)
        .args(more)
        .env("NO_PROXY", "*")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.ends_with("ok\n"), "{text}");
    text
}
