//! Reductions of blocks: a program is evaluated tile by tile, and each tile is folded into states,
//! one for each position that is kept. States of several blocks combine before the result is made.

mod encode;
mod extremes;
mod fold;
mod positions;
mod sums;
mod tiles;
mod variance;

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use samite_runtime::{Data, OperationError, Restore, SpillError, Value};
use smallvec::SmallVec;

use crate::buffer::Buffer;
use crate::chunk::{Chunk, Shape, Strides, checked_len, contiguous_strides};
use crate::dtype::{DType, Kind};
use crate::error::ArrayError;
use crate::kernels::evaluate::{self, Operand, Streams, even_part, lines, square, transposed_axis};
use crate::kernels::mirror::{Block, Mirror};
use crate::kernels::program::{Program, ProgramBuilder};
use crate::kernels::ufunc::Ufunc;
use crate::kernels::walk::{self, Axis, Tiling};
use fold::Folding;
use tiles::TileFolder;

macro_rules! reductions {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// What is made of the elements along the axes that are reduced.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
        #[allow(missing_docs)]
        pub enum Reduction {
            $($variant),*
        }

        impl Reduction {
            /// All reductions.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// NumPy's name for it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }
    };
}

reductions! {
    Sum "sum",
    Prod "prod",
    Min "min",
    Max "max",
    NanMin "nanmin",
    NanMax "nanmax",
    Any "any",
    All "all",
    CountNonzero "count_nonzero",
    CountNan "count_nan",
    Mean "mean",
    Var "var",
    NanMean "nanmean",
    NanVar "nanvar",
    ArgMin "argmin",
    ArgMax "argmax",
    NanArgMin "nanargmin",
    NanArgMax "nanargmax",
}

