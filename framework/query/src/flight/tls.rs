//! TLS of the door.

use std::sync::Arc;

use mesh_core::{Error, Result};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::FlightTls;

/// What greets clients with `tls`. gRPC is HTTP/2 and says so in the greeting.
///
/// # Errors
/// If the certificate or its key cannot be used.
pub(super) fn acceptor(tls: &FlightTls) -> Result<TlsAcceptor> {
    let unusable = || {
        Error::invalid("the certificate or its key cannot be used")
            .mend("give both in PEM, the certificate with those that vouch for it")
    };
    let certificates = CertificateDer::pem_slice_iter(&tls.certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| unusable())?;
    let key = PrivateKeyDer::from_pem_slice(&tls.key).map_err(|_| unusable())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up").because(error))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|_| unusable())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
