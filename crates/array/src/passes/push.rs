//! Slices, cuts and views move towards the sources, and end there where a source can answer them.
//!
//! A selection of elements goes through every elementwise function, through views, and through
//! reductions along the axes that stay: what is not read is not computed. A mere change of chunks
//! goes through functions only as far as all that is behind them can be read in any chunks (arrays
//! in memory, constants, ranges); elsewhere it would be done for each input instead of once.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::axis_map::AxisMap;
use crate::chunk::Chunk;
use crate::dtype::{Element, Kind, Scalar};
use crate::error::ArrayError;
use crate::expr::{Argument, Expr, Op, Reduce, ViewAxis, in_order};
use crate::grid::Grid;
use crate::token;

/// How far one selection is pushed through a chain of operations in one go; what is left of it is
/// done where it ends.
const DEPTH: usize = 100;

type Maps = SmallVec<[AxisMap; 4]>;

pub(crate) fn push(roots: &[Expr]) -> Result<Vec<Expr>, ArrayError> {
    let mut pass = Push::default();
    for expr in in_order(roots) {
        let inputs: Vec<Expr> = expr.op().inputs().iter().map(|input| pass.now(input)).collect();
        let same =
            expr.op().inputs().iter().zip(&inputs).all(|(old, new)| old.address() == new.address());
        let rebuilt = if same { expr.clone() } else { with_inputs(&expr, inputs) };
        let better = pass.simplified(rebuilt)?;
        pass.became.insert(expr.address(), better);
        // Addresses are keys, so what they belong to must not go before the pass ends.
        pass.kept.push(expr);
    }
    Ok(roots.iter().map(|root| pass.now(root)).collect())
}

#[derive(Default)]
struct Push {
    became: FxHashMap<usize, Expr>,
    /// Selections that were pushed before, by input and fingerprint of maps and chunks.
    gathered: FxHashMap<(usize, u128), Expr>,
    /// Whether an expression can be read in any chunks at no cost.
    free: FxHashMap<usize, bool>,
    kept: Vec<Expr>,
}

impl Push {
    fn now(&self, expr: &Expr) -> Expr {
        self.became.get(&expr.address()).unwrap_or(expr).clone()
    }

    fn simplified(&mut self, expr: Expr) -> Result<Expr, ArrayError> {
        match expr.op() {
            Op::Gather { input, axes } => self.gather(input, axes.clone(), expr.grid().clone(), 0),
            Op::View { input, axes } => self.view(input, axes, expr.grid().clone()),
            _ => Ok(expr),
        }
    }

