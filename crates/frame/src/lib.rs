//! Data frames: plans of relational operators with pandas' meaning, passes over them, and their
//! execution in DataFusion over Arrow batches.
//!
//! A [`Plan`] is made of other plans and of [`Scalar`] expressions. Making one checks types and
//! reads no rows; what has no native form with pandas' meaning is
//! [`FrameError::Unsupported`], so that the caller can compute it in another way. [`collect`]
//! runs a plan.

mod coded;
mod conditions;
mod encode;
mod error;
mod exchange;
mod explain;
mod first_rows;
mod frugal;
mod functions;
mod lookup;
mod lower;
mod memory;
mod node;
mod ordered;
mod owned;
mod parquet;
mod partitions;
mod passes;
mod pieces;
mod plan;
mod row_number;
mod rules;
mod run;
mod runs;
mod scalar;
mod sql;
mod streams;
mod text;
mod types;
mod whole;
mod window;

pub use arrow;
pub use error::{FrameError, Result};
pub use explain::{Explained, Figures, analyze, explain, tree};
pub use memory::Memory;
pub use parquet::{ParquetScan, Piece, row_groups};
pub use plan::{
    AggregateFunction, Aggregation, JoinColumn, JoinKind, Keep, Operator, Plan, SortKey,
};
pub use run::{Batches, Execution, Options, collect, start};
pub use scalar::{Function, Literal, Scalar, Unit};
pub use sql::sql;
pub use text::{ColumnKind, Format, TextBlock, TextColumn, TextScan};
pub use types::Typed;
pub use window::{Rolling, WindowColumn, WindowFunction};
