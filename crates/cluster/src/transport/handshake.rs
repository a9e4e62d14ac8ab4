//! The first words of a connection: versions, and the proof that both ends know the token.
//!
//! ```text
//! caller    HELLO: magic, versions, has a token, random number, release
//! listener  HELLO, then a verdict
//! caller    proof: HMAC-SHA256(token, "caller" ‖ transcript)
//! listener  verdict, then its proof: HMAC-SHA256(token, "listener" ‖ transcript ‖ the caller's)
//! ```
//!
//! The transcript is the version that was agreed on, both hellos and, under TLS, a secret of that
//! session (RFC 5705). A proof is so worth nothing in another session, in the other direction, for
//! another version or through somebody in the middle of a TLS session. Without a token the proofs
//! are zero. The challenge-response scheme is ISO/IEC 9798-4's mutual one with random numbers.

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::error::Versions;
use super::stream::{ReadHalf, WriteHalf};
use super::{Address, Refusal, TransportError};
use crate::security::Token;

/// The versions of the protocol that this code speaks.
const VERSIONS: (u16, u16) = (1, 1);
/// No text begins with these bytes, nor does a session of TLS.
const MAGIC: [u8; 8] = *b"\x9dSamite\n";
const NONCE: usize = 32;
const PROOF: usize = 32;
/// Magic, two versions, the flag, the random number and the length of the release.
const HELLO: usize = MAGIC.len() + 2 + 2 + 1 + NONCE + 1;

const WELCOME: u8 = 0;
const REFUSED_VERSION: u8 = 1;
const REFUSED_TOKEN_MISSING: u8 = 2;
const REFUSED_TOKEN_UNUSED: u8 = 3;
const REFUSED_TOKEN_WRONG: u8 = 4;
const REFUSED_FULL: u8 = 5;

/// Which end this one is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Caller,
    Listener,
}

/// What a hello says.
struct Hello {
    bytes: Vec<u8>,
    versions: (u16, u16),
    has_token: bool,
    release: String,
}

impl Hello {
    fn ours(token: Option<&Token>, versions: (u16, u16)) -> io::Result<Self> {
        let release = env!("CARGO_PKG_VERSION");
        let mut nonce = [0; NONCE];
        SysRng.try_fill_bytes(&mut nonce).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(HELLO + release.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&versions.0.to_le_bytes());
        bytes.extend_from_slice(&versions.1.to_le_bytes());
        bytes.push(u8::from(token.is_some()));
        bytes.extend_from_slice(&nonce);
        bytes.push(release.len() as u8);
        bytes.extend_from_slice(release.as_bytes());
        Ok(Self { bytes, versions, has_token: token.is_some(), release: release.to_owned() })
    }

    async fn theirs(half: &mut ReadHalf, peer: &Address) -> Result<Self, TransportError> {
        let mut bytes = vec![0; HELLO];
        // What is no hello may be shorter than one: the first byte tells.
        let (first, rest) = bytes.split_at_mut(1);
        let mut read = fill(half, first, peer).await?;
        if first.first() == MAGIC.first() {
            read += fill(half, rest, peer).await?;
        }
        if read == 0 {
            return Err(TransportError::Lost { address: peer.clone(), source: None });
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(foreign(peer, &bytes));
        }
        let malformed =
            || TransportError::Malformed { address: peer.clone(), reason: "a hello is too short" };
        if read < HELLO {
            return Err(malformed());
        }
        let word = |at: usize| {
            bytes
                .get(at..at + 2)
                .map_or(0, |pair| pair.iter().rfold(0, |word, byte| word << 8 | u16::from(*byte)))
        };
        let versions = (word(MAGIC.len()), word(MAGIC.len() + 2));
        let has_token = bytes.get(MAGIC.len() + 4) == Some(&1);
        let length = bytes.last().map_or(0, |length| usize::from(*length));
        let mut release = vec![0; length];
        if fill(half, &mut release, peer).await? < length {
            return Err(malformed());
        }
        bytes.extend_from_slice(&release);
        let plain = |character: &char| character.is_ascii_graphic();
        let release = String::from_utf8_lossy(&release).chars().filter(plain).collect();
        Ok(Self { bytes, versions, has_token, release })
    }
}

/// The version that both ends speak.
fn common(ours: (u16, u16), theirs: (u16, u16)) -> Option<u16> {
    let version = ours.1.min(theirs.1);
    (version >= ours.0.max(theirs.0)).then_some(version)
}

/// What it is that speaks there, from its first byte.
fn foreign(peer: &Address, bytes: &[u8]) -> TransportError {
    let found = match bytes.first() {
        Some(0x15 | 0x16) => "it speaks TLS; use an address that begins with tls://".to_owned(),
        Some(first) if first.is_ascii_graphic() => {
            format!("its first byte is {:?}, as of a web server or another program", *first as char)
        }
        Some(first) => format!("its first byte is {first:#04x}"),
        None => "it says nothing".to_owned(),
    };
    TransportError::Foreign { address: peer.clone(), found }
}

async fn fill(
    half: &mut ReadHalf,
    target: &mut [u8],
    peer: &Address,
) -> Result<usize, TransportError> {
    half.read_full(target).await.map_err(|source| TransportError::lost(peer, source))
}

async fn fill_all(
    half: &mut ReadHalf,
    target: &mut [u8],
    peer: &Address,
) -> Result<(), TransportError> {
    if fill(half, target, peer).await? < target.len() {
        return Err(TransportError::Lost { address: peer.clone(), source: None });
    }
    Ok(())
}