impl Reduction {
    /// The reduction that NumPy calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "amin" => "min",
            "amax" => "max",
            name => name,
        };
        Self::ALL.iter().copied().find(|reduction| reduction.name() == name)
    }

    /// The dtype of the result for elements of a dtype, as NumPy's function gives it.
    pub fn output(self, input: DType) -> Option<DType> {
        Some(match self {
            Self::Sum | Self::Prod => match input.kind() {
                Kind::Bool | Kind::Signed => DType::I64,
                Kind::Unsigned => DType::U64,
                _ => input,
            },
            Self::Min | Self::Max | Self::NanMin | Self::NanMax => input,
            Self::Any | Self::All => DType::Bool,
            Self::CountNonzero
            | Self::CountNan
            | Self::ArgMin
            | Self::ArgMax
            | Self::NanArgMin
            | Self::NanArgMax => DType::I64,
            Self::Mean | Self::NanMean if input.kind() < Kind::Float => DType::F64,
            Self::Mean | Self::NanMean => input,
            Self::Var | Self::NanVar => match input {
                DType::F16 => DType::F16,
                DType::F32 | DType::C64 => DType::F32,
                _ => DType::F64,
            },
        })
    }

    /// Whether it has no result for no elements.
    fn needs_elements(self) -> bool {
        matches!(
            self,
            Self::Min
                | Self::Max
                | Self::NanMin
                | Self::NanMax
                | Self::ArgMin
                | Self::ArgMax
                | Self::NanArgMin
                | Self::NanArgMax
        )
    }

    fn is_position(self) -> bool {
        matches!(self, Self::ArgMin | Self::ArgMax | Self::NanArgMin | Self::NanArgMax)
    }

    /// What is evaluated for each element, and how that is folded.
    fn plan(
        self,
        program: &Program,
        accumulator: Option<DType>,
    ) -> Result<(Program, &'static Folding), ArrayError> {
        let input = program.output();
        // Half precision is folded in single or double precision and rounded at the end.
        let single = |program: Program| {
            if program.output() == DType::F16 { program.then_cast(DType::F32) } else { program }
        };
        let inexact = |dtype: DType| if dtype.kind() < Kind::Float { DType::F64 } else { dtype };
        let real = |dtype: DType| if dtype == DType::Bool { DType::U8 } else { dtype };
        let (program, folding) = match self {
            Self::Sum | Self::Prod => {
                let Some(dtype) = accumulator.or_else(|| self.output(input)) else {
                    return Err(self.refused(input));
                };
                let whole = |dtype: DType| matches!(dtype.kind(), Kind::Signed | Kind::Unsigned);
                // Integers wrap alike at any width, so they need not be converted first.
                let program = if whole(dtype) && input.kind() < Kind::Float {
                    program.clone()
                } else {
                    single(program.then_cast(dtype))
                };
                let folded = program.output();
                match (dtype, self) {
                    (DType::Bool, Self::Sum) => (program, Some(extremes::any())),
                    (DType::Bool, _) => (program, Some(extremes::all())),
                    (_, Self::Sum) => (program, sums::sum(folded)),
                    _ => (program, sums::product(folded)),
                }
            }
            Self::Min | Self::Max | Self::NanMin | Self::NanMax => {
                let program = single(program.clone());
                let dtype = program.output();
                let folding = match self.of_numbers(dtype) {
                    Self::Min => extremes::extreme::<false>(dtype),
                    Self::Max => extremes::extreme::<true>(dtype),
                    Self::NanMin => extremes::nan_extreme::<false>(dtype),
                    _ => extremes::nan_extreme::<true>(dtype),
                };
                (program, folding)
            }
            Self::Any => (program.then_cast(DType::Bool), Some(extremes::any())),
            Self::All => (program.then_cast(DType::Bool), Some(extremes::all())),
            Self::CountNonzero => (program.then_cast(DType::Bool), sums::sum(DType::Bool)),
            Self::CountNan => (program.then(Ufunc::Isnan)?, sums::sum(DType::Bool)),
            Self::Mean | Self::NanMean => {
                let dtype = accumulator.unwrap_or(input);
                let program = single(program.then_cast(inexact(dtype)));
                let dtype = program.output();
                let nan = self == Self::NanMean;
                (program, if nan { sums::nan_mean(dtype) } else { sums::mean(dtype) })
            }
            Self::Var | Self::NanVar => {
                let program = single(program.then_cast(inexact(accumulator.unwrap_or(input))));
                let dtype = program.output();
                let folding = if self == Self::Var {
                    variance::variance::<false>(dtype)
                } else {
                    variance::variance::<true>(dtype)
                };
                (program, folding)
            }
            Self::ArgMin | Self::ArgMax | Self::NanArgMin | Self::NanArgMax => {
                let program = single(program.then_cast(real(input)));
                let dtype = program.output();
                let folding = match self.of_numbers(dtype) {
                    Self::ArgMin => positions::position::<false>(dtype),
                    Self::ArgMax => positions::position::<true>(dtype),
                    Self::NanArgMin => positions::nan_position::<false>(dtype),
                    _ => positions::nan_position::<true>(dtype),
                };
                (program, folding)
            }
        };
        let folding = folding.ok_or_else(|| self.refused(input))?;
        Ok((program, folding))
    }

    /// The same reduction where everything is a number: integers need no others.
    fn of_numbers(self, dtype: DType) -> Self {
        match self {
            Self::NanMin if dtype.kind() < Kind::Float => Self::Min,
            Self::NanMax if dtype.kind() < Kind::Float => Self::Max,
            Self::NanArgMin if dtype.kind() < Kind::Float => Self::ArgMin,
            Self::NanArgMax if dtype.kind() < Kind::Float => Self::ArgMax,
            other => other,
        }
    }

    fn refused(self, input: DType) -> ArrayError {
        ArrayError::DTypes { operation: self.name(), dtypes: vec![input] }
    }
}

/// A reduction of a block, up to [`combine`](Partial::combine) and [`finish`](Partial::finish).
pub struct Partial {
    header: Header,
    states: Buffer,
}

/// What a partial is besides its states.
#[derive(Clone)]
struct Header {
    reduction: Reduction,
    folding: &'static Folding,
    /// The axes that are kept.
    shape: Shape,
    /// The number of positions that are kept.
    len: usize,
    /// The elements folded into each position.
    count: u64,
}

/// The most rows that are folded into columns at once.
const ROWS: usize = 16;

/// The bytes of a line that does not follow its predecessor in memory which are asked for early:
/// what comes after them the processor finds by itself.
const BEGINNING: usize = 1 << 10;

/// Lines of no more elements than this are folded as columns.
const SHORT: usize = 16;

/// What is asked of a reduction: which one, and the dtype that sums, products and means are taken
/// in, if not NumPy's.
pub type Asked = (Reduction, Option<DType>);

