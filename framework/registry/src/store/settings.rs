//! Compatibility and mode, globally and by subject.

use mesh_core::{Error, ErrorKind, Result};
use sqlx::SqliteConnection;

use super::failed;
use crate::compat::Compatibility;

/// The subject under which global settings stand; no real subject is empty.
const GLOBAL: &str = "";

/// Whether a subject takes new schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    ReadWrite,
    ReadOnly,
}

impl Mode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
        }
    }
}

/// A setting that is kept globally and by subject.
pub(crate) trait Setting: Copy + Send {
    const READ: &'static str;
    const WRITE: &'static str;
    fn to_text(self) -> &'static str;
    fn from_text(text: &str) -> Option<Self>;
}

impl Setting for Compatibility {
    const READ: &'static str = "SELECT compatibility FROM settings WHERE subject = ?";
    const WRITE: &'static str = "INSERT INTO settings (subject, compatibility) VALUES (?1, ?2) \
         ON CONFLICT (subject) DO UPDATE SET compatibility = ?2";

    fn to_text(self) -> &'static str {
        self.as_str()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Setting for Mode {
    const READ: &'static str = "SELECT mode FROM settings WHERE subject = ?";
    const WRITE: &'static str = "INSERT INTO settings (subject, mode) VALUES (?1, ?2) \
         ON CONFLICT (subject) DO UPDATE SET mode = ?2";

    fn to_text(self) -> &'static str {
        self.as_str()
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::ReadWrite, Self::ReadOnly]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
    }
}

/// What is set for the subject, or globally without one.
pub(crate) async fn get<S: Setting>(
    connection: &mut SqliteConnection,
    subject: Option<&str>,
) -> Result<Option<S>> {
    let text: Option<Option<String>> = sqlx::query_scalar(S::READ)
        .bind(subject.unwrap_or(GLOBAL))
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    let Some(text) = text.flatten() else {
        return Ok(None);
    };
    match S::from_text(&text) {
        Some(setting) => Ok(Some(setting)),
        None => Err(
            Error::new(ErrorKind::Corrupt, "an unknown setting is stored").with("setting", text),
        ),
    }
}

/// Sets, or with `None` unsets.
pub(crate) async fn set<S: Setting>(
    connection: &mut SqliteConnection,
    subject: Option<&str>,
    setting: Option<S>,
) -> Result<()> {
    sqlx::query(S::WRITE)
        .bind(subject.unwrap_or(GLOBAL))
        .bind(setting.map(S::to_text))
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Unsets everything of a subject.
pub(crate) async fn clear(connection: &mut SqliteConnection, subject: &str) -> Result<()> {
    sqlx::query("DELETE FROM settings WHERE subject = ?")
        .bind(subject)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}
