//! What goes wrong says how to mend it.

use crate::harness::{mesh, text};

fn check(arguments: &[&str], expected: &[&str]) {
    let output = mesh().args(arguments).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success(), "{arguments:?}: {said}");
    for part in expected {
        assert!(said.contains(part), "{part:?} in {said}");
    }
}

#[test]
fn a_taken_port_a_missing_directory_and_a_mesh_that_is_down_are_told_apart() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = format!("--data-dir={}", folder.path().display());
    let options = [
        "--kafka-port",
        "--registry-port",
        "--http-port",
        "--postgres-port",
    ];
    for option in options {
        let mut arguments = vec!["up", &data];
        let given = format!("{option}={port}");
        arguments.push(&given);
        let others: Vec<String> = options
            .iter()
            .filter(|other| **other != option)
            .map(|other| format!("{other}=0"))
            .collect();
        arguments.extend(others.iter().map(String::as_str));
        check(&arguments, &["taken", &port, "mend:"]);
    }
    check(
        &["demo", "--berka=/nowhere/at/all", &data],
        &["no such directory", "/nowhere/at/all", "--berka"],
    );
    check(
        &["demo", "--workspace=/nowhere", &data],
        &["domains", "--workspace"],
    );
    check(
        &["up", "--data-dir=/proc/nothing"],
        &["directory", "/proc/nothing", "--data-dir"],
    );
    check(
        &["sql", "--url=http://127.0.0.1:9", "SELECT 1"],
        &["does not answer", "mesh up", "--url"],
    );
    check(&["up", "--flush=sometimes"], &["always", "milliseconds"]);
}

#[test]
fn a_folder_that_is_not_a_demo_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("precious.txt");
    std::fs::write(&kept, "x").unwrap();
    let data = format!("--data-dir={}", folder.path().display());
    check(
        &["demo", "--fresh", &data],
        &["not made by a demo", "--data-dir"],
    );
    assert!(kept.exists());
}
