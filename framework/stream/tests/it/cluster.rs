//! The cluster that a lane gives to the tests instead of the embedded broker.
//!
//! `MESH_KAFKA_BOOTSTRAP` names its bootstrap servers. `MESH_KAFKA_CLUSTER` names the folder
//! that `deploy/kafka/cluster start` was given, for tests that stop a node; without it they
//! say that they are left out. Such a cluster is to be started with `--tests`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A setting of the lane; nothing where it is empty.
pub(crate) fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The bootstrap servers of the lane's cluster.
pub(crate) fn bootstrap() -> Option<String> {
    given("MESH_KAFKA_BOOTSTRAP")
}

/// A cluster of `deploy/kafka/cluster`, whose nodes may be stopped.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// The lane's.
    pub(crate) fn given() -> Option<Self> {
        let folder = given("MESH_KAFKA_CLUSTER")?.into();
        Some(Self { folder })
    }

    #[allow(dead_code)] // not every suite asks
    pub(crate) fn nodes(&self) -> usize {
        (1..=9)
            .take_while(|node| self.folder.join(format!("node-{node}")).is_dir())
            .count()
    }

    async fn run(&self, action: &'static str, node: i32) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kafka/cluster");
        let folder = self.folder.clone();
        let output = tokio::task::spawn_blocking(move || {
            Command::new(script)
                .arg(action)
                .arg(folder)
                .arg(node.to_string())
                .stdin(Stdio::null())
                .output()
        });
        let output = output.await.unwrap().unwrap();
        assert!(
            output.status.success(),
            "{action} of node {node}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// As `kill -9` does.
    pub(crate) async fn kill(&self, node: i32) {
        self.run("kill", node).await;
    }

    /// As an administrator does, who gives it the time to hand over.
    #[allow(dead_code)] // not every suite does
    pub(crate) async fn stop(&self, node: i32) {
        self.run("stop", node).await;
    }

    /// Starts a node again, and waits until it serves clients.
    pub(crate) async fn restart(&self, node: i32) {
        self.run("restart", node).await;
    }
}
