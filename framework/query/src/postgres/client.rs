//! One client that is logged in: its messages and what it has prepared.

use std::collections::HashMap;
use std::sync::Arc;

use mesh_core::{Principal, Result};
use pgwire::messages::PgWireBackendMessage as Out;
use pgwire::messages::data::{NoData, ParameterDescription, RowDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};
use pgwire::messages::startup::{BackendKeyData, ParameterStatus, SecretKey};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::cancel::Ticket;
use super::decode;
use super::encode::{self, Format};
use super::portal::{Portal, Prepared, State};
use super::report::Failure;
use super::run::Outcome;
use super::settings::Initial;
use super::startup::{Wishes, refuse};
use super::transaction::Transaction;
use super::types::UNKNOWN;
use super::variables::Variables;
use super::wire::{Bind, LARGE, Message, Target, Wire};
use super::{Door, split};
use crate::connection::Connection;
use crate::settings::Settings;

/// Prepared statements and portals that one client may keep.
const MOST_KEPT: usize = 1_000;

/// A client's connection.
pub(super) struct Client {
    pub(super) door: Arc<Door>,
    pub(super) wire: Wire,
    pub(super) connection: Connection,
    pub(super) user: String,
    pub(super) variables: Variables,
    /// What settings go back to.
    pub(super) initial: Initial,
    pub(super) statements: HashMap<String, Arc<Prepared>>,
    pub(super) portals: HashMap<String, Portal>,
    pub(super) transaction: Transaction,
    pub(super) ticket: Ticket,
    /// Notified when what was asked since the last Sync is to stop.
    stop: Option<Arc<Notify>>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.door.cancels.leave(self.ticket.pid);
    }
}

