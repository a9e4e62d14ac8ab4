//! A cluster in virtual time: the scheduler machine, worker machines, and a network that misbehaves.
//!
//! A [`Simulation`] runs [`Job`]s under [`Faults`]. Everything random comes from one seed, and
//! nothing else does, so a failure is repeated by its seed. After every message all invariants of
//! both machines are checked; at the end every output must have the value that a sequential run
//! gives, and no value may be left on any worker.
//!
//! The network's contract is that of one connection for each worker: what arrives, arrives in
//! order; a lost message is sent again, and delays those behind it. Between links there is no
//! order. Reports may come twice, the second time at any later time; so may `Run`, `Cancel` and
//! `Steal`.

mod clients;
mod cluster;
mod faults;
mod jobs;
mod network;
mod node;
mod outcome;
mod random;

pub use cluster::Simulation;
pub use faults::Faults;
pub use jobs::Job;
pub use outcome::{Outcome, SimulationError};
pub use random::Random;
