//! What a connection may cost.

use std::time::Duration;

/// Bounds on what a peer can make this end hold or wait for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest head of a parcel.
    pub head_bytes: usize,
    /// The longest frame.
    pub frame_bytes: u64,
    /// The most bytes in all frames of a parcel.
    pub parcel_bytes: u64,
    /// The most frames of a parcel, at most 16,777,215.
    pub frames: usize,
    /// How many connections a listener has at once.
    pub connections: usize,
    /// How many peers of a listener may be in the handshake at once.
    pub handshakes: usize,
    /// How long the handshake may take, TLS included.
    pub handshake_time: Duration,
    /// What has not been written yet: [`Sender::send`](super::Sender::send) waits above this.
    pub in_flight_bytes: usize,
    /// What has not been written yet: above this, [`Sender::post`](super::Sender::post) refuses.
    pub queued_bytes: usize,
    /// A connection that has nothing to say shows after this time that it is there.
    pub keepalive: Duration,
    /// A peer that is silent for so long while this end listens is taken for gone.
    pub idle_time: Duration,
    /// To whom long frames that compress well are sent compressed.
    pub compression: Compression,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 256 << 20,
            frame_bytes: 64 << 30,
            parcel_bytes: 256 << 30,
            frames: 1 << 20,
            connections: 1 << 16,
            handshakes: 256,
            handshake_time: Duration::from_secs(10),
            in_flight_bytes: 64 << 20,
            queued_bytes: 4 << 30,
            keepalive: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            compression: Compression::Remote,
        }
    }
}

/// To whom frames are sent compressed. Whoever receives takes both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// To nobody.
    Never,
    /// To peers on other machines: inside one, copying is faster than any compression.
    #[default]
    Remote,
    /// To all but those of this process.
    Always,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// How long connecting may take, with all attempts and the handshake.
    pub timeout: Duration,
    /// Whether a peer that does not listen yet is called again until the time is over.
    pub retry: bool,
    /// The bounds of the connection.
    pub limits: Limits,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), retry: true, limits: Limits::default() }
    }
}
