//! `mesh sql` against a platform: formats, files, parameters, settings and Ctrl-C.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{mesh, mesh_with_input, python, text};
use crate::plan_apply::Up;

#[test]
fn a_question_takes_parameters_and_settings_and_its_answer_goes_to_a_file() {
    let up = Up::start();
    let values =
        "SELECT n, CAST(n AS DECIMAL(12,2)) AS d FROM (VALUES (1), (2), (3)) AS t(n) WHERE n >= $1";
    let said = up.check(&["sql", "--format=csv", values, "-p", "2"], 0);
    assert_eq!(said, "n,d\r\n2,2.00\r\n3,3.00\r\n");
    let said = up.check(&["sql", values], 1);
    assert!(said.contains("number of parameters"), "{said}");
    let said = up.check(&["sql", "SELECT 1", "--set", "statement_timeout=soon"], 1);
    assert!(said.contains("statement_timeout"), "{said}");
    let said = up.check(&["sql", "SELECT 1", "--set", "nonsense"], 2);
    assert!(said.contains("NAME=VALUE"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    for (format, magic) in [("parquet", b"PAR1"), ("arrow", b"\xff\xff\xff\xff")] {
        let file = folder.path().join(format);
        let output = format!("--output={}", file.display());
        up.check(&["sql", values, "-p", "1", "--format", format, &output], 0);
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(&bytes[..4], magic, "{format}");
        // Into a pipe it is the same, to the byte.
        let piped = up.run(&["sql", values, "-p", "1", "--format", format]);
        assert_eq!(piped.stdout, bytes, "{format}");
    }
    let file = folder.path().join("never");
    let output = format!("--output={}", file.display());
    let fails = "SELECT 1 / (n - 2) FROM (VALUES (1), (2)) AS t(n)";
    up.check(&["sql", fails, "--format=parquet", &output], 1);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "what failed leaves no file: {left:?}");
}

#[test]
fn ctrl_c_ends_the_statement_on_the_server() {
    let up = Up::start();
    let numbers = "generate_series(1, 1000000)";
    let slow = format!("SELECT count(*) FROM {numbers} a, {numbers} b WHERE a.value + b.value < 0");
    let child = mesh()
        .args(["sql", &slow])
        .env("MESH_URL", &up.url)
        .env("MESH_PRINCIPAL", "user:jana")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let listed = || {
        let address = up.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /api/v1/sql/statements HTTP/1.0\r\nHost: {address}\r\n\
             Mesh-Principal: user:jana\r\nMesh-Purpose: analysis\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let until = |what: &str, done: &dyn Fn(&str) -> bool| {
        let begun = Instant::now();
        loop {
            let listed = listed();
            if done(&listed) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{what}: {listed}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("it runs", &|listed| listed.contains("running"));
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: sends a signal to a child that was not waited for yet.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = text(&output);
    assert!(said.contains("cancelled"), "{said}");
    until("it ends", &|listed| {
        listed.ends_with(r#"{"statements":[]}"#)
    });
}

#[test]
fn a_platform_lets_one_principal_use_so_much() {
    let up = Up::start_with(&["--sql-timeout=2"]);
    let numbers = "generate_series(1, 1000000)";
    let slow = format!("SELECT count(*) FROM {numbers} a, {numbers} b WHERE a.value + b.value < 0");
    let said = up.check(&["sql", &slow], 1);
    assert!(said.contains("longer"), "{said}");
    // What is sorted spills; what one row gathers cannot.
    let up = Up::start_with(&["--sql-memory-mib-each=8"]);
    let much = "SELECT array_length(array_agg(value)) FROM generate_series(1, 4000000)";
    let said = up.check(&["sql", much], 1);
    assert!(said.contains("memory"), "{said}");
    let refused = mesh().args(["up", "--sql-statements-each=0"]).output();
    let said = text(&refused.unwrap());
    assert!(said.contains("--sql-statements-each"), "{said}");
}

#[test]
fn http_lets_in_whom_the_users_file_names() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users.json").display().to_string();
    let file = format!("--users-file={users}");
    let added = mesh_with_input(&["users", "add", "anna", &file], "a:long=password\n");
    assert!(added.status.success(), "{}", text(&added));
    let up = Up::start_with(&[&format!("--sql-users={users}")]);
    let ask = |options: &[&str], password: Option<&str>| {
        let mut command = mesh();
        command.args(["sql", "SELECT 6 * 7 AS answer", "--format=csv"]);
        command.args(options).env("MESH_URL", &up.url);
        if let Some(password) = password {
            command.env("MESH_SQL_PASSWORD", password);
        }
        text(&command.output().unwrap())
    };
    let login = ["--user=anna"];
    assert_eq!(ask(&login, Some("a:long=password")), "answer\r\n42\r\n");
    let said = ask(&login, Some("another"));
    assert!(said.contains("name or password is wrong"), "{said}");
    let said = ask(&login, None);
    assert!(said.contains("MESH_SQL_PASSWORD"), "{said}");
    let said = ask(&["--as=anna"], None);
    assert!(said.contains("mesh sql --user NAME"), "{said}");
}

#[test]
fn flight_sql_lets_in_whom_the_users_file_names() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = format!(
        "--users-file={}",
        folder.path().join("users.json").display()
    );
    let added = mesh_with_input(&["users", "add", "anna", &file], "a:long=password\n");
    assert!(added.status.success(), "{}", text(&added));
    let up = Up::start_with(&[&file.replace("--users-file", "--sql-users")]);
    let ask = |options: &str| {
        let script = format!(
            "import adbc_driver_flightsql.dbapi as flightsql\n\
             purpose = {{'adbc.flight.sql.rpc.call_header.mesh-purpose': 'analysis'}}\n\
             with flightsql.connect('{}', db_kwargs={{**purpose, {options}}}, autocommit=True) as mesh:\n\
             \x20   cursor = mesh.cursor()\n\
             \x20   cursor.execute('SHOW mesh.purpose')\n\
             \x20   print(cursor.fetchall())\n",
            up.flight
        );
        let output = std::process::Command::new(&python)
            .args(["-c", &script])
            .output();
        text(&output.unwrap())
    };
    let said = ask("'username': 'anna', 'password': 'a:long=password'");
    assert_eq!(said, "[('analysis',)]\n");
    let said = ask("'username': 'anna', 'password': 'another'");
    assert!(said.contains("name or password is wrong"), "{said}");
    let said = ask("'adbc.flight.sql.rpc.call_header.mesh-principal': 'anna'");
    assert!(said.contains("token of a session"), "{said}");
}
