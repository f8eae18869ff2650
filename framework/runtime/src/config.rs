//! The configuration of a domain's process: defaults, then a TOML file, then environment
//! variables, then arguments.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use mesh_core::{Error, Result};
use url::Url;

use crate::store_url::{StoreUrl, WrongStoreUrl};

/// What a domain's process needs to know, read once at the start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where Kafka is, `host:port`, several separated by commas.
    pub bootstrap: String,
    /// Where the schema registry is.
    pub registry_url: Url,
    /// Where the catalog is.
    pub catalog_url: Url,
    /// Where state, inbox and outbox are kept; used by one process at a time.
    pub data_dir: PathBuf,
    /// The Postgres database where they are kept instead.
    pub store_url: Option<StoreUrl>,
    /// The schema of that database; used by one process at a time.
    pub store_schema: String,
    /// The address of the HTTP API; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Where other domains reach the API; by default the address it listens on.
    pub api_url: Option<Url>,
    /// Where sources read.
    pub source_dir: Option<PathBuf>,
    /// Settings of librdkafka, from the file's table `[kafka]`.
    pub kafka: BTreeMap<String, String>,
    /// How often an event that fails for good is tried before it is set aside.
    pub handler_attempts: u32,
    /// Events that share one local transaction at most.
    pub batch_events: usize,
    /// Rows of the outbox at which handlers and sources wait for the relay.
    pub outbox_limit: u64,
    /// Days for which ids of handled events are kept to recognise duplicates.
    pub inbox_days: u32,
    /// How long a request to or from the API may take.
    pub request_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long a stop may take before what is left is cut off.
    pub stop_timeout: Duration,
}

struct Setting {
    /// In the file and in errors.
    name: &'static str,
    /// As an argument, without its dashes.
    flag: &'static str,
    env: &'static str,
    default: Option<&'static str>,
    help: &'static str,
}

const fn setting(
    name: &'static str,
    flag: &'static str,
    env: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting {
        name,
        flag,
        env,
        default,
        help,
    }
}

/// The setting that may hold a password.
const STORE_URL: &str = "store_url";
/// The longest name that Postgres does not cut.
const NAME_BYTES: usize = 63;

const SETTINGS: [Setting; 16] = [
    setting(
        "bootstrap",
        "bootstrap",
        "MESH_BOOTSTRAP",
        Some("127.0.0.1:9092"),
        "Kafka's address",
    ),
    setting(
        "registry_url",
        "registry-url",
        "MESH_REGISTRY_URL",
        Some("http://127.0.0.1:8081"),
        "URL of the schema registry",
    ),
    setting(
        "catalog_url",
        "catalog-url",
        "MESH_CATALOG_URL",
        Some("http://127.0.0.1:8080"),
        "URL of the catalog",
    ),
    setting(
        "data_dir",
        "data-dir",
        "MESH_DATA_DIR",
        None,
        "folder for state, inbox and outbox [default: data/<domain>]",
    ),
    setting(
        STORE_URL,
        "store-url",
        "MESH_STORE_URL",
        None,
        "URL of a Postgres database for them instead; a password is better given by the environment, PGPASSWORD or ~/.pgpass",
    ),
    setting(
        "store_schema",
        "store-schema",
        "MESH_STORE_SCHEMA",
        None,
        "schema in that database [default: mesh_<domain>]",
    ),
    setting(
        "listen",
        "listen",
        "MESH_LISTEN",
        Some("127.0.0.1:8100"),
        "address of the HTTP API",
    ),
    setting(
        "api_url",
        "api-url",
        "MESH_API_URL",
        None,
        "URL at which others reach the API [default: the address it listens on]",
    ),
    setting(
        "source_dir",
        "source-dir",
        "MESH_SOURCE_DIR",
        None,
        "folder that sources read",
    ),
    setting(
        "handler_attempts",
        "handler-attempts",
        "MESH_HANDLER_ATTEMPTS",
        Some("5"),
        "attempts before a failing event is set aside",
    ),
    setting(
        "batch_events",
        "batch-events",
        "MESH_BATCH_EVENTS",
        Some("500"),
        "events that share one local transaction at most",
    ),
    setting(
        "outbox_limit",
        "outbox-limit",
        "MESH_OUTBOX_LIMIT",
        Some("50000"),
        "rows of the outbox at which intake waits",
    ),
    setting(
        "inbox_days",
        "inbox-days",
        "MESH_INBOX_DAYS",
        Some("30"),
        "days for which ids of handled events are kept",
    ),
    setting(
        "request_timeout_seconds",
        "request-timeout-seconds",
        "MESH_REQUEST_TIMEOUT_SECONDS",
        Some("30"),
        "time allowed for a request",
    ),
    setting(
        "body_limit_bytes",
        "body-limit-bytes",
        "MESH_BODY_LIMIT_BYTES",
        Some("1048576"),
        "largest body of a request",
    ),
    setting(
        "stop_timeout_seconds",
        "stop-timeout-seconds",
        "MESH_STOP_TIMEOUT_SECONDS",
        Some("20"),
        "time allowed for a stop",
    ),
];

const FILE: &str = "config";
const FILE_ENV: &str = "MESH_CONFIG";

impl Config {
    /// The defaults for `domain`, with its data in `data_dir`.
    ///
    /// # Errors
    /// None in practice: the defaults are read by the same code as what users write.
    pub fn new(domain: &str, data_dir: impl Into<PathBuf>) -> Result<Self> {
        let mut config = Self::build(domain, &Layers::default())?;
        config.data_dir = data_dir.into();
        Ok(config)
    }

