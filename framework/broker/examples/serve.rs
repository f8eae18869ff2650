//! Serves a broker until Ctrl-C:
//! `cargo run -p mesh-broker --example serve -- DIR [ADDRESS] [--flush always|os|SECONDS]`.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use mesh_broker::{Broker, BrokerConfig, FlushPolicy};
use mesh_core::{Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let flush = match arguments.iter().position(|argument| argument == "--flush") {
        None => None,
        Some(at) => {
            let policy = arguments.drain(at..).nth(1).unwrap_or_default();
            Some(flush_policy(&policy)?)
        }
    };
    let mut arguments = arguments.into_iter();
    let folder = arguments
        .next()
        .ok_or_else(|| Error::invalid("no folder is named").mend("name the data folder"))?;
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let address = address.parse().map_err(|error: std::net::AddrParseError| {
        Error::invalid("the address is not an IP address and a port").because(error)
    })?;
    let mut config = BrokerConfig::new(folder, address);
    config.flush = flush.unwrap_or(config.flush);
    let broker = Broker::start(config).await?;
    println!("{}", broker.bootstrap());
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| Error::internal("cannot wait for a signal").because(error))?;
    broker.shutdown().await
}

fn flush_policy(text: &str) -> Result<FlushPolicy> {
    match text {
        "always" => Ok(FlushPolicy::Always),
        "os" => Ok(FlushPolicy::Os),
        seconds => {
            let seconds: f64 = seconds.parse().map_err(|error| {
                Error::invalid("this is no flush policy")
                    .with("flush", text)
                    .mend("take `always`, `os` or a number of seconds")
                    .because(error)
            })?;
            Ok(FlushPolicy::Interval(Duration::from_secs_f64(seconds)))
        }
    }
}
