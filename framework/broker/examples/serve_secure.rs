//! Serves a broker with TLS, logins and access control until Ctrl-C, where `User:admin` may
//! do everything:
//! `cargo run -p mesh-broker --example serve_secure -- DIR CERTIFICATE KEY [ADDRESS]`.
//!
//! `--example set_password -- DIR/users.json admin` makes the user.
#![allow(clippy::print_stdout)]

use mesh_broker::{
    AuthorizerConfig, Broker, BrokerConfig, Listener, Protocol, SaslMechanism, TlsConfig,
};
use mesh_core::{Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, certificate, key, rest @ ..] = arguments.as_slice() else {
        return Err(Error::invalid("an argument is missing")
            .mend("name the data folder and the PEM files of certificate and key"));
    };
    let address = rest.first().map_or("127.0.0.1:9093", String::as_str);
    let address = address.parse().map_err(|error: std::net::AddrParseError| {
        Error::invalid("the address is not an IP address and a port").because(error)
    })?;
    let mut config = BrokerConfig::new(folder, address);
    config.listeners = vec![Listener::new(Protocol::SaslSsl, address)];
    config.security.tls = Some(TlsConfig::new(certificate, key));
    // Over TLS the password may cross the wire.
    config.security.sasl_mechanisms.push(SaslMechanism::Plain);
    let mut authorizer = AuthorizerConfig::default();
    authorizer.super_users = vec!["User:admin".to_owned()];
    config.security.authorizer = Some(authorizer);
    let broker = Broker::start(config).await?;
    println!("{}", broker.bootstrap());
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| Error::internal("cannot wait for a signal").because(error))?;
    broker.shutdown().await
}
