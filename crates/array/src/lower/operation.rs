//! What the tasks of arrays run.

use std::any::Any;
use std::sync::Arc;

use samite_runtime::{Context, OperationError, Unit, Value};
use smallvec::SmallVec;

use crate::buffer::Buffer;
use crate::chunk::{Chunk, Shape, Strides, contiguous_strides};
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::expr::BlockFunction;
use crate::grid::{Grid, Offsets};
use crate::kernels::evaluate;
use crate::kernels::mirror::{self, Mirror};
use crate::kernels::random::{self, Distribution};
use crate::kernels::reduce::{self, Asked, Bundle, Partial};
use crate::kernels::scan::{self, Scan};
use crate::kernels::{copy, matmul};
use crate::lower::fragment::{Fragment, Ready, checked};
use crate::lower::gather::GatherPlan;
use crate::lower::pieces;
use crate::lower::position_in;
use crate::lower::shuffle::Shuffle;

/// Where a root's blocks are written: memory for the whole array, which is shared by the tasks.
pub struct Target {
    start: *mut u8,
    dtype: DType,
    shape: Shape,
    strides: Strides,
    buffer: Arc<Buffer>,
}

// SAFETY: tasks write disjoint regions, and nobody reads before all have ended.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// New memory for an array, in C order.
    ///
    /// # Errors
    /// [`ArrayError::OutOfMemory`], [`ArrayError::TooLarge`].
    pub fn allocate(dtype: DType, shape: &[usize]) -> Result<Self, ArrayError> {
        let bytes = crate::chunk::checked_len(shape)
            .and_then(|len| len.checked_mul(dtype.size()))
            .ok_or_else(|| ArrayError::TooLarge { operation: "compute", shape: shape.to_vec() })?;
        let mut buffer = Buffer::allocate(bytes)?;
        let start = buffer.bytes_mut().as_mut_ptr();
        let strides = contiguous_strides(shape, dtype.size());
        Ok(Self { start, dtype, shape: shape.into(), strides, buffer: Arc::new(buffer) })
    }

    /// The array, once every task has written its block.
    pub fn into_chunk(&self) -> Chunk {
        // SAFETY: the buffer was allocated for exactly this layout, zeroed or filled.
        unsafe {
            Chunk::from_raw(
                Arc::clone(&self.buffer),
                self.start,
                self.dtype,
                &self.shape,
                &self.strides,
            )
        }
    }

    /// Whether a block of this shape lies in it in C order without gaps.
    fn is_contiguous_over(&self, shape: &[usize]) -> bool {
        let strides = contiguous_strides(shape, self.dtype.size());
        let mut axes = shape.iter().zip(strides.iter().zip(&self.strides));
        axes.all(|(len, (wanted, stride))| *len <= 1 || wanted == stride)
    }

    fn at(&self, origin: &[usize]) -> *mut u8 {
        let mut start = self.start;
        for (place, stride) in origin.iter().zip(&self.strides) {
            start = start.wrapping_offset(*place as isize * stride);
        }
        start
    }
}

/// What one task runs.
pub struct Operation {
    kind: Kind,
}

impl From<Kind> for Operation {
    fn from(kind: Kind) -> Self {
        Self { kind }
    }
}

