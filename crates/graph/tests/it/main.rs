//! Integration tests of the graph crate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod encoding;
mod evaluate;
mod layers;
mod order;
mod passes;
mod plan;
mod random;