    /// Reads arguments (the program's name first), environment and file. `None` if the
    /// arguments asked for help, which was printed.
    ///
    /// # Errors
    /// A value that is wrong, with where it stands and the mend.
    pub fn load(
        domain: &str,
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>> {
        let matches = match command(domain).try_get_matches_from(arguments) {
            Ok(matches) => matches,
            Err(error) if !error.use_stderr() => {
                error.print().map_err(|error| {
                    Error::internal("the help cannot be printed").because(error)
                })?;
                return Ok(None);
            }
            Err(error) => {
                let text = error.to_string();
                let text = text.trim_start_matches("error: ").trim_end().to_owned();
                return Err(Error::invalid(text));
            }
        };
        let mut layers = Layers::default();
        layers.environment(&environment)?;
        layers.arguments(&matches);
        if let Some(path) = layers.file_name() {
            layers.file(&path)?;
        }
        Self::build(domain, &layers).map(Some)
    }

    /// Where the store is, for people.
    pub(crate) fn store(&self) -> String {
        match &self.store_url {
            Some(url) => format!("{}, schema {}", url.server(), self.store_schema),
            None => self.data_dir.display().to_string(),
        }
    }

    fn build(domain: &str, layers: &Layers) -> Result<Self> {
        let bootstrap: String = layers.required("bootstrap")?;
        if bootstrap.split(',').any(|address| !address.contains(':')) {
            return Err(layers.wrong(
                "bootstrap",
                "write `host:port`, several separated by commas",
            ));
        }
        let config = Self {
            bootstrap,
            registry_url: layers.url("registry_url")?,
            catalog_url: layers.url("catalog_url")?,
            data_dir: layers
                .optional("data_dir")?
                .unwrap_or_else(|| Path::new("data").join(domain)),
            store_url: layers.store_url()?,
            store_schema: layers.store_schema(domain)?,
            listen: layers.required("listen")?,
            api_url: layers.optional_url("api_url")?,
            source_dir: layers.optional("source_dir")?,
            kafka: layers.kafka.clone(),
            handler_attempts: layers.positive("handler_attempts")?,
            batch_events: layers.positive::<u32>("batch_events")? as usize,
            outbox_limit: layers.positive("outbox_limit")?,
            inbox_days: layers.positive("inbox_days")?,
            request_timeout: Duration::from_secs(layers.positive("request_timeout_seconds")?),
            body_limit: layers.positive::<u32>("body_limit_bytes")? as usize,
            stop_timeout: Duration::from_secs(layers.positive("stop_timeout_seconds")?),
        };
        if let Some(folder) = &config.source_dir
            && !folder.is_dir()
        {
            return Err(layers.wrong("source_dir", "give a folder that exists"));
        }
        Ok(config)
    }
}

fn command(domain: &str) -> Command {
    let options = SETTINGS.iter().map(|setting| {
        let help = match setting.default {
            Some(default) => format!(
                "{} [env: {}] [default: {default}]",
                setting.help, setting.env
            ),
            None => format!("{} [env: {}]", setting.help, setting.env),
        };
        Arg::new(setting.name)
            .long(setting.flag)
            .value_name("VALUE")
            .help(help)
    });
    Command::new("domain")
        .bin_name(domain)
        .about(format!("Runs the domain {domain}."))
        .arg(Arg::new(FILE).long(FILE).value_name("FILE").help(format!(
            "a TOML file with these settings and a table [kafka] [env: {FILE_ENV}]"
        )))
        .args(options)
}

/// Where a value stands, for errors.
#[derive(Debug, Clone)]
enum Place {
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
struct Layers {
    values: BTreeMap<&'static str, (Place, String)>,
    kafka: BTreeMap<String, String>,
}

impl Layers {
    fn environment(&mut self, read: &impl Fn(&str) -> Option<OsString>) -> Result<()> {
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

    fn arguments(&mut self, matches: &ArgMatches) {
        for name in SETTINGS.iter().map(|setting| setting.name).chain([FILE]) {
            if let Some(text) = matches.get_one::<String>(name) {
                self.values
                    .insert(name, (Place::Argument(name), text.clone()));
            }
        }
    }

    fn file_name(&self) -> Option<PathBuf> {
        self.values.get(FILE).map(|(_, path)| PathBuf::from(path))
    }

    fn file(&mut self, path: &Path) -> Result<()> {
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

    fn wrong(&self, name: &'static str, mend: &'static str) -> Error {
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

    fn optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>> {
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

    fn required<T: FromStr>(&self, name: &'static str) -> Result<T> {
        self.optional(name)?
            .ok_or_else(|| self.wrong(name, "give a value"))
    }

    fn positive<T: FromStr + Default + PartialEq>(&self, name: &'static str) -> Result<T> {
        self.required(name)
            .ok()
            .filter(|number| *number != T::default())
            .ok_or_else(|| self.wrong(name, "write a whole number from 1 on"))
    }

    fn store_url(&self) -> Result<Option<StoreUrl>> {
        match self.found(STORE_URL).map(|(_, text)| text.parse()) {
            None => Ok(None),
            Some(Ok(url)) => Ok(Some(url)),
            Some(Err(WrongStoreUrl(mend))) => Err(self.wrong(STORE_URL, mend)),
        }
    }

    /// A name that can be written as it is.
    fn store_schema(&self, domain: &str) -> Result<String> {
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

    fn optional_url(&self, name: &'static str) -> Result<Option<Url>> {
        let mend = "write a URL like `http://127.0.0.1:8080`";
        let url: Option<Url> = self.optional(name).map_err(|_| self.wrong(name, mend))?;
        match url {
            Some(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
                Err(self.wrong(name, mend))
            }
            url => Ok(url),
        }
    }

    fn url(&self, name: &'static str) -> Result<Url> {
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
