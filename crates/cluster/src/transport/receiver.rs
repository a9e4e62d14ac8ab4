//! The receiving end of a connection.

use std::sync::Arc;

use super::decoder::{Decoder, Step, Target};
use super::local::LocalReceiver;
use super::outbox::Outbox;
use super::stream::ReadHalf;
use super::{Parcel, TransportError};

/// Receives parcels in the order in which they were sent.
#[derive(Debug)]
pub struct Receiver(Kind);

#[derive(Debug)]
enum Kind {
    Socket(Box<Reading>),
    Local(LocalReceiver),
}

#[derive(Debug)]
struct Reading {
    half: ReadHalf,
    decoder: Decoder,
    outbox: Arc<Outbox>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Ended,
    Failed(TransportError),
}

impl Receiver {
    pub(super) fn socket(half: ReadHalf, outbox: Arc<Outbox>) -> Self {
        let decoder = Decoder::new(outbox.peer.clone(), outbox.limits.clone());
        Self(Kind::Socket(Box::new(Reading { half, decoder, outbox, state: State::Open })))
    }

    pub(super) fn local(receiver: LocalReceiver) -> Self {
        Self(Kind::Local(receiver))
    }

    /// The next parcel; `None` after the peer closed the connection in order. Nothing is lost when
    /// the future is dropped before it completes.
    ///
    /// # Errors
    /// What ended the connection otherwise; the same again when asked again.
    pub async fn receive(&mut self) -> Result<Option<Parcel>, TransportError> {
        match &mut self.0 {
            Kind::Socket(reading) => reading.receive().await,
            Kind::Local(local) => local.receive().await,
        }
    }
}

impl Reading {
    async fn receive(&mut self) -> Result<Option<Parcel>, TransportError> {
        match &self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Failed(failure) => return Err(failure.clone()),
        }
        match self.next().await {
            Ok(Some(parcel)) => Ok(Some(parcel)),
            Ok(None) => {
                self.state = State::Ended;
                Ok(None)
            }
            Err(failure) => {
                self.outbox.fail(failure.clone());
                self.state = State::Failed(failure.clone());
                Err(failure)
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Parcel>, TransportError> {
        // A peer that sends without end must not keep others from running.
        tokio::task::consume_budget().await;
        loop {
            match self.decoder.step()? {
                Step::Parcel { head, frames } => {
                    return Ok(Some(Parcel::Encoded { head, frames }));
                }
                Step::End => return Ok(None),
                Step::More => {}
            }
            let peer = &self.outbox.peer;
            let read = tokio::select! {
                biased;
                () = self.outbox.ended() => return Err(self.outbox.failure()),
                read = read(&mut self.half, &mut self.decoder) => read,
                () = tokio::time::sleep(self.outbox.limits.idle_time) => {
                    return Err(TransportError::Idle {
                        address: peer.clone(),
                        silence: self.outbox.limits.idle_time,
                    });
                }
            };
            match read {
                Ok(0) => return Err(TransportError::Lost { address: peer.clone(), source: None }),
                Ok(_) => {}
                Err(source) => return Err(TransportError::lost(peer, source)),
            }
        }
    }
}

/// Reads what there is into the place where it belongs.
async fn read(half: &mut ReadHalf, decoder: &mut Decoder) -> std::io::Result<usize> {
    match decoder.target() {
        Target::Buffer(buffer) => half.read(buffer).await,
        Target::Block(mut block) => {
            let read = half.read(&mut block).await?;
            decoder.filled(read);
            Ok(read)
        }
    }
}