/// The kinds of operations.
pub(crate) enum Kind {
    /// Elementwise functions of blocks and of arrays in memory.
    Fragment(Fragment),
    /// As above, written to its place in the result; for blocks at both sides of a diagonal by the
    /// first of both.
    FragmentInto { fragment: Fragment, target: Arc<Target>, mirror: Option<Mirror> },
    /// As above, reduced; in several ways where there are several reductions of the same elements.
    Partial {
        fragment: Fragment,
        mirror: Option<Mirror>,
        asked: SmallVec<[Asked; 1]>,
        axes: SmallVec<[bool; 4]>,
        whole: Shape,
    },
    /// Joins partial results, those of this number where a block has several.
    Combine { name: &'static str, part: usize },
    /// Joins partial results to the result.
    Finish { name: &'static str, part: usize, output: DType, ddof: f64 },
    /// What a block of a running total starts from.
    Prefix { scan: Scan, output: DType },
    /// A block of a running total.
    Scan { fragment: Fragment, scan: Scan, axis: usize, output: DType },
    /// As above, written to its place in the result.
    ScanInto { fragment: Fragment, scan: Scan, axis: usize, output: DType, target: Arc<Target> },
    /// Pieces of other blocks put together.
    Gather { plan: Arc<GatherPlan>, dtype: DType },
    /// As above, written to its place in the result.
    GatherInto { plan: Arc<GatherPlan>, dtype: DType, grid: Grid, target: Arc<Target> },
    /// Hands the pieces of a block to a shuffle.
    Split { plan: Arc<GatherPlan>, shuffle: Arc<Shuffle>, dtype: DType, input: Grid },
    /// All pieces are there.
    Barrier,
    /// A block from its pieces.
    Join { plan: Arc<GatherPlan>, shuffle: Arc<Shuffle>, dtype: DType },
    /// The pieces of a block, for a cluster.
    Cut { plan: Arc<GatherPlan>, dtype: DType, input: Grid },
    /// A block from its pieces, each of a block in pieces.
    Assemble { plan: Arc<GatherPlan>, dtype: DType },
    /// A block as it is.
    Pass,
    /// A block in another shape.
    Reshape { grid: Grid },
    /// A block of a product of matrices: a row of blocks, then a column.
    MatMul,
    /// As above, written to its place in the result.
    MatMulInto { counts: SmallVec<[u32; 4]>, grid: Grid, offsets: Offsets, target: Arc<Target> },
    /// A block of random numbers.
    Random { distribution: Distribution, seed: [u64; 4], dtype: DType, grid: Grid },
    /// A block that is at hand.
    Stored(Arc<[Chunk]>),
    /// A block that a task outside of the graph has.
    Elsewhere,
    /// A function that the engine does not look into.
    Call { function: Arc<dyn BlockFunction>, counts: SmallVec<[u32; 4]> },
    /// Writes a block to its place in the result.
    Deposit { counts: SmallVec<[u32; 4]>, grid: Grid, offsets: Offsets, target: Arc<Target> },
}

impl Kind {
    pub(crate) fn matmul_into(grid: &Grid, target: Arc<Target>) -> Self {
        let (counts, offsets) = (grid.counts(), Offsets::of(grid));
        Self::MatMulInto { counts, grid: grid.clone(), offsets, target }
    }

    pub(crate) fn deposit(grid: &Grid, target: Arc<Target>) -> Self {
        let (counts, offsets) = (grid.counts(), Offsets::of(grid));
        Self::Deposit { counts, grid: grid.clone(), offsets, target }
    }
}

impl Operation {
    /// Whether it has to run inside the run's guard.
    pub fn is_guarded(&self) -> bool {
        matches!(&self.kind, Kind::Call { function, .. } if function.guarded())
    }

    /// Whether it works on a file together with other tasks of its run, so that it cannot run in
    /// another process.
    pub fn is_shared(&self) -> bool {
        matches!(&self.kind, Kind::Split { .. } | Kind::Join { .. })
    }

    /// Whether it reads one piece of each of its inputs: that of its own number.
    pub fn reads_pieces(&self) -> bool {
        matches!(&self.kind, Kind::Assemble { .. })
    }

    /// What it is called in errors and reports.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Fragment(_) | Kind::FragmentInto { .. } => "elementwise".into(),
            Kind::Partial { asked, .. } => chunk_name(asked),
            Kind::Combine { name, .. } => format!("{name}-combine"),
            Kind::Finish { name, .. } => format!("{name}-aggregate"),
            Kind::Prefix { .. } => "cumulative-prefix".into(),
            Kind::Scan { .. } | Kind::ScanInto { .. } => "cumulative".into(),
            Kind::Gather { .. } | Kind::GatherInto { .. } => "getitem".into(),
            Kind::Split { .. } | Kind::Cut { .. } => "rechunk-split".into(),
            Kind::Barrier => "rechunk-barrier".into(),
            Kind::Join { .. } | Kind::Assemble { .. } => "rechunk-merge".into(),
            Kind::Pass => "concatenate".into(),
            Kind::Reshape { .. } => "reshape".into(),
            Kind::MatMul | Kind::MatMulInto { .. } => "matmul".into(),
            Kind::Random { .. } => "random".into(),
            Kind::Stored(_) => "stored".into(),
            Kind::Elsewhere => "elsewhere".into(),
            Kind::Call { function, .. } => function.name(),
            Kind::Deposit { .. } => "store".into(),
        }
    }

