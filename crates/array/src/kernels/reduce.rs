//! Reductions of blocks: a program is evaluated tile by tile, and each tile is folded into states,
//! one for each position that is kept. States of several blocks combine before the result is made.

mod encode;
mod extremes;
mod fold;
mod positions;
mod sums;
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
use crate::kernels::evaluate::{
    self, Evaluator, Operand, Streams, TileSteps, even_part, lines, square, transposed_axis,
};
use crate::kernels::load;
use crate::kernels::program::{Program, ProgramBuilder};
use crate::kernels::ufunc::Ufunc;
use crate::kernels::walk::{self, Axis, Tiling};
use fold::{Folding, Lines};

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
    let kept: Shape =
        shape.iter().zip(axes).filter(|(_, reduced)| !**reduced).map(|(len, _)| *len).collect();
    let folded: Shape =
        shape.iter().zip(axes).filter(|(_, reduced)| **reduced).map(|(len, _)| *len).collect();
    let count = checked_len(&folded).unwrap_or(0) as u64;
    let mut partials: Vec<Partial> = asked
        .iter()
        .zip(&plans)
        .map(|((reduction, _), (_, folding))| Partial::begin(*reduction, folding, &kept, count))
        .collect::<Result<_, ArrayError>>()?;
    if shape.contains(&0) {
        return Ok(partials);
    }
    let (state_strides, position_strides) = index_strides(&kept, axes, whole);
    let position: isize =
        origin.iter().zip(&position_strides).map(|(place, stride)| *place as isize * stride).sum();
    let mut streams = Streams::new(&program, operands, origin);
    let sources = streams.starts.len();
    streams.push(std::ptr::null(), &state_strides);
    if asked.iter().any(|(reduction, _)| reduction.is_position()) {
        streams.push(std::ptr::without_provenance(position as usize), &position_strides);
    }
    let mut walked = streams.axes(shape);
    for (axis, reduced) in walked.iter_mut().zip(axes) {
        axis.reduced = *reduced;
    }
    walked.sort_by_key(|axis| std::cmp::Reverse(span(axis, sources)));
    let walked = walk::merge(walked, streams.starts.len());
    let tiling = tiling(&program, &walked);
    let steps = TileSteps::new(&walked, tiling);
    let column = &walked[tiling.column_axis];
    let row = tiling.row_axis.map(|axis| &walked[axis]);
    let row_step = |stream: usize| row.map_or(0, |axis| axis.steps[stream]);
    let row_reduced = row.is_none_or(|axis| axis.reduced);
    let dtype = program.output();
    let in_place = program.is_copy_of_input().is_some() && column.steps[0] == dtype.size() as isize;
    let capacity = tiling.rows * tiling.columns;
    let mut evaluator = Evaluator::new(&program, capacity);
    let mut folds: SmallVec<[TileFold<'_>; 1]> = plans
        .iter()
        .zip(&mut partials)
        .map(|((after, folding), partial)| TileFold {
            convert: after.as_ref().map(|after| (after, Evaluator::new(after, capacity))),
            states: partial.states.bytes_mut().as_mut_ptr(),
            state_bytes: folding.state_bytes as isize,
            fold: if column.reduced { folding.rows() } else { folding.columns() },
        })
        .collect();
    let mut last = std::ptr::null();
    walk::each_tile(&walked, tiling, &streams.starts, cancelled, &mut |tile| {
        let direct = in_place
            && load::is_aligned(tile.starts[0], dtype)
            && row_step(0) % dtype.size().min(8) as isize == 0;
        let (start, between) = if direct {
            // The next tile mostly lies as far from this one as this one from the last.
            let start = tile.starts[0];
            let ahead = (start as isize).wrapping_sub(last as isize);
            last = start;
            if tile.rows == 1 && ahead.unsigned_abs() > tile.columns * dtype.size() {
                let bytes = (tile.columns * dtype.size()).min(BEGINNING);
                load::prefetch(start.wrapping_offset(ahead), bytes);
            }
            (start, row_step(0))
        } else {
            // SAFETY: the tile lies within the shape, over which operands can be read.
            let start = unsafe { evaluator.run(tile, &steps, None) };
            (start, (tile.columns * dtype.size()) as isize)
        };
        let place = |stream: usize| tile.starts.get(stream).map_or(0, |start| *start as isize);
        let positions = sources + 1;
        let along = |axis: &Axis| axis.steps.get(positions).copied().unwrap_or(0);
        let first = place(sources);
        for one in &mut folds {
            // SAFETY: the elements of the tile can be read from `start` on.
            let (start, between) = unsafe { one.converted(start, between, dtype, tile) };
            let mut lines = Lines {
                start,
                row_step: between,
                rows: tile.rows,
                columns: tile.columns,
                state_step: 0,
                position: place(positions),
                row_position: row.map_or(0, along),
                column_position: along(column),
            };
            let state = |index: isize| one.states.wrapping_offset(index * one.state_bytes);
            // SAFETY: the lines are those of the tile; the states that the streams lead to are
            // those of the positions that are kept.
            unsafe {
                if column.reduced {
                    lines.state_step = row_step(sources);
                    (one.fold)(&lines, state(first));
                } else if row_reduced {
                    lines.state_step = column.steps[sources];
                    (one.fold)(&lines, state(first));
                } else {
                    lines.state_step = column.steps[sources];
                    lines.rows = 1;
                    for place in 0..tile.rows as isize {
                        (one.fold)(&lines, state(first + place * row_step(sources)));
                        lines.start = lines.start.wrapping_offset(between);
                        lines.position += lines.row_position;
                    }
                }
            }
        }
    });
    drop(folds);
    Ok(partials)
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

/// How tiles go into the states of one of several reductions.
struct TileFold<'plan> {
    convert: Option<(&'plan Program, Evaluator<'plan>)>,
    states: *mut u8,
    state_bytes: isize,
    fold: fold::FoldLines,
}

impl TileFold<'_> {
    /// Where the converted elements of a tile begin, and the bytes from one row to the next.
    ///
    /// # Safety
    /// The elements of the tile, of this dtype, can be read from `start` on.
    unsafe fn converted(
        &mut self,
        start: *const u8,
        between: isize,
        dtype: DType,
        tile: &walk::Tile<'_>,
    ) -> (*const u8, isize) {
        let Some((program, evaluator)) = &mut self.convert else { return (start, between) };
        let starts = [start];
        let tile = walk::Tile { starts: &starts, rows: tile.rows, columns: tile.columns };
        let steps = TileSteps::of_one(dtype.size() as isize, between);
        // SAFETY: as promised; the evaluator was made for tiles of this size.
        let start = unsafe { evaluator.run(&tile, &steps, None) };
        (start, (tile.columns * program.output().size()) as isize)
    }
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
    parts: Vec<Partial>,
}

impl Bundle {
    /// Of these, in their order.
    pub fn new(parts: Vec<Partial>) -> Self {
        Self { parts }
    }

    /// The reduction of this number.
    pub fn part(&self, number: usize) -> Option<&Partial> {
        self.parts.get(number)
    }
}

impl Data for Bundle {
    fn nbytes(&self) -> usize {
        self.parts.iter().map(Data::nbytes).sum()
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
        let parts = self.0.iter().map(|header| header.read(source)).collect::<Result<_, _>>()?;
        Ok(Arc::new(Bundle { parts }))
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
