//! What waits to be written to a socket, and the task that writes it.
//!
//! A short parcel that comes after a pause is given to the system by whoever sends it, without a
//! switch of tasks. Those that come close together are collected and written by the writing task in
//! one call, and so is what the system did not take. The task also shows that this end is there
//! when there is nothing to say. It ends when the connection is closed, aborted or broken.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::framing::{Coding, DESCRIPTOR, Descriptor, LONGEST_FRAME, MOST_FRAMES, PREFIX, Prefix};
use super::stream::{WriteHalf, Writing};
use super::{Address, Limits, Parcel, TransportError, compression};

/// A part that is shorter is copied beside its neighbours, which costs less than a piece of its own.
const SHORT: usize = 4 << 10;
/// A parcel up to this size may be written by its sender.
const INLINE: usize = 32 << 10;
/// Parcels that come faster than this are collected.
const PAUSE: Duration = Duration::from_micros(20);
/// The most pieces in one call of the system.
const PIECES: usize = 64;

/// The sending end of a socket, shared by senders, receiver and the writing task.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) peer: Address,
    pub(super) limits: Limits,
    state: Mutex<State>,
    /// Something to do for the writing task.
    wake: Notify,
    /// The bytes that may still be put on the way.
    budget: Semaphore,
    /// Closed when nothing more will be read or written.
    ended: Semaphore,
    plain: Option<Arc<Writing>>,
    compresses: bool,
    /// The place among the connections of a listener.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Default)]
struct State {
    /// What is to be written, in order; the short pieces at the end are still in `tail`.
    ready: VecDeque<Bytes>,
    tail: BytesMut,
    waiting_bytes: usize,
    /// What the budget gets back when all that waits is written.
    permits: usize,
    /// The writing task has pieces that must go first.
    writing: bool,
    closing: bool,
    failure: Option<TransportError>,
    last_sent: Option<Instant>,
}

impl State {
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.tail.is_empty() && !self.writing
    }

    fn push(&mut self, piece: &Bytes) {
        if piece.len() < SHORT {
            self.tail.put_slice(piece);
            return;
        }
        self.seal();
        self.ready.push_back(piece.clone());
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.ready.push_back(self.tail.split().freeze());
        }
    }
}

/// What opens a parcel: prefix, descriptors and a short head.
fn opening(head: &Bytes, frames: &[(Coding, Bytes)]) -> BytesMut {
    let inlined = if head.len() < SHORT { head.len() } else { 0 };
    let mut opening = BytesMut::with_capacity(PREFIX + frames.len() * DESCRIPTOR + inlined);
    opening.put_slice(&Prefix::Parcel { frames: frames.len(), head: head.len() }.encode());
    for (coding, frame) in frames {
        let descriptor = Descriptor { coding: *coding, length: frame.len() as u64 };
        opening.put_slice(&descriptor.encode());
    }
    if inlined > 0 {
        opening.put_slice(head);
    }
    opening
}

impl Outbox {
    /// Starts to send to `peer`; the writing task runs on the current runtime.
    pub(super) fn open(
        peer: Address,
        limits: Limits,
        half: WriteHalf,
        place: Option<OwnedSemaphorePermit>,
    ) -> Arc<Self> {
        let budget = limits.in_flight_bytes.clamp(1, u32::MAX as usize);
        let outbox = Arc::new(Self {
            state: Mutex::default(),
            wake: Notify::new(),
            budget: Semaphore::new(budget),
            ended: Semaphore::new(0),
            plain: half.plain(),
            compresses: compression::is_wanted(limits.compression, &peer),
            peer,
            limits,
            _place: place,
        });
        tokio::spawn(Arc::clone(&outbox).write(half));
        outbox
    }