/// Reduces what the program makes of the operands along the axes for which `axes` is true; the
/// others are kept in their order.
///
/// `accumulator` is the dtype that sums, products and means are taken in, if not NumPy's. `origin`
/// is the position of the block in the whole array of shape `whole`, for progressions and for the
/// positions that the `Arg` reductions give: along the axis where one axis is reduced, else of the
/// flattened array. A reduction that is cancelled gives a partial of no use.
///
/// # Errors
/// [`ArrayError::DTypes`] where the reduction has no native form, [`ArrayError::OutOfMemory`].
///
/// # Safety
/// There is an operand for each input of the program, readable over the shape. `axes`, `origin`,
/// `whole` and strides have an entry for each axis.
#[allow(clippy::too_many_arguments)]
pub unsafe fn reduce(
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    axes: &[bool],
    reduction: Reduction,
    accumulator: Option<DType>,
    origin: &[usize],
    whole: &[usize],
    cancelled: &AtomicBool,
) -> Result<Partial, ArrayError> {
    let asked = [(reduction, accumulator)];
    // SAFETY: the promise is the same.
    let found =
        unsafe { reduce_all(program, operands, shape, axes, &asked, origin, whole, cancelled) }?;
    found.into_iter().next().ok_or(ArrayError::Internal { what: "a reduction is missing" })
}

/// As [`reduce`], for several reductions along the same axes: the operands are read once.
///
/// # Errors
/// As for [`reduce`].
///
/// # Safety
/// As for [`reduce`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn reduce_all(
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    axes: &[bool],
    asked: &[Asked],
    origin: &[usize],
    whole: &[usize],
    cancelled: &AtomicBool,
) -> Result<Vec<Partial>, ArrayError> {
    let (program, plans) = plans(program, asked)?;
    let mut partials = begin(asked, &plans, shape, axes)?;
    if shape.contains(&0) {
        return Ok(partials);
    }
    let index = Index::new(asked, shape, axes, origin, whole);
    let mut streams = Streams::new(&program, operands, origin);
    let sources = streams.starts.len();
    index.add_to(&mut streams);
    let mut walked = streams.axes(shape);
    for (axis, reduced) in walked.iter_mut().zip(axes) {
        axis.reduced = *reduced;
    }
    walked.sort_by_key(|axis| std::cmp::Reverse(span(axis, sources)));
    let walked = walk::merge(walked, streams.starts.len());
    let tiling = tiling(&program, &walked);
    let column = &walked[tiling.column_axis];
    let row = tiling.row_axis.map(|axis| &walked[axis]);
    let capacity = tiling.rows * tiling.columns;
    let mut folder = TileFolder::new(&program, &plans, &mut partials, column, row, capacity);
    walk::each_tile(&walked, tiling, &streams.starts, cancelled, &mut |tile| {
        // SAFETY: the tile lies within the shape, over which operands can be read, and the states
        // are those of the positions that are kept.
        unsafe { folder.fold(tile) };
    });
    drop(folder);
    Ok(partials)
}

