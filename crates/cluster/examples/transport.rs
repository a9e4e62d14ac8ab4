//! What connections cost: the round trip of a small parcel, many small parcels in one direction, and
//! long frames, over each transport and over a socket without any of it.
//!
//! `cargo run --release -p samite-cluster --example transport`

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use samite_cluster::security::{Credentials, Security, Token};
use samite_cluster::transport::{
    Address, ConnectOptions, Connection, Limits, Listener, Parcel, connect,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TRIPS: u32 = 20_000;
const SMALL: u32 = 500_000;
const FRAME: usize = 64 << 20;
const FRAMES: usize = 24;

async fn pair(address: &Address, security: &Security) -> Outcome<(Connection, Connection)> {
    let limits = Limits { in_flight_bytes: 2 * FRAME, ..Limits::default() };
    let mut listener = Listener::bind(address, security, limits.clone()).await?;
    let options = ConnectOptions { limits, ..ConnectOptions::default() };
    let address = listener.address().clone();
    let (one, other) = tokio::join!(connect(&address, security, &options), listener.accept());
    Ok((one?, other?))
}

fn microseconds(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(count)
}

async fn round_trips(address: &Address, security: &Security) -> Outcome<f64> {
    let (mut one, mut other) = pair(address, security).await?;
    let echo = tokio::spawn(async move {
        while let Ok(Some(parcel)) = other.receiver.receive().await {
            if other.sender.send(parcel).await.is_err() {
                break;
            }
        }
    });
    let asking = tokio::spawn(async move {
        let mut began = Instant::now();
        for number in 0..TRIPS + TRIPS / 10 {
            if number == TRIPS / 10 {
                began = Instant::now();
            }
            one.sender.send(Parcel::head(vec![7; 100])).await?;
            one.receiver.receive().await?.ok_or("the echo ended")?;
        }
        Outcome::Ok(microseconds(began.elapsed(), TRIPS))
    });
    let time = asking.await??;
    echo.await?;
    Ok(time)
}

async fn one_way(address: &Address, security: &Security) -> Outcome<f64> {
    let (one, mut other) = pair(address, security).await?;
    let began = Instant::now();
    let sending = tokio::spawn(async move {
        for _ in 0..SMALL {
            one.sender.send(Parcel::head(Bytes::from_static(&[7; 100]))).await?;
        }
        Outcome::Ok(())
    });
    for _ in 0..SMALL {
        other.receiver.receive().await?.ok_or("the sender ended")?;
    }
    sending.await??;
    Ok(microseconds(began.elapsed(), SMALL))
}

async fn long_frames(address: &Address, security: &Security) -> Outcome<f64> {
    let (one, mut other) = pair(address, security).await?;
    let frame = Bytes::from((0..FRAME).map(|at| (at * 2_654_435_761) as u8).collect::<Vec<_>>());
    let began = Instant::now();
    let sending = tokio::spawn(async move {
        for _ in 0..FRAMES {
            let parcel = Parcel::Encoded { head: Bytes::new(), frames: vec![frame.clone()] };
            one.sender.send(parcel).await?;
        }
        Outcome::Ok(())
    });
    for _ in 0..FRAMES {
        other.receiver.receive().await?.ok_or("the sender ended")?;
    }
    sending.await??;
    Ok((FRAME * FRAMES) as f64 / began.elapsed().as_secs_f64() / 1e9)
}

/// A socket of the standard library: round trips in microseconds, and gigabytes a second into one
/// buffer that is warm.
fn plain_socket() -> Outcome<(f64, f64)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut one = TcpStream::connect(listener.local_addr()?)?;
    let (mut other, _) = listener.accept()?;
    one.set_nodelay(true)?;
    other.set_nodelay(true)?;
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let mut small = [0; 108];
        for _ in 0..TRIPS {
            other.read_exact(&mut small)?;
            other.write_all(&small)?;
        }
        let mut long = vec![1; FRAME];
        for _ in 0..FRAMES {
            other.read_exact(&mut long)?;
        }
        other.write_all(&[1])
    });
    let mut small = [7; 108];
    let began = Instant::now();
    for _ in 0..TRIPS {
        one.write_all(&small)?;
        one.read_exact(&mut small)?;
    }
    let trip = microseconds(began.elapsed(), TRIPS);
    let long = vec![7; FRAME];
    let began = Instant::now();
    for _ in 0..FRAMES {
        one.write_all(&long)?;
    }
    one.read_exact(&mut [0])?;
    let speed = (FRAME * FRAMES) as f64 / began.elapsed().as_secs_f64() / 1e9;
    echo.join().map_err(|_| "the echo panicked")??;
    Ok((trip, speed))
}

fn main() -> Outcome<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("{:<12}{:>16}{:>20}{:>16}", "", "round trip", "small, one way", "64 MiB frames");
    let (trip, speed) = plain_socket()?;
    println!("{:<12}{trip:>13.1} us{:>20}{speed:>11.2} GB/s", "socket", "");
    let folder = tempfile::tempdir()?;
    let token = Security::with_token(Token::generate()?);
    let closed = Credentials::generate()?.security()?;
    let tcp: Address = "tcp://127.0.0.1:0".parse()?;
    for (name, address, security) in [
        ("inproc", "inproc://".parse()?, &token),
        ("unix", Address::Unix(folder.path().join("socket")), &token),
        ("tcp", tcp, &token),
        ("tls", "tls://127.0.0.1:0".parse()?, &closed),
    ] {
        let trip = runtime.block_on(round_trips(&address, security))?;
        let small = runtime.block_on(one_way(&address, security))?;
        let speed = runtime.block_on(long_frames(&address, security))?;
        println!("{name:<12}{trip:>13.1} us{small:>11.2} us each{speed:>11.2} GB/s");
    }
    Ok(())
}
