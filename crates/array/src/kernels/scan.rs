//! Cumulative sums and products along one axis of a block.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use num_complex::{Complex32, Complex64};

use crate::chunk::{Chunk, Shape, Strides, contiguous_strides};
use crate::dtype::{Bool, DType, Element};
use crate::error::ArrayError;
use crate::kernels::copy;
use crate::kernels::evaluate::{Operand, evaluate};
use crate::kernels::load;
use crate::kernels::program::{Program, ProgramBuilder};
use crate::kernels::reduce::{Reduction, reduce};
use crate::kernels::ufunc::{Loop, Ufunc};

/// What is accumulated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Scan {
    /// Sums.
    Sum,
    /// Products.
    Prod,
}

impl Scan {
    /// NumPy's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "cumsum",
            Self::Prod => "cumprod",
        }
    }

    /// The dtype of the result for elements of a dtype, as NumPy's function gives it.
    pub fn output(self, input: DType) -> Option<DType> {
        Reduction::Sum.output(input)
    }
}

/// Elements that are computed before they are accumulated, while they are in the cache.
const PART: usize = 4096;

/// Accumulates what the program makes of the operands along `axis`, in `output`. `initial` has the
/// shape without the axis and is what comes before the first element. A scan that is cancelled
/// gives a chunk of no use.
///
/// # Errors
/// [`ArrayError::Axis`], [`ArrayError::WrongChunk`] for an `initial` of another dtype or shape,
/// [`ArrayError::OutOfMemory`].
///
/// # Safety
/// There is an operand for each input of the program, readable over the shape. Strides and origin
/// have an entry for each axis.
#[allow(clippy::too_many_arguments)]
pub unsafe fn scan(
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    axis: usize,
    scan: Scan,
    output: DType,
    initial: Option<&Chunk>,
    origin: &[usize],
    cancelled: &AtomicBool,
) -> Result<Chunk, ArrayError> {
    Chunk::build(output, shape, |bytes| {
        let start = bytes.as_mut_ptr();
        // SAFETY: the caller has promised what is read, and the chunk has room for the elements.
        unsafe {
            scan_into(
                program, operands, shape, axis, scan, output, initial, origin, cancelled, start,
            )
        }
    })
}

/// As [`scan`], written in C order from `start` on.
///
/// # Errors
/// As for [`scan`].
///
/// # Safety
/// As for [`scan`], and all elements can be written, which overlap no operand.
#[allow(clippy::too_many_arguments)]
pub unsafe fn scan_into(
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    axis: usize,
    scan: Scan,
    output: DType,
    initial: Option<&Chunk>,
    origin: &[usize],
    cancelled: &AtomicBool,
    start: *mut u8,
) -> Result<(), ArrayError> {
    if axis >= shape.len() {
        return Err(ArrayError::Axis { operation: scan.name(), axis, ndim: shape.len() });
    }
    let program = program.then_cast(output);
    let mut kept: Shape = shape.into();
    kept.remove(axis);
    let initial = match initial {
        Some(chunk) if chunk.dtype() != output || chunk.shape() != kept.as_slice() => {
            return Err(ArrayError::WrongChunk {
                operation: scan.name(),
                found: format!("{chunk:?}"),
                wanted: format!("{output:?} of {kept:?}"),
            });
        }
        Some(chunk) => Some(chunk.contiguous()?),
        None => None,
    };
    // Positions before the axis, along it and after it.
    let outer: usize = shape[..axis].iter().product();
    let len = shape[axis];
    let inner: usize = shape[axis + 1..].iter().product();
    let strides = contiguous_strides(shape, output.size());
    if shape.contains(&0) {
        return Ok(());
    }
    let block = Block { program: &program, operands, shape, strides: &strides, origin, cancelled };
    let initial = initial.as_ref().map_or(std::ptr::null(), Chunk::as_ptr);
    // Short lines along the last axis are computed many at a time.
    if inner == 1 && len < PART {
        let leading: Shape = shape[..axis].into();
        // SAFETY: each part lies within the shape, and the chunk has room for all of it.
        unsafe { block.lines(start, &leading, len, scan, initial) };
        return Ok(());
    }
    let mut position: Shape = shape[..axis].iter().map(|_| 0).collect();
    let rows = (PART / inner).clamp(1, len);
    let line_of_input = if inner == 1 { block.line_of_input(axis) } else { None };
    if let Some(input) = line_of_input
        && len * output.size() >= STREAMED
    {
        let mut part = vec![0u64; (STREAMED_PART * output.size()).div_ceil(8)];
        for line in 0..outer {
            let mut from: Shape = position.clone();
            from.push(0);
            let size = output.size();
            let items = input.start.wrapping_offset(offset(&input.strides, &from));
            let before =
                if initial.is_null() { initial } else { initial.wrapping_add(line * size) };
            // SAFETY: the line lies within the shape, and there is room for it in the output.
            unsafe {
                let to = start.add(line * len * size);
                stream_line(scan, output, items, to, before, len, &mut part, cancelled);
            }
            advance(&mut position, &shape[..axis]);
        }
        return Ok(());
    }
    for line in 0..outer {
        let mut first = 0;
        while first < len && !cancelled.load(Ordering::Relaxed) {
            let many = rows.min(len - first);
            let mut from: Shape = position.clone();
            from.push(first);
            from.extend(shape[axis + 1..].iter().map(|_| 0));
            let mut part: Shape = position.iter().map(|_| 1).collect();
            part.push(many);
            part.extend_from_slice(&shape[axis + 1..]);
            // SAFETY: the part lies within the shape; what was accumulated before it stands
            // one row before its first, or in `initial`.
            unsafe {
                let size = output.size();
                let rows = start.add((line * len + first) * inner * size);
                let before = if first > 0 {
                    rows.sub(inner * size).cast_const()
                } else if initial.is_null() {
                    std::ptr::null()
                } else {
                    initial.add(line * inner * size)
                };
                if let Some(input) = line_of_input {
                    let items = input.start.wrapping_offset(offset(&input.strides, &from));
                    accumulate_copy(scan, output, items, rows, before, many);
                } else {
                    block.evaluate(start, &from, &part);
                    accumulate(scan, output, rows, before, many, inner);
                }
            }
            first += many;
        }
        advance(&mut position, &shape[..axis]);
    }
    Ok(())
}

