//! Versions of a handler: what belongs to which, and which one an event is served by.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use mesh_core::{Descriptor, Error, Result};
use mesh_stream::RawRecord;

use crate::context::Context;
use crate::effects::Effects;
use crate::handler::{Failure, RunningHandler};

/// What a version of a handler is for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// An older version serves the event; this one makes its product anew.
    Replaying,
    /// This version serves the event.
    Serving,
    /// A newer version serves the event; this one feeds those who still read its product.
    Superseded,
}

/// One version of a handler.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) handler: String,
    /// 1 for a handler that is no replay.
    pub(crate) number: u32,
    /// What is kept for it is kept under this name: the handler's own, or
    /// `<handler>_v<number>`.
    pub(crate) name: String,
    /// The products that a replay writes, and nobody else.
    pub(crate) writes: Vec<&'static Descriptor>,
    /// The topic it reads.
    pub(crate) reads: &'static str,
    switches: Arc<Switches>,
}

/// From which offset of each partition on a version serves, for the versions of one handler
/// that were switched over.
#[derive(Debug, Default)]
struct Switches(RwLock<BTreeMap<u32, BTreeMap<i32, i64>>>);

impl Version {
    pub(crate) fn is_replay(&self) -> bool {
        self.number > 1
    }

    /// With what the kinds of this version's documents begin.
    pub(crate) fn kinds(&self) -> String {
        match self.is_replay() {
            true => format!("{}/", self.name),
            false => String::new(),
        }
    }

    /// What this version is for the event that stands there.
    pub(crate) fn service(&self, partition: i32, offset: i64) -> Service {
        let switches = self
            .switches
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let serves = |boundaries: &BTreeMap<i32, i64>| {
            // A partition that was added since has been the new version's all along.
            offset >= boundaries.get(&partition).copied().unwrap_or(0)
        };
        if self.is_replay() && !switches.get(&self.number).is_some_and(serves) {
            return Service::Replaying;
        }
        match switches.range(self.number + 1..).any(|(_, at)| serves(at)) {
            true => Service::Superseded,
            false => Service::Serving,
        }
    }

    /// Whether it was switched over to this version.
    pub(crate) fn is_switched(&self) -> bool {
        let switches = self
            .switches
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        switches.contains_key(&self.number)
    }

    /// From `boundaries` on this version serves.
    pub(crate) fn switch(&self, boundaries: BTreeMap<i32, i64>) {
        let mut switches = self
            .switches
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        switches.insert(self.number, boundaries);
    }
}

/// The versions of all handlers of a domain.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    by_name: BTreeMap<String, Arc<Version>>,
    /// The version that alone writes a topic.
    writers: BTreeMap<&'static str, String>,
    switches: BTreeMap<String, Arc<Switches>>,
}

