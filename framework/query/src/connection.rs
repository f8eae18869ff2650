//! One client's connection, whichever door it came through.

use std::sync::{Mutex, PoisonError};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use mesh_core::{Error, ErrorKind, Principal, Result};
use mesh_enforcement::Access;

use crate::command::{Command, command};
use crate::engine::Engine;
use crate::session::{QueryOptions, QueryResult, Session};
use crate::settings::Settings;

/// A client that stays: who asks, and what it has set. Each statement sees the tables that
/// there are by then. Nothing of it can be reached from another connection.
#[derive(Debug)]
pub struct Connection {
    engine: Engine,
    principal: Principal,
    settings: Mutex<Settings>,
}

/// What a statement gives.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one is made for a statement, and taken apart at once"
)]
pub enum Answer {
    /// Rows.
    Rows(QueryResult),
    /// Nothing but that it was done; the word of the command, such as `SET` or `BEGIN`.
    Done(&'static str),
}

/// What is known of a statement before it runs.
#[derive(Debug, Clone)]
pub struct Described {
    /// The columns of its rows; none for a command.
    pub schema: Option<SchemaRef>,
    /// The types of `$1`, `$2` and so on; none where the statement leaves it open.
    pub parameters: Vec<Option<DataType>>,
}

impl Connection {
    pub(crate) fn new(engine: Engine, principal: Principal, settings: Settings) -> Self {
        Self {
            engine,
            principal,
            settings: Mutex::new(settings),
        }
    }

    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What it has set.
    pub fn settings(&self) -> Settings {
        self.settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets `name` to `value`, or back to its default without one.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<()> {
        self.settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set(name, value)
    }

    /// A session with the tables that the connection may read now.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] without a purpose; as [`Engine::session`].
    pub async fn session(&self) -> Result<Session> {
        let purpose = self.settings().purpose.ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "the connection does not say for what purpose it reads",
            )
            .mend("SET mesh.purpose = 'analysis', or give it when connecting")
        })?;
        self.engine
            .session(Access::new(self.principal.clone(), purpose))
            .await
    }

    /// Runs one statement: one that reads, or `SET`, `SHOW` and `RESET` of [`Settings`], or
    /// what opens and ends a transaction, which does nothing to statements that only read.
    ///
    /// # Errors
    /// As [`Session::query_with`] and [`Settings::set`].
    pub async fn run(&self, sql: &str) -> Result<Answer> {
        self.run_with(sql, Vec::new()).await
    }

    /// The same with values for `$1`, `$2` and so on.
    ///
    /// # Errors
    /// As [`Connection::run`]; [`ErrorKind::InvalidInput`] if a value is missing.
    pub async fn run_with(&self, sql: &str, parameters: Vec<ScalarValue>) -> Result<Answer> {
        match command(sql)? {
            None => {
                let mut options = self.options();
                options.parameters = parameters;
                let session = self.session().await?;
                session.query_with(sql, options).await.map(Answer::Rows)
            }
            Some(Command::Set(name, value)) => {
                self.set(&name, value.as_deref())?;
                Ok(Answer::Done("SET"))
            }
            Some(Command::Reset(None)) => {
                self.reset();
                Ok(Answer::Done("RESET"))
            }
            Some(Command::Reset(Some(name))) => {
                self.set(&name, None)?;
                Ok(Answer::Done("RESET"))
            }
            Some(Command::Discard) => {
                self.reset();
                Ok(Answer::Done("DISCARD ALL"))
            }
            Some(Command::Show(name)) => {
                let (sql, values) = self.shown(name.as_deref())?;
                let mut options = self.options();
                options.parameters = values.into_iter().map(ScalarValue::from).collect();
                // It reads no product, so it needs no purpose.
                let session = self.bare_session()?;
                session.query_with(&sql, options).await.map(Answer::Rows)
            }
            Some(Command::Done(word)) => Ok(Answer::Done(word)),
        }
    }

    /// What `sql` will give and needs, without running it.
    ///
    /// # Errors
    /// As [`Connection::run`].
    pub async fn describe(&self, sql: &str) -> Result<Described> {
        self.describe_bound(sql, None).await
    }

    /// The same with values, which may decide about the types of columns.
    ///
    /// # Errors
    /// As [`Connection::run_with`].
    pub(crate) async fn describe_bound(
        &self,
        sql: &str,
        values: Option<Vec<ScalarValue>>,
    ) -> Result<Described> {
        match command(sql)? {
            None => self.session().await?.describe_bound(sql, values).await,
            Some(Command::Show(name)) => {
                let (sql, _) = self.shown(name.as_deref())?;
                let session = self.bare_session()?;
                let mut described = session.describe(&sql).await?;
                described.parameters.clear();
                Ok(described)
            }
            Some(_) => Ok(Described {
                schema: None,
                parameters: Vec::new(),
            }),
        }
    }

    /// A session that sees no table and so needs no purpose of the client's.
    pub(crate) fn bare_session(&self) -> Result<Session> {
        let access = Access::new(self.principal.clone(), "settings".parse()?);
        Ok(self.engine.bare_session(access))
    }

    fn reset(&self) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Settings::default();
    }

    /// What the settings say of each statement.
    pub(crate) fn options(&self) -> QueryOptions {
        let settings = self.settings();
        QueryOptions {
            timeout: settings.timeout,
            corrupt: settings.corrupt,
            as_of: settings.as_of,
            ..QueryOptions::default()
        }
    }

    /// The statement that answers `SHOW name`, or `SHOW ALL`, with its values.
    fn shown(&self, name: Option<&str>) -> Result<(String, Vec<String>)> {
        let settings = self.settings();
        if let Some(name) = name {
            let value = settings.get(name)?;
            // The name is one of ours by now.
            let name = name.to_ascii_lowercase();
            return Ok((
                format!("SELECT CAST($1 AS VARCHAR) AS \"{name}\""),
                vec![value],
            ));
        }
        let mut values = Vec::new();
        let mut rows = Vec::new();
        for (name, description) in Settings::NAMES {
            for value in [name.to_owned(), settings.get(name)?, description.to_owned()] {
                values.push(value);
            }
            let at = values.len();
            rows.push(format!(
                "(CAST(${} AS VARCHAR), CAST(${} AS VARCHAR), CAST(${at} AS VARCHAR))",
                at - 2,
                at - 1
            ));
        }
        let rows = rows.join(", ");
        Ok((
            format!("SELECT * FROM (VALUES {rows}) AS t(name, setting, description) ORDER BY name"),
            values,
        ))
    }
}
