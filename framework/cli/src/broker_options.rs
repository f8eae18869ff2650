//! Listeners, TLS, logins and access control of the embedded broker: arguments, their
//! variables, and a TOML file. An argument wins over its variable, both over the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use mesh_broker::{
    AuthorizerConfig, BrokerConfig, ClientAuth, Listener, Protocol, SaslMechanism, TlsConfig,
};
use mesh_core::{Error, Result};
use serde::Deserialize;

use crate::kafka::scalars;

/// How clients reach the embedded broker, and what they may do there. In the file each
/// stands in the table `[broker]` under its argument's name with underscores.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BrokerOptions {
    /// Listeners of the broker instead of the one that is not protected at --kafka-port:
    /// [NAME=]PROTOCOL://ADDRESS:PORT, commas between; PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
    #[arg(
        long,
        env = "MESH_LISTENERS",
        value_delimiter = ',',
        value_name = "LISTENER"
    )]
    pub(crate) listeners: Option<Vec<String>>,
    /// What clients of a listener are told to connect to: NAME://HOST:PORT, commas between;
    /// without one the address that they came to
    #[arg(
        long,
        env = "MESH_ADVERTISED_LISTENERS",
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    pub(crate) advertised_listeners: Option<Vec<String>>,
    /// The listener that SQL and the domains of a demo use; the first one by default
    #[arg(long, env = "MESH_PLATFORM_LISTENER", value_name = "NAME")]
    pub(crate) platform_listener: Option<String>,
    /// PEM file of the broker's certificate and those that link it to its authority
    #[arg(long, env = "MESH_TLS_CERTIFICATE", value_name = "FILE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// PEM file of the certificate's key
    #[arg(long, env = "MESH_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// PEM file of the authorities that clients' certificates are checked against
    #[arg(long, env = "MESH_TLS_CLIENT_CA", value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Whether clients show certificates: none, requested or required
    #[arg(long, env = "MESH_TLS_CLIENT_AUTH", value_name = "WHETHER")]
    pub(crate) tls_client_auth: Option<String>,
    /// Ways to log in, commas between: SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN
    #[arg(
        long,
        env = "MESH_SASL_MECHANISMS",
        value_delimiter = ',',
        value_name = "MECHANISM"
    )]
    pub(crate) sasl_mechanisms: Option<Vec<String>>,
    /// File of the users who may log in, which `mesh users` changes
    #[arg(long, env = "MESH_USERS_FILE", value_name = "FILE")]
    pub(crate) users_file: Option<PathBuf>,
    /// Access control: only what rules allow, and everything to super users
    #[arg(long, env = "MESH_AUTHORIZER", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) authorizer: Option<bool>,
    /// Principals that may do everything, such as User:admin, commas between
    #[arg(
        long,
        env = "MESH_SUPER_USERS",
        value_delimiter = ',',
        value_name = "PRINCIPAL"
    )]
    pub(crate) super_users: Option<Vec<String>>,
    /// Leave what no rule speaks of open to all
    #[arg(long, env = "MESH_ALLOW_EVERYONE_IF_NO_ACL_FOUND", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) allow_everyone_if_no_acl_found: Option<bool>,
}

/// The platform's file.
#[derive(Debug, Default)]
pub(crate) struct PlatformFile {
    /// The table `[broker]`; its paths are relative to the file.
    pub(crate) broker: BrokerOptions,
    /// The table `[kafka]`: settings of librdkafka for the platform's own clients.
    pub(crate) kafka: BTreeMap<String, String>,
}

impl PlatformFile {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong in it, never with its text, which may hold a password.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let refuse = |message: &str, cause: String| {
            Error::invalid(message.to_owned())
                .with("file", file.display())
                .with("cause", cause)
                .mend("see docs/security.md for what it may hold")
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| refuse("the platform's file cannot be read", error.to_string()))?;
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            refuse(
                "the platform's file is not TOML",
                error.message().to_owned(),
            )
        })?;
        let mut broker = match table.remove("broker") {
            None => BrokerOptions::default(),
            Some(value) => value.try_into().map_err(|error: toml::de::Error| {
                refuse(
                    "the table [broker] of the platform's file is wrong",
                    error.message().to_owned(),
                )
            })?,
        };
        let kafka = match table.remove("kafka") {
            None => BTreeMap::new(),
            Some(value) => scalars(file, Some(&value))?,
        };
        if let Some(name) = table.keys().next() {
            return Err(refuse(
                "the platform's file holds what it does not know",
                name.clone(),
            ));
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in [
            &mut broker.tls_certificate,
            &mut broker.tls_key,
            &mut broker.tls_client_ca,
            &mut broker.users_file,
        ]
        .into_iter()
        .flatten()
        {
            *path = folder.join(&path);
        }
        Ok(Self { broker, kafka })
    }
}

