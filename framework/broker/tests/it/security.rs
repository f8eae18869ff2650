//! Listeners: each answers with its own address, and unfit ones are refused.

use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};
use mesh_broker::{Broker, BrokerConfig, Listener, Protocol};
use mesh_core::ErrorKind;

use crate::security_support::{address_of, raw_as, with_users};
use crate::support::{ANY, Raw, runtime, string};

fn addresses(raw: &mut Raw) -> [(String, i32); 2] {
    let metadata = raw.call(12, &MetadataRequest::default());
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![string("group")]);
    let found = raw.call(4, &request);
    [
        (
            metadata.brokers[0].host.to_string(),
            metadata.brokers[0].port,
        ),
        (
            found.coordinators[0].host.to_string(),
            found.coordinators[0].port,
        ),
    ]
}

#[test]
fn each_listener_answers_with_its_own_address() {
    let test = with_users(&[], |config| {
        let mut named = Listener::new(Protocol::Plaintext, ANY);
        named.name = "OUTSIDE".to_owned();
        named.advertised = Some(("broker.example".to_owned(), 19_092));
        config.listeners.push(named);
    });
    let port = |listener| i32::from(address_of(&test, listener).port());
    let inside = ("127.0.0.1".to_owned(), port("PLAINTEXT"));
    assert_eq!(addresses(&mut test.raw()), [inside.clone(), inside]);
    let sasl = ("127.0.0.1".to_owned(), port("SASL_PLAINTEXT"));
    assert_eq!(addresses(&mut raw_as(&test, "admin")), [sasl.clone(), sasl]);
    assert_ne!(port("PLAINTEXT"), port("SASL_PLAINTEXT"));
    let outside = test.broker().bootstrap_of("OUTSIDE").unwrap();
    assert_eq!(outside, "broker.example:19092");
    assert_eq!(test.broker().bootstrap_of("NOWHERE"), None);
    assert_eq!(
        test.bootstrap(),
        test.broker().bootstrap_of("PLAINTEXT").unwrap()
    );
}

#[test]
fn listeners_that_cannot_work_are_refused_with_a_mend() {
    let refused = |tweak: &dyn Fn(&mut BrokerConfig)| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(dir.path(), ANY);
        tweak(&mut config);
        let error = runtime().block_on(Broker::start(config)).unwrap_err();
        assert!(error.mend_text().is_some(), "{error}");
        error
    };
    let twice = refused(&|config| {
        config.listeners = vec![
            Listener::new(Protocol::Plaintext, ANY),
            Listener::new(Protocol::Plaintext, ANY),
        ];
    });
    assert!(twice.mend_text().unwrap().contains("name of its own"));
    let no_tls = refused(&|config| {
        config.listeners = vec![Listener::new(Protocol::SaslSsl, ANY)];
    });
    assert!(no_tls.mend_text().unwrap().contains("security.tls"));
    let no_mechanism = refused(&|config| {
        config.listeners = vec![Listener::new(Protocol::SaslPlaintext, ANY)];
        config.security.sasl_mechanisms.clear();
    });
    assert!(
        no_mechanism
            .mend_text()
            .unwrap()
            .contains("sasl_mechanisms")
    );
    let taken = std::net::TcpListener::bind(ANY).unwrap();
    let address = taken.local_addr().unwrap();
    let second_taken = refused(&|config| {
        let mut second = Listener::new(Protocol::Plaintext, address);
        second.name = "SECOND".to_owned();
        config.listeners = vec![Listener::new(Protocol::Plaintext, ANY), second];
    });
    assert_eq!(second_taken.kind(), ErrorKind::Conflict);
    let users = refused(&|config| {
        config.listeners = vec![Listener::new(Protocol::SaslPlaintext, ANY)];
        std::fs::write(config.data_dir.join("users.json"), "alice:secret").unwrap();
    });
    assert!(users.to_string().contains("users.json"));
}