    /// Reads `maps` of `input` in the chunks of `grid`.
    fn gather(
        &mut self,
        input: &Expr,
        maps: Maps,
        grid: Grid,
        depth: usize,
    ) -> Result<Expr, ArrayError> {
        let all = maps.iter().zip(input.shape()).all(|(map, len)| map.is_identity(*len));
        if all && grid.same_as(input.grid()) {
            return Ok(input.clone());
        }
        let plain = |input: &Expr, maps: Maps, grid: Grid| input.gather(maps, grid);
        if depth >= DEPTH {
            return plain(input, maps, grid);
        }
        let mut fingerprint = token::Fingerprint::default();
        for (map, sizes) in maps.iter().zip(grid.axes()) {
            for run in map.runs() {
                fingerprint.numbers([&run.start, &(run.step as usize), &run.len]);
            }
            fingerprint.numbers(sizes.iter());
        }
        let key = (input.address(), fingerprint.finish());
        if let Some(known) = self.gathered.get(&key) {
            return Ok(known.clone());
        }
        let next = depth + 1;
        let pushed = match input.op() {
            Op::Gather { input: inner, axes } => {
                let maps = axes.iter().zip(&maps).map(|(inner, outer)| inner.then(outer)).collect();
                self.gather(inner, maps, grid, next)?
            }
            Op::Memory { chunk, .. } => match sliced(chunk, &maps) {
                Some(part) => Expr::from_chunk(part, grid)?,
                None => plain(input, maps, grid)?,
            },
            Op::Fill(value) => Expr::full(*value, grid)?,
            Op::Iota { start, step } => match part_of_range(*start, *step, &maps[0]) {
                Some((start, step)) => Expr::iota(start, step, grid)?,
                None => plain(input, maps, grid)?,
            },
            Op::View { input: inner, axes } => {
                let mut inner_maps: Maps =
                    inner.shape().iter().map(|len| AxisMap::identity(*len)).collect();
                let mut inner_grid = inner.grid().clone();
                for (place, from) in axes.iter().enumerate() {
                    if let ViewAxis::Input(axis) = from {
                        inner_maps[*axis] = maps[place].clone();
                        inner_grid = inner_grid.with_axis(*axis, Arc::clone(grid.axis(place)));
                    }
                }
                let inner = self.gather(inner, inner_maps, inner_grid, next)?;
                self.view(&inner, axes, grid)?
            }
            Op::Map { ufunc, types, arguments } if !all || self.is_free(input) => {
                let (ufunc, types) = (*ufunc, types.clone());
                let mut pushed = SmallVec::new();
                for argument in arguments {
                    pushed.push(match argument {
                        Argument::Array(array) => {
                            Argument::Array(self.gather(array, maps.clone(), grid.clone(), next)?)
                        }
                        Argument::Scalar(scalar) => Argument::Scalar(*scalar),
                    });
                }
                let op = Op::Map { ufunc, types, arguments: pushed };
                Expr::from_op(op, input.dtype(), grid)
            }
            Op::Cast(inner) if !all || self.is_free(input) => {
                let inner = self.gather(inner, maps, grid.clone(), next)?;
                Expr::from_op(Op::Cast(inner), input.dtype(), grid)
            }
            Op::Reduce(reduce) if selects(&maps, input.shape()) => {
                let mut inner_maps = Maps::new();
                let mut inner_grid = reduce.input.grid().clone();
                let mut place = 0;
                for (axis, reduced) in reduce.axes.iter().enumerate() {
                    if *reduced {
                        inner_maps.push(AxisMap::identity(reduce.input.shape()[axis]));
                    } else {
                        inner_maps.push(maps[place].clone());
                        inner_grid = inner_grid.with_axis(axis, Arc::clone(grid.axis(place)));
                        place += 1;
                    }
                }
                let input_part = self.gather(&reduce.input, inner_maps, inner_grid, next)?;
                let part = Reduce {
                    input: input_part,
                    reduction: reduce.reduction,
                    axes: reduce.axes.clone(),
                    accumulator: reduce.accumulator,
                    ddof: reduce.ddof,
                    split_every: reduce.split_every.clone(),
                };
                Expr::from_op(Op::Reduce(part), input.dtype(), grid)
            }
            Op::Call { function, inputs, labels }
                if inputs.is_empty() && selects(&maps, input.shape()) =>
            {
                // Only what is read is pushed, not how it is cut: sources are read as they are cut
                // at the least cost.
                let sizes = maps.iter().zip(input.grid().axes());
                let cut = Grid::new(sizes.map(|(map, sizes)| map.cut(sizes).into()));
                let single = maps.iter().all(|map| map.single().is_some());
                match single.then(|| function.select(&maps, &cut)).flatten() {
                    None => plain(input, maps, grid)?,
                    Some(part) => {
                        let labels = labels.clone();
                        let dtype = input.dtype();
                        let part = Expr::call(part, Vec::new(), labels, dtype, cut)?;
                        let all = part.shape().iter().map(|len| AxisMap::identity(*len));
                        let all = all.collect();
                        self.kept.push(part.clone());
                        self.gather(&part, all, grid, next)?
                    }
                }
            }
            Op::Concat { inputs, axis } => {
                self.gather_of_parts(inputs, *axis, input, maps, grid, next)?
            }
            _ => plain(input, maps, grid)?,
        };
        self.kept.push(input.clone());
        self.gathered.insert(key, pushed.clone());
        Ok(pushed)
    }

    /// A selection that lies in one part of a concatenation reads that part alone.
    fn gather_of_parts(
        &mut self,
        parts: &[Expr],
        axis: usize,
        whole: &Expr,
        maps: Maps,
        grid: Grid,
        depth: usize,
    ) -> Result<Expr, ArrayError> {
        let (Some(run), false) = (maps[axis].single(), maps[axis].is_empty()) else {
            return whole.gather(maps, grid);
        };
        let (low, high) = {
            let (first, last) = (run.at(0), run.at(run.len - 1));
            (first.min(last), first.max(last))
        };
        let mut begin = 0;
        for part in parts {
            let len = part.shape()[axis];
            if begin <= low && high < begin + len {
                let mut maps = maps;
                maps[axis] = AxisMap::strided(run.start - begin, run.step, run.len);
                return self.gather(part, maps, grid, depth);
            }
            begin += len;
        }
        whole.gather(maps, grid)
    }

    fn view(
        &mut self,
        input: &Expr,
        axes: &SmallVec<[ViewAxis; 4]>,
        grid: Grid,
    ) -> Result<Expr, ArrayError> {
        let same = axes.len() == input.ndim()
            && axes.iter().enumerate().all(|(axis, from)| *from == ViewAxis::Input(axis));
        if same && grid.same_as(input.grid()) {
            return Ok(input.clone());
        }
        match input.op() {
            Op::View { input: inner, axes: inner_axes } => {
                let axes: SmallVec<[ViewAxis; 4]> = axes
                    .iter()
                    .map(|from| match from {
                        ViewAxis::Input(axis) => inner_axes[*axis],
                        ViewAxis::New => ViewAxis::New,
                    })
                    .collect();
                self.view(inner, &axes, grid)
            }
            Op::Fill(value) => Expr::full(*value, grid),
            Op::Memory { chunk, .. } => {
                let shape = grid.shape();
                let strides: SmallVec<[isize; 4]> = axes
                    .iter()
                    .map(|from| match from {
                        ViewAxis::Input(axis) => chunk.strides()[*axis],
                        ViewAxis::New => 0,
                    })
                    .collect();
                // SAFETY: the axes of the view are those of the chunk, or repeat elements of it;
                // those that are left out have one element. An array without elements is read
                // nowhere.
                let part = unsafe { chunk.with_layout(0, &shape, &strides) };
                Expr::from_chunk(part, grid)
            }
            _ => Ok(Expr::from_op(
                Op::View { input: input.clone(), axes: axes.clone() },
                input.dtype(),
                grid,
            )),
        }
    }