impl BrokerOptions {
    /// These, and what only `file` says.
    pub(crate) fn over(self, file: Self) -> Self {
        Self {
            listeners: self.listeners.or(file.listeners),
            advertised_listeners: self.advertised_listeners.or(file.advertised_listeners),
            platform_listener: self.platform_listener.or(file.platform_listener),
            tls_certificate: self.tls_certificate.or(file.tls_certificate),
            tls_key: self.tls_key.or(file.tls_key),
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            tls_client_auth: self.tls_client_auth.or(file.tls_client_auth),
            sasl_mechanisms: self.sasl_mechanisms.or(file.sasl_mechanisms),
            users_file: self.users_file.or(file.users_file),
            authorizer: self.authorizer.or(file.authorizer),
            super_users: self.super_users.or(file.super_users),
            allow_everyone_if_no_acl_found: self
                .allow_everyone_if_no_acl_found
                .or(file.allow_everyone_if_no_acl_found),
        }
    }

    /// Whether something is said at all.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts them into the broker's configuration.
    ///
    /// # Errors
    /// What is wrong, or given without what it needs.
    pub(crate) fn apply(&self, config: &mut BrokerConfig) -> Result<()> {
        config.listeners = self.wanted_listeners()?;
        let security = &mut config.security;
        security.tls = self.tls()?;
        if let Some(names) = &self.sasl_mechanisms {
            let mechanisms = names.iter().map(|name| mechanism(name));
            security.sasl_mechanisms = mechanisms.collect::<Result<_>>()?;
        }
        if self.users_file.is_some() {
            security.users_file.clone_from(&self.users_file);
        }
        let super_users = self.super_users.clone().unwrap_or_default();
        if let Some(wrong) = super_users.iter().find(|user| !user.starts_with("User:")) {
            return Err(wrong_value("super-users", wrong, "write User:NAME"));
        }
        if self.authorizer == Some(true) {
            let mut authorizer = AuthorizerConfig::default();
            authorizer.super_users = super_users;
            authorizer.allow_everyone_if_no_acl_found =
                self.allow_everyone_if_no_acl_found.unwrap_or_default();
            security.authorizer = Some(authorizer);
        } else if !super_users.is_empty() || self.allow_everyone_if_no_acl_found == Some(true) {
            return Err(Error::invalid(
                "super users or rules are named, and access control is off",
            )
            .mend("turn it on with --authorizer, or leave them out"));
        }
        Ok(())
    }

    /// The listener of the platform's own clients; none if there is only the default one.
    pub(crate) fn own_listener(&self) -> Result<Option<Listener>> {
        let mut listeners = self.wanted_listeners()?.into_iter();
        match &self.platform_listener {
            None => Ok(listeners.next()),
            Some(name) => match listeners.find(|listener| listener.name == *name) {
                Some(listener) => Ok(Some(listener)),
                None => Err(wrong_value(
                    "platform-listener",
                    name,
                    "name one of --listeners",
                )),
            },
        }
    }

    fn wanted_listeners(&self) -> Result<Vec<Listener>> {
        let texts = self.listeners.iter().flatten();
        let mut listeners = texts
            .map(|text| listener(text))
            .collect::<Result<Vec<_>>>()?;
        for text in self.advertised_listeners.iter().flatten() {
            let refuse = |mend| wrong_value("advertised-listeners", text, mend);
            let (name, address) = text
                .split_once("://")
                .and_then(|(name, rest)| Some((name, host_and_port(rest)?)))
                .ok_or_else(|| refuse("write NAME://HOST:PORT, such as SASL_SSL://kafka:9093"))?;
            let named = listeners.iter_mut().find(|listener| listener.name == name);
            named
                .ok_or_else(|| refuse("name one of --listeners"))?
                .advertised = Some(address);
        }
        Ok(listeners)
    }

