//! From expressions to layers of a graph and the operations that its tasks run.
//!
//! Elementwise functions, views and sources have no layer of their own: they become part of the
//! task that reads them. What reductions, selections and products need in full, what is wanted at
//! the end, and what several layers would else compute again at some cost, has one.

mod fragment;
mod gather;
mod mirror;
mod operation;
mod pieces;
mod shuffle;

use std::path::PathBuf;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::{
    AllToAll, AllToAllOperations, BlockInput, Blocks, Blockwise, Graph, Layer, LayerKind,
    OperationId, Source, TreeOperations, TreeReduce,
};
use smallvec::SmallVec;

pub use operation::{Operation, Target};
pub use pieces::Pieces;

use operation::Kind;

use crate::error::ArrayError;
use crate::expr::{Expr, Op, Reduce, in_order};
use crate::grid::Position;
use crate::kernels::mirror::Mirror;
use crate::kernels::reduce::{Asked, Reduction};
use crate::kernels::scan::Scan;
use crate::kernels::ufunc::Ufunc;
use crate::lower::fragment::{Builder, Reads, blockwise};
use crate::lower::gather::{ConcatLayer, GatherLayer, GatherPlan, PrefixLayer};
use crate::lower::mirror::MirrorLayer;
use crate::lower::shuffle::Shuffle;

/// What is computed again by each layer that reads it, as long as it costs no more than this: about
/// what it costs to store an element and to read it back, in simple arithmetic operations.
const RECOMPUTED: u32 = 12;
/// The longest chain of functions in one task; longer ones are cut.
const DEEPEST: u32 = 128;

/// A block that is made of no more blocks than this has them all as its inputs, however large the
/// array is.
const NARROW: usize = 8;

/// What is done in memory, and where what is not.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The bytes of an array that is cut anew in memory; a larger one goes through a file.
    pub in_memory: usize,
    /// Where the file is made; `None` for the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// Whether tasks may make blocks in pieces, of which each reader gets its own: for clusters.
    pub pieces: bool,
}

impl Limits {
    /// Those of a run with this memory limit and folder for what is spilled.
    pub fn for_run(memory_limit: Option<usize>, folder: Option<PathBuf>) -> Self {
        let budget =
            memory_limit.map_or_else(samite_runtime::default_memory_limit, |limit| limit as u64);
        let in_memory = usize::try_from(budget / 2).unwrap_or(usize::MAX);
        Self { in_memory, folder, pieces: false }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_run(None, None)
    }
}

/// A graph and what its tasks run.
#[derive(Default)]
pub struct Lowered {
    /// The layers.
    pub graph: Graph,
    /// The rows that the operations of the graph point at.
    pub operations: Vec<Operation>,
    /// The blocks of each root.
    pub outputs: Vec<Blocks>,
    /// The blocks that come from elsewhere: the token of each source, and its blocks.
    pub elsewhere: Vec<(u128, Blocks)>,
}

/// The coordinates of a block that is counted in row-major order.
pub(crate) fn position_in(counts: &[u32], index: u32) -> Position {
    let mut rest = index;
    let mut position: Position = SmallVec::from_elem(0, counts.len());
    for (place, count) in position.iter_mut().zip(counts).rev() {
        *place = rest % count;
        rest /= count;
    }
    position
}

