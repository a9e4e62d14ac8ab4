//! Tests of runs through the public interface.

mod cancelling;
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
