//! Parallel and distributed computing: the Rust face of Samite.
//!
//! [`delayed`] is the place to start: lazy values from closures. The crates that it is made of are
//! re-exported for programs that bring their own graphs and operations.

/// The user's guide for Rust, whose examples are run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust.md")]
struct Guide;

pub mod delayed;

pub use samite_array as array;
pub use samite_bag as bag;
pub use samite_cluster as cluster;
pub use samite_frame as frame;
pub use samite_graph as graph;
pub use samite_runtime as runtime;
pub use samite_scheduling as scheduling;