/// Lowers optimized expressions. Where a root has a target, its blocks are written there, and the
/// values of its tasks are nothing.
///
/// # Errors
/// [`ArrayError::Graph`] where there are more tasks than a graph can number.
pub fn lower(
    roots: &[Expr],
    targets: &[Option<Arc<Target>>],
    limits: &Limits,
) -> Result<Lowered, ArrayError> {
    let order = in_order(roots);
    let together = Together::of(&order);
    let stored = chosen(roots, &order, &together);
    let (blocks, lowered) = (FxHashMap::default(), Lowered::default());
    let partials = FxHashMap::default();
    let mut lowering = Lowering { limits, stored, together, partials, blocks, lowered };
    let direct = |op: &Op| {
        is_inline(op) || matches!(op, Op::Gather { .. } | Op::Scan { .. } | Op::MatMul(..))
    };
    let read: FxHashSet<usize> =
        order.iter().flat_map(|expr| expr.op().inputs()).map(Expr::address).collect();
    let written: FxHashSet<usize> = roots
        .iter()
        .zip(targets)
        .filter(|(root, target)| {
            target.is_some() && direct(root.op()) && !read.contains(&root.address())
        })
        .map(|(root, _)| root.address())
        .collect();
    for expr in &order {
        if lowering.stored.contains(&expr.address()) && !written.contains(&expr.address()) {
            let blocks = lowering.layer(expr)?;
            lowering.blocks.insert(expr.address(), blocks);
        }
    }
    for (place, root) in roots.iter().enumerate() {
        let blocks = match targets.get(place).and_then(Option::as_ref) {
            Some(target) => lowering.deposit(root, target)?,
            None => match lowering.blocks.get(&root.address()) {
                Some(blocks) => *blocks,
                None => lowering.layer(root)?,
            },
        };
        lowering.lowered.outputs.push(blocks);
    }
    Ok(lowering.lowered)
}

/// Whether an operation becomes part of the tasks that read it.
fn is_inline(op: &Op) -> bool {
    matches!(
        op,
        Op::Memory { .. }
            | Op::Fill(_)
            | Op::Iota { .. }
            | Op::Map { .. }
            | Op::Cast(_)
            | Op::View { .. }
    )
}

/// Whether an operation takes its inputs into its own tasks instead of reading stored blocks.
fn takes_in(op: &Op) -> bool {
    is_inline(op) || matches!(op, Op::Reduce(_) | Op::Scan { .. })
}

/// The expressions that get layers.
fn chosen(roots: &[Expr], order: &[Expr], together: &Together) -> FxHashSet<usize> {
    let mut stored: FxHashSet<usize> = roots.iter().map(Expr::address).collect();
    for expr in order {
        if !is_inline(expr.op()) {
            stored.insert(expr.address());
        }
        if !takes_in(expr.op()) {
            stored.extend(expr.op().inputs().iter().map(|input| input.address()));
        }
    }
    // What a function costs from the stored blocks on, and how long the chain to them is.
    let mut cost: FxHashMap<usize, (u32, u32)> = FxHashMap::default();
    for expr in order {
        let (mut sum, mut depth) = (weight(expr.op()), 1);
        for input in expr.op().inputs() {
            if !stored.contains(&input.address()) {
                let (more, deeper) = cost.get(&input.address()).copied().unwrap_or((0, 0));
                sum += more;
                depth = depth.max(deeper + 1);
            }
        }
        if depth >= DEEPEST {
            stored.insert(expr.address());
        }
        cost.insert(expr.address(), (sum, depth));
    }
    // From the outputs down: which layers would compute each function.
    let mut readers: FxHashMap<usize, SmallVec<[usize; 4]>> = FxHashMap::default();
    for expr in order.iter().rev() {
        let address = expr.address();
        let mut mine = readers.remove(&address).unwrap_or_default();
        let costly = cost.get(&address).is_some_and(|(cost, _)| *cost > RECOMPUTED);
        if mine.len() > 1 && (costly || mine.len() > 4) && !matches!(expr.op(), Op::Fill(_)) {
            stored.insert(address);
        }
        if stored.contains(&address) {
            mine = SmallVec::from_iter([together.leader(expr)]);
        }
        for input in expr.op().inputs() {
            let list = readers.entry(input.address()).or_default();
            for reader in &mine {
                if !list.contains(reader) {
                    list.push(*reader);
                }
            }
        }
    }
    stored
}

