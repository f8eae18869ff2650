//! Inputs whose version ends: who read them before goes on until their end of life, nobody
//! begins to after the end of support, and all are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use mesh_core::contract::{Lifecycle, Stage};
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use mesh_stream::{CatalogLife, Ends, Reads};

use crate::host::Host;

/// How often the catalog is asked again. In between the clock alone ends a version.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// What a domain's handlers read, and when that ends.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    inputs: Mutex<BTreeMap<&'static str, Input>>,
}

#[derive(Debug)]
struct Input {
    domain: String,
    product: String,
    major: u64,
    handlers: Vec<String>,
    lifecycle: Lifecycle,
    retired: bool,
    successor: Option<String>,
    /// Whether the domain may read it after the end of support: it did before, or owns it.
    known: bool,
    /// What was told of it last.
    told: Option<String>,
}

impl Inputs {
    /// The inputs of the domain called `name`, before the catalog was asked: as the copies of
    /// their contracts say.
    pub(crate) fn of<'a>(
        name: &str,
        handlers: impl Iterator<Item = (&'a str, &'static Descriptor)>,
    ) -> Self {
        let mut inputs: BTreeMap<&'static str, Input> = BTreeMap::new();
        for (handler, read) in handlers {
            let contract = &read.contract;
            inputs
                .entry(read.topic.as_str())
                .or_insert_with(|| Input {
                    domain: contract.domain.clone(),
                    product: contract.product.clone(),
                    major: contract.version.major,
                    handlers: Vec::new(),
                    lifecycle: contract.lifecycle,
                    retired: false,
                    successor: None,
                    known: contract.domain == name,
                    told: None,
                })
                .handlers
                .push(handler.to_owned());
        }
        Self {
            inputs: Mutex::new(inputs),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Input>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the catalog about every input.
    ///
    /// # Errors
    /// Retryable while the catalog does not answer; what was known stays.
    pub(crate) async fn ask(&self, host: &Host) -> Result<()> {
        let asked: Vec<(&'static str, String, String, u64)> = self
            .lock()
            .iter()
            .map(|(topic, input)| {
                (
                    *topic,
                    input.domain.clone(),
                    input.product.clone(),
                    input.major,
                )
            })
            .collect();
        for (topic, domain, product, major) in asked {
            // What is not registered goes on as its contract's copy says.
            if let Some(life) = host.catalog.life(&domain, &product, major).await? {
                self.learn(&host.domain, topic, life);
            }
        }
        self.tell(host);
        Ok(())
    }

    fn learn(&self, domain: &str, topic: &'static str, life: CatalogLife) {
        if let Some(input) = self.lock().get_mut(topic) {
            input.known |= life.readers.iter().any(|reader| reader == domain);
            input.lifecycle = life.lifecycle;
            input.retired = life.status == "retired";
            input.successor = life.successor;
        }
    }

    /// Warns of what ends, once for each thing that there is to say.
    fn tell(&self, host: &Host) {
        let mut notices = Vec::new();
        for (topic, input) in self.lock().iter_mut() {
            let notice = input.notice(topic);
            if notice != input.told {
                if let Some(text) = &notice {
                    tracing::warn!(topic, handlers = ?input.handlers, "{text}");
                }
                input.told.clone_from(&notice);
            }
            notices.extend(notice);
        }
        host.status.notices(notices);
    }

    /// What the catalog is told that the handlers read: not what they are not let read.
    pub(crate) fn reads(&self) -> Vec<Reads> {
        self.lock()
            .iter()
            .filter(|(topic, input)| input.admit(topic).is_ok())
            .flat_map(|(topic, input)| {
                input.handlers.iter().map(|handler| Reads {
                    handler: handler.clone(),
                    topic: (*topic).to_owned(),
                })
            })
            .collect()
    }

    /// Refuses an input that may be read no more, or not by a new reader.
    ///
    /// # Errors
    /// That, with what to read instead. Retryable: the catalog may say otherwise later.
    pub(crate) fn admit(&self, topic: &str) -> Result<()> {
        match self.lock().get(topic) {
            Some(input) => input.admit(topic),
            None => Ok(()),
        }
    }
}

impl Input {
    fn stage(&self) -> Stage {
        match self.retired {
            true => Stage::Ended,
            false => self.lifecycle.stage(Utc::now()),
        }
    }

    fn admit(&self, topic: &str) -> Result<()> {
        let message = match self.stage() {
            Stage::Ended => "an input has reached its end of life",
            Stage::Unsupported if !self.known => {
                "the support of an input has ended: it takes no new readers"
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::FailedPrecondition, message)
            .retryable(true)
            .with("topic", topic)
            .mend(match &self.successor {
                Some(successor) => format!("read `{successor}` instead"),
                None => format!("ask the domain `{}` what to read instead", self.domain),
            }))
    }

    fn notice(&self, topic: &str) -> Option<String> {
        if self.stage() == Stage::Current {
            return None;
        }
        let day = |what: &str, end: Option<chrono::DateTime<Utc>>| {
            end.map(|end| format!("{what} {}", end.format("%Y-%m-%dT%H:%M:%SZ")))
        };
        let ends = [
            day("end of support", self.lifecycle.end_of_support),
            day("end of life", self.lifecycle.end_of_life),
            self.retired.then(|| "it is retired".to_owned()),
        ];
        let ends = ends.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let instead = match &self.successor {
            Some(successor) => format!("; read {successor} instead"),
            None => String::new(),
        };
        Some(format!("{topic} ends: {ends}{instead}"))
    }
}

/// What the records of a product say about its end: what its contract announces, and the
/// major above it that the same domain hands out.
pub(crate) fn announced(
    product: &Descriptor,
    products: &[&'static Descriptor],
) -> Option<Arc<Ends>> {
    let contract = &product.contract;
    if contract.lifecycle == Lifecycle::default() {
        return None;
    }
    let successor = products
        .iter()
        .filter(|other| {
            other.contract.product == contract.product
                && other.contract.version.major > contract.version.major
                && other.contract.status == "active"
        })
        .max_by_key(|other| other.contract.version.major)
        .map(|other| other.topic.as_str().to_owned());
    Some(Arc::new(Ends {
        lifecycle: contract.lifecycle,
        successor,
    }))
}

/// Asks the catalog again and again until the host stops.
pub(crate) async fn watch(host: Arc<Host>) {
    let mut tick = tokio::time::interval(ASK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = host.intake.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = host.inputs.ask(&host).await {
            tracing::debug!(
                error = error.log_line(),
                "the ends of inputs were not asked for"
            );
        }
    }
}
