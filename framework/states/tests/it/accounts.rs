//! A product with a contract, and its rows as Arrow.

use std::net::SocketAddr;

use mesh_core::Record;
use mesh_registry::{Registry, RegistryConfig};
use mesh_stream::batch::ArrowDecoder;
use mesh_stream::{Producer, RegistryClient, TypedProducer, register_product};

use crate::harness::Platform;

mod account {
    mesh_macros::contract!("tests/it/contracts/account.odcs.yaml");
}
pub(crate) use account::*;

pub(crate) fn account(id: i64, visits: i64) -> Account {
    Account {
        account_id: id,
        owner: format!("owner of {}", id * 7919 % 100_003),
        balance: format!("{}.{:02}", id % 1_000_000, id % 100)
            .parse()
            .unwrap(),
        status: match id % 5 {
            0 => AccountStatus::Closed,
            _ => AccountStatus::Open,
        },
        visits,
        note: (id % 3 == 0).then(|| format!("a note about account {id}")),
    }
}

/// A registry in `platform`'s folder, and a producer of the product.
pub(crate) async fn publish(platform: &mut Platform) -> (RegistryClient, TypedProducer<Account>) {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    platform.stream.registry_url = format!("http://{}", listener.local_addr().unwrap());
    let config = RegistryConfig::new(platform.dir.path().join("registry.db"));
    let registry = Registry::open(config).await.unwrap();
    tokio::spawn(mesh_registry::serve(
        registry,
        listener,
        std::future::pending(),
    ));
    let client = RegistryClient::new(&platform.stream.registry_url).unwrap();
    let registered = register_product(&client, Account::descriptor())
        .await
        .unwrap();
    let producer = Producer::new(&platform.stream).unwrap();
    (client, TypedProducer::new(producer, registered))
}

pub(crate) fn decoder(registry: &RegistryClient) -> ArrowDecoder {
    ArrowDecoder::new(registry.clone(), Account::descriptor().into(), None).unwrap()
}
