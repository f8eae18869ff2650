//! How listeners, TLS, logins and access control are configured.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What is spoken on a listener (`listener.security.protocol.map`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// No encryption; everybody is `User:ANONYMOUS`.
    Plaintext,
    /// TLS; who shows a certificate is `User:` and its distinguished name.
    Ssl,
    /// Login by SASL without encryption.
    SaslPlaintext,
    /// Login by SASL over TLS.
    SaslSsl,
}

impl Protocol {
    /// Kafka's name of the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    pub(crate) fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub(crate) fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// An address to listen on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listener {
    /// Its name, which is unique.
    pub name: String,
    /// The address; port 0 takes any free port.
    pub listen: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The host and port that its clients are told to connect to; by default the address
    /// they have reached the broker at.
    pub advertised: Option<(String, u16)>,
}

impl Listener {
    /// A listener that is named after its protocol.
    pub fn new(protocol: Protocol, listen: SocketAddr) -> Self {
        Self {
            name: protocol.name().to_owned(),
            listen,
            protocol,
            advertised: None,
        }
    }
}

/// Whether clients show certificates (`ssl.client.auth`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    None,
    /// One that is shown must be valid; without one a client is `User:ANONYMOUS`.
    Requested,
    /// Without a valid one there is no connection.
    Required,
}

/// The PEM files of TLS. They are read at the start and again when they change, for new
/// connections; a change that cannot be used leaves the certificates before in force.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The server's certificate and those that link it to its authority.
    pub certificate_chain: PathBuf,
    /// The key of the first certificate, not encrypted.
    pub private_key: PathBuf,
    /// Whether clients show certificates, on every listener with TLS; on SASL_SSL the login
    /// says who they are.
    pub client_auth: ClientAuth,
    /// The authorities that clients' certificates are checked against.
    pub client_ca: Option<PathBuf>,
}

impl TlsConfig {
    /// A server's certificate and key; clients show none.
    pub fn new(certificate_chain: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self {
            certificate_chain: certificate_chain.into(),
            private_key: private_key.into(),
            client_auth: ClientAuth::None,
            client_ca: None,
        }
    }
}

/// A way to log in (`sasl.enabled.mechanisms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password itself crosses the wire: only over TLS, or for tests.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

/// Access control (`authorizer.class.name` with Kafka's standard authorizer).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuthorizerConfig {
    /// Principals that may do everything, such as `User:admin` (`super.users`).
    pub super_users: Vec<String>,
    /// Whether what no ACL speaks of is open to all (`allow.everyone.if.no.acl.found`).
    pub allow_everyone_if_no_acl_found: bool,
}

/// TLS, logins and access control.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SecurityConfig {
    /// The files of TLS, which listeners with TLS need.
    pub tls: Option<TlsConfig>,
    /// The ways to log in. PLAIN has to be named: it shows the password to the wire.
    pub sasl_mechanisms: Vec<SaslMechanism>,
    /// The file of users ([`set_password`](crate::set_password) makes entries), read again
    /// when it changes; `users.json` in the data folder by default.
    pub users_file: Option<PathBuf>,
    /// How long a login holds before the client has to prove itself again
    /// (`connections.max.reauth.ms`); for ever by default.
    pub session_lifetime: Option<Duration>,
    /// How long a failed login waits for its answer (`connection.failed.authentication.delay.ms`).
    pub failed_authentication_delay: Duration,
    /// How long a client may take for the TLS handshake, and again for its login.
    pub authentication_timeout: Duration,
    /// The largest request before a login (`sasl.server.max.receive.size`).
    pub max_unauthenticated_bytes: usize,
    /// Access control; none by default, then everybody may do everything.
    pub authorizer: Option<AuthorizerConfig>,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self {
            tls: None,
            sasl_mechanisms: vec![SaslMechanism::ScramSha256, SaslMechanism::ScramSha512],
            users_file: None,
            session_lifetime: None,
            failed_authentication_delay: Duration::from_millis(100),
            authentication_timeout: Duration::from_secs(30),
            max_unauthenticated_bytes: 512 << 10,
            authorizer: None,
        }
    }
}
