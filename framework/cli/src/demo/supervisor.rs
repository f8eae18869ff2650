//! The processes of the demo: started, watched, started again when they die, stopped.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mesh_core::{Error, Result};
use tokio::process::{Child, Command};

use super::domains::FoundDomain;
use super::folder::DemoFolder;
use crate::kafka::ClusterArgs;
use crate::ports::PlatformAddresses;
use crate::ui;

/// A process that dies this often within [`RESTART_WINDOW`] is given up.
const MAX_RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_secs(30);
/// The variable that names a process's configuration. Each has its own, or none.
const CONFIG: &str = "MESH_CONFIG";
/// How long a process may take to end after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// How a process is started.
pub(crate) struct Program {
    pub(crate) name: String,
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// Where it kills itself: one for each of its lives, from the first on.
    pub(crate) failpoints: VecDeque<String>,
}

impl Program {
    pub(crate) fn platform(
        host: &IpAddr,
        addresses: &PlatformAddresses,
        cluster: &ClusterArgs,
        folder: &DemoFolder,
    ) -> Result<Self> {
        let path = std::env::current_exe()
            .map_err(|error| Error::internal("our own program has no path").because(error))?;
        let mut arguments = vec![
            "up".into(),
            format!("--host={host}"),
            format!("--registry-port={}", addresses.registry.port()),
            format!("--http-port={}", addresses.http.port()),
            format!("--postgres-port={}", addresses.postgres.port()),
            format!("--flight-port={}", addresses.flight.port()),
            format!("--data-dir={}", folder.data("platform")?.display()),
        ];
        match addresses.broker_port {
            Some(port) => arguments.push(format!("--kafka-port={port}")),
            None => arguments.push(format!("--kafka={}", addresses.kafka)),
        }
        if let Some(file) = &cluster.config {
            arguments.push(format!("--kafka-config={}", file.display()));
        }
        Ok(Self {
            name: "platform".into(),
            path,
            arguments,
            environment: Vec::new(),
            failpoints: VecDeque::new(),
        })
    }

    pub(crate) fn domain(
        domain: &FoundDomain,
        path: PathBuf,
        api: SocketAddr,
        addresses: &PlatformAddresses,
        folder: &DemoFolder,
        source: &Path,
    ) -> Result<Self> {
        Ok(Self {
            name: domain.name.clone(),
            path,
            arguments: Vec::new(),
            environment: vec![
                ("MESH_BOOTSTRAP", addresses.kafka.clone()),
                ("MESH_REGISTRY_URL", addresses.registry_url()),
                ("MESH_CATALOG_URL", addresses.http_url()),
                (
                    "MESH_DATA_DIR",
                    folder.data(&domain.name)?.display().to_string(),
                ),
                ("MESH_LISTEN", api.to_string()),
                ("MESH_SOURCE_DIR", source.display().to_string()),
            ],
            failpoints: VecDeque::new(),
        })
    }

    /// Lets a domain read the settings for Kafka from the same file.
    pub(crate) fn with_kafka_config(mut self, cluster: &ClusterArgs) -> Result<Self> {
        if let Some(file) = &cluster.config {
            let file = std::path::absolute(file).map_err(|error| {
                Error::invalid("the file of Kafka's settings has no absolute path").because(error)
            })?;
            self.environment.push((CONFIG, file.display().to_string()));
        }
        Ok(self)
    }
}

impl Program {
    /// Lets a process read `file`, whose path is absolute, as its configuration.
    pub(crate) fn with_config(mut self, file: &Path) -> Self {
        self.environment.push((CONFIG, file.display().to_string()));
        self
    }
}

struct Running {
    program: Program,
    child: Child,
    deaths: Vec<Instant>,
    /// When one that has ended is started again.
    again: Option<Instant>,
}

/// Keeps the demo's processes alive.
pub(crate) struct Supervisor {
    logs: PathBuf,
    processes_file: PathBuf,
    running: Vec<Running>,
    /// How long one that has ended stays away.
    restart_after: Duration,
    /// How often a process was started again.
    pub(crate) restarts: usize,
}

impl Supervisor {
    pub(crate) fn new(logs: PathBuf, processes_file: PathBuf, restart_after: Duration) -> Self {
        Self {
            logs,
            processes_file,
            running: Vec::new(),
            restart_after,
            restarts: 0,
        }
    }

