//! The addresses that the platform and the domains listen on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use clap::Args;
use mesh_core::{Error, Result};

/// Where the platform listens.
#[derive(Args, Debug, Clone)]
pub(crate) struct PlatformPorts {
    /// Address to listen on
    #[arg(long, env = "MESH_HOST", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Port of the Kafka broker (0: any free port)
    #[arg(long, env = "MESH_KAFKA_PORT", default_value_t = 9092)]
    pub(crate) kafka_port: u16,
    /// Port of the schema registry (0: any free port)
    #[arg(long, env = "MESH_REGISTRY_PORT", default_value_t = 8081)]
    pub(crate) registry_port: u16,
    /// Port of the catalog and of SQL over HTTP (0: any free port)
    #[arg(long, env = "MESH_HTTP_PORT", default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// Port of SQL over Postgres' protocol (0: any free port)
    #[arg(long, env = "MESH_POSTGRES_PORT", default_value_t = 5433)]
    pub(crate) postgres_port: u16,
    /// Port of Flight SQL (0: any free port)
    #[arg(long, env = "MESH_FLIGHT_PORT", default_value_t = 50051)]
    pub(crate) flight_port: u16,
}

/// The platform's addresses, all ports known.
#[derive(Debug, Clone)]
pub(crate) struct PlatformAddresses {
    /// Where clients find Kafka.
    pub(crate) kafka: String,
    /// The port of the embedded broker, where there is one.
    pub(crate) broker_port: Option<u16>,
    pub(crate) registry: SocketAddr,
    pub(crate) http: SocketAddr,
    /// SQL over Postgres' protocol.
    pub(crate) postgres: SocketAddr,
    pub(crate) flight: SocketAddr,
}

impl PlatformAddresses {
    pub(crate) fn registry_url(&self) -> String {
        format!("http://{}", self.registry)
    }

    pub(crate) fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }
}

impl PlatformPorts {
    /// Where Flight SQL listens without logins: other machines cannot reach it.
    fn flight_host(&self) -> IpAddr {
        match self.host.is_loopback() {
            true => self.host,
            false => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// Replaces each 0 by a free port and checks that the others are free. On a `cluster`
    /// there is no broker to find a port for.
    pub(crate) fn resolve(&self, cluster: Option<String>) -> Result<PlatformAddresses> {
        // All are held until all are known, so that no port is handed out twice.
        let broker = match cluster {
            Some(_) => None,
            None => Some(claim(self.host, self.kafka_port, "Kafka", "--kafka-port")?),
        };
        let registry = claim(self.host, self.registry_port, "registry", "--registry-port")?;
        let http = claim(self.host, self.http_port, "HTTP", "--http-port")?;
        let postgres = claim(self.host, self.postgres_port, "Postgres", "--postgres-port")?;
        let flight = claim(
            self.flight_host(),
            self.flight_port,
            "Flight SQL",
            "--flight-port",
        )?;
        let broker = broker.as_ref().map(address).transpose()?;
        Ok(PlatformAddresses {
            kafka: cluster
                .or_else(|| broker.map(|address| address.to_string()))
                .unwrap_or_default(),
            broker_port: broker.map(|address| address.port()),
            registry: address(&registry)?,
            http: address(&http)?,
            postgres: address(&postgres)?,
            flight: address(&flight)?,
        })
    }
}

fn address(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|error| Error::internal("a listener has no address").because(error))
}

/// Binds `port` of `host` for a moment, or says how to choose another one.
pub(crate) fn claim(host: IpAddr, port: u16, what: &str, option: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port)).map_err(|error| taken(host, port, what, option, error))
}

/// The error of a port that cannot be listened on.
pub(crate) fn taken(
    host: IpAddr,
    port: u16,
    what: &str,
    option: &str,
    error: std::io::Error,
) -> Error {
    let message = if error.kind() == std::io::ErrorKind::AddrInUse {
        format!("the {what} port is taken")
    } else {
        format!("the {what} port cannot be listened on")
    };
    Error::unavailable(message)
        .with("address", SocketAddr::new(host, port))
        .with("cause", &error)
        .mend(format!(
            "end what listens there, or choose another port with {option} N (0: any free one)"
        ))
        .retryable(false)
}
