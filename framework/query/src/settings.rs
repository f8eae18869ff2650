//! What a client may set for its own connection.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use mesh_core::{Error, ErrorKind, Purpose, Result};

/// What a scan does about a record that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CorruptRecords {
    /// The query fails and names topic, partition and offset.
    #[default]
    Fail,
    /// The record is left out, counted in the statistics and told in a notice.
    Skip,
}

/// The settings of a [`Connection`](crate::Connection), each with a name that `SET`, `SHOW`
/// and `RESET` know; see [`Settings::NAMES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `mesh.purpose`: for what the client reads; nothing can be read without one.
    pub purpose: Option<Purpose>,
    /// `mesh.corrupt_records`: `fail` or `skip`.
    pub corrupt: CorruptRecords,
    /// `mesh.as_of`: tables show what was published before this instant; now if there is none.
    pub as_of: Option<DateTime<Utc>>,
    /// `statement_timeout`: the longest a statement may take, if that is less than the engine
    /// allows.
    pub timeout: Option<Duration>,
}

impl Settings {
    /// Every setting with what it does.
    pub const NAMES: [(&'static str, &'static str); 4] = [
        ("mesh.purpose", "for what purpose this connection reads"),
        (
            "mesh.corrupt_records",
            "`fail` at a record that cannot be read, or `skip` and count it",
        ),
        (
            "mesh.as_of",
            "an instant (RFC 3339): tables show what was published before it",
        ),
        (
            "statement_timeout",
            "the longest a statement may take: milliseconds, or with a unit (`5s`, `2min`)",
        ),
    ];

    /// Sets `name` to `value`, or back to its default without a value.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a name that is not in [`Settings::NAMES`];
    /// [`ErrorKind::InvalidInput`] for a value that the setting cannot have.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        // As in PostgreSQL, an empty text takes a setting back.
        let value = value.filter(|value| !value.is_empty());
        match name.to_ascii_lowercase().as_str() {
            "mesh.purpose" => {
                self.purpose = value.map(str::parse).transpose()?;
            }
            "mesh.corrupt_records" => {
                self.corrupt = match value {
                    None | Some("fail") => CorruptRecords::Fail,
                    Some("skip") => CorruptRecords::Skip,
                    Some(_) => return Err(wrong(name, "set it to `fail` or `skip`")),
                };
            }
            "mesh.as_of" => {
                self.as_of = value
                    .filter(|value| !value.eq_ignore_ascii_case("now"))
                    .map(|value| {
                        DateTime::parse_from_rfc3339(value)
                            .map(|instant| instant.to_utc())
                            .map_err(|_| wrong(name, "write it as 2026-03-01T12:00:00Z, or `now`"))
                    })
                    .transpose()?;
            }
            "statement_timeout" => {
                self.timeout = match value {
                    None => None,
                    Some(value) => duration(value).ok_or_else(|| {
                        wrong(name, "write milliseconds, or a unit: `500ms`, `5s`")
                    })?,
                };
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// The value of `name` as `SHOW` gives it; empty if it is not set.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a name that is not in [`Settings::NAMES`].
    pub fn get(&self, name: &str) -> Result<String> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "mesh.purpose" => self
                .purpose
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            "mesh.corrupt_records" => match self.corrupt {
                CorruptRecords::Fail => "fail".to_owned(),
                CorruptRecords::Skip => "skip".to_owned(),
            },
            "mesh.as_of" => self.as_of.map_or_else(String::new, |instant| {
                instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            }),
            "statement_timeout" => match self.timeout {
                None => "0".to_owned(),
                Some(timeout) => format!("{}ms", timeout.as_millis()),
            },
            _ => return Err(unknown(name)),
        })
    }
}

/// A duration as PostgreSQL reads one; `Some(None)` for zero, which is no limit.
fn duration(text: &str) -> Option<Option<Duration>> {
    let text = text.trim();
    let split = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "" | "ms" => number,
        "s" => number.checked_mul(1_000)?,
        "min" => number.checked_mul(60_000)?,
        "h" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    Some((millis > 0).then(|| Duration::from_millis(millis)))
}

fn wrong(name: &str, mend: &'static str) -> Error {
    Error::invalid("a setting cannot have this value")
        .with("setting", name)
        .mend(mend)
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = Settings::NAMES.iter().map(|(name, _)| *name).collect();
    Error::new(ErrorKind::NotFound, "there is no such setting")
        .with("setting", name.chars().take(64).collect::<String>())
        .mend(format!("set one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_setting_shows_what_it_was_set_to() {
        let mut settings = Settings::default();
        for (name, value, shown) in [
            ("mesh.purpose", "fraud_review", "fraud_review"),
            ("MESH.corrupt_records", "skip", "skip"),
            (
                "mesh.as_of",
                "2026-03-01T13:00:00+01:00",
                "2026-03-01T12:00:00Z",
            ),
            ("statement_timeout", "5s", "5000ms"),
        ] {
            settings.set(name, Some(value)).unwrap();
            assert_eq!(settings.get(name).unwrap(), shown);
        }
        for (name, _) in Settings::NAMES {
            settings.set(name, None).unwrap();
        }
        assert_eq!(settings, Settings::default());
        for (name, value) in [
            ("mesh.corrupt_records", "maybe"),
            ("mesh.as_of", "yesterday"),
            ("statement_timeout", "5 weeks"),
            ("mesh.purpose", "no purpose; at all"),
            ("datafusion.execution.batch_size", "1"),
        ] {
            assert!(settings.set(name, Some(value)).is_err(), "{name} {value}");
        }
    }
}
