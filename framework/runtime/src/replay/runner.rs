//! The tasks of a domain's handlers, each of which can be stopped and started by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::{Error, Result};
use mesh_stream::{Admin, RegistryClient, StreamConfig};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Declared, Versioned, place};
use crate::handler::{AnyHandler, RunningHandler};
use crate::host::Host;
use crate::task::Task;

/// How a handler becomes true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the local store, and by the outbox.
    Outbox,
    /// In Kafka transactions.
    Through,
}

/// A handler that can be run.
pub(crate) struct Runner {
    pub(crate) way: Way,
    pub(crate) topic: &'static str,
    handler: Arc<dyn RunningHandler>,
    running: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
}

/// The handlers of a domain as it declares them.
pub(crate) struct Handlers {
    pub(crate) outbox: Vec<(String, Box<dyn AnyHandler>)>,
    pub(crate) through: Vec<(String, Box<dyn AnyHandler>)>,
    pub(crate) replays: Vec<Declared>,
}

/// All handlers of a domain by name.
pub(crate) struct Runners {
    pub(crate) all: BTreeMap<String, Runner>,
    pub(crate) stream: StreamConfig,
    pub(crate) admin: Admin,
    intake: TaskTracker,
}

impl Runners {
    /// The handlers, none of which runs yet.
    ///
    /// # Errors
    /// If one of them cannot decode what it is to consume.
    pub(crate) fn new(
        host: &Host,
        handlers: Handlers,
        stream: &StreamConfig,
        admin: &Admin,
        registry: &RegistryClient,
        intake: &TaskTracker,
    ) -> Result<Self> {
        let outbox = handlers.outbox.into_iter();
        let through = handlers.through.into_iter();
        let replays = handlers.replays.into_iter();
        let every = outbox
            .map(|(name, handler)| (name, Way::Outbox, handler))
            .chain(through.map(|(name, handler)| (name, Way::Through, handler)))
            .chain(replays.map(|replay| (replay.part(), replay.way, replay.handler)));
        let versions = &host.replays.versions;
        let mut all = BTreeMap::new();
        for (name, way, handler) in every {
            let topic = handler.descriptor().topic.as_str();
            let version = versions.get(&name).map(Arc::clone);
            let version = version.ok_or_else(|| Error::internal("a handler without a version"))?;
            let handler = Versioned {
                inner: handler.start(registry)?,
                version,
                versions: Arc::clone(versions),
            };
            let runner = Runner {
                way,
                topic,
                handler: Arc::new(handler),
                running: Mutex::new(None),
            };
            all.insert(name, runner);
        }
        Ok(Self {
            all,
            stream: stream.clone(),
            admin: admin.clone(),
            intake: intake.clone(),
        })
    }

    /// Starts the handler `name`, unless it runs or there is none.
    pub(crate) async fn start(&self, host: &Arc<Host>, name: &str) {
        let Some(runner) = self.all.get(name) else {
            return;
        };
        let mut running = runner.running.lock().await;
        if running
            .as_ref()
            .is_some_and(|(_, task)| !task.is_finished())
        {
            return;
        }
        let stop = host.intake.child_token();
        let (host, name, stream, admin) = (
            Arc::clone(host),
            name.to_owned(),
            self.stream.clone(),
            self.admin.clone(),
        );
        let (way, topic, handler) = (runner.way, runner.topic, Arc::clone(&runner.handler));
        let stopped = stop.clone();
        let task = self.intake.spawn(async move {
            if !place::placed(&host, &name, way, &stream, &stop).await {
                return;
            }
            let task = Task {
                host,
                name,
                topic,
                handler,
                stream,
                admin,
                stop,
            };
            match way {
                Way::Outbox => task.consume().await,
                Way::Through => task.transform().await,
            }
        });
        *running = Some((stopped, task));
    }

    /// Has the handler `name` finish what it is at and leave its group; whether it ran.
    pub(crate) async fn stop(&self, host: &Host, name: &str) -> bool {
        let Some(runner) = self.all.get(name) else {
            return false;
        };
        let Some((stop, task)) = runner.running.lock().await.take() else {
            return false;
        };
        stop.cancel();
        if let Err(error) = task.await {
            tracing::error!(handler = name, %error, "a handler's task ended with a panic");
        }
        host.status.clear(&format!("handler {name}"));
        true
    }
}
