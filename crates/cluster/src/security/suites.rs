//! Which versions of TLS and which cipher suites a process uses.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{self, cipher_suite};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::SecurityError;

/// All suites that there are, with the names that OpenSSL has for them.
const KNOWN: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_256_GCM_SHA384", cipher_suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", cipher_suite::TLS13_AES_128_GCM_SHA256),
    ("TLS_CHACHA20_POLY1305_SHA256", cipher_suite::TLS13_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// The version that a text as `"1.3"` names.
    ///
    /// # Errors
    /// For any other than 1.2 and 1.3.
    pub fn parse(text: &str) -> Result<Self, SecurityError> {
        match text {
            "1.2" => Ok(Self::V1_2),
            "1.3" => Ok(Self::V1_3),
            other => Err(SecurityError::Unusable {
                what: format!("{other:?} as a version of TLS"),
                reason: "there are \"1.2\" and \"1.3\"".to_owned(),
            }),
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1_2 => "TLS 1.2",
            Self::V1_3 => "TLS 1.3",
        })
    }
}

/// The versions and suites that one process allows.
#[derive(Clone, Debug)]
pub(super) struct Suites {
    lowest: TlsVersion,
    highest: TlsVersion,
    suites: Vec<SupportedCipherSuite>,
    are_named: bool,
}

impl Suites {
    /// What lies between two versions, and of that what is named, in the order of the names.
    ///
    /// TLS 1.3 is all that is used where nothing is said, since all members speak it. As with
    /// OpenSSL, names of suites of TLS 1.2 alone leave those of 1.3 as they are; the other way round
    /// 1.2 is not used at all.
    ///
    /// # Errors
    /// For versions in the wrong order, and for names that are unknown or leave nothing to use.
    pub(super) fn new(
        lowest: Option<TlsVersion>,
        highest: Option<TlsVersion>,
        names: Option<&str>,
    ) -> Result<Self, SecurityError> {
        let highest = highest.unwrap_or(TlsVersion::V1_3);
        let mut lowest = lowest.unwrap_or(highest);
        if lowest > highest {
            return Err(SecurityError::Unusable {
                what: format!("the lowest version {lowest} with the highest version {highest}"),
                reason: "the lowest one is above the highest one".to_owned(),
            });
        }
        let Some(names) = names else {
            let suites = KNOWN.iter().map(|(_, suite)| *suite).collect();
            return Ok(Self { lowest, highest, suites, are_named: false });
        };
        let mut suites = named(names)?;
        let has = |version| suites.iter().any(|suite| version_of(*suite) == version);
        let (old, new) = (has(TlsVersion::V1_2), has(TlsVersion::V1_3));
        let nothing = |version, other| SecurityError::Unusable {
            what: format!("the list of ciphers {names:?}"),
            reason: format!(
                "all of its ciphers are of {other}, and {version} alone is allowed; allow {other} \
                 too, or name ciphers of {version}"
            ),
        };
        if !new && lowest == TlsVersion::V1_3 {
            return Err(nothing(TlsVersion::V1_3, TlsVersion::V1_2));
        }
        if !old {
            if highest == TlsVersion::V1_2 {
                return Err(nothing(TlsVersion::V1_2, TlsVersion::V1_3));
            }
            lowest = TlsVersion::V1_3;
        }
        if !new {
            let others = KNOWN.iter().map(|(_, suite)| *suite);
            suites.extend(others.filter(|suite| version_of(*suite) == TlsVersion::V1_3));
        }
        Ok(Self { lowest, highest, suites, are_named: true })
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        let cipher_suites = self.suites.clone();
        Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() })
    }

    pub(super) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let all = [(TlsVersion::V1_2, &TLS12), (TlsVersion::V1_3, &TLS13)];
        let allowed = |version| self.lowest <= version && version <= self.highest;
        all.into_iter().filter(|(version, _)| allowed(*version)).map(|(_, kind)| kind).collect()
    }
}

