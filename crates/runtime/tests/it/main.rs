//! Tests of runs through the public interface.

mod cancelling;
mod failing;
mod forking;
mod guarding;
mod random;
mod running;
mod spilling;
mod support;
