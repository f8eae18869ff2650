//! TLS as librdkafka sees it, and handshakes that go wrong.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mesh_broker::{
    AuthorizerConfig, Broker, BrokerConfig, ClientAuth, Listener, Protocol, TlsConfig, set_password,
};
use rcgen::DnType;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::security_support::{
    Authority, PASSWORD, Signed, WAIT, address_of, allow, client, codes, credentials, reaches,
};
use crate::support::{ANY, TestBroker, runtime};

/// A broker with TLS and its authority.
fn with_tls(tweak: impl FnOnce(&mut BrokerConfig, &mut TlsConfig)) -> (TestBroker, Authority) {
    let authority = Authority::new();
    let server = authority.sign(&[(DnType::CommonName, "broker")]);
    let test = TestBroker::start_with(|config| {
        let mut tls = server.server(&config.data_dir);
        set_password(&config.data_dir.join("users.json"), "alice", PASSWORD).unwrap();
        config.listeners = vec![
            Listener::new(Protocol::Plaintext, ANY),
            Listener::new(Protocol::Ssl, ANY),
            Listener::new(Protocol::SaslSsl, ANY),
        ];
        tweak(config, &mut tls);
        config.security.tls = Some(tls);
    });
    (test, authority)
}

fn trusting(test: &TestBroker, listener: &str, authority: &Authority) -> ClientConfig {
    let mut config = client(test, listener);
    config.set("ssl.ca.pem", &authority.pem);
    config
}

fn showing(config: &mut ClientConfig, signed: &Signed) {
    config
        .set("ssl.certificate.pem", &signed.certificate)
        .set("ssl.key.pem", &signed.key);
}

#[test]
fn records_go_through_tls() {
    let (test, authority) = with_tls(|_, _| {});
    test.topic("t", 1, &[]);
    let config = trusting(&test, "SSL", &authority);
    let producer: BaseProducer = config.create().unwrap();
    let large: Vec<Vec<u8>> = (0..200u8).map(|at| vec![at; 20_000]).collect();
    for value in &large {
        let record = BaseRecord::<(), _>::to("t").payload(value);
        producer.send(record).unwrap();
    }
    producer.flush(WAIT).unwrap();
    let mut config = trusting(&test, "SSL", &authority);
    config
        .set("group.id", "g")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&["t"]).unwrap();
    let deadline = Instant::now() + WAIT;
    let mut read = 0;
    while read < large.len() {
        assert!(Instant::now() < deadline, "{read} records");
        // A poll can end early, for an assignment say.
        if let Some(message) = consumer.poll(Duration::from_millis(200)) {
            assert_eq!(message.unwrap().payload().unwrap(), large[read]);
            read += 1;
        }
    }
}

#[test]
fn another_authority_is_not_trusted() {
    let (test, _) = with_tls(|_, _| {});
    let other = Authority::new();
    let config = trusting(&test, "SSL", &other);
    assert_eq!(reaches(&config), Err(RDKafkaErrorCode::SSL));
    assert!(test.broker().metrics().failed_authentications >= 1);
}

#[test]
fn logins_over_tls() {
    let (test, authority) = with_tls(|config, _| {
        let mechanisms = &mut config.security.sasl_mechanisms;
        mechanisms.push(mesh_broker::SaslMechanism::Plain);
    });
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut config = trusting(&test, "SASL_SSL", &authority);
        credentials(&mut config, mechanism, "alice", PASSWORD);
        assert_eq!(reaches(&config), Ok(()), "{mechanism}");
        credentials(&mut config, mechanism, "alice", "wrong");
        let failed = Err(RDKafkaErrorCode::Authentication);
        assert_eq!(reaches(&config), failed, "{mechanism}");
        credentials(&mut config, mechanism, "nobody", PASSWORD);
        assert_eq!(reaches(&config), failed, "{mechanism}");
    }
}

#[test]
fn client_certificates_are_required() {
    let clients = Authority::new();
    let (test, authority) = with_tls(|config, tls| {
        let path = config.data_dir.join("clients.pem");
        std::fs::write(&path, &clients.pem).unwrap();
        tls.client_ca = Some(path);
        tls.client_auth = ClientAuth::Required;
    });
    let name = [(DnType::CommonName, "ada")];
    let mut config = trusting(&test, "SSL", &authority);
    assert!(reaches(&config).is_err(), "without one");
    showing(&mut config, &clients.sign(&name));
    assert_eq!(reaches(&config), Ok(()));
    let through = test.broker().metrics().successful_authentications;
    showing(&mut config, &authority.sign(&name));
    assert!(reaches(&config).is_err(), "of another authority");
    let metrics = test.broker().metrics();
    assert_eq!(metrics.successful_authentications, through);
}

