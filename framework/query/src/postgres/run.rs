//! Preparing and running statements.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use mesh_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::client::{Client, no_portal};
use super::command::{Command, command};
use super::encode::Rows;
use super::portal::{Kind, Portal, Prepared, Reading, State};
use super::report::{Failure, notice};
use super::types::{self, OID_ARRAY, UNKNOWN};
use super::{About, View, catalog, decode, names};
use crate::session::{QueryResult, Session};

/// What became of running a portal.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There was nothing to run.
    Empty,
    /// There are more rows than were asked for.
    Suspended,
    Complete(String),
}

impl Client {
    /// Parses a statement and finds out what it gives and needs.
    pub(super) async fn prepare(
        &mut self,
        sql: &str,
        declared: &[u32],
        stop: &Notify,
    ) -> Result<Prepared, Failure> {
        if sql.is_empty() {
            return Ok(Prepared {
                kind: Kind::Empty,
                types: Vec::new(),
                schema: None,
            });
        }
        if let Some(command) = command(sql)? {
            let schema = match &command {
                Command::Show(name) => Some(self.shown_columns(name.as_deref())?),
                Command::Fetch {
                    name, moves: false, ..
                } => {
                    let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                    portal.statement.schema.clone()
                }
                _ => None,
            };
            return Ok(Prepared {
                kind: Kind::Command(command),
                types: Vec::new(),
                schema,
            });
        }
        self.transaction.check()?;
        self.prepare_rows(sql, declared, stop).await
    }

    pub(super) async fn prepare_rows(
        &mut self,
        sql: &str,
        declared: &[u32],
        stop: &Notify,
    ) -> Result<Prepared, Failure> {
        let rewritten = self.door.base.rewrite(sql)?;
        let reading = Reading {
            asks_postgres: rewritten.is_some(),
            sql: rewritten.unwrap_or_else(|| sql.to_owned()),
        };
        let declared = match catalog::is_type_lookup(sql) {
            true => &[OID_ARRAY],
            false => declared,
        };
        let mut chosen = Vec::new();
        let described = {
            let session = self.session(reading.asks_postgres);
            let describing = async {
                let (session, purposeless) = session.await?;
                let described = session
                    .describe_with(&reading.sql, |inferred| {
                        chosen = choose(declared, inferred);
                        chosen.iter().map(|oid| decode::null(*oid)).collect()
                    })
                    .await;
                described.map_err(|error| explain(error, purposeless))
            };
            tokio::select! {
                described = describing => described?,
                () = stop.notified() => return Err(Failure::cancelled()),
            }
        };
        let schema = described.schema.map(|schema| renamed(schema, sql));
        Ok(Prepared {
            kind: Kind::Rows(reading),
            types: chosen,
            schema,
        })
    }

    /// A session that sees what there is now, and whether it sees no product since the client
    /// has not said for what purpose it reads.
    fn session(&self, asks_postgres: bool) -> impl Future<Output = Result<(Session, bool)>> + Send {
        let view = Arc::new(View {
            base: Arc::clone(&self.door.base),
            path: self.search_path(),
            about: asks_postgres.then(|| About {
                user: self.user.clone(),
                settings: self.all(),
                pid: self.ticket.pid,
            }),
        });
        let connection = &self.connection;
        async move {
            // Drivers ask for the version and for types before anybody has said a purpose.
            let purposeless = connection.settings().purpose.is_none();
            let session = match purposeless {
                true => connection.bare_session()?,
                false => connection.session().await?,
            };
            Ok((session.with_postgres(view), purposeless))
        }
    }

    /// The schemas to look in; none stands for all that the session sees.
    fn search_path(&self) -> Vec<String> {
        let mut path = self.variables.search_path();
        // There is no schema of this name; it is what clients have who set nothing.
        path.retain(|schema| schema != "public");
        path
    }