impl Client {
    /// Takes a client in that has said who it is; nothing where it was refused.
    pub(super) async fn enter(
        door: &Arc<Door>,
        mut wire: Wire,
        wishes: Wishes,
    ) -> Result<Option<Self>> {
        let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else {
            let failure = Failure::new("53300", "sorry, too many clients already")
                .mend("close connections that are not used, or try again later");
            refuse(&mut wire, &failure).await?;
            return Ok(None);
        };
        let mut client = Self {
            door: Arc::clone(door),
            wire,
            connection: door.engine.connect(wishes.principal, Settings::default()),
            user: wishes.user,
            variables: Variables::default(),
            initial: Initial::default(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            transaction: Transaction::default(),
            ticket: door.cancels.enter()?,
            stop: None,
            _place: place,
        };
        client.variables.log_in(&client.user);
        if let Err(failure) = client.begin_with(wishes.settings) {
            refuse(&mut client.wire, &failure).await?;
            return Ok(None);
        }
        let reported: Vec<(&str, String)> = client
            .variables
            .reported()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        for (name, value) in reported {
            client.tell(name, value)?;
        }
        let key = BackendKeyData::new(client.ticket.pid, SecretKey::I32(client.ticket.secret));
        client.wire.push(&Out::BackendKeyData(key))?;
        Ok(Some(client))
    }

    pub(super) fn principal(&self) -> &Principal {
        self.connection.principal()
    }

    /// Tells the client of a setting.
    pub(super) fn tell(&mut self, name: &str, value: String) -> Result<()> {
        self.wire.push(&Out::ParameterStatus(ParameterStatus::new(
            name.to_owned(),
            value.replace('\0', ""),
        )))
    }

    /// Serves it until it leaves.
    pub(super) async fn serve(mut self) -> Result<()> {
        self.ready().await?;
        // After an error in the extended protocol all is passed over up to the next Sync.
        let mut skipping = false;
        loop {
            let Some((first, body)) = self.next().await? else {
                return Ok(());
            };
            let message = match Message::parse(first, body) {
                Ok(message) => message,
                Err(error) => return refuse(&mut self.wire, &error.into()).await,
            };
            match message {
                Message::Terminate => return Ok(()),
                Message::Sync => {
                    skipping = false;
                    self.settle();
                    self.ready().await?;
                }
                _ if skipping => {}
                Message::Flush => self.flush().await?,
                Message::Copy => {}
                Message::Query(sql) => {
                    if let Err(failure) = self.query(&sql).await {
                        self.fail(&failure)?;
                    }
                    self.settle();
                    self.ready().await?;
                }
                message => {
                    if let Err(failure) = self.extended(message).await {
                        self.fail(&failure)?;
                        skipping = true;
                        // asyncpg waits for it before it sends a Sync.
                        self.flush().await?;
                    }
                }
            }
        }
    }

    /// The next message; meanwhile portals that wait too long are given up. Nothing when the
    /// client has left, or was idle for too long.
    async fn next(&mut self) -> Result<Option<(u8, bytes::Bytes)>> {
        let idle = Instant::now() + self.door.options.idle_timeout;
        loop {
            let portal = self.portals.values().filter_map(Portal::until).min();
            let wake = portal.map_or(idle, |portal| portal.min(idle));
            match tokio::time::timeout_at(wake, self.wire.next(LARGE)).await {
                Ok(Err(error)) if error.kind() == mesh_core::ErrorKind::InvalidInput => {
                    refuse(&mut self.wire, &error.into()).await?;
                    return Ok(None);
                }
                Ok(message) => return message,
                Err(_) if wake < idle => {
                    let now = Instant::now();
                    self.portals
                        .values_mut()
                        .for_each(|portal| portal.expire(now));
                }
                Err(_) => {
                    let failure = Failure::new("57P05", "the connection was idle for too long");
                    refuse(&mut self.wire, &failure).await?;
                    return Ok(None);
                }
            }
        }
    }

    /// Sends what was written; a client that does not read it for too long is left.
    pub(super) async fn flush(&mut self) -> Result<()> {
        match tokio::time::timeout(self.door.options.idle_timeout, self.wire.flush()).await {
            Ok(sent) => sent,
            Err(_) => Err(mesh_core::Error::new(
                mesh_core::ErrorKind::Timeout,
                "a client does not read what it is sent",
            )),
        }
    }

    async fn ready(&mut self) -> Result<()> {
        self.wire.push(&self.transaction.ready())?;
        self.flush().await
    }

    /// What is to stop what runs. It stays the same up to the next Sync: a request that comes
    /// while a statement is parsed is for its execution too.
    fn stop(&mut self) -> Arc<Notify> {
        let stop = self.stop.get_or_insert_with(|| self.ticket.begin());
        Arc::clone(stop)
    }

    /// All that was asked is done. Outside of a transaction portals end here.
    fn settle(&mut self) {
        self.ticket.end();
        self.stop = None;
        if !self.transaction.is_open() {
            self.portals.retain(|_, portal| portal.hold);
        }
    }

    fn fail(&mut self, failure: &Failure) -> Result<()> {
        tracing::debug!(
            state = failure.state,
            error = failure.error.log_line(),
            "a statement failed"
        );
        self.transaction.fail();
        self.wire.push(&failure.message("ERROR"))
    }

    /// The simple protocol: each statement of the text in turn, up to the first that fails.
    async fn query(&mut self, sql: &str) -> Result<(), Failure> {
        self.statements.remove("");
        self.portals.remove("");
        let statements = split::split(sql);
        if statements.is_empty() {
            self.wire
                .push(&Out::EmptyQueryResponse(EmptyQueryResponse::new()))?;
        }
        let stop = self.stop();
        for sql in statements {
            let prepared = Arc::new(self.prepare(sql, &[], &stop).await?);
            if !prepared.types.is_empty() {
                return Err(Failure::new("42P02", "there is no parameter $1")
                    .mend("parameters need the extended protocol: prepare the statement"));
            }
            let count = prepared
                .schema
                .as_ref()
                .map_or(0, |schema| schema.fields().len());
            let formats = vec![Format::Text; count];
            if let Some(schema) = &prepared.schema {
                let fields = encode::fields(schema, &formats);
                self.wire
                    .push(&Out::RowDescription(RowDescription::new(fields)))?;
            }
            let mut portal = Portal::new(prepared, Vec::new(), formats);
            let outcome = self.run(&mut portal, usize::MAX, &stop).await?;
            self.complete(outcome)?;
        }
        Ok(())
    }

    fn complete(&mut self, outcome: Outcome) -> Result<(), Failure> {
        let message = match outcome {
            Outcome::Empty => Out::EmptyQueryResponse(EmptyQueryResponse::new()),
            Outcome::Suspended => Out::PortalSuspended(PortalSuspended::new()),
            Outcome::Complete(tag) => Out::CommandComplete(CommandComplete::new(tag)),
        };
        Ok(self.wire.push(&message)?)
    }

    /// The extended protocol.
    async fn extended(&mut self, message: Message) -> Result<(), Failure> {
        match message {
            Message::Parse { name, sql, types } => {
                if !name.is_empty() && self.statements.contains_key(&name) {
                    let name: String = name.chars().take(64).collect();
                    return Err(Failure::new(
                        "42P05",
                        format!("prepared statement \"{name}\" already exists"),
                    ));
                }
                check_kept(self.statements.len())?;
                let statement = match split::split(&sql).as_slice() {
                    [] => "",
                    [one] => one,
                    _ => {
                        return Err(Failure::new(
                            "42601",
                            "cannot insert multiple commands into a prepared statement",
                        ));
                    }
                };
                let stop = self.stop();
                let prepared = self.prepare(statement, &types, &stop).await?;
                self.statements.insert(name, Arc::new(prepared));
                Ok(self.wire.push(&Out::ParseComplete(ParseComplete::new()))?)
            }
            Message::Bind(bind) => self.bind(bind),
            Message::Describe(target, name) => self.describe(target, &name),
            Message::Execute { portal, max_rows } => self.execute(portal, max_rows).await,
            Message::Close(target, name) => {
                match target {
                    Target::Statement => drop(self.statements.remove(&name)),
                    Target::Portal => drop(self.portals.remove(&name)),
                }
                Ok(self.wire.push(&Out::CloseComplete(CloseComplete::new()))?)
            }
            _ => Err(Failure::new(
                "08P01",
                "a message of the client has no meaning here",
            )),
        }
    }

    fn bind(&mut self, bind: Bind) -> Result<(), Failure> {
        let statement = self.statement(&bind.statement)?;
        if statement.types.len() != bind.values.len() {
            return Err(Failure::new(
                "08P01",
                format!(
                    "bind message supplies {} parameters, but the prepared statement requires {}",
                    bind.values.len(),
                    statement.types.len()
                ),
            ));
        }
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            let name: String = bind.portal.chars().take(64).collect();
            return Err(Failure::new(
                "42P03",
                format!("cursor \"{name}\" already exists"),
            ));
        }
        check_kept(self.portals.len())?;
        let formats = encode::formats(&bind.formats, bind.values.len())?;
        let values = bind
            .values
            .into_iter()
            .zip(&statement.types)
            .zip(formats)
            .enumerate()
            .map(|(at, ((bytes, oid), format))| decode::value(at + 1, *oid, format, bytes))
            .collect::<Result<Vec<_>>>()?;
        let columns = statement
            .schema
            .as_ref()
            .map_or(0, |schema| schema.fields().len());
        let formats = match columns {
            0 => Vec::new(),
            columns => encode::formats(&bind.result_formats, columns)?,
        };
        let portal = Portal::new(statement, values, formats);
        self.portals.insert(bind.portal, portal);
        Ok(self.wire.push(&Out::BindComplete(BindComplete::new()))?)
    }

