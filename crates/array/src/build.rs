//! Making expressions: what is checked, and what shape, chunks and dtype the result has.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::axis_map::AxisMap;
use crate::chunk::{Chunk, checked_len};
use crate::dtype::{DType, Scalar};
use crate::error::ArrayError;
use crate::expr::{Argument, BlockFunction, Content, Expr, Labels, Op, Reduce, ViewAxis};
use crate::grid::{AxisChunks, Grid, unify};
use crate::kernels::random::{self, Distribution};
use crate::kernels::reduce::Reduction;
use crate::kernels::scan::Scan;
use crate::kernels::ufunc::{Loop, Ufunc};
use crate::token;

/// An argument of [`Expr::map`].
#[derive(Clone, Debug)]
pub enum Operand {
    /// An array, which is broadcast.
    Array(Expr),
    /// One element, of the dtype that the function takes there.
    Scalar(Scalar),
}

impl From<Expr> for Operand {
    fn from(array: Expr) -> Self {
        Self::Array(array)
    }
}

/// How many blocks a reduction joins at a time: partial results are small, and a wide tree has
/// few tasks.
pub const SPLIT_EVERY: u32 = 16;
/// As above, of blocks that keep more positions than [`MANY_STATES`].
const SPLIT_MANY: u32 = 4;
/// The positions that are kept of a block whose states are memory to reckon with: a few megabytes.
const MANY_STATES: usize = 1 << 18;

impl Expr {
    fn checked(
        operation: &'static str,
        op: Op,
        dtype: DType,
        grid: Grid,
    ) -> Result<Self, ArrayError> {
        let shape = grid.shape();
        for (axis, (sizes, length)) in grid.axes().iter().zip(&shape).enumerate() {
            if sizes.is_empty() || *length == usize::MAX {
                let (chunks, length) = (sizes.to_vec(), *length);
                return Err(ArrayError::Chunks { operation, axis, length, chunks });
            }
        }
        let bytes = checked_len(&shape).and_then(|len| len.checked_mul(dtype.size()));
        let fits = bytes.is_some_and(|bytes| bytes <= isize::MAX as usize);
        // One below the graph's own limit, for layers that have more tasks than blocks.
        if !fits || grid.blocks().is_none_or(|blocks| blocks >= u32::MAX / 4) {
            return Err(ArrayError::TooLarge { operation, shape: shape.to_vec() });
        }
        Ok(Self::from_op(op, dtype, grid))
    }

    /// An array in memory, cut by `grid`; its elements are read where they are.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where the grid is of another shape.
    pub fn from_chunk(chunk: Chunk, grid: Grid) -> Result<Self, ArrayError> {
        let copy = chunk.clone();
        Self::from_memory(chunk, grid, Arc::new(move || token::of_chunk(&copy)))
    }

    /// As [`from_chunk`](Self::from_chunk), with a function that tells the content's token when a
    /// name is asked for.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where the grid is of another shape.
    pub fn from_memory(chunk: Chunk, grid: Grid, content: Content) -> Result<Self, ArrayError> {
        if *grid.shape() != *chunk.shape() {
            let shapes = vec![chunk.shape().to_vec(), grid.shape().to_vec()];
            return Err(ArrayError::Shapes { operation: "array", shapes });
        }
        let dtype = chunk.dtype();
        Self::checked("array", Op::Memory { chunk, content }, dtype, grid)
    }

    /// One element, everywhere.
    ///
    /// # Errors
    /// [`ArrayError::TooLarge`].
    pub fn full(value: Scalar, grid: Grid) -> Result<Self, ArrayError> {
        Self::checked("full", Op::Fill(value), value.dtype(), grid)
    }

    /// `start + i * step`, along one axis.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where the scalars are of two dtypes, [`ArrayError::Shapes`] where the
    /// grid has not one axis.
    pub fn iota(start: Scalar, step: Scalar, grid: Grid) -> Result<Self, ArrayError> {
        if start.dtype() != step.dtype() {
            let dtypes = vec![start.dtype(), step.dtype()];
            return Err(ArrayError::DTypes { operation: "arange", dtypes });
        }
        if grid.ndim() != 1 {
            let shapes = vec![grid.shape().to_vec()];
            return Err(ArrayError::Shapes { operation: "arange", shapes });
        }
        Self::checked("arange", Op::Iota { start, step }, start.dtype(), grid)
    }

