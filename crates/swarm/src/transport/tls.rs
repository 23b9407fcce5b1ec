//! TLS with the files that docker uses.

use std::io;
use std::path::Path;
use std::sync::Arc;

use imgstack_spec::Endpoint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::ConnectFailure;
use crate::{Error, TlsFiles};

/// Speaks TLS to one host.
pub(super) struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
    has_certificate: bool,
}

impl Connector {
    /// Reads the files. Nothing is read again later.
    pub(super) fn new(endpoint: &Endpoint, host: &str, files: &TlsFiles) -> Result<Self, Error> {
        let no = |cause: String| Error::Connect {
            endpoint: Box::new(endpoint.clone()),
            failure: ConnectFailure::Tls,
            cause,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| no(error.to_string()))?;
        let config = config(files).map_err(no)?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            has_certificate: files.client.is_some(),
        })
    }

    pub(super) async fn connect(&self, far: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), far).await
    }

    /// What rustls says, without the words around it.
    pub(super) fn words(&self, error: &io::Error) -> String {
        match rustls_error(error) {
            Some(rustls::Error::InvalidMessage(_)) => "what answers there speaks no TLS".to_owned(),
            Some(rustls::Error::AlertReceived(alert)) if self.has_certificate => {
                format!("the engine refuses our certificate ({alert:?})")
            }
            Some(rustls::Error::AlertReceived(alert)) => {
                format!("the engine asks for a certificate, and there is none ({alert:?})")
            }
            Some(other) => other.to_string(),
            None => error.to_string(),
        }
    }
}

fn config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if files.skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(roots(files.ca.as_deref())?)
    };
    match &files.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, &error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("{}: {error}", certificate.display()))
        }
    }
}

/// Who may sign: the CA file, else whom the system trusts.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(system.certs);
        }
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| pem(path, &error))?;
    if all.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(all)
}

fn pem(path: &Path, error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            format!("{} holds no key", path.display())
        }
        other => format!("{}: {other}", path.display()),
    }
}

/// Whether the other side broke TLS off.
pub(super) fn is_alert(error: &io::Error) -> bool {
    matches!(rustls_error(error), Some(rustls::Error::AlertReceived(_)))
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Believes any certificate, as docker does with `SkipTLSVerify`. That whoever
/// shows it also has its key is still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
