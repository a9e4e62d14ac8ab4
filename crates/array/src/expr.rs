//! Expressions: arrays that are described and not computed yet.
//!
//! An expression is a node of a graph without cycles. It knows its shape, its chunks and its dtype;
//! making one touches no data and takes time by its number of axes, not by its number of chunks.
//! Nodes are shared and never change.

use std::sync::{Arc, OnceLock};

use samite_runtime::{OperationError, Value};
use smallvec::SmallVec;

use crate::axis_map::AxisMap;
use crate::chunk::{Chunk, Shape};
use crate::dtype::{DType, Scalar};
use crate::grid::{Grid, Offsets};
use crate::kernels::random::Distribution;
use crate::kernels::reduce::Reduction;
use crate::kernels::scan::Scan;
use crate::kernels::ufunc::{Loop, Ufunc};

/// A lazy array.
#[derive(Clone)]
pub struct Expr {
    node: Arc<Node>,
}

/// What an expression is made of, and what is known of its result.
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) dtype: DType,
    pub(crate) shape: Shape,
    pub(crate) grid: Grid,
    pub(crate) token: OnceLock<u128>,
    /// Whether there is a call in it.
    pub(crate) calls: bool,
}

/// An argument of an elementwise function.
#[derive(Clone)]
pub(crate) enum Argument {
    Array(Expr),
    Scalar(Scalar),
}

/// Where an axis of a view comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewAxis {
    /// An axis of the input.
    Input(usize),
    /// A new axis, along which the elements repeat.
    New,
}

/// The content of an array in memory, for its name.
pub(crate) type Content = Arc<dyn Fn() -> u128 + Send + Sync>;

/// A function of blocks that the engine does not look into.
pub trait BlockFunction: Send + Sync {
    /// Computes the block at `position` of the output from blocks of the inputs.
    ///
    /// # Errors
    /// Whatever the function fails with.
    fn run(&self, position: &[u32], inputs: &mut Vec<Value>) -> Result<Value, OperationError>;

    /// Whether it has to run inside the run's guard.
    fn guarded(&self) -> bool;

    /// The function that makes only these elements, in these chunks: of a source that reads any
    /// part of itself. Each map has one run.
    fn select(&self, maps: &[AxisMap], grid: &Grid) -> Option<Arc<dyn BlockFunction>> {
        let _ = (maps, grid);
        None
    }

    /// What tells it from other functions, for names.
    fn token(&self) -> u128;

    /// What it is called in errors and reports.
    fn name(&self) -> String;
}

/// The labels of an array's axes in a blockwise call.
pub type Labels = SmallVec<[u32; 4]>;

pub(crate) enum Op {
    /// An array in memory.
    Memory { chunk: Chunk, content: Content },
    /// One element, everywhere.
    Fill(Scalar),
    /// `start + i * step` along the only axis.
    Iota { start: Scalar, step: Scalar },
    /// Random numbers: each block has a stream of its own.
    Random { distribution: Distribution, seed: [u64; 4] },
    /// Blocks that were computed before, in row-major order.
    Stored(Arc<[Chunk]>),
    /// Blocks that other tasks hold, by the token of what they are.
    Elsewhere(u128),
    /// Blocks that a function makes from blocks of other arrays, by labels of axes. A label that
    /// the output lacks hands over all blocks along it.
    Call { function: Arc<dyn BlockFunction>, inputs: Vec<(Expr, Labels)>, labels: Labels },
    /// A function of elements. Its arguments have the shape and the chunks of the result.
    Map { ufunc: Ufunc, types: Loop, arguments: SmallVec<[Argument; 3]> },
    /// Another dtype.
    Cast(Expr),
    /// Axes in another order, new ones, and axes of length one left out.
    View { input: Expr, axes: SmallVec<[ViewAxis; 4]> },
    /// Other elements along each axis, in other chunks.
    Gather { input: Expr, axes: SmallVec<[AxisMap; 4]> },
    /// Arrays end to end.
    Concat { inputs: Vec<Expr>, axis: usize },
    /// Many elements to one, along the axes that are marked, which go.
    Reduce(Reduce),
    /// A running total along an axis.
    Scan { input: Expr, scan: Scan, axis: usize },
    /// The same elements in C order; each block becomes the block of the same number.
    Reshape(Expr),
    /// The product of matrices: the last axis of the first, the first axis of the last two of the
    /// second.
    MatMul(Expr, Expr),
}

