//! Runs `mesh` and what judges it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

pub(crate) fn mesh() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesh"));
    command.current_dir(workspace()).stdin(Stdio::null());
    for name in ["MESH_DATA_DIR", "MESH_FAILPOINT", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
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

pub(crate) fn python() -> Option<String> {
    lane(
        "MESH_CLIENT_PYTHON",
        "name a Python that has framework/cli/tests/clients/requirements.txt",
    )
}

pub(crate) fn berka() -> Option<PathBuf> {
    let shared = lane("MESH_SHARED", "name the folder that holds data/berka")?;
    let folder = Path::new(&shared).join("data/berka");
    assert!(folder.is_dir(), "{} is not there", folder.display());
    Some(folder)
}

/// An Apache Kafka of its own, made by `deploy/kafka/cluster`.
pub(crate) struct Kafka {
    folder: tempfile::TempDir,
    bootstrap: String,
}

impl Kafka {
    /// One node, where the lane asks for Apache Kafka with `MESH_TEST_KAFKA=apache`; else the
    /// embedded broker is tested.
    fn where_asked() -> Option<Self> {
        match std::env::var("MESH_TEST_KAFKA").as_deref() {
            Err(_) | Ok("" | "embedded") => None,
            Ok("apache") => Some(Self::start()),
            Ok(other) => panic!("MESH_TEST_KAFKA is {other}; set it to embedded or apache"),
        }
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut kafka = Self {
            folder,
            bootstrap: String::new(),
        };
        let output = kafka.cluster("start", &["--tests"]);
        kafka.bootstrap = output.trim().lines().last().unwrap().to_owned();
        kafka
    }

    fn cluster(&self, action: &str, arguments: &[&str]) -> String {
        let output = Command::new(workspace().join("deploy/kafka/cluster"))
            .arg(action)
            .arg(self.folder.path().join("kafka"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{action}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // A panic here would hide the one that brought us here.
        let stopped = Command::new(workspace().join("deploy/kafka/cluster"))
            .arg("stop")
            .arg(self.folder.path().join("kafka"))
            .stdin(Stdio::null())
            .output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            eprintln!("Kafka in {} did not stop", self.folder.path().display());
        }
    }
}

/// A `mesh demo` that stays up.
pub(crate) struct Demo {
    child: Child,
    kafka: Option<Kafka>,
    folder: tempfile::TempDir,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    started: Instant,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kafka = Kafka::where_asked();
        let mut child = mesh()
            .arg("demo")
            .args(
                kafka
                    .iter()
                    .map(|kafka| format!("--kafka={}", kafka.bootstrap)),
            )
            .args(["--kafka-port=0", "--registry-port=0", "--http-port=0"])
            .args(["--domain-port=0", "--timeout=600"])
            .arg(format!(
                "--data-dir={}",
                folder.path().join("demo").display()
            ))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        for stream in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self {
            child,
            kafka,
            folder,
            lines,
            seen: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Waits for a line that holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        loop {
            match self.lines.recv_timeout(Duration::from_secs(600)) {
                Ok(line) => {
                    eprintln!("{:>4} s | {line}", self.started.elapsed().as_secs());
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => self.give_up(text),
            }
        }
    }

    fn give_up(&mut self, text: &str) -> ! {
        let mut logs = String::new();
        if let Ok(entries) = std::fs::read_dir(self.folder.path().join("demo/logs")) {
            for entry in entries.flatten() {
                let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(15).collect();
                logs.push_str(&format!("\n== {}\n", entry.path().display()));
                for line in tail.iter().rev() {
                    logs.push_str(line);
                    logs.push('\n');
                }
            }
        }
        panic!("the demo never said {text:?}{logs}");
    }

    /// (bootstrap, registry, http) from the line that names them.
    pub(crate) fn addresses(&mut self) -> (String, String, String) {
        let line = self.wait_for("catalog and SQL http");
        let after = |mark: &str| {
            let rest = &line[line.find(mark).unwrap() + mark.len()..];
            rest.split([',', ' ']).next().unwrap().trim().to_owned()
        };
        (
            after("Kafka "),
            after("registry "),
            after("catalog and SQL "),
        )
    }

    /// Process ids by name.
    pub(crate) fn processes(&self) -> BTreeMap<String, i32> {
        std::fs::read_to_string(self.folder.path().join("demo/processes.json"))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// The processes that can be killed: those of the demo, and Kafka where it is one.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names = ["platform", "customer", "transaction", "loan"].to_vec();
        names.extend(self.kafka.as_ref().map(|_| "kafka"));
        names
    }

    /// Kills the process called `name` at once, as `kill -9` does. Kafka is started again
    /// before this returns; of the others the demo takes care.
    pub(crate) fn kill(&self, name: &str) {
        if let (Some(kafka), "kafka") = (&self.kafka, name) {
            kafka.cluster("kill", &["1"]);
            kafka.cluster("restart", &["1"]);
            return;
        }
        if let Some(pid) = self.processes().get(name) {
            send(*pid, libc::SIGKILL);
        }
    }

    pub(crate) fn said(&self, text: &str) -> bool {
        self.seen.iter().any(|line| line.contains(text))
    }

    /// Runs a script of `tests/clients` against this mesh.
    pub(crate) fn judge(&mut self, python: &str, script: &str, arguments: &[&str]) -> String {
        let (bootstrap, registry, http) = self.addresses();
        let mut command = Command::new(python);
        command
            .arg(workspace().join("framework/cli/tests/clients").join(script))
            .args(["--bootstrap", &bootstrap, "--registry", &registry]);
        if script == "read_products.py" {
            command.args(["--http", &http]);
        }
        let output = command.args(arguments).output().unwrap();
        let text = text(&output);
        assert!(output.status.success(), "{script}: {text}");
        eprintln!("{text}");
        text
    }

    /// Asks in SQL; answers CSV without its header.
    pub(crate) fn sql(&mut self, statement: &str) -> String {
        let (.., http) = self.addresses();
        let output = mesh()
            .args(["sql", "--format=csv", "--url", &http, statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let csv = String::from_utf8(output.stdout).unwrap();
        csv.lines().skip(1).collect::<Vec<_>>().join("\n")
    }

    /// Ctrl-C, and the code that the demo ends with.
    pub(crate) fn stop(mut self) -> Option<i32> {
        send(self.child.id() as i32, libc::SIGINT);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // A failed test leaves nothing behind: the demo goes first, so that it restarts nobody.
        let processes = self.processes();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in processes.values() {
            send(*pid, libc::SIGKILL);
        }
    }
}

fn send(pid: i32, signal: i32) {
    // SAFETY: kill(2) touches no memory of ours; the process is one that this test started.
    unsafe {
        libc::kill(pid, signal);
    }
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
