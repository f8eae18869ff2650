//! Apache Kafka, where the tests are asked to run on it.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use crate::harness::{text, workspace};

/// An Apache Kafka of its own, made by `deploy/kafka/cluster`.
pub(crate) struct Kafka {
    folder: Option<tempfile::TempDir>,
    pub(crate) bootstrap: String,
}

impl Kafka {
    /// One node, where the lane asks for Apache Kafka with `MESH_TEST_KAFKA=apache`; else the
    /// embedded broker is tested.
    pub(crate) fn where_asked() -> Option<Self> {
        Self::is_asked().then(Self::start)
    }

    pub(crate) fn is_asked() -> bool {
        match std::env::var("MESH_TEST_KAFKA").as_deref() {
            Err(_) | Ok("" | "embedded") => false,
            Ok("apache") => true,
            Ok(other) => panic!("MESH_TEST_KAFKA is {other}; set it to embedded or apache"),
        }
    }

    fn start() -> Self {
        let mut kafka = Self {
            folder: Some(tempfile::tempdir().unwrap()),
            bootstrap: String::new(),
        };
        let output = kafka.run("start", &["--tests"]);
        kafka.bootstrap = output.trim().lines().last().unwrap().to_owned();
        kafka
    }

    /// Kills the node at once, and returns when it serves again.
    pub(crate) fn kill(&self) {
        self.run("kill", &["1"]);
        self.run("restart", &["1"]);
    }

    fn run(&self, action: &str, arguments: &[&str]) -> String {
        let output = self.cluster(action, arguments).unwrap();
        assert!(output.status.success(), "{action}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn cluster(&self, action: &str, arguments: &[&str]) -> std::io::Result<Output> {
        let folder = self.folder.as_ref().map(|folder| folder.path());
        Command::new(workspace().join("deploy/kafka/cluster"))
            .arg(action)
            .args(folder.map(|folder| folder.join("kafka")))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
    }

    /// Deletes every topic, for another flow to begin with none.
    pub(crate) fn clear(&self) {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .create()
            .unwrap();
        let topics = || -> Vec<String> {
            let wait = Duration::from_secs(30);
            let metadata = admin.inner().fetch_metadata(None, wait).unwrap();
            let names = metadata
                .topics()
                .iter()
                .map(|topic| topic.name().to_owned());
            names.filter(|name| !name.starts_with("__")).collect()
        };
        let found = topics();
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let deleted = runtime.block_on(admin.delete_topics(&names, &AdminOptions::new()));
        for answer in deleted.unwrap() {
            answer.unwrap();
        }
        let begun = Instant::now();
        while !topics().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "topics stay");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Kafka {
    /// Stops it; its folder stays for a look, if that is wanted or it did not stop.
    fn end(&mut self, keep: bool) {
        let stopped = self.cluster("stop", &[]);
        let clean = stopped.is_ok_and(|output| output.status.success());
        if let Some(folder) = self.folder.take()
            && (keep || !clean)
        {
            let place = folder.keep();
            eprintln!("Kafka (stopped: {clean}) is kept in {}", place.display());
        }
    }

    /// Stops it and keeps its folder.
    pub(crate) fn keep(mut self) {
        self.end(true);
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // A panic here would hide the one that brought us here.
        if self.folder.is_some() {
            self.end(std::thread::panicking());
        }
    }
}
