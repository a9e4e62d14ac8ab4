//! Work on chunks: no graph, no thread, no lock.

pub(crate) mod cast;
pub mod copy;
pub mod deal;
pub mod evaluate;
pub mod fourier;
pub mod histogram;
pub mod linalg;
mod load;
mod loops;
pub mod matmul;
pub mod mirror;
mod operators;
mod order;
pub mod program;
pub mod random;
pub mod reduce;
pub mod scan;
pub mod searchsorted;
pub mod select;
pub mod sort;
pub mod take;
pub mod ufunc;
mod walk;
