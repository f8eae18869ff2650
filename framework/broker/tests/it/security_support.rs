//! Certificates, users and clients for the tests of security.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::{
    CreateAclsRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
};
use mesh_broker::{
    AuthorizerConfig, BrokerConfig, Listener, Protocol, SaslMechanism, TlsConfig, set_password,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::support::{ANY, Raw, TestBroker, string};

pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// An authority that signs certificates, and where they are kept.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key as PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate of 127.0.0.1 and localhost with these parts of a name, as they stand
    /// in the certificate.
    pub(crate) fn sign(&self, name: &[(DnType, &str)]) -> Signed {
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (part, value) in name {
            params.distinguished_name.push(part.clone(), *value);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Signed {
    /// Writes both into a folder; the configuration of a server with them.
    pub(crate) fn server(&self, dir: &Path) -> TlsConfig {
        let path = |name: &str, text: &str| -> PathBuf {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        TlsConfig::new(
            path("server.pem", &self.certificate),
            path("server.key", &self.key),
        )
    }
}

/// Every user's password.
pub(crate) const PASSWORD: &str = "open, sesame=!";

/// A broker with a PLAINTEXT listener, whose callers may do everything, and one for SASL,
/// where these users and `admin` may log in by any mechanism.
pub(crate) fn with_users(users: &[&str], tweak: impl FnOnce(&mut BrokerConfig)) -> TestBroker {
    TestBroker::start_with(|config| {
        let file = config.data_dir.join("users.json");
        for user in users.iter().chain(&["admin"]) {
            set_password(&file, user, PASSWORD).unwrap();
        }
        config.listeners = vec![
            Listener::new(Protocol::Plaintext, ANY),
            Listener::new(Protocol::SaslPlaintext, ANY),
        ];
        config.security.sasl_mechanisms = vec![
            SaslMechanism::Plain,
            SaslMechanism::ScramSha256,
            SaslMechanism::ScramSha512,
        ];
        config.security.failed_authentication_delay = Duration::from_millis(50);
        tweak(config);
    })
}

/// As [`with_users`], with access control; `User:admin` and whoever comes without a login
/// may do everything.
pub(crate) fn with_acls(users: &[&str]) -> TestBroker {
    with_users(users, |config| {
        let mut authorizer = AuthorizerConfig::default();
        authorizer.super_users = vec!["User:admin".to_owned(), "User:ANONYMOUS".to_owned()];
        config.security.authorizer = Some(authorizer);
    })
}

pub(crate) fn address_of(test: &TestBroker, listener: &str) -> std::net::SocketAddr {
    let bootstrap = test.broker().bootstrap_of(listener).unwrap();
    bootstrap.parse().unwrap()
}

/// A raw client on the SASL listener.
pub(crate) fn raw_sasl(test: &TestBroker) -> Raw {
    Raw::connect(address_of(test, "SASL_PLAINTEXT"))
}

/// A raw client that has logged in.
pub(crate) fn raw_as(test: &TestBroker, user: &str) -> Raw {
    let mut raw = raw_sasl(test);
    let response = login(&mut raw, user, PASSWORD);
    assert_eq!(response.error_code, 0, "{:?}", response.error_message);
    raw
}

pub(crate) fn handshake(raw: &mut Raw, mechanism: &str) -> i16 {
    let request = SaslHandshakeRequest::default().with_mechanism(string(mechanism));
    raw.call(1, &request).error_code
}

pub(crate) fn token(bytes: impl Into<Bytes>) -> SaslAuthenticateRequest {
    SaslAuthenticateRequest::default().with_auth_bytes(bytes.into())
}

pub(crate) fn plain(user: &str, password: &str) -> SaslAuthenticateRequest {
    token(format!("\0{user}\0{password}"))
}

/// Logs in by PLAIN.
pub(crate) fn login(raw: &mut Raw, user: &str, password: &str) -> SaslAuthenticateResponse {
    assert_eq!(handshake(raw, "PLAIN"), 0);
    raw.call(2, &plain(user, password))
}

/// Settings of librdkafka for a login.
pub(crate) fn credentials(config: &mut ClientConfig, mechanism: &str, user: &str, password: &str) {
    config
        .set("sasl.mechanism", mechanism)
        .set("sasl.username", user)
        .set("sasl.password", password);
}

/// Settings of librdkafka for a listener.
pub(crate) fn client(test: &TestBroker, listener: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set(
            "bootstrap.servers",
            test.broker().bootstrap_of(listener).unwrap(),
        )
        .set("security.protocol", listener)
        .set("broker.address.family", "v4");
    config
}

/// Settings of librdkafka for a user on the listener with SASL and without TLS.
pub(crate) fn client_as(test: &TestBroker, user: &str) -> ClientConfig {
    let mut config = client(test, "SASL_PLAINTEXT");
    credentials(&mut config, "SCRAM-SHA-256", user, PASSWORD);
    config
}

/// Whether a client gets through to the metadata; otherwise the error it reports that tells
/// why, or that it was hung up on for two seconds: a client of TLS 1.3 takes the handshake
/// for done before its certificate has been looked at.
pub(crate) fn reaches(config: &ClientConfig) -> Result<(), RDKafkaErrorCode> {
    let mut config = config.clone();
    config.set("group.id", "reaches");
    let consumer: BaseConsumer = config.create().unwrap();
    let begun = Instant::now();
    let mut hung_up = None;
    loop {
        if consumer
            .fetch_metadata(None, Duration::from_millis(200))
            .is_ok()
        {
            return Ok(());
        }
        match consumer.poll(Duration::from_millis(50)) {
            Some(Err(KafkaError::Global(code) | KafkaError::MessageConsumption(code))) => {
                if matches!(
                    code,
                    RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL
                ) {
                    return Err(code);
                }
                hung_up = Some(code);
            }
            _ => assert!(begun.elapsed() < WAIT, "neither an answer nor an error"),
        }
        if let Some(code) = hung_up
            && begun.elapsed() > Duration::from_secs(2)
        {
            return Err(code);
        }
    }
}

/// Kafka's numbers in an entry of access control.
pub(crate) mod codes {
    pub(crate) const TOPIC: i8 = 2;
    pub(crate) const GROUP: i8 = 3;
    pub(crate) const CLUSTER: i8 = 4;
    pub(crate) const TRANSACTIONAL_ID: i8 = 5;
    pub(crate) const LITERAL: i8 = 3;
    pub(crate) const PREFIXED: i8 = 4;
    pub(crate) const ALL: i8 = 2;
    pub(crate) const READ: i8 = 3;
    pub(crate) const WRITE: i8 = 4;
    pub(crate) const CREATE: i8 = 5;
    pub(crate) const DELETE: i8 = 6;
    pub(crate) const ALTER: i8 = 7;
    pub(crate) const DESCRIBE: i8 = 8;
    pub(crate) const CLUSTER_ACTION: i8 = 9;
    pub(crate) const IDEMPOTENT_WRITE: i8 = 12;
    pub(crate) const DENY: i8 = 2;
    pub(crate) const ALLOW: i8 = 3;
}

pub(crate) fn entry(
    (resource_type, name, pattern): (i8, &str, i8),
    principal: &str,
    operation: i8,
    permission: i8,
) -> AclCreation {
    AclCreation::default()
        .with_resource_type(resource_type)
        .with_resource_name(string(name))
        .with_resource_pattern_type(pattern)
        .with_principal(string(principal))
        .with_host(string("*"))
        .with_operation(operation)
        .with_permission_type(permission)
}

/// Creates entries as one who may do everything.
pub(crate) fn create_acls(test: &TestBroker, entries: Vec<AclCreation>) {
    let request = CreateAclsRequest::default().with_creations(entries);
    for result in test.raw().call(3, &request).results {
        assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    }
}

/// Creates one entry that allows something.
pub(crate) fn allow(test: &TestBroker, resource: (i8, &str, i8), user: &str, operation: i8) {
    let principal = format!("User:{user}");
    create_acls(
        test,
        vec![entry(resource, &principal, operation, codes::ALLOW)],
    );
}