    fn tls(&self) -> Result<Option<TlsConfig>> {
        let mut tls = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => TlsConfig::new(certificate, key),
            (None, None) if self.tls_client_ca.is_none() && self.tls_client_auth.is_none() => {
                return Ok(None);
            }
            _ => {
                return Err(
                    Error::invalid("the broker's certificate or its key is missing")
                        .mend("name both with --tls-certificate FILE and --tls-key FILE"),
                );
            }
        };
        tls.client_ca.clone_from(&self.tls_client_ca);
        tls.client_auth = match self.tls_client_auth.as_deref() {
            // Who names authorities wants them used.
            None if self.tls_client_ca.is_some() => ClientAuth::Required,
            None | Some("none") => ClientAuth::None,
            Some("requested") => ClientAuth::Requested,
            Some("required") => ClientAuth::Required,
            Some(other) => {
                let mend = "write none, requested or required";
                return Err(wrong_value("tls-client-auth", other, mend));
            }
        };
        Ok(Some(tls))
    }
}

fn wrong_value(option: &str, value: &str, mend: &'static str) -> Error {
    Error::invalid("an option of the broker is wrong")
        .with("option", option)
        .with("value", value)
        .mend(mend)
}

fn mechanism(name: &str) -> Result<SaslMechanism> {
    match name {
        "PLAIN" => Ok(SaslMechanism::Plain),
        "SCRAM-SHA-256" => Ok(SaslMechanism::ScramSha256),
        "SCRAM-SHA-512" => Ok(SaslMechanism::ScramSha512),
        other => Err(wrong_value(
            "sasl-mechanisms",
            other,
            "write SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN",
        )),
    }
}