    /// Random numbers. An array of the same seed and chunks is the same, however it is computed.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`], [`ArrayError::Parameter`] where the distribution has none of the dtype,
    /// or is not defined for its parameters.
    pub fn random(
        distribution: Distribution,
        seed: [u64; 4],
        dtype: DType,
        grid: Grid,
    ) -> Result<Self, ArrayError> {
        // An empty block tells what is wrong now rather than in the middle of a run.
        random::generate(&distribution, seed, 0, &[0], dtype)?;
        Self::checked("random", Op::Random { distribution, seed }, dtype, grid)
    }

    /// Blocks that are at hand, in row-major order.
    ///
    /// # Errors
    /// [`ArrayError::WrongChunk`] where they do not fit the grid.
    pub fn stored(blocks: Vec<Chunk>, dtype: DType, grid: Grid) -> Result<Self, ArrayError> {
        let wrong = |found: String, wanted: String| {
            Err(ArrayError::WrongChunk { operation: "stored", found, wanted })
        };
        if grid.blocks() != Some(blocks.len() as u32) {
            return wrong(
                format!("one of {}", blocks.len()),
                format!("{:?} blocks", grid.counts()),
            );
        }
        for (index, block) in blocks.iter().enumerate() {
            let shape = grid.block_shape(&grid.position(index as u32));
            if block.dtype() != dtype || *block.shape() != *shape {
                return wrong(format!("{block:?}"), format!("{dtype:?} of shape {shape:?}"));
            }
        }
        Self::checked("stored", Op::Stored(blocks.into()), dtype, grid)
    }

    /// An array whose blocks other tasks hold; `content` tells it from others.
    pub(crate) fn elsewhere(content: u128, dtype: DType, grid: Grid) -> Result<Self, ArrayError> {
        Self::checked("elsewhere", Op::Elsewhere(content), dtype, grid)
    }

    /// Blocks that a function makes of blocks of other arrays. Axes are paired by labels; along a
    /// label that the output lacks, the function gets all blocks.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where labels and axes, or the numbers of blocks along a label, differ.
    pub fn call(
        function: Arc<dyn BlockFunction>,
        inputs: Vec<(Self, Labels)>,
        labels: Labels,
        dtype: DType,
        grid: Grid,
    ) -> Result<Self, ArrayError> {
        let fits = |array: &Grid, named: &Labels| array.ndim() == named.len();
        if !fits(&grid, &labels) || inputs.iter().any(|(input, named)| !fits(input.grid(), named)) {
            let shapes = inputs.iter().map(|(input, _)| input.shape().to_vec()).collect();
            return Err(ArrayError::Shapes { operation: "blockwise", shapes });
        }
        Self::checked("blockwise", Op::Call { function, inputs, labels }, dtype, grid)
    }

    /// A function of elements, with broadcasting. `types` says which dtypes it takes and gives;
    /// without it they are those that NumPy picks for arrays.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where the shapes do not broadcast, [`ArrayError::DTypes`] where the
    /// function has no native form for the dtypes.
    pub fn map(
        ufunc: Ufunc,
        types: Option<Loop>,
        operands: Vec<Operand>,
    ) -> Result<Self, ArrayError> {
        let name = ufunc.name();
        let dtypes: Vec<DType> = operands
            .iter()
            .map(|operand| match operand {
                Operand::Array(array) => array.dtype(),
                Operand::Scalar(scalar) => scalar.dtype(),
            })
            .collect();
        let types = types.or_else(|| ufunc.resolve(&dtypes));
        // A loop that NumPy has and the kernels have not would fail only when it is computed.
        let known = |types: &Loop| ufunc.resolve(&types.inputs).as_ref() == Some(types);
        let types = types.filter(|types| types.inputs.len() == dtypes.len() && known(types));
        let Some(types) = types else {
            return Err(ArrayError::DTypes { operation: name, dtypes });
        };
        let arrays: Vec<&Self> = operands
            .iter()
            .filter_map(|operand| match operand {
                Operand::Array(array) => Some(array),
                Operand::Scalar(_) => None,
            })
            .collect();
        let grid = broadcast_grid(name, &arrays)?;
        let arguments = operands
            .into_iter()
            .map(|operand| match operand {
                Operand::Array(array) => array.broadcast_to(&grid).map(Argument::Array),
                Operand::Scalar(scalar) => Ok(Argument::Scalar(scalar)),
            })
            .collect::<Result<_, _>>()?;
        let output = types.output;
        Self::checked(name, Op::Map { ufunc, types, arguments }, output, grid)
    }

