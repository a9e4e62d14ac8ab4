//! Peers that break the rules: each gets an error of its own, and the listener serves the next one.

use super::*;
use crate::security::{Pem, SecurityOptions};

/// A listener on TCP, and a raw socket to it.
async fn raw(security: &Security, limits: Limits) -> (Listener, TcpStream) {
    let address = "tcp://127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&address, security, limits).await.unwrap();
    let stream = call(&listener).await;
    (listener, stream)
}

async fn call(listener: &Listener) -> TcpStream {
    TcpStream::connect(listener.address().host_and_port().unwrap()).await.unwrap()
}

/// The listener still takes a good peer.
async fn serves(listener: &mut Listener, security: &Security) {
    let address = listener.address().clone();
    let options = at_once();
    let calling = connect(&address, security, &options);
    let accepting = async {
        loop {
            if let Ok(connection) = listener.accept().await {
                return connection;
            }
        }
    };
    let (one, mut other) = soon(async { tokio::join!(calling, accepting) }).await;
    one.unwrap().sender.send(Parcel::head("good")).await.unwrap();
    assert_eq!(bytes(&mut other.receiver).await.0, "good");
}

/// Bytes of a first message as a caller without a token sends it.
fn hello(has_token: bool, versions: (u16, u16)) -> Vec<u8> {
    let mut bytes = b"\x9dSamite\n".to_vec();
    bytes.extend_from_slice(&versions.0.to_le_bytes());
    bytes.extend_from_slice(&versions.1.to_le_bytes());
    bytes.push(u8::from(has_token));
    bytes.extend_from_slice(&[7; 32]);
    bytes.push(5);
    bytes.extend_from_slice(b"9.9.9");
    bytes
}

/// What a listener says in the handshake before the proofs.
async fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut fixed = vec![0; 46];
    soon(stream.read_exact(&mut fixed)).await.unwrap();
    let mut rest = vec![0; usize::from(fixed[45]) + 1];
    soon(stream.read_exact(&mut rest)).await.unwrap();
    [fixed, rest].concat()
}

