//! The values of results, from the workers that hold them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use samite_runtime::Value;
use samite_scheduling::Portion;

use super::{Client, LOOK, Places, Relayed, Status};
use crate::error::ClusterError;
use crate::executor::{Failure, Owner};
use crate::inline::Here;
use crate::protocol::{Carried, Erred, FromClient, Key};
use crate::threads::{deadline, wait_for};
use crate::transport::Address;

/// What became of a result that was asked for.
#[derive(Clone)]
pub enum Outcome {
    /// Its value.
    Value(Value),
    /// There is none.
    Erred {
        /// The task that failed.
        origin: String,
        /// Why.
        erred: Arc<Erred>,
    },
    /// It was cancelled.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// A value whose holder has just been lost is looked for again after this time.
const AGAIN: Duration = Duration::from_millis(20);

impl Client {
    /// The values of results, in order; waits for those that are not there yet. `None` where the
    /// time was over, or `go_on` said no.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn fetch(
        &self,
        keys: &[Key],
        timeout: Option<Duration>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<Outcome>>, ClusterError> {
        self.fetch_by(true, keys, timeout, go_on)
    }

    /// As [`Client::fetch`], for clients that are to talk with the scheduler alone.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn fetch_through_scheduler(
        &self,
        keys: &[Key],
        timeout: Option<Duration>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<Outcome>>, ClusterError> {
        self.fetch_by(false, keys, timeout, go_on)
    }

    fn fetch_by(
        &self,
        direct: bool,
        keys: &[Key],
        timeout: Option<Duration>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<Outcome>>, ClusterError> {
        let end = deadline(timeout);
        let go_on = &mut || end.is_none_or(|end| Instant::now() < end) && go_on();
        let mut found: Vec<Option<Outcome>> = vec![None; keys.len()];
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if !self.wait(keys, left, false, go_on) {
                return Ok(None);
            }
            let missing = self.look_up(keys, &mut found);
            if missing.is_empty() {
                break;
            }
            let before = missing.len();
            let Some(missing) = self.fetch_remote(direct, keys, missing, &mut found, go_on)? else {
                return Ok(None);
            };
            if missing == 0 {
                break;
            }
            if !go_on() {
                return Ok(None);
            }
            if missing == before {
                std::thread::sleep(AGAIN);
            }
        }
        Ok(Some(found.into_iter().flatten().collect()))
    }

    /// Fills in what is known here; the places of the others.
    fn look_up(&self, keys: &[Key], found: &mut [Option<Outcome>]) -> Vec<usize> {
        let mut missing = Vec::new();
        let mut carried = Vec::new();
        {
            let table = self.shared.table.lock();
            for (place, key) in keys.iter().enumerate() {
                if found[place].is_some() {
                    continue;
                }
                match table.status(key) {
                    Status::Erred { origin, erred } => {
                        found[place] = Some(Outcome::Erred { origin, erred });
                    }
                    Status::Cancelled { reason } => {
                        found[place] = Some(Outcome::Cancelled { reason });
                    }
                    Status::Finished { .. } => match table.value(key) {
                        Some(value) => carried.push((place, value)),
                        None => missing.push(place),
                    },
                    Status::Pending => missing.push(place),
                }
            }
        }
        for (place, value) in carried {
            found[place] = Some(self.opened(&keys[place], value));
        }
        missing
    }

    /// A result whose value came with the news that it is there, so that nobody need be asked.
    #[must_use]
    pub fn value_here(&self, key: &Key) -> Option<Outcome> {
        let value = self.shared.table.lock().value(key)?;
        Some(self.opened(key, value))
    }