    /// Sends a parcel, after there is room for it.
    pub(super) async fn send(&self, parcel: Parcel) -> Result<(), TransportError> {
        let permits = self.permits(&parcel);
        match self.budget.try_acquire_many(permits) {
            Ok(permit) => permit.forget(),
            Err(_) => match self.budget.acquire_many(permits).await {
                Ok(permit) => permit.forget(),
                Err(_) => return Err(self.failure()),
            },
        }
        let result = self.prepare_and_enqueue(parcel, permits as usize).await;
        if result.is_err() {
            self.budget.add_permits(permits as usize);
        }
        result
    }

    /// Sends a parcel without waiting.
    pub(super) fn post(&self, parcel: Parcel) -> Result<(), TransportError> {
        let (bytes, limit) = (self.waiting_bytes(), self.limits.queued_bytes);
        if bytes > limit {
            return Err(TransportError::Congested { address: self.peer.clone(), bytes, limit });
        }
        let (head, frames) = self.opened(parcel)?;
        let frames = frames.into_iter().map(|frame| (Coding::Plain, frame)).collect();
        self.enqueue(head, frames, 0)
    }

    async fn prepare_and_enqueue(
        &self,
        parcel: Parcel,
        permits: usize,
    ) -> Result<(), TransportError> {
        let (head, frames) = self.opened(parcel)?;
        let frames = if self.compresses && compression::has_candidates(&frames) {
            compression::prepare(frames, &self.peer).await?
        } else {
            frames.into_iter().map(|frame| (Coding::Plain, frame)).collect()
        };
        self.enqueue(head, frames, permits)
    }

    /// What is in a parcel, if it can be sent.
    fn opened(&self, parcel: Parcel) -> Result<(Bytes, Vec<Bytes>), TransportError> {
        let Parcel::Encoded { head, frames } = parcel else {
            return Err(TransportError::NotLocal { address: self.peer.clone() });
        };
        self.check(&head, &frames)?;
        Ok((head, frames))
    }

