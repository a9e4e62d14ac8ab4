//! Tests of runs through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cancelling;
#[cfg(unix)]
mod dying;
mod failing;
#[cfg(unix)]
mod forking;
mod guarding;
#[cfg(unix)]
mod processes;
mod random;
mod running;
mod spilling;
mod support;
