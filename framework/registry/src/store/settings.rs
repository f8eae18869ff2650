//! Compatibility, mode and configuration: globally, by context and by subject.

use mesh_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Session, change, from_json, on, to_json};
use crate::compat::Compatibility;
use crate::metadata::Metadata;
use crate::subject::Subject;

/// What a subject takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Schemas are registered under ids and versions of the registry's.
    ReadWrite,
    /// Nothing is registered, deleted or configured.
    ReadOnly,
    /// The same; set globally, whatever is set below.
    ReadOnlyOverride,
    /// Schemas are registered under ids and versions of the client's, unchecked.
    Import,
}

impl Mode {
    const ALL: [Self; 4] = [
        Self::ReadWrite,
        Self::ReadOnly,
        Self::ReadOnlyOverride,
        Self::Import,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::ReadOnlyOverride => "READONLY_OVERRIDE",
            Self::Import => "IMPORT",
        }
    }

    /// The mode of that name; case does not count.
    pub(crate) fn of(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
    }
}

/// What is configured beside the compatibility level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    /// The subject that answers for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// Whether schemas are normalised without being asked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) normalize: Option<bool>,
    /// The property of the metadata that has to be the same for versions to be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compatibility_group: Option<String>,
    /// Metadata of a schema that says nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_metadata: Option<Metadata>,
    /// Metadata that wins over the schema's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) override_metadata: Option<Metadata>,
}

/// What is set in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) compatibility: Option<Compatibility>,
    pub(crate) mode: Option<Mode>,
    pub(crate) config: Config,
}

impl Settings {
    /// Whether anything is set but the mode.
    pub(crate) fn has_config(&self) -> bool {
        self.compatibility.is_some() || self.config != Config::default()
    }
}

/// What is set for the subject, the context or, without either, globally.
pub(crate) async fn settings(session: &mut Session, at: &Subject) -> Result<Settings> {
    type Row = (Option<String>, Option<String>, Option<String>);
    let row: Option<Row> = on!(session, c => sqlx::query_as(
        "SELECT compatibility, mode, config FROM settings WHERE subject = $1",
    )
    .bind(at.as_str())
    .fetch_optional(c))?;
    let Some((compatibility, mode, config)) = row else {
        return Ok(Settings::default());
    };
    let unknown = |text: &str| {
        Error::new(ErrorKind::Corrupt, "an unknown setting is stored").with("setting", text)
    };
    Ok(Settings {
        compatibility: compatibility
            .map(|text| text.parse().map_err(|_| unknown(&text)))
            .transpose()?,
        mode: mode
            .map(|text| Mode::of(&text).ok_or_else(|| unknown(&text)))
            .transpose()?,
        config: config
            .map(|text| from_json(&text, "config"))
            .transpose()?
            .unwrap_or_default(),
    })
}

/// Replaces what is set there.
pub(crate) async fn store_settings(
    session: &mut Session,
    at: &Subject,
    settings: &Settings,
) -> Result<()> {
    let config = match settings.config == Config::default() {
        true => None,
        false => Some(to_json(&settings.config)?),
    };
    change!(
        session,
        sqlx::query(
            "INSERT INTO settings (subject, compatibility, mode, config) VALUES ($1, $2, $3, $4)
         ON CONFLICT (subject) DO UPDATE SET compatibility = $2, mode = $3, config = $4",
        )
        .bind(at.as_str())
        .bind(settings.compatibility.map(Compatibility::as_str))
        .bind(settings.mode.map(Mode::as_str))
        .bind(&config)
    )
}

/// Unsets everything of a subject.
pub(crate) async fn clear(session: &mut Session, at: &Subject) -> Result<()> {
    change!(
        session,
        sqlx::query("DELETE FROM settings WHERE subject = $1").bind(at.as_str())
    )
}
