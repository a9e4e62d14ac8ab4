//! Parallel computing: the Rust face of Samite.

pub use samite_graph as graph;
pub use samite_runtime as runtime;
pub use samite_scheduling as scheduling;
