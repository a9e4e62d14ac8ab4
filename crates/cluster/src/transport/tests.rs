//! What all transports promise, and what hostile peers meet.

mod decoding;
mod encryption;
mod hostile;
mod ways;

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::security::{Credentials, Security, Token};

/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(20);

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("the test hangs")
}

fn token(text: &str) -> Security {
    Security::with_token(Token::new(text).unwrap())
}

fn at_once() -> ConnectOptions {
    ConnectOptions { retry: false, timeout: DEADLINE, ..ConnectOptions::default() }
}

/// A listener and a connection to it.
async fn pair(address: &str, security: &Security, limits: Limits) -> (Connection, Connection) {
    let address = address.parse().unwrap();
    let mut listener = Listener::bind(&address, security, limits.clone()).await.unwrap();
    let options = ConnectOptions { limits, ..at_once() };
    let address = listener.address().clone();
    let (called, accepted) =
        tokio::join!(connect(&address, security, &options), soon(listener.accept()));
    (called.unwrap(), accepted.unwrap())
}

async fn bytes(receiver: &mut Receiver) -> (Bytes, Vec<Bytes>) {
    match soon(receiver.receive()).await.unwrap() {
        Some(Parcel::Encoded { head, frames }) => (head, frames),
        other => panic!("{other:?}"),
    }
}

/// An address of each kind, with security that fits it.
fn all_kinds(folder: &tempfile::TempDir) -> Vec<(String, Security)> {
    let unix = format!("unix://{}", folder.path().join("socket").display());
    vec![
        ("tcp://127.0.0.1:0".to_owned(), token("a token of this test")),
        ("tcp://127.0.0.1:0".to_owned(), Security::open()),
        ("tls://127.0.0.1:0".to_owned(), Credentials::generate().unwrap().security().unwrap()),
        (unix, token("a token of this test")),
        ("inproc://".to_owned(), Security::open()),
    ]
}
