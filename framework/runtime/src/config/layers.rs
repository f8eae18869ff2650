//! The values that were given, from the weakest place to the strongest, and their checks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ArgMatches;
use mesh_core::{Error, Result};
use url::Url;

use super::settings::{FILE, FILE_ENV, SETTINGS, STORE_URL};
use crate::store_url::{StoreUrl, WrongStoreUrl};

/// The longest name that Postgres does not cut.
const NAME_BYTES: usize = 63;

/// Where a value stands, for errors.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Default,
    File(PathBuf),
    Environment(&'static str),
    Argument(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Argument(name) => write!(f, "the argument --{}", name.replace('_', "-")),
        }
    }
}

/// The values that were found, the strongest of each.
#[derive(Default)]
pub(super) struct Layers {
    values: BTreeMap<&'static str, (Place, String)>,
    pub(super) kafka: BTreeMap<String, String>,
}

impl Layers {
    pub(super) fn environment(&mut self, read: &impl Fn(&str) -> Option<OsString>) -> Result<()> {
        let names = SETTINGS.iter().map(|setting| (setting.name, setting.env));
        for (name, env) in names.chain([(FILE, FILE_ENV)]) {
            // An empty variable is how a shell or a compose file says "not set".
            let Some(value) = read(env).filter(|value| !value.is_empty()) else {
                continue;
            };
            let text = value.into_string().map_err(|_| {
                Error::invalid("a setting is not valid UTF-8")
                    .with("setting", name)
                    .with("place", Place::Environment(env))
            })?;
            self.values.insert(name, (Place::Environment(env), text));
        }
        Ok(())
    }

    pub(super) fn arguments(&mut self, matches: &ArgMatches) {
        for name in SETTINGS.iter().map(|setting| setting.name).chain([FILE]) {
            if let Some(text) = matches.get_one::<String>(name) {
                self.values
                    .insert(name, (Place::Argument(name), text.clone()));
            }
        }
    }

    pub(super) fn file_name(&self) -> Option<PathBuf> {
        self.values.get(FILE).map(|(_, path)| PathBuf::from(path))
    }

    pub(super) fn file(&mut self, path: &Path) -> Result<()> {
        let refuse = |message: String, mend: &'static str| {
            Error::invalid(message)
                .with("file", path.display())
                .mend(mend)
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            refuse(
                format!("the configuration file cannot be read: {error}"),
                "name a file that exists",
            )
        })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            refuse(
                format!("the configuration file is not TOML: {}", error.message()),
                "mend it",
            )
            .with("at", line_of(&text, error.span()))
        })?;
        for (name, value) in table {
            if name == "kafka" {
                self.kafka_settings(path, value)?;
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                return Err(refuse(
                    format!("the configuration file has an unknown setting `{name}`"),
                    "remove it, or see `--help` for the settings there are",
                ));
            };
            let text = scalar(&value).ok_or_else(|| {
                refuse(
                    format!("the setting `{name}` is not a text or a number"),
                    "write `name = \"value\"`",
                )
            })?;
            self.values
                .entry(setting.name)
                .or_insert_with(|| (Place::File(path.to_owned()), text));
        }
        Ok(())
    }

    fn kafka_settings(&mut self, path: &Path, value: toml::Value) -> Result<()> {
        let wrong = || {
            Error::invalid("the table [kafka] does not hold settings of librdkafka")
                .with("file", path.display())
                .mend("write lines like `\"linger.ms\" = 5`")
        };
        let toml::Value::Table(table) = value else {
            return Err(wrong());
        };
        for (name, value) in table {
            self.kafka.insert(name, scalar(&value).ok_or_else(wrong)?);
        }
        Ok(())
    }

    fn found(&self, name: &'static str) -> Option<(Place, String)> {
        self.values.get(name).cloned().or_else(|| {
            let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
            Some((Place::Default, setting.default?.to_owned()))
        })
    }

    pub(super) fn wrong(&self, name: &'static str, mend: &'static str) -> Error {
        let (place, text) = self.found(name).unwrap_or((Place::Default, String::new()));
        let text = match name {
            STORE_URL => "not shown".to_owned(),
            _ => text,
        };
        Error::invalid("a setting is wrong")
            .with("setting", name)
            .with("value", text)
            .with("place", place)
            .mend(mend)
    }

    pub(super) fn optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>> {
        let Some((_, text)) = self.found(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            self.wrong(
                name,
                match name {
                    "listen" => "write an address and a port like `127.0.0.1:8100`",
                    _ => "write a value of the form that `--help` shows",
                },
            )
        })
    }

    pub(super) fn required<T: FromStr>(&self, name: &'static str) -> Result<T> {
        self.optional(name)?
            .ok_or_else(|| self.wrong(name, "give a value"))
    }

    pub(super) fn positive<T: FromStr + Default + PartialEq>(
        &self,
        name: &'static str,
    ) -> Result<T> {
        self.required(name)
            .ok()
            .filter(|number| *number != T::default())
            .ok_or_else(|| self.wrong(name, "write a whole number from 1 on"))
    }

    pub(super) fn store_url(&self) -> Result<Option<StoreUrl>> {
        match self.found(STORE_URL).map(|(_, text)| text.parse()) {
            None => Ok(None),
            Some(Ok(url)) => Ok(Some(url)),
            Some(Err(WrongStoreUrl(mend))) => Err(self.wrong(STORE_URL, mend)),
        }
    }

    /// A name that can be written as it is.
    pub(super) fn store_schema(&self, domain: &str) -> Result<String> {
        let found: Option<String> = self.optional("store_schema")?;
        let schema = found.unwrap_or_else(|| format!("mesh_{domain}"));
        let plain = schema.starts_with(|first: char| first.is_ascii_lowercase())
            && schema
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        match plain && schema.len() <= NAME_BYTES && !schema.starts_with("pg_") {
            true => Ok(schema),
            false => Err(self.wrong(
                "store_schema",
                "write a name of a-z, 0-9 and _ that begins with a letter and not with `pg_`, of \
                 63 bytes at most",
            )),
        }
    }

    pub(super) fn optional_url(&self, name: &'static str) -> Result<Option<Url>> {
        let mend = "write a URL like `http://127.0.0.1:8080`";
        let url: Option<Url> = self.optional(name).map_err(|_| self.wrong(name, mend))?;
        match url {
            Some(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
                Err(self.wrong(name, mend))
            }
            url => Ok(url),
        }
    }

    pub(super) fn url(&self, name: &'static str) -> Result<Url> {
        self.optional_url(name)?
            .ok_or_else(|| self.wrong(name, "give a URL"))
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let start = span.map_or(0, |span| span.start.min(text.len()));
    format!(
        "line {}",
        text.as_bytes()[..start]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    )
}
