//! Who may talk to a cluster: a token that all of its members know, and certificates.
//!
//! A cluster is closed unless [`Security::open`] is asked for. [`Credentials::generate`] makes a
//! token and certificates, which travel in a file that only its owner can read. The certificates
//! say that a peer is a member of the cluster, not which machine it is: as with Dask, names of
//! hosts are compared only where [`SecurityOptions::verify_names`] asks for it.

mod credentials;
mod members;
mod suites;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub use credentials::{Credentials, Token};
pub use suites::TlsVersion;

use crate::transport::{Address, TransportError};
use members::Members;
use suites::Suites;

/// The name that generated certificates are for, and that peers without one of their own go by.
const NAME: &str = "samite.invalid";

/// What cannot be used as credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can read a file of secrets.
    #[error(
        "{} can be read by other users (mode {mode:03o}): it holds the secrets of a cluster; run \
         chmod 600 on it, or make a new one", path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file is not what it should be.
    #[error("{what} is not usable: {reason}")]
    Unusable {
        /// The file or the setting.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificates come with a key and the authority's certificate.
    #[error("TLS takes an authority's certificate, a certificate and a key: {0} is missing")]
    Incomplete(&'static str),
    /// The certificates do not fit together.
    #[error("the certificates cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// Making certificates failed.
    #[error("cannot make certificates: {0}")]
    Generate(#[from] rcgen::Error),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// A certificate or a key: text in the PEM format, or the path of a file of it.
#[derive(Clone, Debug)]
pub enum Pem {
    /// The text.
    Text(String),
    /// The file.
    Path(PathBuf),
}

impl Pem {
    /// Text that has PEM's marks is taken as it is; other text is a path.
    pub fn guess(text: &str) -> Self {
        if text.contains("-----BEGIN") {
            Self::Text(text.to_owned())
        } else {
            Self::Path(text.into())
        }
    }

    fn read(&self) -> Result<Vec<u8>, SecurityError> {
        match self {
            Self::Text(text) => Ok(text.as_bytes().to_vec()),
            Self::Path(path) => std::fs::read(path).map_err(|source| SecurityError::File {
                doing: "read",
                path: path.clone(),
                source,
            }),
        }
    }

    fn name(&self, what: &'static str) -> String {
        match self {
            Self::Text(_) => what.to_owned(),
            Self::Path(path) => format!("{} ({what})", path.display()),
        }
    }
}

/// What a [`Security`] is made of.
#[derive(Clone, Debug, Default)]
pub struct SecurityOptions {
    /// The secret that all members know.
    pub token: Option<Token>,
    /// The certificates that members' certificates are signed by, or are.
    pub authority: Option<Pem>,
    /// This member's certificate, with those between it and the authority.
    pub certificate: Option<Pem>,
    /// The certificate's key; where it is missing, it stands with the certificate.
    pub key: Option<Pem>,
    /// Whether connections over a network must be encrypted.
    pub require_encryption: bool,
    /// Whether a certificate must be for the host that was called.
    pub verify_names: bool,
    /// The lowest version of TLS; without one, the highest.
    pub lowest_version: Option<TlsVersion>,
    /// The highest version of TLS; without one, 1.3.
    pub highest_version: Option<TlsVersion>,
    /// Cipher suites by OpenSSL's names, with colons between; without them, all that there are.
    pub ciphers: Option<String>,
}

/// Who may talk to a cluster, and what this process shows for it.
#[derive(Clone)]
pub struct Security {
    token: Option<Token>,
    tls: Option<Tls>,
    require_encryption: bool,
}

#[derive(Clone)]
struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    verify_names: bool,
    suites: Suites,
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Security")
            .field("token", &self.token.is_some())
            .field("tls", &self.tls.is_some())
            .field("require_encryption", &self.require_encryption)
            .finish()
    }
}

impl Security {
    /// No token and no certificates: whoever reaches a listener may use it, which means to run any
    /// code there.
    pub fn open() -> Self {
        Self { token: None, tls: None, require_encryption: false }
    }

    /// A token alone.
    pub fn with_token(token: Token) -> Self {
        Self { token: Some(token), tls: None, require_encryption: false }
    }

    /// What the options say.
    ///
    /// # Errors
    /// Where a certificate or key is missing, cannot be read or does not fit the others; where a
    /// cipher is unknown, or nothing is left of versions and ciphers.
    pub fn new(options: SecurityOptions) -> Result<Self, SecurityError> {
        let tls = Tls::new(&options)?;
        let SecurityOptions { token, require_encryption, .. } = options;
        Ok(Self { token, tls, require_encryption })
    }

    /// The token, where there is one.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Whether there are certificates, so that `tls://` can be used.
    pub fn has_certificates(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether an address can be used with what there is.
    pub(crate) fn check(&self, address: &Address) -> Result<(), TransportError> {
        let reason = match address {
            Address::Tls { .. } if self.tls.is_none() => {
                "there are no certificates; give an authority, a certificate and a key, or the \
                 scheduler file of the cluster"
            }
            Address::Tcp { .. } if self.require_encryption => {
                "encryption is required; use an address that begins with tls://"
            }
            _ => return Ok(()),
        };
        Err(TransportError::Security { address: address.clone(), reason: reason.to_owned() })
    }

    /// The calling end of a TLS session.
    pub(crate) async fn call(
        &self,
        address: &Address,
        host: &str,
        tcp: TcpStream,
    ) -> Result<client::TlsStream<TcpStream>, TransportError> {
        self.check(address)?;
        let failed = |source| self.tls_failed(address, source);
        let missing = || failed(io::Error::other("there are no certificates"));
        let tls = self.tls.as_ref().ok_or_else(missing)?;
        let name = if tls.verify_names { host } else { NAME };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        TlsConnector::from(Arc::clone(&tls.client)).connect(name, tcp).await.map_err(failed)
    }

    /// The listening end of a TLS session.
    pub(crate) async fn answer(
        &self,
        peer: &Address,
        tcp: TcpStream,
    ) -> Result<server::TlsStream<TcpStream>, TransportError> {
        let failed = |source| self.tls_failed(peer, source);
        let missing = || failed(io::Error::other("there are no certificates"));
        let tls = self.tls.as_ref().ok_or_else(missing)?;
        TlsAcceptor::from(Arc::clone(&tls.server)).accept(tcp).await.map_err(failed)
    }

    /// The error of a TLS session that did not come about.
    fn tls_failed(&self, address: &Address, source: io::Error) -> TransportError {
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let differs = matches!(
            inner,
            Some(
                rustls::Error::PeerIncompatible(_)
                    | rustls::Error::AlertReceived(
                        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure
                    )
            )
        );
        let (address, source) = (address.clone(), Arc::new(source));
        match &self.tls {
            Some(tls) if differs => {
                TransportError::TlsDiffers { address, allowed: tls.suites.to_string(), source }
            }
            _ => TransportError::Tls { address, source },
        }
    }

    /// What serves web pages to browsers, which have no certificate of the cluster.
    ///
    /// # Errors
    /// Where certificate and key do not fit.
    pub fn web_server(
        certificate: &Pem,
        key: Option<&Pem>,
    ) -> Result<Arc<ServerConfig>, SecurityError> {
        let chain = certificates(certificate, "the certificate")?;
        let key = private_key(key.unwrap_or(certificate))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }
}

impl Tls {
    fn new(options: &SecurityOptions) -> Result<Option<Self>, SecurityError> {
        let SecurityOptions { authority, certificate, key, verify_names, .. } = options;
        let suites = Suites::new(
            options.lowest_version,
            options.highest_version,
            options.ciphers.as_deref(),
        )?;
        let (authority, certificate) = match (authority, certificate, key) {
            (None, None, None) => return Ok(None),
            (None, _, _) => return Err(SecurityError::Incomplete("the authority's certificate")),
            (_, None, _) => return Err(SecurityError::Incomplete("the certificate")),
            (Some(authority), Some(certificate), _) => (authority, certificate),
        };
        let chain = certificates(certificate, "the certificate")?;
        let key = private_key(key.as_ref().unwrap_or(certificate))?;
        let known = certificates(authority, "the authority's certificate")?;
        let mut roots = RootCertStore::empty();
        for certificate in &known {
            roots.add(certificate.clone())?;
        }
        let (provider, versions) = (suites.provider(), suites.versions());
        let members = Members::new(roots, known, *verify_names, Arc::clone(&provider))?;
        let members = Arc::new(members);
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&members) as _)
            .with_client_auth_cert(chain.clone(), key.clone_key())?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_client_cert_verifier(members)
            .with_single_cert(chain, key)?;
        // The proofs of the token are bound to the session's secret, which TLS 1.2 ties to one
        // session only with its extended master secret (RFC 7627).
        client.require_ems = true;
        server.require_ems = true;
        let (client, server) = (Arc::new(client), Arc::new(server));
        Ok(Some(Self { client, server, verify_names: *verify_names, suites }))
    }
}

fn certificates(
    pem: &Pem,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let text = pem.read()?;
    let unusable = |reason| SecurityError::Unusable { what: pem.name(what), reason };
    let found = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, SecurityError> {
    PrivateKeyDer::from_pem_slice(&pem.read()?).map_err(|error| SecurityError::Unusable {
        what: pem.name("the key"),
        reason: error.to_string(),
    })
}
