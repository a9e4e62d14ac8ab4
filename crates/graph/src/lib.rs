//! Task graphs: layers, passes over them, and dense plans.
//!
//! A [`Graph`] is a list of *layers*. A layer is many tasks of one kind and knows by a rule what
//! each of them needs, so that a million tasks are built, culled and fused in the time of a few
//! layers. A [`Plan`] is what a scheduler runs: dense ids, dependencies and dependents in flat
//! arrays, and a static order that keeps few results in memory. No step between the two looks at a
//! value or at what an operation does.
//!
//! ```
//! use samite_graph::{
//!     BlockInput, Blockwise, Graph, OperationId, Optimize, Source, TreeOperations, TreeReduce,
//!     optimize,
//! };
//!
//! // The numbers are rows of the submitter's own table of operations.
//! const READ: OperationId = OperationId(0);
//! const SQUARE: OperationId = OperationId(1);
//! const ADD: OperationId = OperationId(2);
//!
//! // The sum of the squares of a grid of 4 by 3 blocks.
//! let mut graph = Graph::new();
//! let blocks = graph.add("read", Source::new(READ, 12))?;
//! let input = BlockInput { blocks, shape: &[4, 3], labels: &[0, 1] };
//! let squares = graph.add("square", Blockwise::new(SQUARE, &[0, 1], &[input], &[])?)?;
//! let operations = TreeOperations { chunk: None, combine: ADD, aggregate: ADD };
//! let axes = [(0, 2), (1, 3)];
//! let total = graph.add("sum", TreeReduce::new(squares, &[4, 3], &axes, operations)?)?;
//!
//! // As it stands: 12 reads, 12 squares, 2 sums of 6 blocks, and the sum of those.
//! let plan = graph.plan(&[total])?;
//! assert_eq!(plan.len(), 12 + 12 + 2 + 1);
//!
//! // Optimized, reading and squaring a block is one task.
//! let plan = optimize(&graph, &[total], &Optimize::default())?;
//! assert_eq!(plan.len(), 12 + 2 + 1);
//! assert_eq!(plan.outputs().len(), 1);
//! # Ok::<(), samite_graph::GraphError>(())
//! ```
//!
//! # Layers
//!
//! [`Source`], [`Blockwise`], [`TreeReduce`], [`AllToAll`] and [`TaskList`] are here; anything else
//! implements [`LayerKind`]. [`Graph::add`] hands out the [`Blocks`] that a layer offers, which
//! later layers read and callers ask for.
//!
//! # Passes
//!
//! [`optimize`] runs them in order. [`cull`] and [`fuse_blockwise`] work on layers; [`inline`] and
//! [`fuse_chains`] work on a [`Draft`], which is a plan that is not ordered yet and which a caller
//! that numbers its own tasks makes from a [`PlanBuilder`].
//!
//! # Invariants
//!
//! - No I/O, no threads, no clock, no values, no Python.
//! - Layers read from themselves and from earlier layers only.
//! - A task keeps its position in its layer through all passes on graphs, and so does the index
//!   that its operation is told.
//! - In a plan, the rank is a topological order, dependents are the transposed dependencies, and
//!   repeated arguments are repeated in both.
//! - Passes keep the values of the outputs; outputs are never fused away; tasks of layers with
//!   different annotations are never fused.
//! - Nothing recurses: depth is bounded by memory, not by the stack.

mod blocks;
mod csr;
mod encoding;
mod error;
mod graph;
mod ids;
mod layers;
mod order;
mod passes;
mod plan;
mod selection;

pub use blocks::{Blocks, TaskRef};
pub use csr::Csr;
pub use error::GraphError;
pub use graph::Graph;
pub use ids::{AnnotationId, LayerId, OperationId, TaskId};
pub use layers::{
    AllToAll, AllToAllOperations, BlockInput, Blockwise, Call, Input, Layer, LayerKind, Source,
    TaskList, TreeOperations, TreeReduce,
};
pub use order::{Held, order, peak_held, simulate};
pub use passes::{
    ChainLimits, Draft, InlineLimits, Optimize, cull, fuse_blockwise, fuse_chains, inline, optimize,
};
pub use plan::{Plan, PlanBuilder, Step, StepInput, Work};