/// The cost of an operation for one element, in simple arithmetic operations.
fn weight(op: &Op) -> u32 {
    match op {
        Op::Map { ufunc, .. } => {
            use Ufunc::{
                Absolute, Add, BitwiseAnd, BitwiseOr, BitwiseXor, Clip, Equal, FloorDivide,
                Greater, GreaterEqual, Invert, Isfinite, Isinf, Isnan, Less, LessEqual, LogicalAnd,
                LogicalNot, LogicalOr, LogicalXor, Maximum, Minimum, Multiply, NanToOne, NanToZero,
                Negative, NotEqual, Positive, Remainder, Sqrt, Square, Subtract, TrueDivide, Where,
            };
            match ufunc {
                Add | Subtract | Multiply | Negative | Positive | Absolute | Square | Maximum
                | Minimum | Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual
                | LogicalAnd | LogicalOr | LogicalXor | LogicalNot | BitwiseAnd | BitwiseOr
                | BitwiseXor | Invert | Isnan | Isinf | Isfinite | Where | Clip | NanToZero
                | NanToOne => 1,
                TrueDivide | Sqrt | FloorDivide | Remainder => 4,
                _ => 20,
            }
        }
        Op::Cast(_) => 1,
        _ => 0,
    }
}

/// Reductions of the same elements along the same axes, which read them together.
#[derive(Default)]
struct Together {
    /// The first reduction of each group by the others.
    leaders: FxHashMap<usize, usize>,
    /// What is asked for by each first reduction, and by whom.
    groups: FxHashMap<usize, Vec<(usize, Asked)>>,
}

impl Together {
    fn of(order: &[Expr]) -> Self {
        let mut together = Self::default();
        let mut known: FxHashMap<(usize, &[bool]), usize> = FxHashMap::default();
        for expr in order {
            let Op::Reduce(reduce) = expr.op() else { continue };
            let key = (reduce.input.address(), reduce.axes.as_slice());
            let leader = *known.entry(key).or_insert(expr.address());
            together.leaders.insert(expr.address(), leader);
            let group = together.groups.entry(leader).or_default();
            group.push((expr.address(), asked(reduce)));
        }
        together
    }

    fn leader(&self, expr: &Expr) -> usize {
        self.leaders.get(&expr.address()).copied().unwrap_or(expr.address())
    }

    fn group(&self, leader: usize) -> Option<&[(usize, Asked)]> {
        self.groups.get(&leader).map(Vec::as_slice)
    }
}

fn asked(reduce: &Reduce) -> Asked {
    (reduce.reduction, reduce.accumulator)
}

struct Lowering<'call> {
    limits: &'call Limits,
    stored: FxHashSet<usize>,
    together: Together,
    /// The layers that reduce blocks, by the first reduction of their group.
    partials: FxHashMap<usize, Blocks>,
    blocks: FxHashMap<usize, Blocks>,
    lowered: Lowered,
}