    /// Runs it for the block of this number.
    ///
    /// # Errors
    /// [`ArrayError`], or what a function fails with.
    pub fn run(
        &self,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        if let Kind::Call { function, counts, .. } = &self.kind {
            return function.run(&position_in(counts, index), inputs);
        }
        if let Kind::Pass = &self.kind {
            let only = inputs.pop().ok_or(ArrayError::Internal { what: "a block is missing" });
            return only.map_err(OperationError::new);
        }
        self.kind.compute(index, context, inputs).map_err(OperationError::new)
    }
}

impl Kind {
    fn compute(
        &self,
        index: u32,
        context: &Context<'_>,
        inputs: &[Value],
    ) -> Result<Value, ArrayError> {
        let cancelled = context.cancelled();
        Ok(match self {
            Self::Fragment(fragment) => Arc::new(fragment.run(index, inputs, cancelled)?),
            Self::FragmentInto { fragment, target, mirror } => {
                if let Some((mirror, image)) = fragment.image(index, *mirror) {
                    if image < index {
                        return Ok(Arc::new(Unit));
                    }
                    let both = [fragment.ready(index, inputs)?, fragment.ready(image, inputs)?];
                    let targets = [0, 1].map(|side: usize| target.at(&both[side].origin));
                    // SAFETY: the operands were checked against the shapes of both blocks, whose
                    // places in the target are written by this task alone.
                    unsafe {
                        mirror::evaluate_both(
                            &fragment.program,
                            [both[0].block(), both[1].block()],
                            mirror,
                            targets,
                            &target.strides,
                            cancelled,
                        );
                    }
                    both.iter().for_each(|ready| fragment.release(ready));
                    return Ok(Arc::new(Unit));
                }
                let ready = fragment.ready(index, inputs)?;
                let Ready { shape, origin, operands } = &ready;
                // SAFETY: the operands were checked against the block's shape; the block's place in
                // the target is written by this task alone.
                unsafe {
                    evaluate::evaluate(
                        &fragment.program,
                        operands,
                        shape,
                        target.at(origin),
                        &target.strides,
                        origin,
                        cancelled,
                    );
                }
                fragment.release(&ready);
                Arc::new(Unit)
            }
            Self::Partial { fragment, asked, axes, whole, mirror } => {
                if let Some((mirror, image)) = fragment.image(index, *mirror) {
                    if image < index {
                        return Ok(Arc::new(image_partials(inputs, asked.len())?));
                    }
                    let both = [fragment.ready(index, inputs)?, fragment.ready(image, inputs)?];
                    // SAFETY: the operands were checked against the shapes of both blocks.
                    let [mut found, of_image] = unsafe {
                        reduce::reduce_both(
                            &fragment.program,
                            [both[0].block(), both[1].block()],
                            mirror,
                            axes,
                            asked,
                            whole,
                            cancelled,
                        )
                    }?;
                    both.iter().for_each(|ready| fragment.release(ready));
                    found.extend(of_image);
                    return Ok(Arc::new(Bundle::new(found)));
                }
                let ready = fragment.ready(index, inputs)?;
                let Ready { shape, origin, operands } = &ready;
                // SAFETY: the operands were checked against the block's shape.
                let mut found = unsafe {
                    reduce::reduce_all(
                        &fragment.program,
                        operands,
                        shape,
                        axes,
                        asked,
                        origin,
                        whole,
                        cancelled,
                    )
                }?;
                fragment.release(&ready);
                match found.pop() {
                    Some(only) if found.is_empty() => Arc::new(only),
                    last => {
                        found.extend(last);
                        Arc::new(Bundle::new(found))
                    }
                }
            }
            Self::Combine { name, part } => {
                Arc::new(Partial::combine(&partials(name, inputs, *part)?)?)
            }
            Self::Finish { name, part, output, ddof } => {
                let parts = partials(name, inputs, *part)?;
                Arc::new(match &*parts {
                    [only] => only.finish(*output, *ddof)?,
                    several => Partial::combine(several)?.finish(*output, *ddof)?,
                })
            }
            Self::Prefix { scan, output } => match inputs {
                [] => Arc::new(Unit),
                [total] => Arc::new(partial("cumulative", total, 0)?.finish(*output, 0.0)?),
                [before, total, ..] => {
                    let total = partial("cumulative", total, 0)?.finish(*output, 0.0)?;
                    match Chunk::of(before) {
                        Some(before) => Arc::new(scan::combine_initial(*scan, before, &total)?),
                        None => Arc::new(total),
                    }
                }
            },
            Self::Scan { fragment, scan, axis, output } => {
                let ready = fragment.ready(index, inputs)?;
                let Ready { shape, origin, operands } = &ready;
                let initial = inputs.get(fragment.reads()).and_then(Chunk::of);
                // SAFETY: the operands were checked against the block's shape.
                let totals = unsafe {
                    scan::scan(
                        &fragment.program,
                        operands,
                        shape,
                        *axis,
                        *scan,
                        *output,
                        initial,
                        origin,
                        cancelled,
                    )
                }?;
                fragment.release(&ready);
                Arc::new(totals)
            }
            Self::ScanInto { fragment, scan, axis, output, target } => {
                let ready = fragment.ready(index, inputs)?;
                let Ready { shape, origin, operands } = &ready;
                let initial = inputs.get(fragment.reads()).and_then(Chunk::of);
                let start = target.at(origin);
                // SAFETY: the operands were checked against the block's shape, and the block's place
                // in the target, which is written by this task alone, has the layout that is
                // written to if the strides say so.
                unsafe {
                    if target.is_contiguous_over(shape) {
                        scan::scan_into(
                            &fragment.program,
                            operands,
                            shape,
                            *axis,
                            *scan,
                            *output,
                            initial,
                            origin,
                            cancelled,
                            start,
                        )?;
                    } else {
                        let totals = scan::scan(
                            &fragment.program,
                            operands,
                            shape,
                            *axis,
                            *scan,
                            *output,
                            initial,
                            origin,
                            cancelled,
                        )?;
                        copy::copy(&totals, start, &target.strides);
                    }
                }
                fragment.release(&ready);
                Arc::new(Unit)
            }
            Self::Gather { plan, dtype } => {
                let chunks = plan.checked(index, *dtype, inputs)?;
                Arc::new(plan.run(index, *dtype, &chunks)?)
            }
            Self::GatherInto { plan, dtype, grid, target } => {
                let chunks = plan.checked(index, *dtype, inputs)?;
                let origin = Offsets::of(grid).origin(&grid.position(index));
                // SAFETY: the block's place in the target is written by this task alone.
                unsafe { plan.run_into(index, &chunks, target.at(&origin), &target.strides) };
                Arc::new(Unit)
            }
            Self::Split { plan, shuffle, dtype, input } => {
                let shape = input.block_shape(&input.position(index));
                shuffle.split(plan, index, checked("rechunk", inputs.first(), *dtype, &shape)?)?;
                Arc::new(Unit)
            }
            Self::Cut { plan, dtype, input } => {
                let shape = input.block_shape(&input.position(index));
                let block = checked("rechunk", inputs.first(), *dtype, &shape)?;
                Arc::new(pieces::cut(plan, index, block)?)
            }
            Self::Assemble { plan, dtype } => pieces::assemble(plan, index, *dtype, inputs)?,
            Self::Barrier => Arc::new(Unit),
            Self::Join { plan, shuffle, dtype } => Arc::new(shuffle.join(plan, index, *dtype)?),
            Self::Reshape { grid } => {
                let shape = grid.block_shape(&grid.position(index));
                let Some(block) = inputs.first().and_then(Chunk::of) else {
                    return Err(ArrayError::Internal { what: "a block to reshape is missing" });
                };
                let whole = block.contiguous()?;
                if whole.len() != shape.iter().product::<usize>() {
                    let (found, wanted) =
                        (format!("of shape {:?}", whole.shape()), format!("of shape {shape:?}"));
                    return Err(ArrayError::WrongChunk { operation: "reshape", found, wanted });
                }
                let strides = contiguous_strides(&shape, whole.dtype().size());
                // SAFETY: as many elements, in C order without gaps as before.
                Arc::new(unsafe { whole.with_layout(0, &shape, &strides) })
            }
            Self::MatMul => Arc::new(matmul::matmul(&factors(inputs)?)?),
            Self::MatMulInto { counts, grid, offsets, target } => {
                let pairs = factors(inputs)?;
                let position = position_in(counts, index);
                let start = target.at(&offsets.origin(&position));
                let shape = grid.block_shape(&position);
                let fits = pairs.iter().all(|(left, right)| {
                    left.dtype() == target.dtype
                        && left.shape().first() == shape.first()
                        && right.shape().last() == shape.last()
                });
                // SAFETY: the block's place in the target is written by this task alone, has the
                // block's shape, and its rows are without gaps.
                let written =
                    fits && unsafe { matmul::matmul_into(&pairs, start, target.strides[0]) }?;
                if !written {
                    let block = matmul::matmul(&pairs)?;
                    let value: Value = Arc::new(block);
                    let block = checked("matmul", Some(&value), target.dtype, &shape)?;
                    // SAFETY: as above.
                    unsafe { copy::copy(block, start, &target.strides) };
                }
                Arc::new(Unit)
            }
            Self::Random { distribution, seed, dtype, grid } => {
                let shape = grid.block_shape(&grid.position(index));
                Arc::new(random::generate(distribution, *seed, u64::from(index), &shape, *dtype)?)
            }
            Self::Stored(blocks) => match blocks.get(index as usize) {
                Some(block) => Arc::new(block.clone().kept()),
                None => return Err(ArrayError::Internal { what: "a stored block is missing" }),
            },
            Self::Elsewhere => {
                return Err(ArrayError::Internal { what: "a block of another task is missing" });
            }
            Self::Deposit { counts, grid, offsets, target } => {
                let position = position_in(counts, index);
                let shape = grid.block_shape(&position);
                let block = checked("compute", inputs.first(), target.dtype, &shape)?;
                let start = target.at(&offsets.origin(&position));
                // SAFETY: the block's place in the target is written by this task alone, and has
                // the block's shape.
                unsafe { copy::copy(block, start, &target.strides) };
                Arc::new(Unit)
            }
            Self::Pass | Self::Call { .. } => {
                return Err(ArrayError::Internal { what: "an operation that is run otherwise" });
            }
        })
    }
}

