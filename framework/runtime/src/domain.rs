//! What a domain says about itself: its products, handlers, sources and API.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::contract::check_name;
use mesh_core::{Descriptor, Error, Record, Result};
use mesh_enforcement::{DecisionPoint, PassThrough};

use crate::api::Api;
use crate::handler::{AnyHandler, Handler, RowHandler, Rows, Typed};
use crate::keep::{Declared, Writer};
use crate::replay::{self, Replay, Versions, Way};
use crate::source::Source;

/// A domain: what [`run`](crate::run) hosts as one process.
#[must_use]
pub struct Domain {
    pub(crate) name: String,
    pub(crate) products: Vec<&'static Descriptor>,
    pub(crate) handlers: Vec<(String, Box<dyn AnyHandler>)>,
    pub(crate) transforms: Vec<(String, Box<dyn AnyHandler>)>,
    pub(crate) replays: Vec<replay::Declared>,
    pub(crate) keeps: Vec<Declared>,
    pub(crate) sources: Vec<(String, Arc<dyn Source>)>,
    pub(crate) api: Api,
    pub(crate) decisions: Arc<dyn DecisionPoint>,
}

impl Domain {
    /// The domain `name`, normally `env!("CARGO_PKG_NAME")`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            products: Vec::new(),
            handlers: Vec::new(),
            transforms: Vec::new(),
            replays: Vec::new(),
            keeps: Vec::new(),
            sources: Vec::new(),
            api: Api::default(),
            decisions: Arc::new(PassThrough),
        }
    }

    /// Hands out the product `R`; only such records can be emitted.
    pub fn product<R: Record>(mut self) -> Self {
        self.products.push(R::descriptor());
        self
    }

    /// Hands out a product whose contract is read when the process starts; its records are
    /// made by [`Effects::add_row`](crate::Effects::add_row).
    pub fn declared(mut self, product: &'static Descriptor) -> Self {
        self.products.push(product);
        self
    }

    /// Consumes the product `R`, own or another domain's, as the group `<domain>.<name>`.
    pub fn handler<R: Record, H: Handler<R>>(mut self, name: &str, handler: H) -> Self {
        let handler: Typed<R, H> = Typed::new(handler);
        self.handlers.push((name.to_owned(), Box::new(handler)));
        self
    }

    /// Consumes the product of `read`, whose contract is read when the process starts, as
    /// the group `<domain>.<name>`.
    pub fn row_handler<H: RowHandler>(
        mut self,
        name: &str,
        read: &'static Descriptor,
        handler: H,
    ) -> Self {
        let handler = Rows {
            product: read,
            handler,
        };
        self.handlers.push((name.to_owned(), Box::new(handler)));
        self
    }

    /// Consumes the product `R` as the group `<domain>.<name>`, and publishes what the
    /// handler emits together with the group's offsets in one Kafka transaction, without
    /// an outbox. Its effects are emitted records only; what it keeps are rows of products
    /// declared with [`Domain::follow`]. docs/exactly-once.md says when to choose which.
    ///
    /// If several processes of the domain share the group, the state that an event reads
    /// and writes has to follow from its key.
    pub fn transform<R: Record, H: Handler<R>>(mut self, name: &str, handler: H) -> Self {
        let handler: Typed<R, H> = Typed::new(handler);
        self.transforms.push((name.to_owned(), Box::new(handler)));
        self
    }

    /// Makes the products of the handler `name` anew by a new version of it, beside the old
    /// one, once an operator starts it. It is a handler with an outbox; the documents that it
    /// sees are its own, see [`Context::unversioned`](crate::Context::unversioned).
    ///
    /// The old version may be removed from the code when it is retired; the new one stays a
    /// replay, under the same version, for as long as the domain has it.
    pub fn replay<R: Record>(mut self, name: &str, replay: Replay<R>) -> Self {
        let declared = replay::Declared::new(name, Way::Outbox, replay);
        self.replays.push(declared);
        self
    }

    /// As [`Domain::replay`], with a Kafka-to-Kafka handler as the new version. The old one
    /// may be of either kind.
    pub fn replay_transform<R: Record>(mut self, name: &str, replay: Replay<R>) -> Self {
        let declared = replay::Declared::new(name, Way::Through, replay);
        self.replays.push(declared);
        self
    }

    /// Says that handlers keep the rows of the own state product `R` as documents of `kind`
    /// under [the key's text](mesh_core::RecordKey::to_text), with
    /// [`Effects::put_record`](crate::Effects::put_record) beside each
    /// [`Effects::emit`](crate::Effects::emit). A domain whose store is gone then
    /// reads them back from the product's topic before anything is handled.
    pub fn keep<R: Record>(mut self, kind: &str) -> Self {
        self.keeps.push(Declared::new::<R>(kind, Writer::Outbox));
        self
    }

    /// Makes the own state product `R` the state of Kafka-to-Kafka handlers: what they emit
    /// of it is read as documents of `kind` under the key's text, and its topic is the
    /// truth that the documents follow.
    pub fn follow<R: Record>(mut self, kind: &str) -> Self {
        self.keeps.push(Declared::new::<R>(kind, Writer::Topic));
        self
    }

    /// Reads the configured source directory; without one the source waits.
    pub fn source(mut self, name: &str, source: impl Source) -> Self {
        self.sources.push((name.to_owned(), Arc::new(source)));
        self
    }

    /// Adds routes to the domain's HTTP API.
    pub fn api(mut self, routes: impl FnOnce(Api) -> Api) -> Self {
        self.api = routes(self.api);
        self
    }

    /// Asks `point` about every read through the API, instead of [`PassThrough`].
    pub fn decisions(mut self, point: Arc<dyn DecisionPoint>) -> Self {
        self.decisions = point;
        self
    }

    /// The products that the handlers read, own and others', each topic once.
    #[must_use]
    pub fn reads(&self) -> Vec<&'static Descriptor> {
        let named = self.handlers.iter().chain(&self.transforms);
        let replays = self.replays.iter().map(|replay| &replay.handler);
        let reads: BTreeMap<_, _> = named
            .map(|(_, handler)| handler)
            .chain(replays)
            .map(|handler| (handler.descriptor().topic.as_str(), handler.descriptor()))
            .collect();
        reads.into_values().collect()
    }

    /// The versions of all handlers. What replays keep is from here on under their own kinds.
    pub(crate) fn versions(&mut self) -> Versions {
        let mut versions = Versions::default();
        for (name, handler) in self.handlers.iter().chain(&self.transforms) {
            versions.add(name, 1, handler.descriptor().topic.as_str(), Vec::new());
        }
        for replay in &self.replays {
            let reads = replay.handler.descriptor().topic.as_str();
            versions.add(&replay.name, replay.number, reads, replay.writes.clone());
        }
        for kept in &mut self.keeps {
            let writer = versions.writer(kept.descriptor.topic.as_str());
            if let Some(version) = writer.and_then(|writer| versions.get(writer)) {
                kept.kind.insert_str(0, &version.kinds());
            }
        }
        versions
    }

    /// Checks what is declared of replays.
    fn check_replays(&self) -> Result<()> {
        let mut numbers = BTreeMap::new();
        let mut written = BTreeMap::new();
        for replay in &self.replays {
            let refuse = |message: &'static str, mend: &'static str| {
                Err(Error::invalid(message)
                    .with("handler", &replay.name)
                    .with("version", replay.number)
                    .mend(mend))
            };
            check_name(&replay.name).map_err(|(message, mend)| {
                Error::invalid(message)
                    .with("handler", &replay.name)
                    .mend(mend)
            })?;
            if replay.number < 2 {
                return refuse(
                    "the versions of replays begin with 2",
                    "version 1 is the handler itself",
                );
            }
            if numbers
                .insert((replay.name.as_str(), replay.number), ())
                .is_some()
            {
                return refuse(
                    "a replay is declared twice",
                    "give each the next version number",
                );
            }
            if replay.writes.is_empty() {
                return refuse(
                    "a replay writes nothing",
                    "name the new major versions that it writes with `.writes::<…>()`",
                );
            }
            let reads = replay.handler.descriptor().topic.as_str();
            let base = self
                .handlers
                .iter()
                .chain(&self.transforms)
                .find(|(name, _)| *name == replay.name);
            if base.is_some_and(|(_, base)| base.descriptor().topic.as_str() != reads) {
                return refuse(
                    "a replay reads another topic than its handler",
                    "give it the same product, or a name of its own",
                );
            }
            for product in &replay.writes {
                let topic = product.topic.as_str();
                if !self.products.iter().any(|is| is.topic == product.topic) {
                    return Err(
                        Error::invalid("a replay writes a product that is not declared")
                            .with("topic", topic)
                            .mend("declare it with `.product::<…>()`"),
                    );
                }
                if written.insert(topic, ()).is_some() {
                    return Err(Error::invalid("two replays write the same product")
                        .with("topic", topic)
                        .mend("give each a major version of its own"));
                }
            }
        }
        Ok(())
    }

    /// Checks names and ownership before anything is started.
    pub(crate) fn check(&self) -> Result<()> {
        let name = |what: &'static str, name: &str| {
            check_name(name)
                .map_err(|(message, mend)| Error::invalid(message).with(what, name).mend(mend))
        };
        name("domain", &self.name)?;
        let mut topics = BTreeMap::new();
        for product in &self.products {
            let topic = product.topic.as_str();
            if product.contract.domain != self.name {
                return Err(Error::invalid("a domain hands out its own products only")
                    .with("domain", &self.name)
                    .with("topic", topic)
                    .mend("consume it with a handler, or name the right domain in its contract"));
            }
            if topics.insert(topic, ()).is_some() {
                return Err(Error::invalid("a product is declared twice")
                    .with("topic", topic)
                    .mend("remove one `.product::<…>()`"));
            }
        }
        let mut kinds = BTreeMap::new();
        for kept in &self.keeps {
            kept.check()?;
            let topic = kept.descriptor.topic.as_str();
            if !topics.contains_key(topic) {
                return Err(Error::invalid("a domain keeps its own products only")
                    .with("topic", topic)
                    .mend("declare it with `.product::<…>()`, or remove the line"));
            }
            let twice = kinds.insert(("kind", kept.kind.as_str()), ()).is_some()
                | kinds.insert(("topic", topic), ()).is_some();
            if twice {
                return Err(Error::invalid("a product or a kind is kept twice")
                    .with("kind", &kept.kind)
                    .with("topic", topic)
                    .mend("give each product that is kept one kind of its own"));
            }
        }
        let mut seen = BTreeMap::new();
        let parts = self
            .handlers
            .iter()
            .chain(&self.transforms)
            .map(|(name, _)| ("handler", name))
            .chain(self.sources.iter().map(|(name, _)| ("source", name)));
        for (what, part) in parts {
            name(what, part)?;
            if seen.insert((what, part), ()).is_some() {
                return Err(Error::invalid("a name is used twice")
                    .with(what, part)
                    .mend("give each its own name: it is also the name of what is kept for it"));
            }
        }
        self.check_replays()?;
        self.api.check()
    }
}
