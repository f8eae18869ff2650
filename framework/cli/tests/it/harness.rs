//! Runs `mesh` and what judges it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kafka::Kafka;
use crate::receipts;

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

pub(crate) fn mesh() -> Command {
    let mut command = Command::new(programs().join("mesh"));
    command.current_dir(workspace()).stdin(Stdio::null());
    for name in ["MESH_DATA_DIR", "MESH_CONFIG", "MESH_FAILPOINT", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// What `mesh` answers when it is given `input`.
pub(crate) fn mesh_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = mesh()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that asks for nothing may be gone by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The folder of `mesh` and of the domains' programs: cargo's, or the copy of them that
/// `MESH_TEST_PROGRAMS` names, for runs that last while work goes on.
pub(crate) fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| match std::env::var_os("MESH_TEST_PROGRAMS") {
        Some(copied) => copied.into(),
        None => Path::new(env!("CARGO_BIN_EXE_mesh"))
            .parent()
            .unwrap()
            .to_owned(),
    })
}

/// The names of the workspace's domains, which are built.
fn domains() -> &'static [String] {
    static DOMAINS: OnceLock<Vec<String>> = OnceLock::new();
    DOMAINS.get_or_init(|| {
        let entries = std::fs::read_dir(workspace().join("domains")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.collect();
        if std::env::var_os("MESH_TEST_PROGRAMS").is_none() {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
            cargo
                .current_dir(workspace())
                .arg("build")
                .args(names.iter().flat_map(|name| ["--bin", name]));
            // What cargo has told this test of itself makes build scripts run again, and
            // compiles what stands on them anew.
            for (name, _) in std::env::vars() {
                let own = [
                    "CARGO_BIN_",
                    "CARGO_CRATE_",
                    "CARGO_MANIFEST_",
                    "CARGO_PKG_",
                ];
                if own.iter().any(|own| name.starts_with(own)) {
                    cargo.env_remove(name);
                }
            }
            assert!(cargo.status().unwrap().success());
        }
        names
    })
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

/// A `mesh demo` that stays up.
pub(crate) struct Demo {
    folder: Option<TempDir>,
    /// The Kafka of this demo alone.
    own: Option<Kafka>,
    running: Option<Running>,
    arguments: Vec<String>,
    seen: Vec<String>,
}

struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    started: Instant,
}

