//! Where a scheduler or a worker listens.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::TransportError;

/// Where to listen or connect: `tcp://host:port`, `tls://host:port`, `unix://path` or
/// `inproc://name`. Text without a scheme is an address of TCP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// Plain TCP. An empty host listens on all interfaces; port zero takes a free one.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// TLS over TCP.
    Tls {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system of this machine.
    Unix(PathBuf),
    /// A listener of this process. An empty name takes a free one.
    InProcess(String),
}

impl Address {
    /// The scheme: `tcp`, `tls`, `unix` or `inproc`.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => "tcp",
            Self::Tls { .. } => "tls",
            Self::Unix(_) => "unix",
            Self::InProcess(_) => "inproc",
        }
    }

    /// The host and the port, where there are such.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        match self {
            Self::Tcp { host, port } | Self::Tls { host, port } => Some((host, *port)),
            Self::Unix(_) | Self::InProcess(_) => None,
        }
    }

    /// The same kind of address with another host and port; itself where it has none.
    pub(super) fn with_host_and_port(&self, host: String, port: u16) -> Self {
        match self {
            Self::Tcp { .. } => Self::Tcp { host, port },
            Self::Tls { .. } => Self::Tls { host, port },
            other => other.clone(),
        }
    }

    /// The address that others connect to, where this one is of a listener: a listener on all
    /// interfaces is reached at the one that leads out of this machine.
    pub fn contact(&self) -> Self {
        let Some((host, port)) = self.host_and_port() else { return self.clone() };
        let everywhere =
            host.is_empty() || host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
        if !everywhere {
            return self.clone();
        }
        let outward = if host.contains(':') {
            outward_address((Ipv6Addr::UNSPECIFIED, 0), "[2001:db8::1]:9")
        } else {
            outward_address((Ipv4Addr::UNSPECIFIED, 0), "192.0.2.1:9")
        };
        let host = match outward {
            Some(address) => address.to_string(),
            None if host.contains(':') => Ipv6Addr::LOCALHOST.to_string(),
            None => Ipv4Addr::LOCALHOST.to_string(),
        };
        self.with_host_and_port(host, port)
    }

    /// Whether it can only be reached from this machine.
    pub fn is_loopback(&self) -> bool {
        match self.host_and_port() {
            Some((host, _)) => {
                host == "localhost"
                    || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => true,
        }
    }
}

/// The address of this machine from which packets to `target` would leave. Connecting a datagram
/// socket sends nothing.
fn outward_address(from: (impl Into<IpAddr>, u16), target: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind((from.0.into(), from.1)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } | Self::Tls { host, port } if host.contains(':') => {
                write!(formatter, "{}://[{host}]:{port}", self.scheme())
            }
            Self::Tcp { host, port } | Self::Tls { host, port } => {
                write!(formatter, "{}://{host}:{port}", self.scheme())
            }
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::InProcess(name) => write!(formatter, "inproc://{name}"),
        }
    }
}

impl FromStr for Address {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        let invalid = |reason| TransportError::InvalidAddress { text: text.to_owned(), reason };
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        match scheme {
            "tcp" => host_and_port(rest).map(|(host, port)| Self::Tcp { host, port }),
            "tls" => host_and_port(rest).map(|(host, port)| Self::Tls { host, port }),
            "unix" if rest.is_empty() => Err("a Unix socket needs a path"),
            "unix" if rest.contains('\0') => Err("a path has no zero bytes"),
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "inproc" => Ok(Self::InProcess(rest.to_owned())),
            _ => Err("the scheme must be tcp, tls, unix or inproc"),
        }
        .map_err(invalid)
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("a bracket is not closed")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("what is in brackets is no IPv6 address");
            }
            match after.strip_prefix(':') {
                Some(port) => (host, port),
                None if after.is_empty() => (host, "0"),
                None => return Err("after the bracket comes a colon and the port"),
            }
        }
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err("an IPv6 address stands in brackets");
            }
            Some(parts) => parts,
            None => (text, "0"),
        },
    };
    let plain = |character: char| {
        character.is_alphanumeric() || matches!(character, '-' | '.' | '_' | ':' | '%')
    };
    if !host.chars().all(plain) {
        return Err("a host has letters, digits, dots and hyphens");
    }
    let port = port.parse().map_err(|_| "the port must be a number up to 65535")?;
    Ok((host.to_owned(), port))
}

impl TryFrom<String> for Address {
    type Error = TransportError;

    fn try_from(text: String) -> Result<Self, TransportError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in [
            "tcp://127.0.0.1:8786",
            "tls://host.example:1",
            "tcp://[::1]:80",
            "unix:///tmp/some socket",
            "inproc://x/1",
            "tcp://:0",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("host:5".parse::<Address>().unwrap().to_string(), "tcp://host:5");
        assert_eq!("tcp://host".parse::<Address>().unwrap().to_string(), "tcp://host:0");
        assert_eq!("[::1]".parse::<Address>().unwrap().to_string(), "tcp://[::1]:0");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for text in [
            "ucx://a:1",
            "tcp://a:b",
            "tcp://a:70000",
            "tcp://::1",
            "tcp://[::1",
            "unix://",
            "a b:1",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(text) && error.len() > text.len() + 10, "{error}");
        }
    }

    #[test]
    fn a_listener_on_all_interfaces_has_an_address_to_call() {
        for host in ["", "0.0.0.0", "::"] {
            let address = Address::Tcp { host: host.to_owned(), port: 7 };
            let (contact, port) = match address.contact() {
                Address::Tcp { host, port } => (host.parse::<IpAddr>().unwrap(), port),
                other => panic!("{other}"),
            };
            assert!(!contact.is_unspecified());
            assert_eq!(port, 7);
        }
    }
}