pub(crate) struct Reduce {
    pub(crate) input: Expr,
    pub(crate) reduction: Reduction,
    pub(crate) axes: SmallVec<[bool; 4]>,
    pub(crate) accumulator: Option<DType>,
    pub(crate) ddof: f64,
    /// How many blocks are joined at a time along each axis that is reduced.
    pub(crate) split_every: SmallVec<[u32; 4]>,
}

impl Op {
    /// The arrays that it reads, repeats kept.
    pub(crate) fn inputs(&self) -> SmallVec<[&Expr; 3]> {
        match self {
            Self::Memory { .. }
            | Self::Fill(_)
            | Self::Iota { .. }
            | Self::Random { .. }
            | Self::Stored(_)
            | Self::Elsewhere(_) => SmallVec::new(),
            Self::Call { inputs, .. } => inputs.iter().map(|(input, _)| input).collect(),
            Self::Map { arguments, .. } => arguments
                .iter()
                .filter_map(|argument| match argument {
                    Argument::Array(array) => Some(array),
                    Argument::Scalar(_) => None,
                })
                .collect(),
            Self::Cast(input)
            | Self::View { input, .. }
            | Self::Gather { input, .. }
            | Self::Scan { input, .. }
            | Self::Reshape(input) => SmallVec::from_iter([input]),
            Self::Concat { inputs, .. } => inputs.iter().collect(),
            Self::Reduce(reduce) => SmallVec::from_iter([&reduce.input]),
            Self::MatMul(one, other) => SmallVec::from_iter([one, other]),
        }
    }

    /// What it is called in names, errors and pictures.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Memory { .. } => "array".into(),
            Self::Fill(_) => "full".into(),
            Self::Iota { .. } => "arange".into(),
            Self::Random { .. } => "random".into(),
            Self::Stored(_) => "stored".into(),
            Self::Elsewhere(_) => "elsewhere".into(),
            Self::Call { function, .. } => function.name(),
            Self::Map { ufunc, .. } => ufunc.name().into(),
            Self::Cast(_) => "astype".into(),
            Self::View { .. } => "transpose".into(),
            Self::Gather { input, axes } => {
                let cut =
                    axes.iter().zip(&input.node.shape).all(|(map, len)| map.is_identity(*len));
                if cut { "rechunk-merge" } else { "getitem" }.into()
            }
            Self::Concat { .. } => "concatenate".into(),
            Self::Reduce(reduce) => format!("{}-aggregate", reduce.reduction.name()),
            Self::Scan { scan: Scan::Sum, .. } => "cumsum".into(),
            Self::Scan { scan: Scan::Prod, .. } => "cumprod".into(),
            Self::Reshape(_) => "reshape".into(),
            Self::MatMul(..) => "matmul".into(),
        }
    }
}

impl Expr {
    pub(crate) fn from_op(op: Op, dtype: DType, grid: Grid) -> Self {
        let shape = grid.shape();
        let calls =
            matches!(op, Op::Call { .. }) || op.inputs().iter().any(|input| input.node.calls);
        Self { node: Arc::new(Node { op, dtype, shape, grid, token: OnceLock::new(), calls }) }
    }

    pub(crate) fn op(&self) -> &Op {
        &self.node.op
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The node's address: the identity of the expression.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.node) as usize
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        self.node.dtype
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.node.shape
    }