    /// The array repeated along new leading axes and along axes of length one, in the chunks of
    /// `grid`.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where the shape of the grid is not one that it broadcasts to.
    pub fn broadcast_to(&self, grid: &Grid) -> Result<Self, ArrayError> {
        if self.grid().same_as(grid) {
            return Ok(self.clone());
        }
        let target = grid.shape();
        let failed = || ArrayError::Shapes {
            operation: "broadcast_to",
            shapes: vec![self.shape().to_vec(), target.to_vec()],
        };
        let new = target.len().checked_sub(self.ndim()).ok_or_else(failed)?;
        let mut kept: SmallVec<[ViewAxis; 4]> = SmallVec::from_elem(ViewAxis::New, new);
        let mut cut: SmallVec<[AxisChunks; 4]> = SmallVec::new();
        for (axis, len) in self.shape().iter().enumerate() {
            let wanted = target[new + axis];
            if *len == wanted {
                kept.push(ViewAxis::Input(axis));
                cut.push(Arc::clone(grid.axis(new + axis)));
            } else if *len == 1 {
                // There may be blocks without elements beside the one that repeats.
                kept.push(ViewAxis::New);
                cut.push(Arc::from([1].as_slice()));
            } else {
                return Err(failed());
            }
        }
        let cut = self.rechunk(Grid::new(cut))?;
        if kept.iter().enumerate().all(|(axis, from)| *from == ViewAxis::Input(axis)) {
            return Ok(cut);
        }
        Self::checked(
            "broadcast_to",
            Op::View { input: cut, axes: kept },
            self.dtype(),
            grid.clone(),
        )
    }

    /// Another dtype; elements are converted as NumPy's `astype` does.
    pub fn cast(&self, dtype: DType) -> Self {
        if dtype == self.dtype() {
            return self.clone();
        }
        Self::from_op(Op::Cast(self.clone()), dtype, self.grid().clone())
    }

