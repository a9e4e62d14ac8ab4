//! Chunked n-dimensional arrays: expressions, the passes over them, their lowering to layers of a
//! graph, and the kernels that compute chunks.
//!
//! An [`Expr`] describes an array: its shape, its chunks and its dtype are known, and nothing is
//! computed. [`optimize`] runs the passes, [`lower`] makes layers and operations, and [`compute`]
//! runs them on this machine.
//!
//! Invariant: no Python. A kernel sees chunks, holds no lock and starts no thread. Nothing recurses
//! on the depth of an expression.

mod axis_map;
mod buffer;
mod build;
mod chunk;
mod compute;
mod dtype;
mod elsewhere;
mod encode;
mod error;
mod explain;
mod expr;
mod grid;
mod interchange;
pub mod kernels;
mod lower;
mod passes;
mod token;

pub use axis_map::{AxisMap, Run};
pub use buffer::Buffer;
pub use build::{Operand, SPLIT_EVERY};
pub use chunk::{Chunk, Shape, Strides, checked_len, contiguous_strides};
pub use compute::{ArrayProgram, Prepared, Wanted, compute, persist, prepare};
pub use dtype::{Bool, DType, Element, Kind, Scalar};
pub use elsewhere::{Detached, detach};
pub use error::ArrayError;
pub use expr::{BlockFunction, Expr, Labels, ViewAxis};
pub use grid::{AxisChunks, Grid, Offsets, unify};
pub use kernels::random::Distribution;
pub use kernels::reduce::Reduction;
pub use kernels::scan::Scan;
pub use kernels::ufunc::{Loop, Ufunc};
pub use lower::{Limits, Lowered, Operation, Pieces, Target, lower};
pub use passes::optimize;
