//! Every transport delivers, in order, with back-pressure, and ends as it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parcels_arrive_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for (address, security) in all_kinds(&folder) {
        let (one, mut other) = pair(&address, &security, Limits::default()).await;
        let sizes = [0, 1, 100, 4095, 4096, 16_384, 16_385, 70_000, 300_000, 3_000_001];
        let sending = async {
            for (index, size) in sizes.iter().enumerate() {
                let frame = Bytes::from(vec![index as u8; *size]);
                let frames = vec![frame.clone(), Bytes::new(), frame.slice(..size / 2)];
                let head = Bytes::from(vec![0xa0 + index as u8; sizes[sizes.len() - 1 - index]]);
                soon(one.sender.send(Parcel::Encoded { head, frames })).await.unwrap();
            }
        };
        let receiving = async {
            for (index, size) in sizes.iter().enumerate() {
                let (head, frames) = bytes(&mut other.receiver).await;
                assert_eq!(head.len(), sizes[sizes.len() - 1 - index], "{address}");
                assert!(head.iter().all(|byte| *byte == 0xa0 + index as u8), "{address}");
                let lengths: Vec<_> = frames.iter().map(Bytes::len).collect();
                assert_eq!(lengths, [*size, 0, size / 2], "{address}");
                assert!(frames.iter().flatten().all(|byte| *byte == index as u8), "{address}");
            }
        };
        tokio::join!(sending, receiving);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_carry_many_small_parcels() {
    const COUNT: u32 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    for (address, security) in all_kinds(&folder) {
        let (one, other) = pair(&address, &security, Limits::default()).await;
        let mut tasks = Vec::new();
        for connection in [one, other] {
            let Connection { sender, mut receiver, .. } = connection;
            tasks.push(tokio::spawn(async move {
                for number in 0..COUNT {
                    let parcel = Parcel::head(number.to_le_bytes().to_vec());
                    if number % 3 == 0 { sender.post(parcel) } else { sender.send(parcel).await }
                        .unwrap();
                }
            }));
            tasks.push(tokio::spawn(async move {
                for number in 0..COUNT {
                    assert_eq!(*bytes(&mut receiver).await.0, number.to_le_bytes());
                }
                assert!(matches!(soon(receiver.receive()).await, Ok(None)));
                assert!(matches!(soon(receiver.receive()).await, Ok(None)));
            }));
        }
        for task in tasks {
            soon(task).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_waits_for_a_slow_peer_and_an_interrupted_receiver_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (address, security) in all_kinds(&folder) {
        let limits =
            Limits { in_flight_bytes: 1 << 20, queued_bytes: 4 << 20, ..Limits::default() };
        let (one, mut other) = pair(&address, &security, limits).await;
        let sent = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&sent);
        let sending = tokio::spawn(async move {
            for index in 0..200_u8 {
                let frames = vec![Bytes::from(vec![index; 500_000])];
                one.sender.send(Parcel::Encoded { head: Bytes::new(), frames }).await.unwrap();
                counting.fetch_add(1, Ordering::Relaxed);
            }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(sent.load(Ordering::Relaxed) < 100, "{address} holds nothing back");
        let mut received = 0_u8;
        while received < 200 {
            // The receiver is interrupted as often as it may be.
            let next = tokio::time::timeout(Duration::from_micros(30), other.receiver.receive());
            if let Ok(parcel) = next.await {
                let Some(Parcel::Encoded { frames, .. }) = parcel.unwrap() else { panic!() };
                assert_eq!(frames[0].len(), 500_000);
                assert!(frames[0].iter().all(|byte| *byte == received), "{address}");
                received += 1;
            }
        }
        soon(sending).await.unwrap();
    }
}

#[tokio::test]
async fn who_does_not_wait_is_refused_when_too_much_waits() {
    let folder = tempfile::tempdir().unwrap();
    for (address, security) in all_kinds(&folder) {
        let limits = Limits { queued_bytes: 8 << 20, ..Limits::default() };
        let (one, _other) = pair(&address, &security, limits).await;
        let parcel =
            || Parcel::Encoded { head: Bytes::new(), frames: vec![vec![1; 1 << 20].into()] };
        let refused = (0..200).find_map(|_| one.sender.post(parcel()).err());
        assert!(matches!(refused, Some(TransportError::Congested { .. })), "{address}");
    }
}

#[tokio::test]
async fn values_reach_this_process_only() {
    let (one, mut other) = pair("inproc://", &Security::open(), Limits::default()).await;
    assert!(one.peer.is_local && other.peer.is_local);
    let value = Arc::new(17_u64);
    one.sender.send(Parcel::Local(Box::new(Arc::clone(&value)))).await.unwrap();
    let Ok(Some(Parcel::Local(received))) = soon(other.receiver.receive()).await else { panic!() };
    assert!(Arc::ptr_eq(&received.downcast::<Arc<u64>>().unwrap(), &value));

    let (one, other) = pair("tcp://127.0.0.1:0", &Security::open(), Limits::default()).await;
    assert!(!one.peer.is_local && !other.peer.is_local);
    let refused = one.sender.send(Parcel::Local(Box::new(value))).await;
    assert!(matches!(refused, Err(TransportError::NotLocal { .. })));
    one.sender.send(Parcel::head("still open")).await.unwrap();
}

#[tokio::test]
async fn closing_is_told_apart_from_aborting() {
    let folder = tempfile::tempdir().unwrap();
    for (address, security) in all_kinds(&folder) {
        let (one, mut other) = pair(&address, &security, Limits::default()).await;
        let clone = one.sender.clone();
        one.sender.send(Parcel::head("last")).await.unwrap();
        one.sender.close();
        assert!(matches!(
            clone.send(Parcel::head("late")).await,
            Err(TransportError::Closed { .. })
        ));
        assert_eq!(bytes(&mut other.receiver).await.0, "last");
        assert!(matches!(soon(other.receiver.receive()).await, Ok(None)), "{address}");
        // The other direction stays open.
        let mut receiver = one.receiver;
        other.sender.send(Parcel::head("answer")).await.unwrap();
        assert_eq!(bytes(&mut receiver).await.0, "answer");

        let (one, mut other) = pair(&address, &security, Limits::default()).await;
        let mut receiver = one.receiver;
        one.sender.abort();
        assert!(soon(receiver.receive()).await.is_err(), "{address}");
        assert!(soon(other.receiver.receive()).await.is_err(), "{address}");
        assert!(one.sender.send(Parcel::head("late")).await.is_err(), "{address}");
        let refused = async {
            while other.sender.send(Parcel::head("nobody listens")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon(refused).await;
    }
}

#[tokio::test]
async fn a_peer_with_nothing_to_say_stays_and_a_silent_one_is_gone() {
    let limits = Limits {
        keepalive: Duration::from_millis(20),
        idle_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let address = "tcp://127.0.0.1:0";
    let (one, mut other) = pair(address, &Security::open(), limits.clone()).await;
    let waiting = tokio::time::timeout(Duration::from_millis(600), other.receiver.receive());
    assert!(waiting.await.is_err(), "a peer that shows that it is there was taken for gone");
    one.sender.send(Parcel::head("here")).await.unwrap();
    assert_eq!(bytes(&mut other.receiver).await.0, "here");

    // A peer that shows nothing.
    let silent = Limits { keepalive: Duration::from_secs(3600), ..limits };
    let (_one, mut other) = pair(address, &Security::open(), silent).await;
    let gone = soon(other.receiver.receive()).await;
    assert!(matches!(gone, Err(TransportError::Idle { .. })), "{gone:?}");
    assert!(soon(other.sender.send(Parcel::head("late"))).await.is_err());
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_before_it_is_sent() {
    let limits = Limits {
        head_bytes: 100,
        frame_bytes: 1000,
        parcel_bytes: 2500,
        frames: 4,
        ..Limits::default()
    };
    let (one, mut other) = pair("tcp://127.0.0.1:0", &Security::open(), limits).await;
    let frame = |bytes: usize| Bytes::from(vec![0; bytes]);
    for (head, frames) in [
        (frame(101), vec![]),
        (frame(0), vec![frame(1001)]),
        (frame(0), vec![frame(900), frame(900), frame(900)]),
        (frame(0), vec![frame(1); 5]),
    ] {
        let refused = one.sender.send(Parcel::Encoded { head, frames }).await;
        assert!(matches!(refused, Err(TransportError::Limit { .. })), "{refused:?}");
    }
    one.sender.send(Parcel::head("still open")).await.unwrap();
    assert_eq!(bytes(&mut other.receiver).await.0, "still open");
}

#[tokio::test]
async fn connecting_waits_for_a_listener_that_starts_later() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("later"));
    let calling = tokio::spawn({
        let address = address.clone();
        async move { connect(&address, &Security::open(), &ConnectOptions::default()).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut listener =
        Listener::bind(&address, &Security::open(), Limits::default()).await.unwrap();
    soon(listener.accept()).await.unwrap();
    soon(calling).await.unwrap().unwrap();
    // The file goes with the listener, and one that was left behind does not stand in the way.
    drop(listener);
    let Address::Unix(path) = &address else { panic!() };
    assert!(!path.exists());
    drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    assert!(path.exists());
    Listener::bind(&address, &Security::open(), Limits::default()).await.unwrap();

    let options =
        ConnectOptions { timeout: Duration::from_millis(100), ..ConnectOptions::default() };
    for nobody in ["tcp://127.0.0.1:1", "inproc://nobody"] {
        let error = connect(&nobody.parse().unwrap(), &Security::open(), &options).await;
        let error = error.unwrap_err();
        assert!(matches!(error, TransportError::ConnectTimeout { .. }));
        assert!(error.to_string().contains(nobody), "{error}");
    }
}

#[tokio::test]
async fn an_address_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    for (address, security) in all_kinds(&folder) {
        let address = address.parse().unwrap();
        let listener = Listener::bind(&address, &security, Limits::default()).await.unwrap();
        let again = Listener::bind(listener.address(), &security, Limits::default()).await;
        let error = again.unwrap_err();
        assert!(matches!(error, TransportError::Bind { .. }), "{error}");
        assert!(error.to_string().contains(&listener.address().to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_listener_has_as_many_connections_as_it_allows() {
    for address in ["tcp://127.0.0.1:0", "inproc://"] {
        let limits = Limits { connections: 1, ..Limits::default() };
        let open = Security::open();
        let mut listener = Listener::bind(&address.parse().unwrap(), &open, limits).await.unwrap();
        let address = listener.address().clone();
        let first = soon(connect(&address, &open, &at_once())).await.unwrap();
        let accepted = soon(listener.accept()).await.unwrap();
        let second = soon(connect(&address, &open, &at_once())).await;
        assert!(matches!(second, Err(TransportError::Full { .. })), "{second:?}");
        drop((first, accepted));
        // The place is free again, once both ends are gone.
        soon(connect(&address, &open, &ConnectOptions::default())).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_compress_arrive_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(300_000)
    .collect();
    // Looks like zeros where the sample is taken, and is noise elsewhere.
    let mut deceiving = noise.clone();
    for start in [0, 98_634, 98_635, 98_636, 197_268, 197_270, 295_904] {
        deceiving[start..][..4096].fill(0);
    }
    let frames: Vec<Bytes> = [vec![0; 5_000_000], numbers, noise, deceiving, vec![7; 100], vec![]]
        .map(Bytes::from)
        .into();
    for (address, security) in all_kinds(&folder) {
        let limits = Limits { compression: Compression::Always, ..Limits::default() };
        let (one, mut other) = pair(&address, &security, limits).await;
        let parcel = Parcel::Encoded { head: Bytes::from("head"), frames: frames.clone() };
        let (sent, received) = tokio::join!(one.sender.send(parcel), bytes(&mut other.receiver));
        sent.unwrap();
        assert_eq!(received.0, "head");
        assert!(received.1 == frames, "{address}");
    }
}