/// Bytes from which on a line is written past the caches: it would not be in them when it is read.
const STREAMED: usize = if cfg!(miri) { 4 << 10 } else { 4 << 20 };
/// Elements of such a line that are accumulated before they are written.
const STREAMED_PART: usize = if cfg!(miri) { 300 } else { 2048 };

/// Accumulates a line by parts, each of which is written past the caches: memory that is written in
/// the usual way is read first.
///
/// # Safety
/// As for [`accumulate_copy`]; `part` has room for a part.
#[allow(clippy::too_many_arguments)]
unsafe fn stream_line(
    scan: Scan,
    dtype: DType,
    items: *const u8,
    line: *mut u8,
    before: *const u8,
    len: usize,
    part: &mut [u64],
    cancelled: &AtomicBool,
) {
    let size = dtype.size();
    // The last element of the part before; the largest elements have 16 bytes.
    let mut last = [0u64; 2];
    let mut first = 0;
    while first < len && !cancelled.load(Ordering::Relaxed) {
        let many = STREAMED_PART.min(len - first);
        let before = if first == 0 { before } else { last.as_ptr().cast() };
        let made = part.as_mut_ptr().cast::<u8>();
        // SAFETY: as promised; the part holds what was just made.
        unsafe {
            accumulate_copy(scan, dtype, items.add(first * size), made, before, many);
            made.add((many - 1) * size).copy_to_nonoverlapping(last.as_mut_ptr().cast(), size);
            copy::stream(made, line.add(first * size), many * size);
        }
        first += many;
    }
    copy::streamed();
}

/// Moves to the next position in C order.
fn advance(position: &mut [usize], shape: &[usize]) {
    for (place, len) in position.iter_mut().zip(shape).rev() {
        *place += 1;
        if *place < *len {
            return;
        }
        *place = 0;
    }
}

/// What is computed, and where from and to.
struct Block<'a> {
    program: &'a Program,
    operands: &'a [Operand],
    shape: &'a [usize],
    strides: &'a Strides,
    origin: &'a [usize],
    cancelled: &'a AtomicBool,
}

/// The bytes from the first element to the one at a position.
fn offset(strides: &[isize], position: &[usize]) -> isize {
    strides.iter().zip(position).map(|(stride, place)| stride * *place as isize).sum()
}

