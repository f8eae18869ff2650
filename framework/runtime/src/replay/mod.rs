//! Replays: a new version of a handler, run beside the old one from an offset or a time into
//! products of a new major version, and then put in its place.
//!
//! A version has a consumer group, inbox, positions, documents and topics of its own, so that
//! neither can disturb the other; what is common is the store and the outbox, whose
//! transactions make a replay as exact as all else. What an operator has asked for is kept in
//! the store before anything is done about it, so that a process that dies goes on where it
//! was. See docs/replay.md.

mod begin;
mod http;
mod order;
mod place;
mod progress;
mod runner;
mod switch;
mod version;

use std::sync::Arc;

use mesh_core::{Descriptor, Record};
use tokio::sync::Mutex;

use crate::handler::{AnyHandler, Handler, Typed};

pub(crate) use begin::{go_on, load};
pub(crate) use http::routes;
pub(crate) use progress::{ReplayStatus, watch};
pub(crate) use runner::{Handlers, Runners, Way};
pub(crate) use version::{Service, Version, Versions};

use progress::Rates;
use version::{Versioned, part_name};

/// A new version of a handler, for [`Domain::replay`](crate::Domain::replay).
///
/// ```ignore
/// Replay::new(2, DecideAnew).writes::<v2::Decision>()
/// ```
#[must_use]
pub struct Replay<R> {
    pub(crate) number: u32,
    pub(crate) handler: Box<dyn AnyHandler>,
    pub(crate) writes: Vec<&'static Descriptor>,
    record: std::marker::PhantomData<fn() -> R>,
}

impl<R: Record> Replay<R> {
    /// Version `number`, from 2, of a handler of `R`. What is kept for it is kept under
    /// `<handler>_v<number>`, for ever: another handler that is to begin anew takes another
    /// number.
    pub fn new<H: Handler<R>>(number: u32, handler: H) -> Self {
        Self {
            number,
            handler: Box::new(Typed::<R, H>::new(handler)),
            writes: Vec::new(),
            record: std::marker::PhantomData,
        }
    }

    /// Names a product that this version writes, and no other part of the domain does: a new
    /// major version, whose contract calls it a draft until it is switched over.
    pub fn writes<P: Record>(mut self) -> Self {
        self.writes.push(P::descriptor());
        self
    }
}

/// A replay as a domain declares it.
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) way: Way,
    pub(crate) handler: Box<dyn AnyHandler>,
    pub(crate) writes: Vec<&'static Descriptor>,
}

impl Declared {
    /// The name under which it is run.
    pub(crate) fn part(&self) -> String {
        part_name(&self.name, self.number)
    }

    pub(crate) fn new<R: Record>(name: &str, way: Way, replay: Replay<R>) -> Self {
        Self {
            name: name.to_owned(),
            number: replay.number,
            way,
            handler: replay.handler,
            writes: replay.writes,
        }
    }
}

/// What the replays of a running domain share.
#[derive(Default)]
pub(crate) struct Replays {
    pub(crate) versions: Arc<Versions>,
    /// One operator's order after the other.
    orders: Mutex<()>,
    rates: Rates,
}

impl Replays {
    pub(crate) fn new(versions: Versions) -> Self {
        Self {
            versions: Arc::new(versions),
            ..Self::default()
        }
    }
}