    /// What has not been given to the system.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.state.lock().waiting_bytes
    }

    fn permits(&self, parcel: &Parcel) -> u32 {
        let most = self.limits.in_flight_bytes.clamp(1, u32::MAX as usize);
        parcel.cost().clamp(1, most) as u32
    }

    fn enqueue(
        &self,
        head: Bytes,
        frames: Vec<(Coding, Bytes)>,
        permits: usize,
    ) -> Result<(), TransportError> {
        let opening = opening(&head, &frames).freeze();
        let head = if head.len() < SHORT { Bytes::new() } else { head };
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.closing {
            return Err(TransportError::Closed { address: self.peer.clone() });
        }
        let total =
            frames.iter().fold(opening.len() + head.len(), |sum, frame| sum + frame.1.len());
        let all = [opening, head].into_iter().chain(frames.into_iter().map(|frame| frame.1));
        if let Some(plain) = &self.plain
            && total <= INLINE
            && state.is_empty()
            && state.last_sent.is_none_or(|last| last.elapsed() >= PAUSE)
        {
            state.last_sent = Some(Instant::now());
            let mut rest: VecDeque<Bytes> = all.filter(|piece| !piece.is_empty()).collect();
            let slices: Vec<_> =
                rest.iter().take(PIECES).map(|piece| IoSlice::new(piece)).collect();
            // What is wrong is found again by the writing task, which ends the connection.
            if let Ok(written) = plain.try_write(&slices) {
                advance(&mut rest, written);
            }
            if rest.is_empty() {
                drop(state);
                self.budget.add_permits(permits);
                return Ok(());
            }
            state.waiting_bytes += rest.iter().map(Bytes::len).sum::<usize>();
            state.ready = rest;
        } else {
            state.waiting_bytes += total;
            for piece in all {
                state.push(&piece);
            }
        }
        state.permits += permits;
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Refuses what the peer would refuse.
    fn check(&self, head: &Bytes, frames: &[Bytes]) -> Result<(), TransportError> {
        let limits = &self.limits;
        let total = frames.iter().fold(head.len(), |sum, frame| sum.saturating_add(frame.len()));
        let longest = frames.iter().map(Bytes::len).max().unwrap_or(0);
        let head_limit = limits.head_bytes.min(u32::MAX as usize);
        let frame_limit = limits.frame_bytes.min(LONGEST_FRAME);
        for (what, size, limit) in [
            ("a head", head.len() as u64, head_limit as u64),
            ("frames", frames.len() as u64, limits.frames.min(MOST_FRAMES) as u64),
            ("a frame", longest as u64, frame_limit),
            ("a parcel", (total - head.len()) as u64, limits.parcel_bytes),
        ] {
            if size > limit {
                let address = self.peer.clone();
                return Err(TransportError::Limit { what, address, size, limit });
            }
        }
        Ok(())
    }

    /// Ends the connection after what was sent.
    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.wake.notify_one();
    }

    /// Completes when nothing more will be read or written.
    pub(super) async fn ended(&self) {
        // The semaphore has no permits: it answers only when it is closed.
        _ = self.ended.acquire().await;
    }

    /// Ends the connection at once.
    pub(super) fn fail(&self, failure: TransportError) {
        {
            let mut state = self.state.lock();
            state.failure.get_or_insert(failure);
            state.ready.clear();
            state.tail.clear();
            state.waiting_bytes = 0;
        }
        self.budget.close();
        self.ended.close();
    }

    /// What ended the connection.
    pub(super) fn failure(&self) -> TransportError {
        let closed = || TransportError::Closed { address: self.peer.clone() };
        self.state.lock().failure.clone().unwrap_or_else(closed)
    }

    /// The writing task.
    async fn write(self: Arc<Self>, mut half: WriteHalf) {
        let result = tokio::select! {
            biased;
            () = self.ended() => None,
            result = self.write_all(&mut half) => Some(result),
        };
        match result {
            Some(Ok(())) => self.budget.close(),
            Some(Err(source)) => self.fail(TransportError::lost(&self.peer, source)),
            // The receiver may still hold the socket: the peer learns of the end all the same.
            None => half.cut().await,
        }
    }

    async fn write_all(&self, half: &mut WriteHalf) -> io::Result<()> {
        let mut pieces = VecDeque::new();
        loop {
            let (permits, bytes, closing) = self.take(&mut pieces);
            if pieces.is_empty() {
                if closing {
                    half.write_full(&Prefix::End.encode()).await?;
                    return half.shutdown().await;
                }
                let wait = tokio::time::timeout(self.limits.keepalive, self.wake.notified());
                if wait.await.is_err() {
                    self.state.lock().tail.put_slice(&Prefix::Keepalive.encode());
                }
                continue;
            }
            while !pieces.is_empty() {
                let slices: Vec<_> =
                    pieces.iter().take(PIECES).map(|piece: &Bytes| IoSlice::new(piece)).collect();
                match half.write(&slices).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    written => advance(&mut pieces, written),
                }
            }
            half.flush().await?;
            let mut state = self.state.lock();
            state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
            drop(state);
            self.budget.add_permits(permits);
        }
    }

    /// Takes all that waits: what the budget gets back for it, and its bytes.
    fn take(&self, pieces: &mut VecDeque<Bytes>) -> (usize, usize, bool) {
        let mut state = self.state.lock();
        state.seal();
        mem::swap(&mut state.ready, pieces);
        state.writing = !pieces.is_empty();
        if state.writing {
            state.last_sent = Some(Instant::now());
        }
        // What was ended at once does not look as if it had been closed in order.
        let closing = state.closing && state.failure.is_none();
        (mem::take(&mut state.permits), state.waiting_bytes, closing)
    }
}

/// Forgets what has been written.
fn advance(pieces: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = pieces.front_mut() {
        if written < first.len() {
            first.advance(written);
            return;
        }
        written -= first.len();
        pieces.pop_front();
    }
}