impl Block<'_> {
    /// The operand whose elements, which lie without gaps along the axis, are all that is
    /// computed: they are read where they are.
    fn line_of_input(&self, axis: usize) -> Option<&Operand> {
        let operand = self.operands.get(self.program.is_copy_of_input()?)?;
        let size = self.program.output().size();
        let aligned = load::is_aligned(operand.start, self.program.output())
            && operand.strides.iter().all(|stride| stride.unsigned_abs().is_multiple_of(size));
        (aligned && operand.strides[axis] == size as isize).then_some(operand)
    }

    /// Computes a part of the block into its place.
    ///
    /// # Safety
    /// The part lies within the block; `start` is where the whole block is written.
    unsafe fn evaluate(&self, start: *mut u8, from: &[usize], part: &[usize]) {
        let moved = |operand: &Operand| Operand {
            start: operand.start.wrapping_offset(offset(&operand.strides, from)),
            strides: operand.strides.clone(),
        };
        let operands: Vec<Operand> = self.operands.iter().map(moved).collect();
        // Axes of one element behind those of the part are at their first position.
        let places = from.iter().copied().chain(std::iter::repeat(0));
        let origin: Shape =
            self.origin.iter().zip(places).map(|(all, place)| all + place).collect();
        let target = start.wrapping_offset(offset(self.strides, from));
        // SAFETY: as promised.
        unsafe {
            evaluate(self.program, &operands, part, target, self.strides, &origin, self.cancelled);
        }
    }

    /// Accumulates along the last axis where its lines are short: by slabs along the first axis
    /// that is long enough.
    ///
    /// # Safety
    /// `start` has room for the whole block, whose axes are `leading` and one of `len`.
    unsafe fn lines(
        &self,
        start: *mut u8,
        leading: &[usize],
        len: usize,
        scan: Scan,
        initial: *const u8,
    ) {
        let output = self.program.output();
        let size = output.size();
        if leading.is_empty() {
            // SAFETY: the whole block is one line.
            unsafe {
                self.evaluate(start, &[0], &[len]);
                accumulate(scan, output, start, initial, len, 1);
            }
            return;
        }
        // The axis along which slabs are cut: those after it are whole, those before it are walked.
        let mut below = len;
        let mut cut = leading.len() - 1;
        while cut > 0 && below * leading[cut] <= PART {
            below *= leading[cut];
            cut -= 1;
        }
        let lines_below = below / len;
        let many = (PART / below).clamp(1, leading[cut]);
        let mut position: Shape = leading[..cut].iter().map(|_| 0).collect();
        let outer: usize = leading[..cut].iter().product();
        for slab in 0..outer {
            let mut first = 0;
            while first < leading[cut] && !self.cancelled.load(Ordering::Relaxed) {
                let height = many.min(leading[cut] - first);
                let mut from: Shape = position.clone();
                from.push(first);
                from.resize(self.shape.len(), 0);
                let mut part: Shape = position.iter().map(|_| 1).collect();
                part.push(height);
                part.extend_from_slice(&self.shape[cut + 1..]);
                let line = (slab * leading[cut] + first) * lines_below;
                // SAFETY: the slab lies within the block; its lines follow one another.
                unsafe {
                    self.evaluate(start, &from, &part);
                    for line in line..line + height * lines_below {
                        let row = start.add(line * len * size);
                        let before =
                            if initial.is_null() { initial } else { initial.add(line * size) };
                        accumulate(scan, output, row, before, len, 1);
                    }
                }
                first += height;
            }
            advance(&mut position, &leading[..cut]);
        }
    }
}

/// Elements that are accumulated.
trait Accumulate: Element {
    /// Whether a sum takes several cycles, in which others could be begun.
    const SUM_WAITS: bool;
    fn sum(self, other: Self) -> Self;
    fn product(self, other: Self) -> Self;
}

macro_rules! accumulated {
    ($($type:ty, $waits:literal, |$x:ident, $y:ident| $sum:expr, $product:expr;)*) => {$(
        impl Accumulate for $type {
            const SUM_WAITS: bool = $waits;
            #[inline(always)]
            fn sum(self, other: Self) -> Self {
                let ($x, $y) = (self, other);
                $sum
            }
            #[inline(always)]
            fn product(self, other: Self) -> Self {
                let ($x, $y) = (self, other);
                $product
            }
        }
    )*};
}

accumulated! {
    Bool, false, |x, y| Self::from(x.get() | y.get()), Self::from(x.get() & y.get());
    i8, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    i16, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    i32, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    i64, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    u8, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    u16, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    u32, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    u64, false, |x, y| x.wrapping_add(y), x.wrapping_mul(y);
    half::f16, true, |x, y| Self::from_f32(x.to_f32() + y.to_f32()),
        Self::from_f32(x.to_f32() * y.to_f32());
    f32, true, |x, y| x + y, x * y;
    f64, true, |x, y| x + y, x * y;
    Complex32, true, |x, y| x + y, x * y;
    Complex64, true, |x, y| x + y, x * y;
}