#[tokio::test]
async fn garbage_is_named_and_dropped() {
    let security = token("a token of this test");
    let limits = Limits { handshake_time: Duration::from_millis(300), ..Limits::default() };
    let (mut listener, _silent) = raw(&security, limits).await;
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    for (garbage, word) in [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "web server"),
        (tls_hello, "tls://"),
        (vec![0; 5000], "0x00"),
        (vec![0xff; 3], "0xff"),
    ] {
        let mut stream = call(&listener).await;
        stream.write_all(&garbage).await.unwrap();
        let error = soon(listener.accept()).await.unwrap_err();
        assert!(matches!(error, TransportError::Foreign { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
        // Nothing is said to whoever does not speak the protocol.
        let mut heard = Vec::new();
        _ = soon(stream.read_to_end(&mut heard)).await;
        assert!(heard.is_empty());
    }
    // The one that said nothing all the time, and one that ends in the middle of a word.
    let error = soon(listener.accept()).await.unwrap_err();
    assert!(matches!(error, TransportError::HandshakeTimeout { .. }), "{error:?}");
    let mut stream = call(&listener).await;
    stream.write_all(&hello(true, (1, 1))[..20]).await.unwrap();
    drop(stream);
    let error = soon(listener.accept()).await.unwrap_err();
    assert!(matches!(error, TransportError::Malformed { .. }), "{error:?}");
    serves(&mut listener, &security).await;
}

#[tokio::test]
async fn a_peer_that_sends_byte_by_byte_keeps_nobody_waiting() {
    let security = Security::open();
    let limits = Limits { handshake_time: Duration::from_millis(500), ..Limits::default() };
    let (mut listener, mut slow) = raw(&security, limits).await;
    let trickle = tokio::spawn(async move {
        for byte in hello(false, (1, 1)) {
            if slow.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    serves(&mut listener, &security).await;
    let error = soon(listener.accept()).await.unwrap_err();
    assert!(matches!(error, TransportError::HandshakeTimeout { .. }), "{error:?}");
    trickle.abort();
}

#[tokio::test]
async fn who_lacks_the_token_is_told_so_on_both_ends() {
    let security = token("a token of this test");
    for (theirs, reason) in [
        (token("another token of a test"), Refusal::TokenWrong),
        (Security::open(), Refusal::TokenMissing),
    ] {
        let (mut listener, _) = raw(&security, Limits::default()).await;
        let error = soon(connect(listener.address(), &theirs, &at_once())).await.unwrap_err();
        let same = |error: &TransportError| matches!(error, TransportError::Authentication { reason: r, .. } if *r == reason);
        assert!(same(&error), "{error:?}");
        let error = loop {
            match soon(listener.accept()).await.unwrap_err() {
                TransportError::Lost { .. } => {}
                error => break error,
            }
        };
        assert!(same(&error), "{error:?}");
    }
    // A caller with a token does not talk to a listener that might be anybody.
    let (listener, _) = raw(&Security::open(), Limits::default()).await;
    let error = soon(connect(listener.address(), &security, &at_once())).await.unwrap_err();
    let unused = Refusal::TokenUnused;
    assert!(
        matches!(error, TransportError::Authentication { reason, .. } if reason == unused),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_recorded_handshake_opens_nothing() {
    let security = token("a token of this test");
    let address = "tcp://127.0.0.1:0".parse().unwrap();
    let mut listener = Listener::bind(&address, &security, Limits::default()).await.unwrap();
    // Somebody between caller and listener records what the caller says.
    let middle = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = middle.local_addr().unwrap().port();
    let target = listener.address().clone();
    let recording = tokio::spawn(async move {
        let (caller, _) = middle.accept().await.unwrap();
        let there = TcpStream::connect(target.host_and_port().unwrap()).await.unwrap();
        let (mut from_caller, mut to_caller) = caller.into_split();
        let (mut from_there, mut to_there) = there.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_there, &mut to_caller).await });
        let mut recorded = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = from_caller.read(&mut buffer).await {
            recorded.extend_from_slice(&buffer[..read]);
            to_there.write_all(&buffer[..read]).await.unwrap();
        }
        recorded
    });
    let through = Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let one = soon(connect(&through, &security, &at_once())).await.unwrap();
    one.sender.send(Parcel::head("secret")).await.unwrap();
    let mut other = soon(listener.accept()).await.unwrap();
    assert_eq!(bytes(&mut other.receiver).await.0, "secret");
    drop((one, other));
    let recorded = soon(recording).await.unwrap();
    assert!(!recorded.windows(7).any(|window| window == b"a token"), "the token was sent");

    let mut stream = call(&listener).await;
    stream.write_all(&recorded).await.unwrap();
    let error = soon(listener.accept()).await.unwrap_err();
    let wrong = Refusal::TokenWrong;
    assert!(
        matches!(error, TransportError::Authentication { reason, .. } if reason == wrong),
        "{error:?}"
    );

    // In another order, it is not even a hello.
    let (first, second) = recorded.split_at(51);
    let mut stream = call(&listener).await;
    stream.write_all(&[second, first].concat()).await.unwrap();
    assert!(soon(listener.accept()).await.is_err());

    // What the listener says is no proof of a caller.
    let mut stream = call(&listener).await;
    stream.write_all(&hello(true, (1, 1))).await.unwrap();
    let said = answer(&mut stream).await;
    stream.write_all(&said[said.len() - 33..said.len() - 1]).await.unwrap();
    let mut verdict = [0];
    soon(stream.read_exact(&mut verdict)).await.unwrap();
    assert_ne!(verdict, [0]);
    assert!(soon(listener.accept()).await.is_err());
    serves(&mut listener, &security).await;
}

#[tokio::test]
async fn versions_that_do_not_meet_are_both_named() {
    let security = Security::open();
    let (mut listener, mut stream) = raw(&security, Limits::default()).await;
    stream.write_all(&hello(false, (3, 4))).await.unwrap();
    let said = answer(&mut stream).await;
    assert_eq!(said.last(), Some(&1));
    let error = soon(listener.accept()).await.unwrap_err();
    assert!(matches!(error, TransportError::Version { .. }), "{error:?}");
    for part in ["3 to 4", "9.9.9", "version 1", env!("CARGO_PKG_VERSION")] {
        assert!(error.to_string().contains(part), "{error} lacks {part}");
    }
    // The same at the caller, where the listener is the newer one.
    let newer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = newer.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = newer.accept().await.unwrap();
        let mut heard = vec![0; 46];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(&[hello(false, (2, 2)), vec![1]].concat()).await.unwrap();
        stream
    });
    let address = Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let error = soon(connect(&address, &security, &at_once())).await.unwrap_err();
    assert!(matches!(error, TransportError::Version { .. }), "{error:?}");
    assert!(error.to_string().contains("version 2"), "{error}");
    drop(answering);
    serves(&mut listener, &security).await;
}

/// A socket that has done the handshake, and the listener's end of it.
async fn entered(limits: Limits) -> (Connection, TcpStream) {
    let (mut listener, mut stream) = raw(&Security::open(), limits).await;
    stream.write_all(&hello(false, (1, 1))).await.unwrap();
    assert_eq!(answer(&mut stream).await.last(), Some(&0));
    stream.write_all(&[0; 32]).await.unwrap();
    let mut proof = [0; 33];
    soon(stream.read_exact(&mut proof)).await.unwrap();
    (soon(listener.accept()).await.unwrap(), stream)
}

#[tokio::test]
async fn lengths_that_are_too_large_end_the_connection_before_memory_is_taken() {
    let limits = Limits { frames: 1000, head_bytes: 1 << 20, ..Limits::default() };
    for (name, said) in [
        ("a head", vec![0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        ("frames", vec![0, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        ("a frame", [vec![0, 1, 0, 0, 0, 0, 0, 0], vec![0xff; 7], vec![0]].concat()),
        (
            "a parcel",
            [vec![0, 100, 0, 0, 0, 0, 0, 0], (60_u64 << 30).to_le_bytes().repeat(100)].concat(),
        ),
    ] {
        let (mut connection, mut stream) = entered(limits.clone()).await;
        stream.write_all(&said).await.unwrap();
        let error = soon(connection.receiver.receive()).await.unwrap_err();
        assert!(
            matches!(&error, TransportError::Limit { what, .. } if *what == name),
            "{name}: {error:?}"
        );
        assert!(soon(connection.receiver.receive()).await.is_err());
        assert!(soon(connection.sender.send(Parcel::head("late"))).await.is_err());
        // The peer finds its connection gone.
        let mut rest = Vec::new();
        drop(connection);
        _ = soon(stream.read_to_end(&mut rest)).await;
    }
}

#[tokio::test]
async fn what_is_no_parcel_ends_the_connection() {
    for said in [
        vec![9, 0, 0, 0, 0, 0, 0, 0],
        vec![1, 1, 0, 0, 0, 0, 0, 0],
        vec![2, 0, 0, 0, 1, 0, 0, 0],
        vec![0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 9],
        // A compressed frame without its length, and one that is broken.
        vec![0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4],
        vec![0, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0xff],
    ] {
        let (mut connection, mut stream) = entered(Limits::default()).await;
        stream.write_all(&said).await.unwrap();
        let error = soon(connection.receiver.receive()).await.unwrap_err();
        assert!(matches!(error, TransportError::Malformed { .. }), "{said:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_stream_that_stops_halfway_is_lost_and_not_ended() {
    for said in [vec![], vec![0, 0], vec![0, 0, 0, 0, 9, 0, 0, 0, 1, 2]] {
        let (mut connection, mut stream) = entered(Limits::default()).await;
        stream.write_all(&said).await.unwrap();
        // The peer closes its sending side only.
        stream.shutdown().await.unwrap();
        let error = soon(connection.receiver.receive()).await.unwrap_err();
        assert!(matches!(error, TransportError::Lost { .. }), "{error:?}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn certificates_of_another_cluster_are_refused() {
    let ours = Credentials::generate().unwrap();
    let theirs = Credentials::generate().unwrap();
    let address = "tls://127.0.0.1:0".parse().unwrap();
    let security = ours.security().unwrap();
    let mut listener = Listener::bind(&address, &security, Limits::default()).await.unwrap();
    let address = listener.address().clone();
    let refused = soon(connect(&address, &theirs.security().unwrap(), &at_once())).await;
    assert!(matches!(refused, Err(TransportError::Tls { .. })), "{refused:?}");
    assert!(matches!(soon(listener.accept()).await, Err(TransportError::Tls { .. })));
    // Who trusts the listener's authority needs a certificate of it too.
    let mixed = |authority: &Credentials, member: &Credentials| {
        Security::new(SecurityOptions {
            token: Some(ours.token.clone()),
            authority: Some(Pem::Text(authority.authority.clone())),
            certificate: Some(Pem::Text(member.certificate.clone())),
            key: Some(Pem::Text(member.key.clone())),
            ..SecurityOptions::default()
        })
        .unwrap()
    };
    let refused = soon(connect(&address, &mixed(&ours, &theirs), &at_once())).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(matches!(soon(listener.accept()).await, Err(TransportError::Tls { .. })));
    // Plain text is no TLS, and TLS is not spoken where it is not expected.
    let Address::Tls { host, port } = address.clone() else { panic!() };
    let plain = Address::Tcp { host, port };
    let token = Security::with_token(ours.token.clone());
    let error = soon(connect(&plain, &token, &at_once())).await.unwrap_err();
    assert!(error.to_string().contains("tls://"), "{error}");
    // Encryption that is required is not left out.
    let error = soon(connect(&plain, &security, &at_once())).await.unwrap_err();
    assert!(matches!(error, TransportError::Security { .. }), "{error:?}");
    let error = soon(connect(&address, &token, &at_once())).await.unwrap_err();
    assert!(matches!(error, TransportError::Security { .. }), "{error:?}");
    serves(&mut listener, &security).await;
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_its_own_authority() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let security = |verify_names| {
        Security::new(SecurityOptions {
            authority: Some(Pem::Text(made.cert.pem())),
            certificate: Some(Pem::Text(made.cert.pem() + &made.signing_key.serialize_pem())),
            verify_names,
            ..SecurityOptions::default()
        })
        .unwrap()
    };
    let (one, mut other) = pair("tls://127.0.0.1:0", &security(false), Limits::default()).await;
    one.sender.send(Parcel::head("own")).await.unwrap();
    assert_eq!(bytes(&mut other.receiver).await.0, "own");
    // Its name is looked at where that is asked for.
    let address = "tls://127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&address, &security(true), Limits::default()).await.unwrap();
    let refused = soon(connect(listener.address(), &security(true), &at_once())).await;
    assert!(matches!(refused, Err(TransportError::Tls { .. })), "{refused:?}");
}
