//! Integration tests of the scheduling machines.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests may panic as tests do, and read how many cases to run"
)]

mod hostile;
mod large_cluster;
mod one_worker;
mod random_faults;
mod scenarios;