    fn is_free(&mut self, expr: &Expr) -> bool {
        if let Some(known) = self.free.get(&expr.address()) {
            return *known;
        }
        for part in in_order(std::slice::from_ref(expr)) {
            if self.free.contains_key(&part.address()) {
                continue;
            }
            let free = match part.op() {
                Op::Memory { .. } | Op::Fill(_) | Op::Iota { .. } => true,
                Op::Map { .. } | Op::Cast(_) | Op::View { .. } => part
                    .op()
                    .inputs()
                    .iter()
                    .all(|input| self.free.get(&input.address()).copied().unwrap_or(false)),
                _ => false,
            };
            self.free.insert(part.address(), free);
            self.kept.push(part);
        }
        self.free.get(&expr.address()).copied().unwrap_or(false)
    }
}

/// Whether fewer elements are read than there are.
fn selects(maps: &Maps, shape: &[usize]) -> bool {
    maps.iter().zip(shape).any(|(map, len)| map.len() < *len)
}

/// The part of a chunk that maps of one run each read.
fn sliced(chunk: &Chunk, maps: &Maps) -> Option<Chunk> {
    let mut part = chunk.clone();
    for (axis, map) in maps.iter().enumerate() {
        let run = map.single()?;
        part = part.slice(axis, run.start, run.step, run.len)?;
    }
    Some(part)
}

/// Start and step of a part of a range. Floating-point ranges are left as they are: their elements
/// are computed from the start, and another start would round otherwise.
fn part_of_range(start: Scalar, step: Scalar, map: &AxisMap) -> Option<(Scalar, Scalar)> {
    fn integers<T: Element>(
        start: Scalar,
        step: Scalar,
        part: impl Fn(T, T) -> (T, T),
    ) -> Option<(Scalar, Scalar)> {
        let (start, step) = part(start.get()?, step.get()?);
        Some((Scalar::new(start), Scalar::new(step)))
    }
    let run = map.single()?;
    if !matches!(start.dtype().kind(), Kind::Signed | Kind::Unsigned) {
        return None;
    }
    macro_rules! by_type {
        ($($dtype:ident => $type:ty),*) => {
            match start.dtype() {
                $(crate::DType::$dtype => integers::<$type>(start, step, |start, step| (
                    start.wrapping_add(step.wrapping_mul(run.start as $type)),
                    step.wrapping_mul(run.step as $type),
                )),)*
                _ => None,
            }
        };
    }
    by_type!(I8 => i8, I16 => i16, I32 => i32, I64 => i64, U8 => u8, U16 => u16, U32 => u32, U64 => u64)
}

/// The same operation on other inputs, which are like the old ones.
pub(crate) fn with_inputs(expr: &Expr, inputs: Vec<Expr>) -> Expr {
    let mut inputs = inputs.into_iter();
    let mut next = |old: &Expr| inputs.next().unwrap_or_else(|| old.clone());
    let op = match expr.op() {
        Op::Memory { .. }
        | Op::Fill(_)
        | Op::Iota { .. }
        | Op::Random { .. }
        | Op::Stored(_)
        | Op::Elsewhere(_) => return expr.clone(),
        Op::Call { function, inputs, labels } => Op::Call {
            function: Arc::clone(function),
            inputs: inputs.iter().map(|(input, labels)| (next(input), labels.clone())).collect(),
            labels: labels.clone(),
        },
        Op::Map { ufunc, types, arguments } => Op::Map {
            ufunc: *ufunc,
            types: types.clone(),
            arguments: arguments
                .iter()
                .map(|argument| match argument {
                    Argument::Array(array) => Argument::Array(next(array)),
                    Argument::Scalar(scalar) => Argument::Scalar(*scalar),
                })
                .collect(),
        },
        Op::Cast(input) => Op::Cast(next(input)),
        Op::View { input, axes } => Op::View { input: next(input), axes: axes.clone() },
        Op::Gather { input, axes } => Op::Gather { input: next(input), axes: axes.clone() },
        Op::Concat { inputs, axis } => {
            Op::Concat { inputs: inputs.iter().map(&mut next).collect(), axis: *axis }
        }
        Op::Reduce(reduce) => Op::Reduce(Reduce {
            input: next(&reduce.input),
            reduction: reduce.reduction,
            axes: reduce.axes.clone(),
            accumulator: reduce.accumulator,
            ddof: reduce.ddof,
            split_every: reduce.split_every.clone(),
        }),
        Op::Scan { input, scan, axis } => Op::Scan { input: next(input), scan: *scan, axis: *axis },
        Op::Reshape(input) => Op::Reshape(next(input)),
        Op::MatMul(one, other) => {
            let one = next(one);
            Op::MatMul(one, next(other))
        }
    };
    Expr::from_op(op, expr.dtype(), expr.grid().clone())
}
