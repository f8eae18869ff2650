//! The Flight SQL door through clients that others wrote.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::flight::{door, logged_in, shop, with_logins};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A value that a lane sets; without it the test says that it skips, and fails in CI.
fn lane(name: &str, what: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{name} is not set: {what}"
        );
        eprintln!("skipped: {name} is not set: {what}");
    }
    value
}

async fn passes(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    eprint!("{out}");
    assert!(output.status.success(), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn adbc_reads_the_mesh() {
    let what = "name a Python that has framework/query/tests/clients/flight/requirements.txt";
    let Some(python) = lane("MESH_CLIENT_PYTHON", what) else {
        return;
    };
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let anna = logged_in(&address, "anna").await;
    let mut command = Command::new(python);
    command
        .arg(tests().join("clients/flight/adbc.py"))
        .args(["--uri", &format!("grpc://{address}")])
        .args(["--token", anna.token().unwrap()]);
    passes(&mut command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc_reads_the_mesh() {
    let what = "name the jar of Arrow's JDBC driver for Flight SQL, as .ci/flight-jdbc does";
    let Ok(jar) = std::env::var("MESH_FLIGHT_JDBC") else {
        eprintln!("skipped: MESH_FLIGHT_JDBC is not set: {what}");
        return;
    };
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let mut command = Command::new("java");
    command
        // As the driver's documentation asks for.
        .arg("--add-opens=java.base/java.nio=ALL-UNNAMED")
        .args(["-cp", &jar])
        .arg(tests().join("java/flight/Check.java"))
        .arg(address);
    passes(&mut command).await;
}