    /// Runs a portal, or runs it on, for `most` rows.
    pub(super) async fn run(
        &mut self,
        portal: &mut Portal,
        most: usize,
        stop: &Notify,
    ) -> Result<Outcome, Failure> {
        let statement = Arc::clone(&portal.statement);
        if let Kind::Command(command) = &statement.kind {
            return match (command, &portal.state) {
                (Command::Show(name), State::Ready) => {
                    self.transaction.check()?;
                    let batch = self.shown(name.as_deref())?;
                    portal.state = State::Running {
                        result: None,
                        rows: Some(Rows::new(&batch)?),
                        until: Instant::now() + self.door.engine.config().timeout,
                    };
                    self.send(portal, most, true, stop).await?;
                    portal.state = State::Done;
                    Ok(Outcome::Complete("SHOW".to_owned()))
                }
                (_, State::Ready) => self.command(command, portal, stop).await,
                _ => Ok(Outcome::Complete(String::new())),
            };
        }
        self.transaction.check()?;
        match (&statement.kind, &portal.state) {
            (Kind::Empty, _) => return Ok(Outcome::Empty),
            (_, State::Expired) => {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "the rows were not fetched in the time that a statement may take",
                )
                .mend("fetch faster, or more rows at a time")
                .into());
            }
            (Kind::Rows(reading), State::Ready) => {
                let result = self.start(reading, portal.values.clone(), stop).await?;
                portal.state = State::Running {
                    result: Some(Box::new(result)),
                    rows: None,
                    until: Instant::now() + self.door.engine.config().timeout,
                };
            }
            _ => {}
        }
        let (sent, ended) = self.send(portal, most, true, stop).await?;
        Ok(match ended {
            true => Outcome::Complete(format!("SELECT {sent}")),
            false => Outcome::Suspended,
        })
    }

    pub(super) async fn start(
        &mut self,
        reading: &Reading,
        values: Vec<ScalarValue>,
        stop: &Notify,
    ) -> Result<QueryResult, Failure> {
        let mut options = self.connection.options();
        options.parameters = values;
        let starting = {
            let session = self.session(reading.asks_postgres);
            async move {
                let (session, purposeless) = session.await?;
                let result = session.query_with(&reading.sql, options).await;
                Ok::<_, Error>((result, purposeless))
            }
        };
        let (result, purposeless) = tokio::select! {
            started = starting => started?,
            () = stop.notified() => return Err(Failure::cancelled()),
        };
        let result = result.map_err(|error| explain(error, purposeless))?;
        for text in result.notices() {
            self.wire.push(&notice("NOTICE", "00000", &text))?;
        }
        Ok(result)
    }

    /// Sends up to `most` rows, or passes over them; how many, and whether these were all.
    pub(super) async fn send(
        &mut self,
        portal: &mut Portal,
        most: usize,
        shown: bool,
        stop: &Notify,
    ) -> Result<(usize, bool), Failure> {
        let Portal { formats, state, .. } = portal;
        let State::Running { result, rows, .. } = state else {
            return Ok((0, true));
        };
        let mut sent = 0;
        loop {
            if let Some(batch) = rows.as_mut().filter(|rows| !rows.is_done()) {
                if sent == most {
                    return Ok((sent, false));
                }
                let left = most - sent;
                sent += match shown {
                    true => batch.write(formats, left, self.wire.output())?,
                    false => batch.skip(left),
                };
                if self.wire.is_full() {
                    tokio::select! {
                        flushed = tokio::time::timeout(self.door.options.idle_timeout, self.wire.flush()) => {
                            flushed.map_err(|_| slow_reader())??;
                        }
                        () = stop.notified() => return Err(Failure::cancelled()),
                    }
                }
                continue;
            }
            *rows = None;
            let Some(result) = result else {
                *state = State::Done;
                return Ok((sent, true));
            };
            let next = tokio::select! {
                next = result.next_batch() => next?,
                () = stop.notified() => return Err(Failure::cancelled()),
                () = self.wire.gone() => {
                    return Err(Error::unavailable("the client has left").into());
                }
            };
            match next {
                Some(batch) => *rows = Some(Rows::new(&batch)?),
                None => {
                    *state = State::Done;
                    return Ok((sent, true));
                }
            }
        }
    }

    async fn command(
        &mut self,
        command: &Command,
        portal: &mut Portal,
        stop: &Notify,
    ) -> Result<Outcome, Failure> {
        // What ends a transaction may run in one that has failed.
        let tag = match command {
            Command::Commit => self.end(true)?,
            Command::Rollback => self.end(false)?,
            Command::RollbackTo(name) => self.rollback_to(name)?,
            _ => {
                self.transaction.check()?;
                self.harmless(command, portal, stop).await?
            }
        };
        Ok(Outcome::Complete(tag))
    }

    async fn harmless(
        &mut self,
        command: &Command,
        portal: &mut Portal,
        stop: &Notify,
    ) -> Result<String, Failure> {
        Ok(match command {
            Command::Begin => self.begin()?,
            Command::Savepoint(name) => self.set_savepoint(name)?,
            Command::Release(name) => self.release(name)?,
            Command::Set { name, value, local } => {
                self.change(name, value.as_deref(), *local)?;
                "SET".to_owned()
            }
            Command::Reset(None) => {
                self.reset_all()?;
                "RESET".to_owned()
            }
            Command::Reset(Some(name)) => {
                self.change(name, None, false)?;
                "RESET".to_owned()
            }
            Command::Declare { name, hold, sql } => {
                self.declare(name, *hold, sql, stop).await?;
                "DECLARE CURSOR".to_owned()
            }
            Command::Fetch { name, count, moves } => {
                let sent = self.fetch(name, *count, *moves, portal, stop).await?;
                format!("{} {sent}", if *moves { "MOVE" } else { "FETCH" })
            }
            Command::Close(None) => {
                self.portals.clear();
                "CLOSE CURSOR ALL".to_owned()
            }
            Command::Close(Some(name)) => {
                self.portals.remove(name).ok_or_else(|| no_portal(name))?;
                "CLOSE CURSOR".to_owned()
            }
            Command::Deallocate(None) => {
                self.statements.clear();
                "DEALLOCATE ALL".to_owned()
            }
            Command::Deallocate(Some(name)) => {
                if self.statements.remove(name).is_none() {
                    let name: String = name.chars().take(64).collect();
                    return Err(Failure::new(
                        "26000",
                        format!("prepared statement \"{name}\" does not exist"),
                    ));
                }
                "DEALLOCATE".to_owned()
            }
            Command::Discard => {
                if self.transaction.is_open() {
                    return Err(Failure::new(
                        "25001",
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.portals.clear();
                self.statements.clear();
                self.reset_all()?;
                "DISCARD ALL".to_owned()
            }
            Command::Nothing(word) => (*word).to_owned(),
            Command::Commit | Command::Rollback | Command::RollbackTo(_) | Command::Show(_) => {
                return Err(Error::internal("a command came where it cannot be run").into());
            }
        })
    }
}

/// The types of parameters: what the client declares, else what the statement asks for, else
/// text.
fn choose(declared: &[u32], inferred: &[Option<DataType>]) -> Vec<u32> {
    let count = declared.len().max(inferred.len());
    (0..count)
        .map(|at| {
            let declared = declared
                .get(at)
                .copied()
                .filter(|oid| *oid != 0 && *oid != UNKNOWN);
            let inferred = || match inferred.get(at) {
                Some(Some(DataType::Null)) | Some(None) | None => UNKNOWN,
                Some(Some(data_type)) => types::of(data_type),
            };
            declared.unwrap_or_else(inferred)
        })
        .collect()
}

/// A table is not found by who did not say for what purpose he reads: that is what he is to
/// be told.
fn explain(error: Error, purposeless: bool) -> Error {
    match error.kind() {
        ErrorKind::NotFound if purposeless => Error::new(
            ErrorKind::Unauthenticated,
            "the connection does not say for what purpose it reads",
        )
        .mend("SET mesh.purpose = 'analysis', or connect with options=-cmesh.purpose=analysis"),
        _ => error,
    }
}

/// The columns under the names that PostgreSQL gives them.
fn renamed(schema: SchemaRef, sql: &str) -> SchemaRef {
    let Some(names) = names::names(sql).filter(|names| names.len() == schema.fields().len()) else {
        return schema;
    };
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .zip(names)
        .map(|(field, name)| match name {
            Some(name) => Arc::new(field.as_ref().clone().with_name(name)),
            None => Arc::clone(field),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn slow_reader() -> Error {
    Error::new(ErrorKind::Timeout, "a client does not read what it is sent")
}