/// The factors of a block of a product: a row of blocks, then a column of as many.
fn factors(inputs: &[Value]) -> Result<Vec<(Chunk, Chunk)>, ArrayError> {
    let chunks: Vec<&Chunk> = inputs.iter().filter_map(Chunk::of).collect();
    if chunks.len() != inputs.len() || !chunks.len().is_multiple_of(2) {
        return Err(ArrayError::Internal { what: "a block of a product is missing" });
    }
    let (left, right) = chunks.split_at(chunks.len() / 2);
    let pair = |(one, other): (&&Chunk, &&Chunk)| ((*one).clone(), (*other).clone());
    Ok(left.iter().zip(right).map(pair).collect())
}

/// What a task that reduces a block is called.
pub(crate) fn chunk_name(asked: &[Asked]) -> String {
    let names: Vec<&str> = asked.iter().map(|(reduction, _)| reduction.name()).collect();
    format!("{}-chunk", names.join("-"))
}

fn partial<'value>(
    operation: &'static str,
    value: &'value Value,
    part: usize,
) -> Result<&'value Partial, ArrayError> {
    let any: &dyn Any = value.as_any();
    any.downcast_ref::<Partial>()
        .or_else(|| any.downcast_ref::<Bundle>().and_then(|bundle| bundle.part(part)))
        .ok_or_else(|| ArrayError::WrongChunk {
            operation,
            found: "a whole value".to_owned(),
            wanted: "a partial result".to_owned(),
        })
}

/// The partial results of a mirror image, which the task of the other block has computed after its
/// own.
fn image_partials(inputs: &[Value], asked: usize) -> Result<Bundle, ArrayError> {
    let bundle = inputs.first().and_then(|value| value.as_any().downcast_ref::<Bundle>());
    bundle
        .and_then(|bundle| bundle.from_part(asked))
        .ok_or(ArrayError::Internal { what: "the partial results of a mirror image are missing" })
}

fn partials<'value>(
    operation: &'static str,
    inputs: &'value [Value],
    part: usize,
) -> Result<Vec<&'value Partial>, ArrayError> {
    inputs.iter().map(|value| partial(operation, value, part)).collect()
}