fn listener(text: &str) -> Result<Listener> {
    let mend = "write [NAME=]PROTOCOL://ADDRESS:PORT, such as SASL_SSL://0.0.0.0:9093";
    let refuse = || wrong_value("listeners", text, mend);
    let (head, address) = text.split_once("://").ok_or_else(refuse)?;
    let (name, protocol) = match head.split_once('=') {
        Some((name, protocol)) => (Some(name), protocol),
        None => (None, head),
    };
    let protocols = [
        Protocol::Plaintext,
        Protocol::Ssl,
        Protocol::SaslPlaintext,
        Protocol::SaslSsl,
    ];
    let protocol = protocols.into_iter().find(|known| known.name() == protocol);
    let address: SocketAddr = address.parse().map_err(|_| refuse())?;
    let mut listener = Listener::new(protocol.ok_or_else(refuse)?, address);
    if let Some(name) = name {
        name.clone_into(&mut listener.name);
    }
    Ok(listener)
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// The settings that the platform's own clients need on `listener`: the protocol follows
/// from it, a login has to be told.
///
/// # Errors
/// If they cannot log in.
pub(crate) fn own_settings(
    listener: &Listener,
    mut settings: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let sasl = matches!(
        listener.protocol,
        Protocol::SaslPlaintext | Protocol::SaslSsl
    );
    let has = |name: &str| settings.contains_key(name);
    if sasl && !(has("sasl.username") || has("sasl.jaas.config")) {
        return Err(Error::invalid("the platform's own clients have no login")
            .with("listener", &listener.name)
            .mend(
                "name a user with \"sasl.username\" and \"sasl.password\" in the table [kafka] of \
                 the file that --config or --kafka-config names, or give them another listener \
                 with --platform-listener",
            ));
    }
    if sasl && !has("sasl.mechanism") && !has("sasl.mechanisms") {
        settings.insert("sasl.mechanism".into(), "SCRAM-SHA-256".into());
    }
    settings
        .entry("security.protocol".into())
        .or_insert_with(|| listener.protocol.name().into());
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PlatformFile> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mesh.toml");
        std::fs::write(&file, text).unwrap();
        let mut read = PlatformFile::read(&file)?;
        let users = read.broker.users_file.take();
        read.broker.users_file =
            users.map(|path| path.strip_prefix(folder.path()).unwrap().to_owned());
        Ok(read)
    }

    fn applied(options: &BrokerOptions) -> Result<BrokerConfig> {
        let mut config = BrokerConfig::new("data", ([127, 0, 0, 1], 0).into());
        options.apply(&mut config)?;
        Ok(config)
    }

    #[test]
    fn a_file_says_all_of_it_and_arguments_win() {
        let file = read(
            r#"
            [broker]
            listeners = ["IN=PLAINTEXT://127.0.0.1:9092", "SASL_SSL://[::]:9093"]
            advertised_listeners = ["SASL_SSL://kafka.bank.example:9093"]
            platform_listener = "SASL_SSL"
            tls_certificate = "/etc/mesh/server.pem"
            tls_key = "/etc/mesh/server.key"
            tls_client_ca = "/etc/mesh/clients.pem"
            sasl_mechanisms = ["PLAIN", "SCRAM-SHA-512"]
            users_file = "users.json"
            authorizer = true
            super_users = ["User:admin"]
            [kafka]
            "sasl.username" = "platform"
            "#,
        )
        .unwrap();
        assert_eq!(file.kafka["sasl.username"], "platform");
        let config = applied(&file.broker).unwrap();
        let [inside, outside] = config.listeners.as_slice() else {
            panic!("two listeners");
        };
        assert_eq!(
            (inside.name.as_str(), inside.protocol),
            ("IN", Protocol::Plaintext)
        );
        assert_eq!(
            outside.advertised,
            Some(("kafka.bank.example".into(), 9093))
        );
        let tls = config.security.tls.unwrap();
        assert_eq!(tls.client_auth, ClientAuth::Required);
        assert_eq!(config.security.sasl_mechanisms.len(), 2);
        assert_eq!(config.security.users_file.unwrap(), Path::new("users.json"));
        assert_eq!(
            config.security.authorizer.unwrap().super_users,
            ["User:admin"]
        );
        let own = file.broker.own_listener().unwrap().unwrap();
        let settings = own_settings(&own, file.kafka).unwrap();
        assert_eq!(settings["security.protocol"], "SASL_SSL");
        assert_eq!(settings["sasl.mechanism"], "SCRAM-SHA-256");

        let argument = BrokerOptions {
            super_users: Some(vec!["User:other".into()]),
            ..BrokerOptions::default()
        };
        let both = applied(&argument.over(file.broker)).unwrap();
        assert_eq!(
            both.security.authorizer.unwrap().super_users,
            ["User:other"]
        );
        assert_eq!(both.listeners.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_refused_with_a_mend_and_without_secrets() {
        for wrong in [
            "[broker]\nlisteners = [\"TLS://127.0.0.1:1\"]",
            "[broker]\nlisteners = [\"SSL://localhost\"]",
            "[broker]\nlisteners = [\"SSL://127.0.0.1:1\"]\nplatform_listener = \"B\"",
            "[broker]\nlisteners = [\"SSL://127.0.0.1:1\"]\nadvertised_listeners = [\"A://b:1\"]",
            "[broker]\ntls_key = \"a\"",
            "[broker]\ntls_certificate = \"a\"\ntls_key = \"b\"\ntls_client_auth = \"maybe\"",
            "[broker]\nsasl_mechanisms = [\"SCRAM\"]",
            "[broker]\nsuper_users = [\"User:admin\"]",
            "[broker]\nauthorizer = true\nsuper_users = [\"admin\"]",
            "[broker]\nlistener = []",
            "[kafka]\n\"sasl.password\" = [\"hush\"]",
            "hush = 1\n[kafka",
            "[platform]\n",
        ] {
            let outcome = read(wrong).and_then(|file| {
                applied(&file.broker)?;
                file.broker.own_listener()
            });
            let error = outcome.expect_err(wrong);
            assert!(error.mend_text().is_some(), "{wrong}");
            assert!(!format!("{error:?}{error}").contains("hush"), "{wrong}");
        }
        let listener = listener("SASL_SSL://127.0.0.1:1").unwrap();
        assert!(own_settings(&listener, BTreeMap::new()).is_err());
    }
}