impl fmt::Display for Suites {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lowest == self.highest {
            write!(formatter, "{} only", self.lowest)?;
        } else {
            write!(formatter, "{} and {}", self.lowest, self.highest)?;
        }
        if self.are_named {
            let name_of = |suite: &SupportedCipherSuite| {
                let found = KNOWN.iter().find(|(_, known)| known == suite);
                found.map_or("", |(name, _)| *name)
            };
            let names: Vec<_> = self.suites.iter().map(name_of).collect();
            write!(formatter, " with the ciphers {}", names.join(", "))?;
        }
        Ok(())
    }
}

fn version_of(suite: SupportedCipherSuite) -> TlsVersion {
    match suite {
        SupportedCipherSuite::Tls12(_) => TlsVersion::V1_2,
        SupportedCipherSuite::Tls13(_) => TlsVersion::V1_3,
    }
}

/// The suites of a list as OpenSSL takes it, of names alone.
fn named(text: &str) -> Result<Vec<SupportedCipherSuite>, SecurityError> {
    let names: Vec<_> = text.split([':', ',', ' ']).filter(|name| !name.is_empty()).collect();
    let unusable = |what: String| {
        let known: Vec<_> = KNOWN.iter().map(|(name, _)| *name).collect();
        let reason =
            format!("name some of those that there are, with colons between: {}", known.join(", "));
        SecurityError::Unusable { what, reason }
    };
    if names.is_empty() {
        return Err(unusable(format!("the list of ciphers {text:?}")));
    }
    let mut found: Vec<SupportedCipherSuite> = Vec::with_capacity(names.len());
    for name in names {
        let Some((_, suite)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return Err(unusable(format!("the cipher {name:?}")));
        };
        if !found.contains(suite) {
            found.push(*suite);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(
        lowest: Option<TlsVersion>,
        highest: Option<TlsVersion>,
        names: Option<&str>,
    ) -> Result<String, String> {
        let made = Suites::new(lowest, highest, names);
        made.map(|suites| suites.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn versions_are_between_the_two() {
        use TlsVersion::{V1_2, V1_3};
        assert_eq!(said(None, None, None).unwrap(), "TLS 1.3 only");
        assert_eq!(said(None, Some(V1_2), None).unwrap(), "TLS 1.2 only");
        assert_eq!(said(Some(V1_2), None, None).unwrap(), "TLS 1.2 and TLS 1.3");
        assert!(said(Some(V1_3), Some(V1_2), None).unwrap_err().contains("above the highest"));
        assert!(TlsVersion::parse("1.1").unwrap_err().to_string().contains("\"1.2\" and \"1.3\""));
    }

    #[test]
    fn all_suites_of_the_provider_have_a_name() {
        let ours: Vec<_> = KNOWN.iter().map(|(_, suite)| *suite).collect();
        assert_eq!(ours, ring::default_provider().cipher_suites);
    }

    #[test]
    fn named_suites_are_the_only_ones_of_their_version() {
        use TlsVersion::V1_2;
        let one = said(None, None, Some("TLS_AES_128_GCM_SHA256")).unwrap();
        assert_eq!(one, "TLS 1.3 only with the ciphers TLS_AES_128_GCM_SHA256");
        // The lowest version rises: a suite that nobody named is not used.
        assert_eq!(said(Some(V1_2), None, Some("TLS_AES_128_GCM_SHA256")).unwrap(), one);
        let old = said(Some(V1_2), None, Some("ECDHE-RSA-AES128-GCM-SHA256")).unwrap();
        assert!(old.contains("ECDHE-RSA-AES128-GCM-SHA256, TLS_AES_256_GCM_SHA384"), "{old}");
        assert!(!old.contains("ECDSA"), "{old}");
    }

    #[test]
    fn names_that_leave_nothing_are_errors() {
        use TlsVersion::V1_2;
        for (highest, names, word) in [
            (None, "ECDHE-RSA-AES128-GCM-SHA256", "allow TLS 1.2 too"),
            (Some(V1_2), "TLS_AES_128_GCM_SHA256", "allow TLS 1.3 too"),
            (None, "TLS_AES_128_GCM_SHA256:AES128-SHA", "\"AES128-SHA\""),
            (None, "HIGH", "TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256"),
            (None, " : ", "\" : \""),
        ] {
            let error = said(None, highest, Some(names)).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
