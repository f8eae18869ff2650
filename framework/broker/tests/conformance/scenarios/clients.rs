//! Other clients' view of the broker: kafka-python, and Apache Kafka's own tools.
//!
//! `MESH_CLIENT_PYTHON` names a Python that has `tests/clients/requirements.txt`; without
//! it that lane is skipped, which is a failure where `CI` is set. The tools take a minute
//! and need Java, so they run where `MESH_KAFKA_TOOLS=1` asks for them (`.ci/run`, `.ci/kafka`). With
//! `MESH_KAFKA_CLUSTER`, the folder of `deploy/kafka/cluster`, they read its files too.

use std::path::PathBuf;
use std::process::Command;

use crate::target::Target;

fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

#[track_caller]
fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
}

#[test]
fn a_second_client() {
    let Some(python) = std::env::var_os("MESH_CLIENT_PYTHON") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "MESH_CLIENT_PYTHON is not set"
        );
        eprintln!("skipped: MESH_CLIENT_PYTHON is not set");
        return;
    };
    passes(
        Command::new(python)
            .arg(clients().join("second_client.py"))
            .arg(Target::get().bootstrap()),
    );
}

#[test]
fn tools_of_apache_kafka() {
    if std::env::var_os("MESH_KAFKA_TOOLS").is_none() {
        eprintln!("skipped: MESH_KAFKA_TOOLS is not set");
        return;
    }
    let mut tools = Command::new(clients().join("kafka_tools"));
    if let Some(data) = Target::get().data() {
        tools.env("MESH_KAFKA_DATA", data);
    }
    passes(tools.arg(Target::get().bootstrap()));
}