    /// Asks workers for values, or the scheduler, not `direct`; how many are still missing.
    fn fetch_remote(
        &self,
        direct: bool,
        keys: &[Key],
        missing: Vec<usize>,
        found: &mut [Option<Outcome>],
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<usize>, ClusterError> {
        let asked: Vec<Key> = missing.iter().map(|place| keys[*place].clone()).collect();
        let Some(places) = self.locate(asked, go_on)? else { return Ok(None) };
        let mut by_holder: BTreeMap<Address, Vec<(usize, samite_scheduling::TaskKey)>> =
            BTreeMap::new();
        for (place, location) in missing.iter().zip(places) {
            let Some(location) = location else { continue };
            // Spread the load over those that hold a value.
            let holder = location.holders.get(place % location.holders.len().max(1));
            if let Some(holder) = holder {
                by_holder.entry(holder.clone()).or_default().push((*place, location.task));
            }
        }
        let mut unreachable = Vec::new();
        if !direct {
            let held = std::mem::take(&mut by_holder);
            unreachable.extend(held.into_values().flatten().map(|(place, _)| place));
        }
        let mut answers = Vec::new();
        for (address, wanted) in by_holder {
            let shared = self.shared.clone();
            let portions = wanted.iter().map(|(_, task)| Portion::whole(*task)).collect();
            let holder = address.clone();
            answers.push((
                (holder, wanted),
                async move { shared.peers.get(&address, portions).await },
            ));
        }
        let (asked, requests): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        let together = async move {
            let running: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
            let mut values = Vec::with_capacity(running.len());
            for request in running {
                values.push(request.await.ok().and_then(Result::ok));
            }
            values
        };
        let Some(values) = wait_for(together, go_on)? else { return Ok(None) };
        for ((holder, wanted), values) in asked.into_iter().zip(values) {
            let Some(values) = values else {
                unreachable.extend(wanted.into_iter().map(|(place, _)| place));
                continue;
            };
            for ((place, task), value) in wanted.into_iter().zip(values) {
                match value {
                    Some(value) => found[place] = Some(self.opened(&keys[place], value)),
                    None => {
                        let holder = holder.clone();
                        self.tell(FromClient::Missing { task, holder })?;
                    }
                }
            }
        }
        if !unreachable.is_empty() {
            let asked = unreachable.iter().map(|place| keys[*place].clone()).collect();
            let Some(values) = self.relay(asked, go_on)? else { return Ok(None) };
            for (place, value) in unreachable.into_iter().zip(values) {
                if let Some(value) = value {
                    found[place] = Some(self.opened(&keys[place], value));
                }
            }
        }
        Ok(Some(missing.iter().filter(|place| found[**place].is_none()).count()))
    }

    /// Asks the scheduler where values are.
    fn locate(
        &self,
        keys: Vec<Key>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Places>, ClusterError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shared.located.lock().insert(id, sender);
        let nowhere = vec![None; keys.len()];
        self.tell(FromClient::Locate { id, keys })?;
        self.answered(&receiver, nowhere, go_on)
    }

    /// Gets values through the scheduler, from workers that this process cannot reach.
    fn relay(
        &self,
        keys: Vec<Key>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Relayed>, ClusterError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shared.relayed.lock().insert(id, sender);
        let nothing = vec![None; keys.len()];
        self.tell(FromClient::Fetch { id, keys })?;
        self.answered(&receiver, nothing, go_on)
    }

    /// Waits for an answer of the scheduler; `nothing` where the connection was lost meanwhile, and
    /// another one was made.
    fn answered<T>(
        &self,
        receiver: &mpsc::Receiver<T>,
        nothing: T,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<T>, ClusterError> {
        match answer(receiver, go_on) {
            Err(ClusterError::Closed) if !self.is_closed() => Ok(Some(nothing)),
            answer => answer,
        }
    }

    fn tell(&self, message: FromClient) -> Result<(), ClusterError> {
        let _here = Here::begin();
        let mut table = self.shared.table.lock();
        self.shared.send(&mut table, message)
    }

    fn opened(&self, key: &Key, carried: Carried) -> Outcome {
        let failure = match carried {
            Carried::Local(value) => return Outcome::Value(value),
            Carried::Encoded(encoded) | Carried::Part(encoded) => {
                match self.shared.executor.decode(encoded, Owner::Alone) {
                    Ok(value) => return Outcome::Value(value),
                    Err(failure) => failure,
                }
            }
            Carried::Broken { text, error } => Failure::Raised { text, error },
        };
        let erred = match failure {
            Failure::Raised { text, error } => Erred::Raised { text, error },
            Failure::Reschedule => Erred::Cancelled,
        };
        Outcome::Erred { origin: key.to_string(), erred: Arc::new(erred) }
    }
}

/// Waits for an answer of the scheduler.
fn answer<T>(
    receiver: &mpsc::Receiver<T>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<T>, ClusterError> {
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(answer) => return Ok(Some(answer)),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(ClusterError::Closed),
            Err(mpsc::RecvTimeoutError::Timeout) if go_on() => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(None),
        }
    }
}