    /// How it is cut.
    pub fn grid(&self) -> &Grid {
        &self.node.grid
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.node.shape.len()
    }

    /// The bytes of all elements.
    pub fn nbytes(&self) -> u128 {
        let size = self.node.dtype.size() as u128;
        self.node.shape.iter().fold(size, |bytes, len| bytes * *len as u128)
    }

    /// Whether functions that the engine does not look into are part of it.
    pub fn has_calls(&self) -> bool {
        self.node.calls
    }

    /// Whether it is an array that was made, and not the result of a function of arrays.
    pub fn is_source(&self) -> bool {
        matches!(self.op(), Op::Memory { .. } | Op::Fill(_) | Op::Iota { .. } | Op::Random { .. })
    }

    /// The blocks that it holds, in row-major order; `None` where they have to be computed.
    pub fn blocks(&self) -> Option<Vec<Chunk>> {
        match self.op() {
            Op::Stored(blocks) => Some(blocks.to_vec()),
            Op::Memory { chunk, .. } => {
                let offsets = Offsets::of(self.grid());
                let blocks = 0..self.grid().blocks()?;
                let block = |index| {
                    let region = offsets.region(&self.grid().position(index));
                    let mut parts = region.iter().enumerate();
                    parts.try_fold(chunk.clone(), |part, (axis, range)| {
                        part.slice(axis, range.start, 1, range.len())
                    })
                };
                blocks.map(block).collect()
            }
            _ => None,
        }
    }

    /// What the outermost operation is called.
    pub fn operation(&self) -> String {
        self.node.op.name()
    }
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?} {:?}", self.node.op.name(), self.node.shape, self.node.dtype)
    }
}

impl Drop for Node {
    /// Lets go of a long chain link by link: dropped by recursion it would overflow the stack.
    fn drop(&mut self) {
        let mut left: Vec<Expr> = Vec::new();
        take_inputs(&mut self.op, &mut left);
        while let Some(expr) = left.pop() {
            if let Some(mut node) = Arc::into_inner(expr.node) {
                take_inputs(&mut node.op, &mut left);
            }
        }
    }
}

fn take_inputs(op: &mut Op, into: &mut Vec<Expr>) {
    match std::mem::replace(op, Op::Fill(Scalar::zero(DType::Bool))) {
        Op::Memory { .. }
        | Op::Fill(_)
        | Op::Iota { .. }
        | Op::Random { .. }
        | Op::Stored(_)
        | Op::Elsewhere(_) => {}
        Op::Call { inputs, .. } => into.extend(inputs.into_iter().map(|(input, _)| input)),
        Op::Map { arguments, .. } => {
            into.extend(arguments.into_iter().filter_map(|argument| match argument {
                Argument::Array(array) => Some(array),
                Argument::Scalar(_) => None,
            }));
        }
        Op::Cast(input)
        | Op::View { input, .. }
        | Op::Gather { input, .. }
        | Op::Scan { input, .. }
        | Op::Reshape(input) => into.push(input),
        Op::Concat { inputs, .. } => into.extend(inputs),
        Op::Reduce(reduce) => into.push(reduce.input),
        Op::MatMul(one, other) => into.extend([one, other]),
    }
}

/// Every expression that some need, each once, inputs before what reads them.
pub(crate) fn in_order(roots: &[Expr]) -> Vec<Expr> {
    let mut seen = rustc_hash::FxHashSet::default();
    let mut order = Vec::new();
    let mut stack: Vec<(Expr, bool)> =
        roots.iter().rev().map(|root| (root.clone(), false)).collect();
    while let Some((expr, ready)) = stack.pop() {
        if ready {
            order.push(expr);
            continue;
        }
        if !seen.insert(expr.address()) {
            continue;
        }
        stack.push((expr.clone(), true));
        for input in expr.op().inputs().iter().rev() {
            if !seen.contains(&input.address()) {
                stack.push(((*input).clone(), false));
            }
        }
    }
    order
}
