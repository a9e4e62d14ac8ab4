//! Bags through their public interface.

// Helpers outside of test functions fail the test as well.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bags;
mod blocks;
mod records;
mod scans;