/// Accumulates rows of `width` elements in place, after `before` if that is not null.
///
/// # Safety
/// The rows can be written, and `before` read; both are aligned.
unsafe fn accumulate(
    scan: Scan,
    dtype: DType,
    rows: *mut u8,
    before: *const u8,
    many: usize,
    width: usize,
) {
    crate::with_dtype!(dtype, T => {
        // SAFETY: the promise is the same.
        unsafe {
            match scan {
                Scan::Sum => accumulate_as::<T>(rows, before, many, width, <T as Accumulate>::sum),
                Scan::Prod => {
                    accumulate_as::<T>(rows, before, many, width, <T as Accumulate>::product);
                }
            }
        }
    });
}

/// Accumulates a line of elements elsewhere, after `before` if that is not null.
///
/// # Safety
/// The items and `before` can be read, the line written; all are aligned, and the line overlaps no
/// item.
unsafe fn accumulate_copy(
    scan: Scan,
    dtype: DType,
    items: *const u8,
    line: *mut u8,
    before: *const u8,
    many: usize,
) {
    crate::with_dtype!(dtype, T => {
        // SAFETY: the promise is the same.
        unsafe {
            match scan {
                Scan::Sum if T::SUM_WAITS && many >= LONG => {
                    sums_of_quarters::<T>(items, line, before, many);
                }
                Scan::Sum => copy_as::<T>(items, line, before, many, <T as Accumulate>::sum),
                Scan::Prod => {
                    copy_as::<T>(items, line, before, many, <T as Accumulate>::product);
                }
            }
        }
    });
}

/// # Safety
/// As for [`accumulate_copy`].
#[inline(always)]
unsafe fn copy_as<T: Accumulate>(
    items: *const u8,
    line: *mut u8,
    before: *const u8,
    many: usize,
    join: impl Fn(T, T) -> T,
) {
    // SAFETY: as promised.
    let (items, line) = unsafe {
        (
            std::slice::from_raw_parts(items.cast::<T>(), many),
            std::slice::from_raw_parts_mut(line.cast::<MaybeUninit<T>>(), many),
        )
    };
    // SAFETY: as promised.
    let mut last = (!before.is_null()).then(|| unsafe { before.cast::<T>().read() });
    for (item, place) in items.iter().zip(line) {
        let sum = last.map_or(*item, |last| join(last, *item));
        place.write(sum);
        last = Some(sum);
    }
}

/// Elements from which on quarters of a line are summed up side by side.
const LONG: usize = 256;

/// The sums of a line as those of its quarters, side by side, to which the sum of what is before each is added: a
/// processor adds up several floats in the time that it waits for the sum of two.
///
/// # Safety
/// As for [`accumulate_copy`].
#[inline(always)]
unsafe fn sums_of_quarters<T: Accumulate>(
    items: *const u8,
    line: *mut u8,
    before: *const u8,
    many: usize,
) {
    let quarter = many / 4;
    let size = size_of::<T>();
    // SAFETY: the quarters and what is behind them are parts of the line, and what is written is
    // initialized.
    unsafe {
        let part = |number: usize| {
            let items = items.add(number * quarter * size).cast::<T>();
            let line = line.add(number * quarter * size).cast::<MaybeUninit<T>>();
            (
                std::slice::from_raw_parts(items, quarter),
                std::slice::from_raw_parts_mut(line, quarter),
            )
        };
        let [(a, to_a), (b, to_b), (c, to_c), (d, to_d)] = [part(0), part(1), part(2), part(3)];
        let mut sums = [a[0], b[0], c[0], d[0]];
        if !before.is_null() {
            sums[0] = before.cast::<T>().read().sum(sums[0]);
        }
        for place in 0..quarter {
            if place > 0 {
                let items = [a[place], b[place], c[place], d[place]];
                for (sum, item) in sums.iter_mut().zip(items) {
                    *sum = sum.sum(item);
                }
            }
            to_a[place].write(sums[0]);
            to_b[place].write(sums[1]);
            to_c[place].write(sums[2]);
            to_d[place].write(sums[3]);
        }
        let mut last = sums[0];
        for (part, sum) in [(to_b, sums[1]), (to_c, sums[2]), (to_d, sums[3])] {
            for item in part {
                item.write(last.sum(item.assume_init_read()));
            }
            last = last.sum(sum);
        }
        let done = 4 * quarter;
        let rest = line.add(done * size);
        let before = rest.sub(size).cast_const();
        copy_as::<T>(items.add(done * size), rest, before, many - done, <T as Accumulate>::sum);
    }
}

