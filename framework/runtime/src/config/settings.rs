//! The settings by their names, and the arguments that give them.

use clap::{Arg, Command};

pub(super) struct Setting {
    /// In the file and in errors.
    pub(super) name: &'static str,
    /// As an argument, without its dashes.
    flag: &'static str,
    pub(super) env: &'static str,
    pub(super) default: Option<&'static str>,
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
pub(super) const STORE_URL: &str = "store_url";
pub(super) const SETTINGS: [Setting; 16] = [
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
        "days for which ids of handled events, and answers under an Idempotency-Key, are kept",
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

/// The setting that names the file.
pub(super) const FILE: &str = "config";
pub(super) const FILE_ENV: &str = "MESH_CONFIG";

pub(super) fn command(domain: &str) -> Command {
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
