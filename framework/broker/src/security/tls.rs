//! TLS for listeners: PEM files to a server's configuration, read again when they change.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mesh_core::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::config::{ClientAuth, TlsConfig};
use super::names;
use super::principal::Principal;
use super::stamp::Stamp;
use crate::sync::lock;

/// How often the files are looked at, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The TLS side of the listeners.
pub(crate) struct Tls {
    files: TlsConfig,
    state: Mutex<State>,
}

struct State {
    looked: Instant,
    stamp: Stamp,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: TlsConfig) -> Result<Self> {
        let stamp = stamp(&files);
        let config = load(&files)?;
        let state = Mutex::new(State {
            looked: Instant::now(),
            stamp,
            config,
        });
        Ok(Self { files, state })
    }

    /// What the next connection is accepted with. Changed files that cannot be used leave
    /// the ones before in force, and the log says so.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut state = lock(&self.state);
        if state.looked.elapsed() >= LOOK_AGAIN {
            state.looked = Instant::now();
            let stamp = stamp(&self.files);
            if stamp != state.stamp {
                state.stamp = stamp;
                match load(&self.files) {
                    Ok(config) => {
                        state.config = config;
                        tracing::info!("certificates read again");
                    }
                    Err(error) => {
                        tracing::error!(error = error.log_line(), "the certificates before stay");
                    }
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&state.config))
    }
}

/// Who a client's certificate says it is; `None` when its name cannot be read.
pub(crate) fn principal(certificate: &CertificateDer<'_>) -> Option<Principal> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    names::distinguished(certificate.subject()).map(|name| Principal::user(&name))
}

fn stamp(files: &TlsConfig) -> Stamp {
    let paths = [&files.certificate_chain, &files.private_key];
    Stamp::of(
        paths
            .into_iter()
            .chain(&files.client_ca)
            .map(std::path::PathBuf::as_path),
    )
}

fn load(files: &TlsConfig) -> Result<Arc<ServerConfig>> {
    let chain = certificates(&files.certificate_chain)?;
    let key = PrivateKeyDer::from_pem_file(&files.private_key).map_err(|error| {
        unfit("the private key cannot be read", &files.private_key)
            .mend(
                "name a PEM file that the process may read, with one PKCS#8, PKCS#1 or SEC1 key \
                 that is not encrypted (`openssl pkcs8 -topk8 -nocrypt` makes one)",
            )
            .because(error)
    })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up").because(error))?;
    let builder = match (files.client_auth, &files.client_ca) {
        (ClientAuth::None, _) => builder.with_no_client_auth(),
        (asked, Some(path)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| {
                    unfit("a certificate authority cannot be used", path)
                        .mend("name a PEM file of X.509 certificates")
                        .because(error)
                })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match asked {
                ClientAuth::Required => verifier,
                _ => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| {
                unfit("the certificate authorities cannot be used", path)
                    .mend("name a PEM file of X.509 certificates")
                    .because(error)
            })?;
            builder.with_client_cert_verifier(verifier)
        }
        (_, None) => {
            return Err(
                Error::invalid("client certificates are asked for and cannot be checked")
                    .with("field", "client_ca")
                    .mend("name the PEM file of the authorities that sign them"),
            );
        }
    };
    let config = builder.with_single_cert(chain, key).map_err(|error| {
        unfit(
            "certificate and private key do not fit",
            &files.certificate_chain,
        )
        .with("key", files.private_key.display())
        .mend(
            "put the server's own certificate first in the chain, and name the key it was made for",
        )
        .because(error)
    })?;
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = || {
        unfit("there are no certificates to read", path)
            .mend("name a PEM file with BEGIN CERTIFICATE in it that the process may read")
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| refuse().because(error))?;
    match found.is_empty() {
        true => Err(refuse()),
        false => Ok(found),
    }
}

fn unfit(message: &'static str, path: &Path) -> Error {
    Error::new(ErrorKind::FailedPrecondition, message).with("file", path.display())
}
