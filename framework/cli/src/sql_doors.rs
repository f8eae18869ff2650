//! Who may use the SQL doors, and how they are protected.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use mesh_core::{Error, Result};
use mesh_enforcement::Logins;
use mesh_query::{DoorOptions, FlightOptions, FlightTls};

use crate::logins::FileLogins;

/// The options of the SQL doors.
#[derive(Args, Debug, Clone)]
pub(crate) struct SqlDoorOptions {
    /// File of the users who may log in to SQL over Postgres' protocol, Flight SQL and HTTP (`mesh
    /// users` keeps such files); without it whoever reaches the platform is believed to be who
    /// he says
    #[arg(long, env = "MESH_SQL_USERS", value_name = "FILE")]
    pub(crate) sql_users: Option<PathBuf>,
    /// PEM file of the certificate chain for TLS on Postgres' protocol and Flight SQL
    #[arg(
        long,
        env = "MESH_SQL_TLS_CERT",
        value_name = "FILE",
        requires = "sql_tls_key"
    )]
    pub(crate) sql_tls_cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(
        long,
        env = "MESH_SQL_TLS_KEY",
        value_name = "FILE",
        requires = "sql_tls_cert"
    )]
    pub(crate) sql_tls_key: Option<PathBuf>,
}

impl SqlDoorOptions {
    /// The users, if some have to log in.
    ///
    /// # Errors
    /// If their file cannot be read.
    pub(crate) fn logins(&self) -> Result<Option<Arc<dyn Logins>>> {
        let Some(file) = &self.sql_users else {
            return Ok(None);
        };
        Ok(Some(Arc::new(FileLogins::open(file)?)))
    }

    /// How the Postgres door is kept.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn postgres(&self) -> Result<DoorOptions> {
        let mut options = DoorOptions::default();
        options.logins = self.logins()?;
        match (&self.sql_tls_cert, &self.sql_tls_key) {
            (Some(certificate), Some(key)) => options.with_tls_files(certificate, key),
            (None, None) => Ok(options),
            _ => Err(Error::invalid("TLS needs a certificate and its key")
                .mend("name both with --sql-tls-cert and --sql-tls-key")),
        }
    }

    /// How the Flight SQL door is kept.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn flight(&self) -> Result<FlightOptions> {
        let mut options = FlightOptions::default();
        options.logins = self.logins()?;
        if let (Some(certificate), Some(key)) = (&self.sql_tls_cert, &self.sql_tls_key) {
            options.tls = Some(FlightTls {
                certificate: read(certificate, "--sql-tls-cert")?,
                key: read(key, "--sql-tls-key")?,
            });
        }
        Ok(options)
    }

    /// Where Flight SQL listens: others reach it only if they log in, and by TLS, since its
    /// clients send their passwords as they are.
    pub(crate) fn flight_host(&self, host: IpAddr) -> IpAddr {
        match self.sql_users.is_some() && self.sql_tls_cert.is_some() || host.is_loopback() {
            true => host,
            false => IpAddr::from([127, 0, 0, 1]),
        }
    }

    /// Where to listen: without users only where nobody from elsewhere can reach it.
    pub(crate) fn host(&self, host: IpAddr) -> IpAddr {
        match self.sql_users.is_some() || host.is_loopback() {
            true => host,
            false => IpAddr::from([127, 0, 0, 1]),
        }
    }
}

fn read(file: &Path, option: &str) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        Error::invalid("a file for TLS cannot be read")
            .with("file", file.display())
            .with("cause", error.kind())
            .mend(format!("name a file in PEM with {option} FILE"))
    })
}