impl Versions {
    pub(crate) fn add(
        &mut self,
        handler: &str,
        number: u32,
        reads: &'static str,
        writes: Vec<&'static Descriptor>,
    ) {
        let name = part_name(handler, number);
        for product in &writes {
            self.writers.insert(product.topic.as_str(), name.clone());
        }
        let switches = self.switches.entry(handler.to_owned()).or_default();
        let version = Version {
            handler: handler.to_owned(),
            number,
            name: name.clone(),
            writes,
            reads,
            switches: Arc::clone(switches),
        };
        self.by_name.insert(name, Arc::new(version));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Version>> {
        self.by_name.get(name)
    }

    pub(crate) fn of(&self, handler: &str, number: u32) -> Option<&Arc<Version>> {
        self.by_name.get(&part_name(handler, number))
    }

    /// The versions that are replays.
    pub(crate) fn replays(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.by_name.values().filter(|version| version.is_replay())
    }

    /// The versions of a handler that were in service before `version`, the oldest first.
    pub(crate) fn served_before(&self, version: &Version) -> Vec<Arc<Version>> {
        let mut older: Vec<Arc<Version>> = self
            .by_name
            .values()
            .filter(|is| is.handler == version.handler && is.number < version.number)
            .filter(|is| !is.is_replay() || is.is_switched())
            .cloned()
            .collect();
        older.sort_by_key(|version| version.number);
        older
    }

    /// The newest version of a handler that it was switched over to; the handler itself if
    /// there was no switch.
    pub(crate) fn serving(&self, handler: &str) -> Option<&Arc<Version>> {
        self.by_name
            .values()
            .filter(|is| is.handler == handler && (!is.is_replay() || is.is_switched()))
            .max_by_key(|is| is.number)
    }

    /// The replay that alone writes `topic`.
    pub(crate) fn writer(&self, topic: &str) -> Option<&str> {
        self.writers.get(topic).map(String::as_str)
    }

    /// Whether the handler `name` may write `topic`, as far as replays are concerned.
    pub(crate) fn may_write(&self, name: &str, topic: &str) -> bool {
        match self.writer(topic) {
            Some(writer) => writer == name,
            None => self.get(name).is_none_or(|version| !version.is_replay()),
        }
    }
}

/// Under which name a version of a handler is kept.
pub(crate) fn part_name(handler: &str, number: u32) -> String {
    match number {
        1 => handler.to_owned(),
        // No handler can be called so, see `check_name`.
        _ => format!("{handler}_v{number}"),
    }
}

/// A handler in the version that it is: it sees the documents of its version, and writes
/// nothing but what is its version's.
pub(crate) struct Versioned {
    pub(crate) inner: Box<dyn RunningHandler>,
    pub(crate) version: Arc<Version>,
    pub(crate) versions: Arc<Versions>,
}

#[async_trait]
impl RunningHandler for Versioned {
    async fn run(&self, record: &RawRecord, ctx: &Context) -> Result<Effects, Failure> {
        let service = self.version.service(record.partition, record.offset);
        let ctx = ctx.in_version(&self.version, service);
        let effects = self.inner.run(record, &ctx).await?;
        for topic in effects.topics() {
            if !self.versions.may_write(&self.version.name, topic) {
                return Err(Failure::Handle(self.refuse(topic)));
            }
        }
        Ok(effects.under(&self.version.kinds()))
    }
}

impl Versioned {
    fn refuse(&self, topic: &str) -> Error {
        let error = match self.versions.writer(topic) {
            Some(writer) => Error::internal("the product is written by a replay alone")
                .with("replay", writer)
                .mend("emit to a product that no `.writes::<…>()` names"),
            None => Error::internal("a replay writes the products alone that it declares")
                .mend("add `.writes::<…>()` to the replay, or emit to another major version"),
        };
        error
            .with("handler", &self.version.name)
            .with("topic", topic)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_event_is_served_by_one_version() {
        let mut versions = Versions::default();
        for number in 1..=3 {
            versions.add("pay", number, "shop.orders.v1", Vec::new());
        }
        let check = |offset: i64, expected: [Service; 3]| {
            let found = [1, 2, 3].map(|n| versions.of("pay", n).unwrap().service(0, offset));
            assert_eq!(found, expected, "{offset}");
        };
        use Service::{Replaying, Serving, Superseded};
        check(5, [Serving, Replaying, Replaying]);
        versions.get("pay_v2").unwrap().switch([(0, 10)].into());
        check(9, [Serving, Replaying, Replaying]);
        check(10, [Superseded, Serving, Replaying]);
        assert_eq!(versions.serving("pay").unwrap().number, 2);
        versions.get("pay_v3").unwrap().switch([(0, 20)].into());
        check(9, [Serving, Replaying, Replaying]);
        check(19, [Superseded, Serving, Replaying]);
        check(20, [Superseded, Superseded, Serving]);
        assert_eq!(versions.serving("pay").unwrap().number, 3);
        assert!(versions.serving("other").is_none());
    }
}