/// # Safety
/// As for [`accumulate`].
#[inline(always)]
unsafe fn accumulate_as<T: Accumulate>(
    rows: *mut u8,
    before: *const u8,
    many: usize,
    width: usize,
    join: impl Fn(T, T) -> T,
) {
    let (rows, before) = (rows.cast::<T>(), before.cast::<T>());
    // SAFETY: as promised; `before` is the row before the first one, or lies elsewhere.
    unsafe {
        if width == 1 {
            let line = std::slice::from_raw_parts_mut(rows, many);
            let mut items = line.iter_mut();
            let mut last = match (before.is_null(), items.len()) {
                (_, 0) => return,
                (false, _) => before.read(),
                (true, _) => match items.next() {
                    Some(first) => *first,
                    None => return,
                },
            };
            for item in items {
                last = join(last, *item);
                *item = last;
            }
            return;
        }
        for row in 0..many {
            let line = rows.add(row * width);
            let last = if row > 0 { line.sub(width).cast_const() } else { before };
            if last.is_null() {
                continue;
            }
            let last = std::slice::from_raw_parts(last, width);
            let line = std::slice::from_raw_parts_mut(line, width);
            for (item, last) in line.iter_mut().zip(last) {
                *item = join(*last, *item);
            }
        }
    }
}

/// What a block adds for those after it: its sums or products along the axis, with the axis gone.
///
/// # Errors
/// As for [`reduce`].
///
/// # Safety
/// As for [`scan`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn totals(
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    axis: usize,
    scan: Scan,
    output: DType,
    origin: &[usize],
    cancelled: &AtomicBool,
) -> Result<Chunk, ArrayError> {
    let reduction = match scan {
        Scan::Sum => Reduction::Sum,
        Scan::Prod => Reduction::Prod,
    };
    let axes: Vec<bool> = (0..shape.len()).map(|place| place == axis).collect();
    // SAFETY: the promise is the same.
    let partial = unsafe {
        reduce(program, operands, shape, &axes, reduction, Some(output), origin, shape, cancelled)?
    };
    partial.finish(output, 0.0)
}

/// The last elements of a scanned chunk along the axis: what the next block starts from.
///
/// Returns `None` where there are none.
pub fn last_values(chunk: &Chunk, axis: usize) -> Option<Chunk> {
    let len = *chunk.shape().get(axis)?;
    let last = chunk.slice(axis, len.checked_sub(1)?, 1, 1)?;
    let mut shape: Shape = last.shape().into();
    let mut strides: Strides = last.strides().into();
    shape.remove(axis);
    strides.remove(axis);
    // SAFETY: an axis of one element is left out, so the same elements are seen.
    Some(unsafe { last.with_layout(0, &shape, &strides) })
}

/// What two runs of blocks come to together.
///
/// # Errors
/// [`ArrayError::Shapes`] where shapes or dtypes differ, [`ArrayError::OutOfMemory`].
pub fn combine_initial(scan: Scan, first: &Chunk, second: &Chunk) -> Result<Chunk, ArrayError> {
    if first.shape() != second.shape() || first.dtype() != second.dtype() {
        let shapes = vec![first.shape().to_vec(), second.shape().to_vec()];
        return Err(ArrayError::Shapes { operation: scan.name(), shapes });
    }
    let dtype = first.dtype();
    let ufunc = match scan {
        Scan::Sum => Ufunc::Add,
        Scan::Prod => Ufunc::Multiply,
    };
    let mut builder = ProgramBuilder::new();
    let inputs = [builder.input(dtype), builder.input(dtype)];
    let chosen = Loop { inputs: smallvec::smallvec![dtype, dtype], output: dtype };
    let sum = builder.apply_loop(ufunc, &chosen, &inputs)?;
    let program = builder.finish(sum);
    let operand =
        |chunk: &Chunk| Operand { start: chunk.as_ptr(), strides: chunk.strides().into() };
    Chunk::build(dtype, first.shape(), |bytes| {
        let strides = contiguous_strides(first.shape(), dtype.size());
        let origin: Shape = first.shape().iter().map(|_| 0).collect();
        // SAFETY: both chunks can be read over their shape, of which the new memory is.
        unsafe {
            evaluate(
                &program,
                &[operand(first), operand(second)],
                first.shape(),
                bytes.as_mut_ptr(),
                &strides,
                &origin,
                &AtomicBool::new(false),
            );
        }
        Ok(())
    })
}
