//! Prepared statements and the portals that run them.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use tokio::time::Instant;

use super::command::Command;
use super::encode::{Format, Rows};
use crate::session::QueryResult;

/// A statement that was parsed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) kind: Kind,
    /// The types of its parameters.
    pub(super) types: Vec<u32>,
    /// Its columns; none for a command.
    pub(super) schema: Option<SchemaRef>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Empty,
    Command(Command),
    /// A statement that reads, as the engine is to run it.
    Rows(Reading),
}

/// A statement that reads.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) sql: String,
    /// Whether it asks for what is PostgreSQL's own.
    pub(super) asks_postgres: bool,
}

/// A statement with its values, which may stop half way.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) statement: Arc<Prepared>,
    pub(super) values: Vec<ScalarValue>,
    pub(super) formats: Vec<Format>,
    pub(super) state: State,
    /// Whether it outlives its transaction.
    pub(super) hold: bool,
}

#[derive(Debug)]
pub(super) enum State {
    Ready,
    Running {
        /// None for an answer that was whole from the start.
        result: Option<Box<QueryResult>>,
        rows: Option<Rows>,
        /// When it is given up if nobody asks for more.
        until: Instant,
    },
    Done,
    /// It waited too long to be asked for more.
    Expired,
}

impl Portal {
    pub(super) fn new(
        statement: Arc<Prepared>,
        values: Vec<ScalarValue>,
        formats: Vec<Format>,
    ) -> Self {
        Self {
            statement,
            values,
            formats,
            state: State::Ready,
            hold: false,
        }
    }

    /// When it is given up.
    pub(super) fn until(&self) -> Option<Instant> {
        match &self.state {
            State::Running { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Gives it up if it is time to, and with it the query's memory and consumers.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.until().is_some_and(|until| until <= now) {
            self.state = State::Expired;
        }
    }
}
