//! Tests of the Rust face.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod delayed;