#[test]
fn the_name_in_a_certificate_is_who_a_client_is() {
    let clients = Authority::new();
    let (test, authority) = with_tls(|config, tls| {
        let path = config.data_dir.join("clients.pem");
        std::fs::write(&path, &clients.pem).unwrap();
        tls.client_ca = Some(path);
        tls.client_auth = ClientAuth::Requested;
        config.listeners[0].name = "INSIDE".to_owned();
        let mut authorizer = AuthorizerConfig::default();
        // Only the owner of this certificate may set things up.
        authorizer.super_users = vec!["User:CN=root,O=Bank\\, Ltd,C=CH".to_owned()];
        config.security.authorizer = Some(authorizer);
    });
    let visible = |signed: Option<&Signed>| {
        let mut config = trusting(&test, "SSL", &authority);
        if let Some(signed) = signed {
            showing(&mut config, signed);
        }
        let consumer: BaseConsumer = config.set("group.id", "g").create().unwrap();
        let metadata = consumer.fetch_metadata(None, WAIT).unwrap();
        metadata.topics().len()
    };
    let root = clients.sign(&[
        (DnType::CountryName, "CH"),
        (DnType::OrganizationName, "Bank, Ltd"),
        (DnType::CommonName, "root"),
    ]);
    let mut admin = trusting(&test, "SSL", &authority);
    showing(&mut admin, &root);
    let admin: rdkafka::admin::AdminClient<_> = admin.create().unwrap();
    let topic = rdkafka::admin::NewTopic::new("t", 1, rdkafka::admin::TopicReplication::Fixed(1));
    let options = rdkafka::admin::AdminOptions::new();
    let created = test
        .runtime
        .block_on(admin.create_topics([&topic], &options));
    assert_eq!(created.unwrap(), [Ok("t".to_owned())]);
    assert_eq!(visible(Some(&root)), 1);
    let other = clients.sign(&[(DnType::CommonName, "root")]);
    assert_eq!(visible(Some(&other)), 0);
    assert_eq!(visible(None), 0, "nobody in particular");
}

#[test]
fn certificates_are_read_again_when_they_change() {
    let (test, before) = with_tls(|_, _| {});
    assert_eq!(reaches(&trusting(&test, "SSL", &before)), Ok(()));
    std::fs::write(test.dir().join("server.pem"), "no certificate").unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    let still = reaches(&trusting(&test, "SSL", &before));
    assert_eq!(still, Ok(()), "what cannot be used changes nothing");
    let after = Authority::new();
    after
        .sign(&[(DnType::CommonName, "broker")])
        .server(test.dir());
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(reaches(&trusting(&test, "SSL", &after)), Ok(()));
    let old = reaches(&trusting(&test, "SSL", &before));
    assert_eq!(old, Err(RDKafkaErrorCode::SSL));
}

#[test]
fn handshakes_that_never_end_hold_nobody_up() {
    let (test, authority) = with_tls(|config, _| {
        config.security.authentication_timeout = Duration::from_millis(500);
    });
    let address = address_of(&test, "SSL");
    let mut silent: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut plain = TcpStream::connect(address).unwrap();
    plain
        .write_all(b"\0\0\0\x0aGET / HTTP/1.1\r\n\r\n")
        .unwrap();
    assert_eq!(reaches(&trusting(&test, "SSL", &authority)), Ok(()));
    for stream in silent.iter_mut().chain([&mut plain]) {
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let mut rest = Vec::new();
        // Closed in one way or the other; a time-out would be an error of this kind.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
    }
    let counted = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        test.broker().metrics().failed_authentications >= 21
    });
    assert!(counted, "{:?}", test.broker().metrics());
}

#[test]
fn unfit_certificates_are_refused_with_a_mend() {
    let authority = Authority::new();
    let (one, two) = (authority.sign(&[]), authority.sign(&[]));
    let refused = |change: &dyn Fn(&mut TlsConfig)| {
        let dir = tempfile::tempdir().unwrap();
        let mut tls = one.server(dir.path());
        change(&mut tls);
        let mut config = BrokerConfig::new(dir.path(), ANY);
        config.listeners = vec![Listener::new(Protocol::Ssl, ANY)];
        config.security.tls = Some(tls);
        let error = runtime().block_on(Broker::start(config)).unwrap_err();
        assert!(error.mend_text().is_some(), "{error}");
        error.to_string()
    };
    let missing = refused(&|tls| std::fs::remove_file(&tls.private_key).unwrap());
    assert!(missing.contains("server.key"), "{missing}");
    let other = refused(&|tls| std::fs::write(&tls.private_key, &two.key).unwrap());
    assert!(other.contains("do not fit"), "{other}");
    let empty = refused(&|tls| std::fs::write(&tls.certificate_chain, "").unwrap());
    assert!(empty.contains("no certificates"), "{empty}");
    let encrypted = refused(&|tls| {
        let text = one.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
        std::fs::write(&tls.private_key, text).unwrap();
    });
    assert!(encrypted.contains("not encrypted"), "{encrypted}");
    let unnamed = refused(&|tls| tls.client_auth = ClientAuth::Required);
    assert!(unnamed.contains("client_ca"), "{unnamed}");
}

#[test]
fn access_control_over_tls_and_logins() {
    let (test, authority) = with_tls(|config, _| {
        let mut authorizer = AuthorizerConfig::default();
        authorizer.super_users = vec!["User:ANONYMOUS".to_owned()];
        config.security.authorizer = Some(authorizer);
    });
    test.topic("mine", 1, &[]);
    test.topic("other", 1, &[]);
    allow(
        &test,
        (codes::TOPIC, "mine", codes::LITERAL),
        "alice",
        codes::WRITE,
    );
    let mut config = trusting(&test, "SASL_SSL", &authority);
    credentials(&mut config, "SCRAM-SHA-512", "alice", PASSWORD);
    let consumer: BaseConsumer = config.set("group.id", "g").create().unwrap();
    let metadata = consumer.fetch_metadata(None, WAIT).unwrap();
    let names: Vec<_> = metadata.topics().iter().map(|topic| topic.name()).collect();
    assert_eq!(names, ["mine"]);
}