/// As [`reduce_all`], of a block and of its mirror image at the other side of a diagonal, tile by
/// tile: what both read comes from memory once. The mirror image is of the same shape with two axes
/// swapped.
///
/// # Errors
/// As for [`reduce`].
///
/// # Safety
/// As for [`reduce`], for both; the operands of the mirror image have the same strides.
pub unsafe fn reduce_both(
    program: &Program,
    both: [Block<'_>; 2],
    mirror: Mirror,
    axes: &[bool],
    asked: &[Asked],
    whole: &[usize],
    cancelled: &AtomicBool,
) -> Result<[Vec<Partial>; 2], ArrayError> {
    let (program, plans) = plans(program, asked)?;
    let [block, image] = both;
    let image_shape = mirror.swapped(block.shape);
    let mut of_block = begin(asked, &plans, block.shape, axes)?;
    let mut of_image = begin(asked, &plans, &image_shape, axes)?;
    if block.shape.contains(&0) {
        return Ok([of_block, of_image]);
    }
    let swapped = mirror.swapped_operands(image.operands);
    let index = Index::new(asked, block.shape, axes, block.origin, whole);
    let image_index = Index::new(asked, &image_shape, axes, image.origin, whole).swapped(mirror);
    let mut streams = Streams::new(&program, block.operands, block.origin);
    index.add_to(&mut streams);
    let each = streams.starts.len();
    streams.read(&program, &swapped, image.origin, |axis| mirror.of(axis));
    image_index.add_to(&mut streams);
    let walk = mirror.walk(&program, streams.axes(block.shape), each, axes);
    let ([column, row], [image_column, image_row]) = (walk.sides(0), walk.sides(1));
    let capacity = walk.capacity();
    let row = Some(&row);
    let mut folder = TileFolder::new(&program, &plans, &mut of_block, &column, row, capacity);
    let row = Some(&image_row);
    let mut image_folder =
        TileFolder::new(&program, &plans, &mut of_image, &image_column, row, capacity).in_cache();
    walk.each_tile(&streams.starts, cancelled, &mut |[tile, image_tile]| {
        // SAFETY: the tiles lie within the blocks, over which operands can be read, and the states
        // are those of the positions that are kept.
        unsafe {
            folder.fold(&tile);
            image_folder.fold(&image_tile);
        }
    });
    drop((folder, image_folder));
    Ok([of_block, of_image])
}

/// The states of no elements, for each reduction.
fn begin(
    asked: &[Asked],
    plans: &[Plan],
    shape: &[usize],
    axes: &[bool],
) -> Result<Vec<Partial>, ArrayError> {
    let of = |wanted: bool| -> Shape {
        let lens = shape.iter().zip(axes).filter(|(_, reduced)| **reduced == wanted);
        lens.map(|(len, _)| *len).collect()
    };
    let (kept, count) = (of(false), checked_len(&of(true)).unwrap_or(0) as u64);
    asked
        .iter()
        .zip(plans)
        .map(|((reduction, _), (_, folding))| Partial::begin(*reduction, folding, &kept, count))
        .collect()
}

/// Which state each element goes into, and where it stands, as streams of a walk.
struct Index {
    states: Strides,
    /// Where the block begins and the steps from there, if a reduction asks for positions.
    positions: Option<(isize, Strides)>,
}

impl Index {
    fn new(
        asked: &[Asked],
        shape: &[usize],
        axes: &[bool],
        origin: &[usize],
        whole: &[usize],
    ) -> Self {
        let kept = shape.iter().zip(axes).filter(|(_, reduced)| !**reduced);
        let kept: Shape = kept.map(|(len, _)| *len).collect();
        let (states, strides) = index_strides(&kept, axes, whole);
        let first =
            origin.iter().zip(&strides).map(|(place, stride)| *place as isize * stride).sum();
        let wanted = asked.iter().any(|(reduction, _)| reduction.is_position());
        Self { states, positions: wanted.then_some((first, strides)) }
    }

    /// The same by axis of a walk over the mirror image.
    fn swapped(self, mirror: Mirror) -> Self {
        let positions = self.positions.map(|(first, steps)| (first, mirror.swapped(&steps)));
        Self { states: mirror.swapped(&self.states), positions }
    }

    fn add_to<'a>(&'a self, streams: &mut Streams<'a>) {
        streams.push(std::ptr::null(), &self.states);
        if let Some((first, steps)) = &self.positions {
            streams.push(std::ptr::without_provenance(*first as usize), steps);
        }
    }
}

