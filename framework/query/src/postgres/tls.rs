//! TLS from PEM files.

use std::path::Path;
use std::sync::Arc;

use mesh_core::{Error, ErrorKind, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::DoorOptions;

impl DoorOptions {
    /// Serves TLS with the certificate and key of these PEM files, and binds logins to the
    /// certificate.
    ///
    /// # Errors
    /// If a file cannot be read, or the two do not fit.
    pub fn with_tls_files(mut self, certificate: &Path, key: &Path) -> Result<Self> {
        let unfit = |message: &'static str, file: &Path| {
            Error::new(ErrorKind::FailedPrecondition, message).with("file", file.display())
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| {
                unfit("the certificates cannot be read", certificate)
                    .mend("name a PEM file with BEGIN CERTIFICATE in it")
                    .because(error)
            })?;
        let own = chain.first().ok_or_else(|| {
            unfit("there is no certificate in the file", certificate)
                .mend("name a PEM file with BEGIN CERTIFICATE in it")
        })?;
        let own = own.as_ref().to_vec();
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
            unfit("the private key cannot be read", key)
                .mend("name a PEM file with one key that is not encrypted")
                .because(error)
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS cannot be set up").because(error))?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| {
                unfit("certificate and private key do not fit", certificate)
                    .with("key", key.display())
                    .mend("put the server's own certificate first in the chain, and name the key it was made for")
                    .because(error)
            })?;
        self.tls = Some(Arc::new(config));
        self.certificate = Some(own);
        Ok(self)
    }
}
