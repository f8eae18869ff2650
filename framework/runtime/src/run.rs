//! The `main` of a domain's process.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use mesh_core::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::domain::Domain;
use crate::running::Running;

/// Runs `domain` until SIGTERM or SIGINT: reads the configuration, starts logging, hosts
/// the domain and stops it in order. The code is 0 after a stop that was asked for, 2 if
/// the configuration is wrong, 1 if the domain cannot start or go on.
pub async fn run(domain: Domain) -> ExitCode {
    run_with(domain, std::env::args_os(), None).await
}

/// [`run`] with the arguments of another program (its name first), and a source directory
/// for where none is configured.
pub async fn run_with(
    domain: Domain,
    arguments: impl IntoIterator<Item = OsString>,
    source_dir: Option<PathBuf>,
) -> ExitCode {
    let config = match Config::load(&domain.name, arguments, |name| std::env::var_os(name)) {
        Ok(Some(mut config)) => {
            config.source_dir = config.source_dir.or(source_dir);
            config
        }
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            complain(&domain.name, &error);
            return ExitCode::from(2);
        }
    };
    let name = domain.name.clone();
    match host(domain, config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&name, &error);
            ExitCode::FAILURE
        }
    }
}

async fn host(domain: Domain, config: Config) -> Result<()> {
    log()?;
    let cannot = |error: std::io::Error| {
        Error::internal("the process cannot listen for signals").because(error)
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let running = Running::start(domain, config).await?;
    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        error = running.failed() => Some(error),
    };
    // A second signal ends the process at once: the next start recovers.
    tokio::select! {
        () = running.stop() => {}
        _ = terminate.recv() => tracing::warn!("stopped at once by a second signal"),
        _ = interrupt.recv() => tracing::warn!("stopped at once by a second signal"),
    }
    match failed {
        None => Ok(()),
        Some(error) => Err(copy(&error)),
    }
}

/// The error with what a person may read; its log line was logged where it arose.
fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    for (name, value) in error.context() {
        copy = copy.with(name, value);
    }
    match error.mend_text() {
        Some(mend) => copy.mend(mend.to_owned()),
        None => copy,
    }
}

fn log() -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text).map_err(|error| {
            Error::invalid(format!(
                "the environment variable RUST_LOG is wrong: {error}"
            ))
            .with("value", text)
            .mend("write it like `info` or `mesh_runtime=debug,info`")
        })?,
        _ => EnvFilter::new("info"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| Error::internal("logging cannot be started").because(error))
}

/// Tells a person at the terminal; the log may not be there yet.
fn complain(name: &str, error: &Error) {
    // Nothing is left to try when not even this can be written.
    writeln!(std::io::stderr(), "{name}: {error}").ok();
}