/// A conversion after a program, if it takes one, and how its elements are folded.
type Plan = (Option<Program>, &'static Folding);

/// What is evaluated for all reductions, and what for each.
fn plans(program: &Program, asked: &[Asked]) -> Result<(Program, Vec<Plan>), ArrayError> {
    if let [(reduction, accumulator)] = asked {
        let (program, folding) = reduction.plan(program, *accumulator)?;
        return Ok((program, vec![(None, folding)]));
    }
    let mut builder = ProgramBuilder::new();
    let input = builder.input(program.output());
    let identity = builder.finish(input);
    let plan = |(reduction, accumulator): &Asked| -> Result<Plan, ArrayError> {
        let (after, folding) = reduction.plan(&identity, *accumulator)?;
        Ok((after.is_copy_of_input().is_none().then_some(after), folding))
    };
    Ok((program.clone(), asked.iter().map(plan).collect::<Result<_, _>>()?))
}

/// How far the operands move along an axis.
fn span(axis: &Axis, sources: usize) -> usize {
    axis.steps[..sources].iter().fold(0, |sum, step| sum.saturating_add(step.unsigned_abs()))
}

/// By axis: how states move along it, in C order of those kept, and positions, in C order of the
/// whole lengths of those reduced.
fn index_strides(kept: &[usize], axes: &[bool], whole: &[usize]) -> (Strides, Strides) {
    let mut of_kept = contiguous_strides(kept, 1).into_iter();
    let states = axes.iter().map(|reduced| match reduced {
        true => 0,
        false => of_kept.next().unwrap_or(0),
    });
    let states = states.collect();
    let mut step = 1isize;
    let mut positions: Strides = SmallVec::from_elem(0, axes.len());
    for axis in (0..axes.len()).rev() {
        if axes[axis] {
            positions[axis] = step;
            step = step.wrapping_mul(whole[axis].max(1) as isize);
        }
    }
    (states, positions)
}

/// The tiles of a reduction over axes from slowest to fastest.
fn tiling(program: &Program, axes: &[Axis]) -> Tiling {
    let capacity = evaluate::capacity(program);
    let column_axis = axes.len() - 1;
    let column = &axes[column_axis];
    if let Some(axis) = transposed_axis(program, axes, column_axis) {
        let (columns, rows) = square(column.len, axes[axis].len, capacity);
        return Tiling { column_axis, columns, row_axis: Some(axis), rows };
    }
    if column.reduced {
        // Short lines are put side by side: a fold that ends after a few elements costs more than
        // moving them.
        let kept = (0..column_axis).filter(|axis| !axes[*axis].reduced);
        let longest = kept.max_by_key(|axis| axes[*axis].len);
        if let Some(axis) = longest
            && column.len <= SHORT
            && axes[axis].len >= 64
        {
            let columns = even_part(axes[axis].len, (capacity / column.len).max(64));
            return Tiling {
                column_axis: axis,
                columns,
                row_axis: Some(column_axis),
                rows: column.len,
            };
        }
        return lines(axes, column_axis, capacity);
    }
    // Several rows at once go into each column's state.
    let reduced = (0..column_axis).rev().filter(|axis| axes[*axis].reduced);
    let Some(row_axis) = reduced.max_by_key(|axis| axes[*axis].len.min(ROWS)) else {
        return lines(axes, column_axis, capacity);
    };
    let columns = even_part(column.len, (capacity / ROWS).max(64));
    let rows = if columns < 64 { (capacity / columns).max(1) } else { ROWS };
    let rows = rows.min(axes[row_axis].len);
    Tiling { column_axis, columns, row_axis: Some(row_axis), rows }
}

impl Partial {
    fn begin(
        reduction: Reduction,
        folding: &'static Folding,
        shape: &[usize],
        count: u64,
    ) -> Result<Self, ArrayError> {
        let too_large =
            || ArrayError::TooLarge { operation: reduction.name(), shape: shape.to_vec() };
        let len = checked_len(shape).ok_or_else(too_large)?;
        let bytes = len.checked_mul(folding.state_bytes).ok_or_else(too_large)?;
        let mut states = Buffer::allocate(bytes)?;
        // SAFETY: the buffer has room for that many states.
        unsafe { (folding.begin)(states.bytes_mut().as_mut_ptr(), len) };
        let header = Header { reduction, folding, shape: shape.into(), len, count };
        Ok(Self { header, states })
    }

    /// The shape of the result.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The reduction.
    pub fn reduction(&self) -> Reduction {
        self.header.reduction
    }

    /// The reduction of the elements of all parts, each of which has the same positions.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where they are not of one reduction and shape, or none,
    /// [`ArrayError::OutOfMemory`].
    pub fn combine(parts: &[&Self]) -> Result<Self, ArrayError> {
        let unfit = |first: Option<&&Self>| ArrayError::Shapes {
            operation: first.map_or("combine", |first| first.header.reduction.name()),
            shapes: parts.iter().map(|part| part.header.shape.to_vec()).collect(),
        };
        let Some((first, rest)) = parts.split_first() else { return Err(unfit(None)) };
        let Header { reduction, folding, shape, len, .. } = &first.header;
        let count = parts.iter().map(|part| part.header.count).sum();
        let mut result = Self::begin(*reduction, folding, shape, count)?;
        result.states.bytes_mut().copy_from_slice(first.bytes());
        for part in rest {
            let alike = part.header.reduction == *reduction
                && std::ptr::eq(part.header.folding, *folding)
                && part.header.shape == *shape;
            if !alike {
                return Err(unfit(Some(first)));
            }
            // SAFETY: both hold `len` states of one fold.
            unsafe {
                (folding.merge)(result.states.bytes_mut().as_mut_ptr(), part.states.as_ptr(), *len);
            }
        }
        Ok(result)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer's bytes were written by `begin` and by folds.
        unsafe { std::slice::from_raw_parts(self.states.as_ptr(), self.states.len()) }
    }

    /// The result; `ddof` is what variances subtract from the number of elements.
    ///
    /// # Errors
    /// [`ArrayError::EmptyReduction`] for an extreme of nothing, [`ArrayError::AllNan`] for a
    /// position where nothing is a number, [`ArrayError::OutOfMemory`].
    pub fn finish(&self, output: DType, ddof: f64) -> Result<Chunk, ArrayError> {
        let Header { reduction, folding, shape, len, count } = &self.header;
        if *count == 0 && *len > 0 && reduction.needs_elements() {
            return Err(ArrayError::EmptyReduction { operation: reduction.name() });
        }
        let natural = Chunk::build(folding.natural, shape, |bytes| {
            // SAFETY: the buffer holds `len` states, and the chunk has room for as many results.
            unsafe {
                let states = self.states.as_ptr();
                (folding.finish)(states, *len, bytes.as_mut_ptr(), *count as f64, ddof)
            }
        })?;
        cast_chunk(&natural, output)
    }
}

/// The same elements in another dtype.
pub(super) fn cast_chunk(chunk: &Chunk, dtype: DType) -> Result<Chunk, ArrayError> {
    if chunk.dtype() == dtype {
        return Ok(chunk.clone());
    }
    let mut builder = ProgramBuilder::new();
    let input = builder.input(chunk.dtype());
    let output = builder.cast(input, dtype);
    let program = builder.finish(output);
    let operand = Operand { start: chunk.as_ptr(), strides: chunk.strides().into() };
    Chunk::build(dtype, chunk.shape(), |bytes| {
        let strides = contiguous_strides(chunk.shape(), dtype.size());
        let origin: Shape = SmallVec::from_elem(0, chunk.ndim());
        // SAFETY: the chunk can be read over its shape, and the new memory is of that shape.
        unsafe {
            evaluate::evaluate(
                &program,
                &[operand],
                chunk.shape(),
                bytes.as_mut_ptr(),
                &strides,
                &origin,
                &AtomicBool::new(false),
            );
        }
        Ok(())
    })
}

/// Several reductions of one block.
#[derive(Debug)]
pub struct Bundle {
    parts: Vec<Arc<Partial>>,
}

impl Bundle {
    /// Of these, in their order.
    pub fn new(parts: Vec<Partial>) -> Self {
        Self { parts: parts.into_iter().map(Arc::new).collect() }
    }

    /// The reduction of this number.
    pub fn part(&self, number: usize) -> Option<&Partial> {
        self.parts.get(number).map(Arc::as_ref)
    }

    /// The reductions from this number on, if there are any; they share their states.
    pub fn from_part(&self, number: usize) -> Option<Self> {
        let parts = self.parts.get(number..).filter(|parts| !parts.is_empty())?;
        Some(Self { parts: parts.to_vec() })
    }
}

impl Data for Bundle {
    fn nbytes(&self) -> usize {
        self.parts.iter().map(|part| part.nbytes()).sum()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
        for part in &self.parts {
            sink.write_all(part.bytes())?;
        }
        Ok(Box::new(Headers(self.parts.iter().map(|part| part.header.clone()).collect())))
    }
}

/// What a bundle is besides its states.
struct Headers(Vec<Header>);

impl Restore for Headers {
    fn restore(&self, source: &mut dyn io::Read) -> Result<Value, OperationError> {
        let parts = self.0.iter().map(|header| header.read(source));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Bundle::new(parts)))
    }
}

impl std::fmt::Debug for Partial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Partial")
            .field("reduction", &self.header.reduction)
            .field("shape", &self.header.shape)
            .field("count", &self.header.count)
            .finish_non_exhaustive()
    }
}

impl Data for Partial {
    fn nbytes(&self) -> usize {
        self.states.owned_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
        sink.write_all(self.bytes())?;
        Ok(Box::new(self.header.clone()))
    }
}

/// A partial on disk is the bytes of its states; they never leave the process that wrote them.
impl Restore for Header {
    fn restore(&self, source: &mut dyn io::Read) -> Result<Value, OperationError> {
        Ok(Arc::new(self.read(source)?))
    }
}

impl Header {
    fn read(&self, source: &mut dyn io::Read) -> Result<Partial, OperationError> {
        let Self { reduction, folding, shape, count, .. } = self;
        let begun = Partial::begin(*reduction, folding, shape, *count);
        let mut partial = begun.map_err(OperationError::new)?;
        source.read_exact(partial.states.bytes_mut()).map_err(OperationError::new)?;
        Ok(partial)
    }
}