async fn say(half: &mut WriteHalf, bytes: &[u8], peer: &Address) -> Result<(), TransportError> {
    half.write_full(bytes).await.map_err(|source| TransportError::lost(peer, source))
}

/// The proof of knowing the token, where there is one.
fn proof(token: Option<&Token>, label: &[u8], transcript: &[&[u8]]) -> [u8; PROOF] {
    let Some(token) = token else { return [0; PROOF] };
    // A key of any length is good for this construction, so that there is no error to tell.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.bytes()) else { return [0; PROOF] };
    for part in std::iter::once(&label).chain(transcript) {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Speaks the first words.
///
/// `binding` is the secret of the TLS session, if there is one. A listener that is `full` says so.
///
/// # Errors
/// What the two ends do not agree on; both get an error that says it.
pub(super) async fn shake_hands(
    end: End,
    halves: (&mut ReadHalf, &mut WriteHalf),
    peer: &Address,
    token: Option<&Token>,
    binding: &[u8],
    full: bool,
) -> Result<(), TransportError> {
    speak(end, halves, peer, token, binding, full, VERSIONS).await
}

async fn speak(
    end: End,
    (reading, writing): (&mut ReadHalf, &mut WriteHalf),
    peer: &Address,
    token: Option<&Token>,
    binding: &[u8],
    full: bool,
    versions: (u16, u16),
) -> Result<(), TransportError> {
    let ours = Hello::ours(token, versions).map_err(|source| TransportError::lost(peer, source))?;
    if end == End::Caller {
        say(writing, &ours.bytes, peer).await?;
    }
    let theirs = Hello::theirs(reading, peer).await?;
    let version = common(ours.versions, theirs.versions);
    let verdict = match (version, ours.has_token, theirs.has_token) {
        (None, _, _) => REFUSED_VERSION,
        (_, true, false) if end == End::Listener => REFUSED_TOKEN_MISSING,
        (_, false, true) if end == End::Listener => REFUSED_TOKEN_UNUSED,
        _ if full => REFUSED_FULL,
        _ => WELCOME,
    };
    let refusal = |verdict| refused(verdict, peer, &ours, &theirs);
    if end == End::Listener {
        say(writing, &ours.bytes, peer).await?;
        say(writing, &[verdict], peer).await?;
        if verdict != WELCOME {
            return Err(refusal(verdict));
        }
    } else {
        let mut verdict = [0];
        fill_all(reading, &mut verdict, peer).await?;
        if verdict != [WELCOME] {
            return Err(refusal(verdict[0]));
        }
        match (ours.has_token, theirs.has_token) {
            (true, false) => return Err(refusal(REFUSED_TOKEN_UNUSED)),
            (false, true) => return Err(refusal(REFUSED_TOKEN_MISSING)),
            _ => {}
        }
    }
    let Some(version) = version else { return Err(refusal(REFUSED_VERSION)) };
    let version = version.to_le_bytes();
    let (caller, listener) = match end {
        End::Caller => (&ours.bytes, &theirs.bytes),
        End::Listener => (&theirs.bytes, &ours.bytes),
    };
    let of_caller = proof(token, b"caller", &[&version, caller, listener, binding]);
    let of_listener = proof(token, b"listener", &[&version, caller, listener, binding, &of_caller]);
    let mut answer = [0; 1 + PROOF];
    if end == End::Caller {
        say(writing, &of_caller, peer).await?;
        fill_all(reading, &mut answer[..1], peer).await?;
        if answer[0] != WELCOME {
            return Err(refusal(answer[0]));
        }
        fill_all(reading, &mut answer[1..], peer).await?;
        if !bool::from(answer[1..].ct_eq(&of_listener)) {
            return Err(refusal(REFUSED_TOKEN_WRONG));
        }
        return Ok(());
    }
    let mut theirs = [0; PROOF];
    fill_all(reading, &mut theirs, peer).await?;
    if !bool::from(theirs.ct_eq(&of_caller)) {
        say(writing, &[REFUSED_TOKEN_WRONG], peer).await?;
        return Err(refusal(REFUSED_TOKEN_WRONG));
    }
    answer[0] = WELCOME;
    answer[1..].copy_from_slice(&of_listener);
    say(writing, &answer, peer).await
}

/// The error that a verdict stands for.
fn refused(verdict: u8, peer: &Address, ours: &Hello, theirs: &Hello) -> TransportError {
    let address = peer.clone();
    let named = |hello: &Hello| {
        let protocol = match hello.versions {
            (low, high) if low == high => low.to_string(),
            (low, high) => format!("{low} to {high}"),
        };
        Box::new(Versions { protocol, release: hello.release.clone() })
    };
    let reason = match verdict {
        REFUSED_TOKEN_MISSING => Refusal::TokenMissing,
        REFUSED_TOKEN_UNUSED => Refusal::TokenUnused,
        REFUSED_TOKEN_WRONG => Refusal::TokenWrong,
        REFUSED_FULL => return TransportError::Full { address },
        REFUSED_VERSION => {
            let (theirs, ours) = (named(theirs), named(ours));
            return TransportError::Version { address, theirs, ours };
        }
        _ => {
            let reason = "a verdict of the handshake is unknown";
            return TransportError::Malformed { address, reason };
        }
    };
    TransportError::Authentication { address, reason }
}