    fn statement(&self, name: &str) -> Result<Arc<Prepared>, Failure> {
        self.statements.get(name).cloned().ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            Failure::new(
                "26000",
                format!("prepared statement \"{name}\" does not exist"),
            )
        })
    }

    fn describe(&mut self, target: Target, name: &str) -> Result<(), Failure> {
        let (schema, formats) = match target {
            Target::Statement => {
                let statement = self.statement(name)?;
                // A client that reads this picks a type for what it sends.
                let known = |oid: &u32| {
                    if *oid == UNKNOWN {
                        super::types::TEXT
                    } else {
                        *oid
                    }
                };
                let types = statement.types.iter().map(known).collect();
                self.wire
                    .push(&Out::ParameterDescription(ParameterDescription::new(types)))?;
                (statement.schema.clone(), Vec::new())
            }
            Target::Portal => {
                let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
                (portal.statement.schema.clone(), portal.formats.clone())
            }
        };
        let message = match schema {
            None => Out::NoData(NoData::new()),
            Some(schema) => {
                Out::RowDescription(RowDescription::new(encode::fields(&schema, &formats)))
            }
        };
        Ok(self.wire.push(&message)?)
    }

    async fn execute(&mut self, name: String, max_rows: i32) -> Result<(), Failure> {
        // Taken out while it runs: one that fails is not there any more.
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let most = match usize::try_from(max_rows) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(most) => most,
        };
        let stop = self.stop();
        let outcome = self.run(&mut portal, most, &stop).await?;
        if !matches!(portal.state, State::Ready) {
            self.portals.insert(name, portal);
        }
        self.complete(outcome)
    }
}

fn check_kept(kept: usize) -> Result<(), Failure> {
    match kept < MOST_KEPT {
        true => Ok(()),
        false => Err(Failure::new(
            "53400",
            "the connection keeps too many statements or cursors",
        )
        .mend("close those that are not used")),
    }
}

pub(super) fn no_portal(name: &str) -> Failure {
    let name: String = name.chars().take(64).collect();
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}