impl Lowering<'_> {
    fn operation(&mut self, kind: Kind) -> OperationId {
        self.lowered.operations.push(kind.into());
        OperationId::from_index(self.lowered.operations.len() - 1)
    }

    fn add(&mut self, name: &str, layer: impl Into<Layer>) -> Result<Blocks, ArrayError> {
        Ok(self.lowered.graph.add(name, layer)?)
    }

    fn fragment(&self, expr: &Expr) -> Result<(fragment::Fragment, Reads), ArrayError> {
        Builder::new(expr.ndim(), self.limits.in_memory, &self.stored, &self.blocks).finish(expr)
    }

    fn read(&self, expr: &Expr) -> Result<Blocks, ArrayError> {
        self.blocks
            .get(&expr.address())
            .copied()
            .ok_or(ArrayError::Internal { what: "a layer comes before one that it reads" })
    }

    /// The layer that computes the blocks of an expression.
    fn layer(&mut self, expr: &Expr) -> Result<Blocks, ArrayError> {
        let name = expr.op().name();
        let counts = expr.grid().counts();
        match expr.op() {
            Op::Stored(blocks) => {
                let count = blocks.len() as u32;
                let operation = self.operation(Kind::Stored(Arc::clone(blocks)));
                self.add(&name, Source::new(operation, count))
            }
            Op::Elsewhere(content) => {
                let operation = self.operation(Kind::Elsewhere);
                let count = expr.grid().blocks().unwrap_or(0);
                let blocks = self.add(&name, Source::new(operation, count))?;
                self.lowered.elsewhere.push((*content, blocks));
                Ok(blocks)
            }
            Op::Random { distribution, seed } => {
                let count = expr.grid().blocks().unwrap_or(0);
                let operation = self.operation(Kind::Random {
                    distribution: *distribution,
                    seed: *seed,
                    dtype: expr.dtype(),
                    grid: expr.grid().clone(),
                });
                self.add(&name, Source::new(operation, count))
            }
            Op::Call { function, inputs, labels } => {
                let reads: Reads = inputs
                    .iter()
                    .map(|(input, labels)| {
                        Ok((self.read(input)?, input.grid().counts(), labels.clone()))
                    })
                    .collect::<Result<_, ArrayError>>()?;
                let function = Arc::clone(function);
                let operation = self.operation(Kind::Call { function, counts: counts.clone() });
                let axes: Vec<(u32, u32)> =
                    labels.iter().copied().zip(counts.iter().copied()).collect();
                let inputs: Vec<BlockInput<'_>> = reads
                    .iter()
                    .map(|(blocks, shape, labels)| BlockInput { blocks: *blocks, shape, labels })
                    .collect();
                let layer = Blockwise::new(operation, labels, &inputs, &axes)?;
                self.add(&name, layer)
            }
            Op::Gather { input, axes } => {
                let blocks = self.read(input)?;
                let plan = Arc::new(GatherPlan::new(axes, input.grid(), expr.grid()));
                if self.limits.pieces && pieces::pays_off(&plan) {
                    return self.exchange(expr, input, blocks, plan);
                }
                let wide = plan.widest() > NARROW;
                if wide && input.nbytes() > self.limits.in_memory as u128 {
                    return self.shuffle(expr, input, blocks, plan);
                }
                let operation =
                    self.operation(Kind::Gather { plan: Arc::clone(&plan), dtype: expr.dtype() });
                self.add(&name, custom(GatherLayer { operation, input: blocks, plan }))
            }
            Op::Concat { inputs, axis } => {
                let operation = self.operation(Kind::Pass);
                let inputs = inputs
                    .iter()
                    .map(|input| Ok((self.read(input)?, input.grid().axis(*axis).len() as u32)))
                    .collect::<Result<_, ArrayError>>()?;
                self.add(&name, custom(ConcatLayer { operation, inputs, counts, axis: *axis }))
            }
            Op::Reduce(reduce) => self.reduce(expr, reduce),
            Op::Scan { input, scan, axis } => self.scan(expr, input, *scan, *axis, None),
            Op::Reshape(input) => {
                let blocks = self.read(input)?;
                let operation = self.operation(Kind::Reshape { grid: expr.grid().clone() });
                // Block for block, whatever the grids: both are counted in row-major order.
                let all = [blocks.len() as u32];
                let input = BlockInput { blocks, shape: &all, labels: &[0] };
                let layer = Blockwise::new(operation, &[0], &[input], &[])?;
                self.add(&name, layer)
            }
            Op::MatMul(one, other) => {
                let operation = self.operation(Kind::MatMul);
                self.product(expr, one, other, operation)
            }
            _ => {
                let (fragment, reads) = self.fragment(expr)?;
                let operation = self.operation(Kind::Fragment(fragment));
                let layer = blockwise(operation, &counts, &reads, None)?;
                self.add(&name, layer)
            }
        }
    }

    /// The layer of the fragments of an expression.
    fn fragments(
        &mut self,
        name: &str,
        operation: OperationId,
        expr: &Expr,
        reads: &Reads,
        mirror: Option<Mirror>,
    ) -> Result<Blocks, ArrayError> {
        let counts = expr.grid().counts();
        match mirror {
            Some(mirror) => self.add(name, custom(MirrorLayer { operation, counts, mirror })),
            None => self.add(name, blockwise(operation, &counts, reads, None)?),
        }
    }

    /// The layer of a product of matrices whose blocks an operation computes.
    fn product(
        &mut self,
        expr: &Expr,
        one: &Expr,
        other: &Expr,
        operation: OperationId,
    ) -> Result<Blocks, ArrayError> {
        let (first, second) = (self.read(one)?, self.read(other)?);
        let (left, right) = (one.grid().counts(), other.grid().counts());
        let inputs = [
            BlockInput { blocks: first, shape: &left, labels: &[0, 2] },
            BlockInput { blocks: second, shape: &right, labels: &[2, 1] },
        ];
        let layer = Blockwise::new(operation, &[0, 1], &inputs, &[])?;
        self.add(&expr.op().name(), layer)
    }

    fn reduce(&mut self, expr: &Expr, reduce: &Reduce) -> Result<Blocks, ArrayError> {
        let name = reduce.reduction.name();
        let counts = reduce.input.grid().counts();
        let (partials, part) = self.partials(expr, reduce)?;
        let combine = self.operation(Kind::Combine { name, part });
        let aggregate =
            self.operation(Kind::Finish { name, part, output: expr.dtype(), ddof: reduce.ddof });
        let reduced: Vec<usize> = (0..counts.len()).filter(|axis| reduce.axes[*axis]).collect();
        let axes: Vec<(usize, u32)> =
            reduced.into_iter().zip(reduce.split_every.iter().copied()).collect();
        let operations = TreeOperations { chunk: None, combine, aggregate };
        let tree = TreeReduce::new(partials, &counts, &axes, operations)?;
        self.add(&expr.op().name(), tree)
    }

    /// The layer that reduces the blocks, for all reductions of the same elements along the same
    /// axes, and which of its results is this reduction's.
    fn partials(&mut self, expr: &Expr, reduce: &Reduce) -> Result<(Blocks, usize), ArrayError> {
        let leader = self.together.leader(expr);
        let group = self.together.group(leader);
        let alone = [(expr.address(), asked(reduce))];
        let group = group.unwrap_or(&alone);
        let part = group.iter().position(|(address, _)| *address == expr.address()).unwrap_or(0);
        if let Some(blocks) = self.partials.get(&leader) {
            return Ok((*blocks, part));
        }
        let asked: SmallVec<[Asked; 1]> = group.iter().map(|(_, asked)| *asked).collect();
        let name = operation::chunk_name(&asked);
        let (fragment, reads) = self.fragment(&reduce.input)?;
        let mirror = fragment.mirror();
        let operation = self.operation(Kind::Partial {
            fragment,
            mirror,
            asked,
            axes: reduce.axes.clone(),
            whole: reduce.input.shape().into(),
        });
        let blocks = self.fragments(&name, operation, &reduce.input, &reads, mirror)?;
        self.partials.insert(leader, blocks);
        Ok((blocks, part))
    }

    fn scan(
        &mut self,
        expr: &Expr,
        input: &Expr,
        scan: Scan,
        axis: usize,
        target: Option<Arc<Target>>,
    ) -> Result<Blocks, ArrayError> {
        let counts = expr.grid().counts();
        let output = expr.dtype();
        let mut prefix = None;
        if counts[axis] > 1 {
            let (fragment, reads) = self.fragment(input)?;
            let reduction = match scan {
                Scan::Sum => Reduction::Sum,
                Scan::Prod => Reduction::Prod,
            };
            let axes = (0..counts.len()).map(|place| place == axis).collect();
            let operation = self.operation(Kind::Partial {
                fragment,
                mirror: None,
                asked: SmallVec::from_iter([(reduction, Some(output))]),
                axes,
                whole: input.shape().into(),
            });
            let layer = blockwise(operation, &counts, &reads, None)?;
            let totals = self.add("cumulative-totals", layer)?;
            let operation = self.operation(Kind::Prefix { scan, output });
            let layer = PrefixLayer { operation, totals, counts: counts.clone(), axis };
            prefix = Some(self.add("cumulative-prefix", custom(layer))?);
        }
        let (fragment, reads) = self.fragment(input)?;
        let operation = self.operation(match target {
            Some(target) => Kind::ScanInto { fragment, scan, axis, output, target },
            None => Kind::Scan { fragment, scan, axis, output },
        });
        let layer = blockwise(operation, &counts, &reads, prefix)?;
        self.add(&expr.op().name(), layer)
    }

    /// A gathering between workers.
    fn exchange(
        &mut self,
        expr: &Expr,
        input: &Expr,
        blocks: Blocks,
        plan: Arc<GatherPlan>,
    ) -> Result<Blocks, ArrayError> {
        let dtype = expr.dtype();
        let (shared, grid) = (Arc::clone(&plan), input.grid().clone());
        let operation = self.operation(Kind::Cut { plan: shared, dtype, input: grid });
        let counts = input.grid().counts();
        let cut =
            self.add("rechunk-split", blockwise(operation, &counts, &Vec::new(), Some(blocks))?)?;
        let operation = self.operation(Kind::Assemble { plan: Arc::clone(&plan), dtype });
        self.add(&expr.op().name(), custom(GatherLayer { operation, input: cut, plan }))
    }

    /// A gathering of more than memory.
    fn shuffle(
        &mut self,
        expr: &Expr,
        input: &Expr,
        blocks: Blocks,
        plan: Arc<GatherPlan>,
    ) -> Result<Blocks, ArrayError> {
        let dtype = expr.dtype();
        let shuffle = Arc::new(Shuffle::new(&plan, dtype, self.limits.folder.clone()));
        let split = self.operation(Kind::Split {
            plan: Arc::clone(&plan),
            shuffle: Arc::clone(&shuffle),
            dtype,
            input: input.grid().clone(),
        });
        let barrier = self.operation(Kind::Barrier);
        let join = self.operation(Kind::Join { plan, shuffle, dtype });
        let outputs = expr.grid().blocks().unwrap_or(0);
        let layer = AllToAll::new(blocks, outputs, AllToAllOperations { split, barrier, join })?;
        self.add(&expr.op().name(), layer)
    }

    /// The layer that writes the blocks of a root to their places.
    fn deposit(&mut self, root: &Expr, target: &Arc<Target>) -> Result<Blocks, ArrayError> {
        let counts = root.grid().counts();
        let target = Arc::clone(target);
        if is_inline(root.op()) && !self.blocks.contains_key(&root.address()) {
            let (fragment, reads) = self.fragment(root)?;
            let mirror = fragment.mirror();
            let operation = self.operation(Kind::FragmentInto { fragment, target, mirror });
            return self.fragments(&root.op().name(), operation, root, &reads, mirror);
        }
        let known = self.blocks.get(&root.address()).copied();
        if let (Op::Scan { input, scan, axis }, None) = (root.op(), known) {
            return self.scan(root, input, *scan, *axis, Some(target));
        }
        if let (Op::MatMul(one, other), None) = (root.op(), known) {
            let operation = self.operation(Kind::matmul_into(root.grid(), target));
            return self.product(root, one, other, operation);
        }
        if let (Op::Gather { input, axes }, None) = (root.op(), known) {
            let plan = Arc::new(GatherPlan::new(axes, input.grid(), root.grid()));
            if plan.widest() <= NARROW || input.nbytes() <= self.limits.in_memory as u128 {
                let (dtype, grid) = (root.dtype(), root.grid().clone());
                let input = self.read(input)?;
                let shared = Arc::clone(&plan);
                let operation =
                    self.operation(Kind::GatherInto { plan: shared, dtype, grid, target });
                return self.add(&root.op().name(), custom(GatherLayer { operation, input, plan }));
            }
        }
        let blocks = match known {
            Some(blocks) => blocks,
            None => self.layer(root)?,
        };
        let operation = self.operation(Kind::deposit(root.grid(), target));
        let layer = blockwise(operation, &counts, &Vec::new(), Some(blocks))?;
        self.add("store", layer)
    }
}

fn custom(layer: impl LayerKind + 'static) -> Arc<dyn LayerKind> {
    Arc::new(layer)
}
