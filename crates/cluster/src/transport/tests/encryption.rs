//! Versions of TLS and ciphers: what one end allows, the other must allow too.

use super::*;
use crate::security::{Pem, SecurityOptions, TlsVersion};
use TlsVersion::{V1_2, V1_3};

/// Makes members of one cluster that differ in the versions and ciphers they allow.
struct Cluster(rcgen::CertifiedKey<rcgen::KeyPair>);

impl Cluster {
    fn new() -> Self {
        Self(rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap())
    }

    fn member(
        &self,
        lowest_version: TlsVersion,
        highest_version: TlsVersion,
        ciphers: Option<&str>,
    ) -> Security {
        let Self(made) = self;
        Security::new(SecurityOptions {
            token: Some(Token::new("a token of this test").unwrap()),
            authority: Some(Pem::Text(made.cert.pem())),
            certificate: Some(Pem::Text(made.cert.pem() + &made.signing_key.serialize_pem())),
            lowest_version: Some(lowest_version),
            highest_version: Some(highest_version),
            ciphers: ciphers.map(str::to_owned),
            ..SecurityOptions::default()
        })
        .unwrap()
    }
}

/// Calls a listener, and sends it a word where that was let in.
async fn call(
    caller: &Security,
    called: &Security,
) -> (Result<(), TransportError>, Result<(), TransportError>) {
    let address = "tls://127.0.0.1:0".parse().unwrap();
    let mut listener = Listener::bind(&address, called, Limits::default()).await.unwrap();
    let address = listener.address().clone();
    let options = at_once();
    let calling = soon(connect(&address, caller, &options));
    let (one, other) = tokio::join!(calling, soon(listener.accept()));
    match (one, other) {
        (Ok(one), Ok(mut other)) => {
            one.sender.send(Parcel::head("word")).await.unwrap();
            assert_eq!(bytes(&mut other.receiver).await.0, "word");
            (Ok(()), Ok(()))
        }
        (one, other) => (one.map(|_| ()), other.map(|_| ())),
    }
}

#[tokio::test]
async fn ends_with_something_in_common_talk() {
    let cluster = Cluster::new();
    let old = Some("ECDHE-ECDSA-AES128-GCM-SHA256");
    let new = Some("TLS_CHACHA20_POLY1305_SHA256");
    for (caller, called) in [
        (cluster.member(V1_2, V1_2, None), cluster.member(V1_2, V1_2, None)),
        (cluster.member(V1_2, V1_3, None), cluster.member(V1_3, V1_3, None)),
        (cluster.member(V1_2, V1_2, None), cluster.member(V1_2, V1_3, None)),
        (cluster.member(V1_2, V1_2, old), cluster.member(V1_2, V1_3, None)),
        (cluster.member(V1_3, V1_3, new), cluster.member(V1_3, V1_3, new)),
        // Suites of 1.2 alone leave those of 1.3 as they are.
        (cluster.member(V1_2, V1_3, old), cluster.member(V1_3, V1_3, new)),
    ] {
        let (one, other) = call(&caller, &called).await;
        one.unwrap();
        other.unwrap();
    }
}

#[tokio::test]
async fn ends_with_nothing_in_common_say_so() {
    let cluster = Cluster::new();
    let one = Some("TLS_AES_128_GCM_SHA256");
    let another = Some("TLS_CHACHA20_POLY1305_SHA256");
    let old = Some("ECDHE-ECDSA-AES128-GCM-SHA256");
    let older = Some("ECDHE-ECDSA-AES256-GCM-SHA384");
    for (caller, called, word) in [
        (cluster.member(V1_2, V1_2, None), cluster.member(V1_3, V1_3, None), "TLS 1.2 only"),
        (cluster.member(V1_3, V1_3, None), cluster.member(V1_2, V1_2, None), "TLS 1.3 only"),
        (cluster.member(V1_3, V1_3, one), cluster.member(V1_3, V1_3, another), "_AES_128_"),
        (cluster.member(V1_2, V1_2, old), cluster.member(V1_2, V1_2, older), "AES128"),
    ] {
        let (one, other) = call(&caller, &called).await;
        let (one, other) = (one.unwrap_err(), other.unwrap_err());
        assert!(matches!(one, TransportError::TlsDiffers { .. }), "{one:?}");
        assert!(matches!(other, TransportError::TlsDiffers { .. }), "{other:?}");
        assert!(one.to_string().contains(word), "{one}");
        assert!(one.to_string().contains("tls_min_version"), "{one}");
    }
}