    /// Axes in another order, new ones of the given blocks, and axes of length one left out.
    ///
    /// # Errors
    /// [`ArrayError::Axis`] for an axis that is not there or stands twice, [`ArrayError::Shapes`]
    /// where an axis of another length than one is left out.
    pub fn view(&self, axes: &[(ViewAxis, Option<AxisChunks>)]) -> Result<Self, ArrayError> {
        let mut used: SmallVec<[bool; 4]> = SmallVec::from_elem(false, self.ndim());
        let mut sizes: SmallVec<[AxisChunks; 4]> = SmallVec::new();
        for (from, blocks) in axes {
            match *from {
                ViewAxis::Input(axis) => {
                    match used.get_mut(axis) {
                        Some(seen) if !*seen => *seen = true,
                        _ => {
                            let ndim = self.ndim();
                            return Err(ArrayError::Axis { operation: "transpose", axis, ndim });
                        }
                    }
                    sizes.push(Arc::clone(self.grid().axis(axis)));
                }
                ViewAxis::New => {
                    sizes.push(blocks.clone().unwrap_or_else(|| Arc::from([1].as_slice())));
                }
            }
        }
        let lost = |(used, len): (&bool, &usize)| !used && *len != 1;
        if used.iter().zip(self.shape()).any(lost) {
            let shapes = vec![self.shape().to_vec()];
            return Err(ArrayError::Shapes { operation: "squeeze", shapes });
        }
        // An axis that goes has one element, but it may have blocks without any beside it.
        let one_block = |(axis, sizes): (usize, &AxisChunks)| {
            if used[axis] { Arc::clone(sizes) } else { Arc::from([1].as_slice()) }
        };
        let input =
            self.rechunk(Grid::new(self.grid().axes().iter().enumerate().map(one_block)))?;
        let axes = axes.iter().map(|(from, _)| *from).collect();
        Self::checked("transpose", Op::View { input, axes }, self.dtype(), Grid::new(sizes))
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]`.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub fn transpose(&self, order: &[usize]) -> Result<Self, ArrayError> {
        let axes: Vec<_> = order.iter().map(|axis| (ViewAxis::Input(*axis), None)).collect();
        if axes.len() != self.ndim() {
            let shapes = vec![self.shape().to_vec(), order.to_vec()];
            return Err(ArrayError::Shapes { operation: "transpose", shapes });
        }
        self.view(&axes)
    }

    /// Other elements along each axis, in the chunks of `grid`.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where maps and grid do not fit, [`ArrayError::Axis`] where a map reads
    /// past the end.
    pub fn gather(&self, axes: SmallVec<[AxisMap; 4]>, grid: Grid) -> Result<Self, ArrayError> {
        let lengths: Vec<usize> = axes.iter().map(AxisMap::len).collect();
        if axes.len() != self.ndim() || *grid.shape() != *lengths {
            let shapes = vec![self.shape().to_vec(), lengths, grid.shape().to_vec()];
            return Err(ArrayError::Shapes { operation: "getitem", shapes });
        }
        for (axis, (map, len)) in axes.iter().zip(self.shape()).enumerate() {
            if !map.fits(*len) {
                return Err(ArrayError::Axis { operation: "getitem", axis, ndim: *len });
            }
        }
        if grid.same_as(self.grid())
            && axes.iter().zip(self.shape()).all(|(map, len)| map.is_identity(*len))
        {
            return Ok(self.clone());
        }
        let dtype = self.dtype();
        Self::checked("getitem", Op::Gather { input: self.clone(), axes }, dtype, grid)
    }

    /// The same array in other chunks.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where these make up another shape.
    pub fn rechunk(&self, grid: Grid) -> Result<Self, ArrayError> {
        if grid.same_as(self.grid()) {
            return Ok(self.clone());
        }
        let maps = self.shape().iter().map(|len| AxisMap::identity(*len)).collect();
        self.gather(maps, grid)
    }

    /// Arrays end to end along an axis, of one dtype and one chunking along the other axes.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where they do not fit or there is none, [`ArrayError::Axis`],
    /// [`ArrayError::DTypes`] where the dtypes differ.
    pub fn concatenate(inputs: Vec<Self>, axis: usize) -> Result<Self, ArrayError> {
        let operation = "concatenate";
        let shapes = || inputs.iter().map(|input| input.shape().to_vec()).collect();
        let Some(first) = inputs.first() else {
            return Err(ArrayError::Shapes { operation, shapes: Vec::new() });
        };
        let (ndim, dtype) = (first.ndim(), first.dtype());
        if axis >= ndim {
            return Err(ArrayError::Axis { operation, axis, ndim });
        }
        if inputs.iter().any(|input| input.dtype() != dtype) {
            let dtypes = inputs.iter().map(Self::dtype).collect();
            return Err(ArrayError::DTypes { operation, dtypes });
        }
        let mut sizes: Vec<AxisChunks> = Vec::with_capacity(ndim);
        for place in 0..ndim {
            if inputs.iter().any(|input| input.ndim() != ndim) {
                return Err(ArrayError::Shapes { operation, shapes: shapes() });
            }
            if place == axis {
                let all = inputs.iter().flat_map(|input| input.grid().axis(axis).iter().copied());
                sizes.push(all.collect());
            } else {
                let cut: Vec<_> = inputs.iter().map(|input| input.grid().axis(place)).collect();
                sizes.push(
                    unify(operation, &cut)
                        .map_err(|_lengths| ArrayError::Shapes { operation, shapes: shapes() })?,
                );
            }
        }
        let grid = Grid::new(sizes);
        let cut = |input: &Self| {
            let own = Arc::clone(input.grid().axis(axis));
            input.rechunk(grid.with_axis(axis, own))
        };
        let inputs = inputs.iter().map(cut).collect::<Result<_, _>>()?;
        Self::checked(operation, Op::Concat { inputs, axis }, dtype, grid)
    }

    /// Many elements to one along the marked axes, which go. `accumulator` is the dtype that sums
    /// and products are formed in, and given in. `split_every` says how many blocks are joined at a
    /// time along each axis that is reduced; without it, [`SPLIT_EVERY`] in all, or fewer where they
    /// keep many positions, since what waits to be joined takes memory.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where the reduction has no native form for the dtype,
    /// [`ArrayError::Shapes`] where there are not as many marks as axes,
    /// [`ArrayError::EmptyReduction`] where nothing is left to reduce and there is no identity.
    pub fn reduce(
        &self,
        reduction: Reduction,
        axes: &[bool],
        accumulator: Option<DType>,
        ddof: f64,
        split_every: &[u32],
    ) -> Result<Self, ArrayError> {
        let operation = reduction.name();
        if axes.len() != self.ndim() {
            let shapes = vec![self.shape().to_vec(), vec![axes.len()]];
            return Err(ArrayError::Shapes { operation, shapes });
        }
        let output = reduction.output(self.dtype()).map(|output| accumulator.unwrap_or(output));
        let Some(output) = output else {
            return Err(ArrayError::DTypes { operation, dtypes: vec![self.dtype()] });
        };
        let kept = self.grid().axes().iter().zip(axes).filter(|(_, reduced)| !**reduced);
        let grid = Grid::new(kept.map(|(sizes, _)| Arc::clone(sizes)));
        let reduced = axes.iter().filter(|reduced| **reduced).count();
        let longest = |sizes: &AxisChunks| sizes.iter().copied().max().unwrap_or(0);
        let states = grid.axes().iter().map(longest).fold(1usize, usize::saturating_mul);
        let joined = if states > MANY_STATES { SPLIT_MANY } else { SPLIT_EVERY };
        let side = split_of(joined, reduced);
        let split_every =
            (0..reduced).map(|axis| split_every.get(axis).map_or(side, |split| (*split).max(2)));
        let split_every = split_every.collect();
        let axes = axes.into();
        let input = self.clone();
        let reduce = Reduce { input, reduction, axes, accumulator, ddof, split_every };
        Self::checked(operation, Op::Reduce(reduce), output, grid)
    }

    /// Running totals along an axis, in `output`.
    ///
    /// # Errors
    /// [`ArrayError::Axis`].
    pub fn scan(&self, scan: Scan, axis: usize, output: DType) -> Result<Self, ArrayError> {
        if axis >= self.ndim() {
            return Err(ArrayError::Axis { operation: "cumsum", axis, ndim: self.ndim() });
        }
        let op = Op::Scan { input: self.clone(), scan, axis };
        Ok(Self::from_op(op, output, self.grid().clone()))
    }

    /// The same elements in C order, block for block: both grids have as many blocks, and the blocks
    /// of one number are as large.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where they are not.
    pub fn reshape(&self, grid: Grid) -> Result<Self, ArrayError> {
        let same = self.grid().blocks() == grid.blocks() && {
            let blocks = grid.blocks().unwrap_or(0);
            (0..blocks).all(|index| {
                let size = |grid: &Grid| -> usize {
                    grid.block_shape(&grid.position(index)).iter().product()
                };
                size(self.grid()) == size(&grid)
            })
        };
        if !same {
            let shapes = vec![self.shape().to_vec(), grid.shape().to_vec()];
            return Err(ArrayError::Shapes { operation: "reshape", shapes });
        }
        Self::checked("reshape", Op::Reshape(self.clone()), self.dtype(), grid)
    }

    /// The product of two matrices of one dtype.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`], [`ArrayError::DTypes`].
    pub fn matmul(&self, other: &Self) -> Result<Self, ArrayError> {
        let operation = "matmul";
        let shapes = || vec![self.shape().to_vec(), other.shape().to_vec()];
        if self.ndim() != 2 || other.ndim() != 2 || self.shape()[1] != other.shape()[0] {
            return Err(ArrayError::Shapes { operation, shapes: shapes() });
        }
        if self.dtype() != other.dtype() {
            return Err(ArrayError::DTypes {
                operation,
                dtypes: vec![self.dtype(), other.dtype()],
            });
        }
        let inner = unify(operation, &[self.grid().axis(1), other.grid().axis(0)])?;
        let one = self.rechunk(self.grid().with_axis(1, Arc::clone(&inner)))?;
        let two = other.rechunk(other.grid().with_axis(0, inner))?;
        let grid = Grid::new([Arc::clone(self.grid().axis(0)), Arc::clone(other.grid().axis(1))]);
        Self::checked(operation, Op::MatMul(one, two), self.dtype(), grid)
    }
}