impl Demo {
    /// Starts one, on a Kafka of its own where the lane asks for that.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let kafka = Kafka::where_asked();
        let mut demo = Self::prepare();
        demo.run(kafka.as_ref(), &arguments);
        demo.own = kafka;
        demo
    }

    /// Starts one on the embedded broker.
    pub(crate) fn start_embedded(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let mut demo = Self::prepare();
        demo.run(None, &arguments);
        demo
    }

    /// One in a folder of its own that does not run yet.
    pub(crate) fn prepare() -> Self {
        Self {
            folder: Some(tempfile::tempdir().unwrap()),
            own: None,
            running: None,
            arguments: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// One with the test's own domain of receipts, which loses its data folder before its
    /// life number `lost`.
    pub(crate) fn with_receipts(lost: Option<usize>) -> Self {
        let mut demo = Self::prepare();
        let [programs, workspace] = ["programs", "workspace"].map(|name| demo.folder().join(name));
        std::fs::create_dir_all(workspace.join("domains/receipts")).unwrap();
        std::fs::create_dir(&programs).unwrap();
        for name in domains() {
            symlink(self::programs().join(name), programs.join(name)).unwrap();
            let domain = self::workspace().join("domains").join(name);
            symlink(domain, workspace.join("domains").join(name)).unwrap();
        }
        let manifest = workspace.join("domains/receipts/Cargo.toml");
        std::fs::write(
            manifest,
            "[package]\nname = \"receipts\"\n[package.metadata.mesh]\nmesh = \"banking\"\n",
        )
        .unwrap();
        receipts::install(&programs.join("receipts"), lost);
        // The dead leave their groups and transactions sooner, so that a round is short; but no
        // transaction times out while a node of Apache Kafka starts, see docs/exactly-once.md.
        let settings = demo.folder().join("kafka.toml");
        let text = "[kafka]\n\"session.timeout.ms\" = 6000\n\"heartbeat.interval.ms\" = 1000\n\
                    \"transaction.timeout.ms\" = 30000\n";
        std::fs::write(&settings, text).unwrap();
        demo.arguments = vec![
            format!("--kafka-config={}", settings.display()),
            format!("--programs={}", programs.display()),
            format!("--workspace={}", workspace.display()),
        ];
        demo
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Runs it on `kafka`, or on the embedded broker.
    pub(crate) fn run(&mut self, kafka: Option<&Kafka>, arguments: &[String]) {
        let of_a_mesh = arguments.iter().any(|text| text.starts_with("--mesh="));
        let mut child = mesh()
            .arg("demo")
            .args(kafka.map(|kafka| format!("--kafka={}", kafka.bootstrap)))
            .args([
                "--kafka-port=0",
                "--registry-port=0",
                "--http-port=0",
                "--postgres-port=0",
                "--flight-port=0",
            ])
            .args(["--domain-port=0", "--timeout=600"])
            .args((!of_a_mesh).then_some("--mesh=banking"))
            .arg(format!(
                "--data-dir={}",
                self.folder().join("demo").display()
            ))
            .args(&self.arguments)
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
        self.seen.clear();
        self.running = Some(Running {
            child,
            lines,
            started: Instant::now(),
        });
    }

    /// Waits for a line that holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let running = self.running.as_ref().unwrap();
        loop {
            match running.lines.recv_timeout(Duration::from_secs(600)) {
                Ok(line) => {
                    eprintln!("{:>4} s | {line}", running.started.elapsed().as_secs());
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
        if let Ok(entries) = std::fs::read_dir(self.folder().join("demo/logs")) {
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
        std::fs::read_to_string(self.folder().join("demo/processes.json"))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Kills the process called `name`, as `kill -9` does, as soon as it lives; the demo
    /// starts it again.
    pub(crate) fn kill(&self, name: &str) {
        let begun = Instant::now();
        loop {
            let processes = self.processes();
            if let Some(pid) = processes.get(name).filter(|pid| lives(**pid)) {
                return send(*pid, libc::SIGKILL);
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{name} lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until every process runs, and the platform answers.
    pub(crate) fn wait_until_all_run(&mut self) {
        let (.., http) = self.addresses();
        let answers = || {
            let address = http.trim_start_matches("http://");
            let mut stream = TcpStream::connect(address).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            let request = format!("GET /healthz HTTP/1.0\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.contains(" 200 ").then_some(())
        };
        let begun = Instant::now();
        let mut good = 0;
        // The demo looks every quarter of a second whether one has died.
        while good < 3 {
            assert!(begun.elapsed() < Duration::from_secs(60), "some do not run");
            std::thread::sleep(Duration::from_millis(200));
            let all = self.processes().values().all(|pid| lives(*pid));
            good = if all && answers().is_some() {
                good + 1
            } else {
                0
            };
        }
        self.hear();
    }

    /// Takes in what was said and not waited for.
    fn hear(&mut self) {
        if let Some(running) = &self.running {
            self.seen.extend(running.lines.try_iter());
        }
    }

    /// How many lines hold `text`.
    pub(crate) fn said(&mut self, text: &str) -> usize {
        self.hear();
        self.seen.iter().filter(|line| line.contains(text)).count()
    }

    /// Runs a script of `tests/clients` against this mesh.
    pub(crate) fn judge(&mut self, python: &str, script: &str, arguments: &[&str]) -> String {
        let (bootstrap, registry, http) = self.addresses();
        let mut command = Command::new(python);
        command
            .arg(workspace().join("framework/cli/tests/clients").join(script))
            .args(["--bootstrap", &bootstrap, "--registry", &registry]);
        if ["read_products.py", "refusals.py"].contains(&script) {
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
        let mut running = self.running.take().unwrap();
        send(running.child.id() as i32, libc::SIGINT);
        running.child.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running
            && !running.child.try_wait().is_ok_and(|ended| ended.is_some())
        {
            // A failed test leaves nothing behind: the demo goes first, so that it restarts
            // nobody.
            let _ = running.child.kill();
            let _ = running.child.wait();
            for pid in self.processes().values() {
                send(*pid, libc::SIGKILL);
            }
        }
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the demo's folder is kept: {}", folder.keep().display());
        }
    }
}

/// Whether the process runs, and is not merely to be waited for.
fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| {
        let state = text
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
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
