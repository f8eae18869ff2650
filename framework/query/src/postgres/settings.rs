//! SET, SHOW and RESET of what the engine has and of what PostgreSQL has.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mesh_core::{Error, ErrorKind, Result};

use super::client::Client;
use super::report::Failure;
use super::transaction::Change;
use super::variables::{Variables, unknown};
use crate::settings::Settings;

/// What the client began with, which RESET takes settings back to.
#[derive(Debug, Default)]
pub(super) struct Initial {
    settings: Settings,
    variables: Variables,
}

/// The engine's name for a setting, if it is one of its own.
fn own(name: &str) -> Option<&'static str> {
    let mut names = Settings::NAMES.iter().map(|(name, _)| *name);
    names.find(|one| one.eq_ignore_ascii_case(name))
}

/// What `set` of the engine answers, with PostgreSQL's states.
fn wrong(name: &str, error: Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => unknown(name),
        _ => Failure {
            state: "22023",
            error,
        },
    }
}

impl Client {
    /// Takes the settings of the start.
    pub(super) fn begin_with(&mut self, wishes: Vec<(String, String)>) -> Result<(), Failure> {
        for (name, value) in wishes {
            // JDBC tells the zone of its machine. Instants are sent with theirs, which is UTC.
            if name.eq_ignore_ascii_case("timezone") {
                continue;
            }
            match own(&name) {
                Some(name) => self
                    .connection
                    .set(name, Some(&value))
                    .map_err(|error| wrong(name, error))?,
                None => {
                    self.variables.set(&name, Some(&value))?;
                }
            }
        }
        self.initial = Initial {
            settings: self.connection.settings(),
            variables: self.variables.clone(),
        };
        Ok(())
    }

    /// The value as SHOW gives it.
    fn value(&self, name: &str) -> Result<String, Failure> {
        match own(name) {
            Some(name) => Ok(self.connection.settings().get(name)?),
            None => match self.variables.get(name) {
                Some((_, value)) => Ok(value.to_owned()),
                None => Err(unknown(name)),
            },
        }
    }

    /// SET, or RESET without a value; undone with the transaction.
    pub(super) fn change(
        &mut self,
        name: &str,
        value: Option<&str>,
        local: bool,
    ) -> Result<(), Failure> {
        let before = self.value(name)?;
        let initial = || match own(name) {
            Some(name) => self.initial.settings.get(name).ok(),
            None => self
                .initial
                .variables
                .get(name)
                .map(|(_, value)| value.to_owned()),
        };
        let value = match value {
            Some(value) => Some(value.to_owned()),
            None => initial(),
        };
        self.restore(name, value.as_deref())?;
        if self.transaction.is_open() {
            self.transaction.changes.push(Change {
                name: name.to_owned(),
                before: Some(before),
                local,
            });
        }
        Ok(())
    }

    /// Sets without a way back.
    pub(super) fn restore(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        if let Some(name) = own(name) {
            return self
                .connection
                .set(name, value)
                .map_err(|error| wrong(name, error));
        }
        // What it is already can always be set, also where nothing else can.
        if value.is_some() && self.variables.get(name).map(|(_, value)| value) == value {
            return Ok(());
        }
        if let Some(name) = self.variables.set(name, value)? {
            let value = self.value(name)?;
            self.tell(name, value)?;
        }
        Ok(())
    }

    /// RESET ALL: what the start said, not what the engine would say.
    pub(super) fn reset_all(&mut self) -> Result<(), Failure> {
        let names: Vec<String> = self.all().into_iter().map(|(name, _)| name).collect();
        for name in names {
            self.change(&name, None, false)?;
        }
        Ok(())
    }

    /// Every setting with its value.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        let settings = self.connection.settings();
        let own = Settings::NAMES
            .iter()
            .map(|(name, _)| ((*name).to_owned(), settings.get(name).unwrap_or_default()));
        let others = self
            .variables
            .all()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut all: Vec<_> = own.chain(others).collect();
        all.sort_by_key(|(name, _)| name.to_ascii_lowercase());
        all
    }

    /// The columns of SHOW.
    pub(super) fn shown_columns(&self, name: Option<&str>) -> Result<SchemaRef, Failure> {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        Ok(Arc::new(Schema::new(match name {
            None => vec![text("name"), text("setting"), text("description")],
            Some(name) => {
                self.value(name)?;
                let written = own(name).or_else(|| self.variables.get(name).map(|(name, _)| name));
                vec![text(written.unwrap_or(name))]
            }
        })))
    }

    /// The rows of SHOW.
    pub(super) fn shown(&self, name: Option<&str>) -> Result<RecordBatch, Failure> {
        let schema = self.shown_columns(name)?;
        let columns: Vec<ArrayRef> = match name {
            Some(name) => vec![Arc::new(StringArray::from(vec![self.value(name)?]))],
            None => {
                let all = self.all();
                let about = |name: &str| {
                    let mut names = Settings::NAMES.iter();
                    names.find(|(one, _)| *one == name).map(|(_, about)| *about)
                };
                let (names, values): (Vec<_>, Vec<_>) = all
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .unzip();
                let about: Vec<Option<&str>> = names.iter().map(|name| about(name)).collect();
                vec![
                    Arc::new(StringArray::from(names)),
                    Arc::new(StringArray::from(values)),
                    Arc::new(StringArray::from(about)),
                ]
            }
        };
        RecordBatch::try_new(schema, columns).map_err(|error| {
            Error::internal("settings cannot be shown")
                .because(error)
                .into()
        })
    }
}