/// How many blocks to join along each of several axes, so that a group has about `split_every`.
fn split_of(split_every: u32, axes: usize) -> u32 {
    let side = f64::from(split_every).powf(1.0 / axes.max(1) as f64);
    // A little more, because the root of 1000 is 9.999...
    ((side + 1e-9) as u32).max(2)
}

/// The chunks that arrays have together, cut wherever one of them is.
fn broadcast_grid(operation: &'static str, arrays: &[&Expr]) -> Result<Grid, ArrayError> {
    let ndim = arrays.iter().map(|array| array.ndim()).max().unwrap_or(0);
    if let [first, others @ ..] = arrays
        && others.iter().all(|other| other.grid().same_as(first.grid()))
    {
        return Ok(first.grid().clone());
    }
    let mut sizes: SmallVec<[AxisChunks; 4]> = SmallVec::new();
    for axis in 0..ndim {
        let along = |array: &&Expr| (axis + array.ndim()).checked_sub(ndim);
        let cut: Vec<&AxisChunks> = arrays
            .iter()
            .filter_map(|array| Some((array, along(array)?)))
            .filter(|(array, place)| array.shape()[*place] != 1)
            .map(|(array, place)| array.grid().axis(place))
            .collect();
        if cut.is_empty() {
            sizes.push(Arc::from([1].as_slice()));
            continue;
        }
        sizes.push(unify(operation, &cut).map_err(|_lengths| ArrayError::Shapes {
            operation,
            shapes: arrays.iter().map(|array| array.shape().to_vec()).collect(),
        })?);
    }
    Ok(Grid::new(sizes))
}