    pub(crate) async fn start(&mut self, mut program: Program) -> Result<()> {
        let child = self.spawn(&mut program)?;
        self.running.push(Running {
            program,
            child,
            deaths: Vec::new(),
            again: None,
        });
        self.write_processes()
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn spawn(&self, program: &mut Program) -> Result<Child> {
        let file = self.log_file(&program.name);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| {
                Error::invalid("a log file cannot be written")
                    .with("file", file.display())
                    .with("cause", error)
                    .mend("choose another --data-dir DIR")
            })?;
        let mut command = Command::new(&program.path);
        command
            .env_remove(CONFIG)
            // The demo reads its own mesh, and has no user there.
            .env_remove("MESH_SQL_USERS")
            .args(&program.arguments)
            .envs(
                program
                    .environment
                    .iter()
                    .map(|(name, value)| (*name, value)),
            )
            .stdin(Stdio::null())
            .stdout(log.0)
            .stderr(log.1)
            // Ctrl-C goes to the demo alone, which then stops the others in order.
            .process_group(0)
            .kill_on_drop(true);
        command.env_remove("MESH_FAILPOINT");
        if let Some(failpoint) = program.failpoints.pop_front() {
            command.env("MESH_FAILPOINT", failpoint);
        }
        command.spawn().map_err(|error| {
            Error::internal("a process does not start")
                .with("process", &program.name)
                .with("program", program.path.display())
                .with("cause", error)
        })
    }

    fn write_processes(&self) -> Result<()> {
        let pids: serde_json::Map<String, serde_json::Value> = self
            .running
            .iter()
            .filter_map(|running| Some((running.program.name.clone(), running.child.id()?.into())))
            .collect();
        let text = serde_json::Value::Object(pids).to_string();
        let partial = self.processes_file.with_extension("json.new");
        std::fs::write(&partial, text + "\n")
            .and_then(|()| std::fs::rename(&partial, &self.processes_file))
            .map_err(|error| {
                Error::invalid("the list of processes cannot be written")
                    .with("file", self.processes_file.display())
                    .with("cause", error)
            })
    }

    /// Starts again whatever died since the last call.
    ///
    /// # Errors
    /// If one dies again and again, with the end of its log.
    pub(crate) fn tend(&mut self) -> Result<()> {
        let mut changed = false;
        for at in 0..self.running.len() {
            let ended = self.running[at]
                .child
                .try_wait()
                .map_err(|error| Error::internal("a process cannot be watched").because(error))?;
            let Some(status) = ended else { continue };
            let now = Instant::now();
            let running = &mut self.running[at];
            if !self.restart_after.is_zero() {
                let again = running.again.get_or_insert_with(|| {
                    ui::line(ui::dim(&format!(
                        "{} ended with {status}",
                        running.program.name
                    )));
                    now + self.restart_after
                });
                if now < *again {
                    continue;
                }
                running.again = None;
            }
            running
                .deaths
                .retain(|death| now.duration_since(*death) < RESTART_WINDOW);
            running.deaths.push(now);
            let name = running.program.name.clone();
            if running.deaths.len() > MAX_RESTARTS || status.code() == Some(2) {
                let log = self.log_file(&name);
                return Err(Error::internal("a process does not stay up")
                    .with("process", &name)
                    .with("status", status)
                    .with("log", log.display())
                    .with("last lines", tail(&log))
                    .mend("mend what its log says"));
            }
            ui::line(ui::dim(&format!(
                "{name} ended with {status}; starting it again"
            )));
            let mut program = std::mem::replace(
                &mut self.running[at].program,
                Program {
                    name,
                    path: PathBuf::new(),
                    arguments: Vec::new(),
                    environment: Vec::new(),
                    failpoints: VecDeque::new(),
                },
            );
            let spawned = self.spawn(&mut program);
            self.running[at].program = program;
            self.running[at].child = spawned?;
            self.restarts += 1;
            changed = true;
        }
        if changed {
            self.write_processes()?;
        }
        Ok(())
    }

    /// Tends the processes for ever; answers when one is given up.
    pub(crate) async fn watch(&mut self) -> Error {
        loop {
            if let Err(error) = self.tend() {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Stops every process, the platform last, so that the domains can finish.
    pub(crate) async fn stop(&mut self) {
        while let Some(mut running) = self.running.pop() {
            if let Some(pid) = running.child.id() {
                signal_terminate(pid);
            }
            if tokio::time::timeout(STOP_TIMEOUT, running.child.wait())
                .await
                .is_err()
            {
                ui::line(format!(
                    "{} did not stop within {} s and is killed",
                    running.program.name,
                    STOP_TIMEOUT.as_secs()
                ));
                let _ = running.child.kill().await;
            }
        }
        let _ = std::fs::remove_file(&self.processes_file);
    }
}

fn signal_terminate(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // SAFETY: kill(2) touches no memory of ours. The process is a child that was not
        // waited for yet, so its id cannot have passed to another process.
        unsafe {
            libc::kill(pid, libc::SIGTERM);
        }
    }
}

/// The last lines of a log file.
pub(crate) fn tail(file: &Path) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines
        .into_iter()
        .rev()
        .map(|line| format!("\n    {line}"))
        .collect()
}
