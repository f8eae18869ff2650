//! The listeners of a broker: checked, bound, and what each of them answers with.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use mesh_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;

use crate::config::BrokerConfig;
use crate::security::{Listener, Protocol};

/// A listener that is bound.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) listener: Listener,
    pub(crate) local_addr: SocketAddr,
}

impl Bound {
    /// The host and port that clients are told to connect to when they came by `local`.
    pub(crate) fn advertised(&self, local: SocketAddr) -> (StrBytes, i32) {
        let (host, port) = match &self.listener.advertised {
            Some((host, port)) => (host.clone(), *port),
            None => {
                let address = match local.ip() {
                    IpAddr::V6(address) => address.to_canonical(),
                    address => address,
                };
                (address.to_string(), local.port())
            }
        };
        (StrBytes::from_string(host), i32::from(port))
    }

    /// What clients take as `bootstrap.servers`.
    pub(crate) fn bootstrap(&self) -> String {
        match &self.listener.advertised {
            Some((host, port)) => format!("{host}:{port}"),
            None => {
                let mut address = self.local_addr;
                if address.ip().is_unspecified() {
                    // Reachable at every address of this machine, so at this one too.
                    address.set_ip(match address.is_ipv4() {
                        true => Ipv4Addr::LOCALHOST.into(),
                        false => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                address.to_string()
            }
        }
    }
}

/// The listeners that are asked for; without any, the one PLAINTEXT listener.
pub(crate) fn wanted(config: &BrokerConfig) -> Vec<Listener> {
    match config.listeners.is_empty() {
        false => config.listeners.clone(),
        true => {
            let mut only = Listener::new(Protocol::Plaintext, config.listen);
            only.advertised.clone_from(&config.advertised);
            vec![only]
        }
    }
}

/// Refuses listeners that cannot work.
pub(crate) fn check(config: &BrokerConfig) -> Result<()> {
    let refuse = |name: &str, mend: &'static str| {
        Err(Error::invalid("a listener's configuration is wrong")
            .with("listener", name)
            .mend(mend))
    };
    let mut names = HashSet::new();
    for listener in &config.listeners {
        let name = &listener.name;
        if name.is_empty() || !names.insert(name.to_uppercase()) {
            return refuse(name, "give each listener a name of its own");
        }
        if listener.protocol.has_tls() && config.security.tls.is_none() {
            return refuse(
                name,
                "name the files of its certificate and key in `security.tls`, or take a protocol without TLS",
            );
        }
        if listener.protocol.has_sasl() && config.security.sasl_mechanisms.is_empty() {
            return refuse(
                name,
                "name a mechanism in `security.sasl_mechanisms`, or take a protocol without SASL",
            );
        }
    }
    Ok(())
}

/// Binds all listeners, or none.
pub(crate) async fn bind(config: &BrokerConfig) -> Result<Vec<(Arc<Bound>, TcpListener)>> {
    let mut bound = Vec::new();
    for listener in wanted(config) {
        let socket = bind_one(listener.listen).await?;
        let local_addr = socket
            .local_addr()
            .map_err(|error| Error::internal("the listener has no address").because(error))?;
        let listener = Bound {
            listener,
            local_addr,
        };
        bound.push((Arc::new(listener), socket));
    }
    Ok(bound)
}

async fn bind_one(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let (kind, mend) = match error.kind() {
            io::ErrorKind::AddrInUse => (
                ErrorKind::Conflict,
                "another process listens there: stop it, or take another port (0 takes any free one)",
            ),
            io::ErrorKind::PermissionDenied => (
                ErrorKind::PermissionDenied,
                "take a port above 1023, or give the process the right to this one",
            ),
            _ => (ErrorKind::InvalidInput, "name an address of this machine"),
        };
        Error::new(kind, "the broker cannot listen on its address")
            .with("address", address)
            .mend(mend)
            .because(error)
    })
}
