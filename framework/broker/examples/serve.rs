//! Serves a broker until Ctrl-C: `cargo run -p mesh-broker --example serve -- DIR [ADDRESS]`.
#![allow(clippy::print_stdout)]

use mesh_broker::{Broker, BrokerConfig};
use mesh_core::{Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or_else(|| Error::invalid("no folder is named").mend("name the data folder"))?;
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let address = address.parse().map_err(|error: std::net::AddrParseError| {
        Error::invalid("the address is not an IP address and a port").because(error)
    })?;
    let broker = Broker::start(BrokerConfig::new(folder, address)).await?;
    println!("{}", broker.bootstrap());
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| Error::internal("cannot wait for a signal").because(error))?;
    broker.shutdown().await
}
