//! A scheduler, workers and clients in one process, over sockets and without, running operations
//! that are plain Rust.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests do"
)]

mod chaos;
mod computing;
mod leaving;
mod members;
mod pages;
mod parts;
mod requests;
mod restarting;
mod scattering;
mod spilling;
mod support;
