//! The secrets of a cluster, and the file in which they travel.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{NAME, Pem, Security, SecurityError, SecurityOptions};

/// The secret that all members of a cluster know. It is never sent: see the transport's handshake.
#[derive(Clone)]
pub struct Token(Arc<[u8]>);

impl Token {
    /// The least bytes of a token.
    pub const SHORTEST: usize = 16;

    /// A token of this text or these bytes.
    ///
    /// # Errors
    /// Where it is shorter than [`Token::SHORTEST`]: whoever hears a handshake could find it by
    /// trying.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, SecurityError> {
        let secret = secret.as_ref();
        if secret.len() < Self::SHORTEST {
            return Err(SecurityError::Unusable {
                what: "the token".to_owned(),
                reason: format!(
                    "it has {} bytes and takes at least {}, chosen at random",
                    secret.len(),
                    Self::SHORTEST
                ),
            });
        }
        Ok(Self(secret.into()))
    }

    /// 256 random bits, as text.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn generate() -> Result<Self, SecurityError> {
        let mut bits = [0_u8; 32];
        SysRng
            .try_fill_bytes(&mut bits)
            .map_err(|error| SecurityError::Random(error.to_string()))?;
        let text: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(text.as_bytes().into()))
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether bytes are the secret, in the same time wherever they differ.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(shown).into()
    }

    /// The secret as text, where it is text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl PartialEq for Token {
    /// Takes the same time wherever two tokens of one length differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(secret)")
    }
}

/// A token and certificates of one cluster, which all of its members share.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The token.
    pub token: Token,
    /// The authority's certificate, as PEM.
    pub authority: String,
    /// The members' certificate, as PEM.
    pub certificate: String,
    /// Its key, as PEM.
    pub key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(secret)")
    }
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Content {
    token: String,
    authority: String,
    certificate: String,
    key: String,
}

impl Credentials {
    /// New secrets. The authority's key is forgotten: it can sign nothing more.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn generate() -> Result<Self, SecurityError> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "samite cluster authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut member = CertificateParams::new(vec![NAME.to_owned()])?;
        member.distinguished_name.push(DnType::CommonName, "samite cluster member");
        member.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        member.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = member.signed_by(&key, &authority)?;
        Ok(Self {
            token: Token::generate()?,
            authority: authority.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Writes the secrets to a new file that only its owner can read. A file that is there is
    /// replaced, in one step.
    ///
    /// # Errors
    /// Where the file cannot be written, and where the token is no text.
    pub fn write(&self, path: &Path) -> Result<(), SecurityError> {
        let failed = |source| SecurityError::File {
            doing: "write the secrets to",
            path: path.to_owned(),
            source,
        };
        let token = self.token.text().ok_or_else(|| SecurityError::Unusable {
            what: "the token".to_owned(),
            reason: "a token in a file is text".to_owned(),
        })?;
        let content = Content {
            token: token.to_owned(),
            authority: self.authority.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        };
        let text = serde_json::to_string_pretty(&content).map_err(|error| failed(error.into()))?;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let unfinished = Path::new(&name);
        // One that a process of the same number left behind.
        _ = fs::remove_file(unfinished);
        let written = private_file(unfinished)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(unfinished, path));
        if written.is_err() {
            _ = fs::remove_file(unfinished);
        }
        written.map_err(failed)
    }

    /// Reads the secrets of a file.
    ///
    /// # Errors
    /// Where it cannot be read, is no such file, or can be read by other users.
    pub fn read(path: &Path) -> Result<Self, SecurityError> {
        let failed = |source| SecurityError::File {
            doing: "read the secrets of",
            path: path.to_owned(),
            source,
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(SecurityError::Exposed { path: path.to_owned(), mode });
            }
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let content: Content =
            serde_json::from_str(&text).map_err(|error| SecurityError::Unusable {
                what: path.display().to_string(),
                reason: format!("it is no security file of a cluster: {error}"),
            })?;
        let Content { token, authority, certificate, key } = content;
        Ok(Self { token: Token::new(token)?, authority, certificate, key })
    }

    /// What a process shows and asks for.
    ///
    /// # Errors
    /// Where the certificates are broken.
    pub fn security(&self) -> Result<Security, SecurityError> {
        Security::new(SecurityOptions {
            token: Some(self.token.clone()),
            authority: Some(Pem::Text(self.authority.clone())),
            certificate: Some(Pem::Text(self.certificate.clone())),
            key: Some(Pem::Text(self.key.clone())),
            require_encryption: true,
            ..SecurityOptions::default()
        })
    }
}

/// A new file that only its owner can read, from the first moment on.
fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
