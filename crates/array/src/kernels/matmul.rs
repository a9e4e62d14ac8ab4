//! Products of matrices, and sums of such products.

use std::sync::Arc;

use gemm::Parallelism;
use half::f16;
use num_complex::{Complex32, Complex64};

use crate::chunk::{Chunk, Shape, Strides};
use crate::dtype::{Bool, DType, Element};
use crate::error::ArrayError;

const OPERATION: &str = "matmul";

/// The sum over pairs of the products of their matrices, C-contiguous.
///
/// Integers wrap, and a product of bools says whether any term is true, as in NumPy.
///
/// # Errors
/// [`ArrayError::Shapes`] where there is no pair, a chunk that is not a matrix, or matrices that do
/// not fit; [`ArrayError::DTypes`] where the dtypes differ; [`ArrayError::OutOfMemory`].
pub fn matmul(pairs: &[(Chunk, Chunk)]) -> Result<Chunk, ArrayError> {
    let matrices = pairs.iter().all(|(left, right)| left.ndim() == 2 && right.ndim() == 2);
    if matrices { matmul_batched(pairs) } else { Err(misfit(pairs)) }
}

/// As [`matmul`] for stacks of matrices: the last two axes are theirs, those before are equal in
/// all chunks.
///
/// # Errors
/// As for [`matmul`].
pub fn matmul_batched(pairs: &[(Chunk, Chunk)]) -> Result<Chunk, ArrayError> {
    let shape = product_shape(pairs).ok_or_else(|| misfit(pairs))?;
    let Some((first, _)) = pairs.first() else { return Err(misfit(pairs)) };
    let dtype = first.dtype();
    let mut dtypes = pairs.iter().flat_map(|(left, right)| [left.dtype(), right.dtype()]);
    if dtypes.any(|other| other != dtype) {
        let dtypes = pairs.iter().flat_map(|(left, right)| [left.dtype(), right.dtype()]).collect();
        return Err(ArrayError::DTypes { operation: OPERATION, dtypes });
    }
    match dtype {
        DType::Bool => stack::<Bool>(pairs, &shape),
        DType::I8 => stack::<i8>(pairs, &shape),
        DType::I16 => stack::<i16>(pairs, &shape),
        DType::I32 => stack::<i32>(pairs, &shape),
        DType::I64 => stack::<i64>(pairs, &shape),
        DType::U8 => stack::<u8>(pairs, &shape),
        DType::U16 => stack::<u16>(pairs, &shape),
        DType::U32 => stack::<u32>(pairs, &shape),
        DType::U64 => stack::<u64>(pairs, &shape),
        DType::F16 => half_precision(pairs),
        DType::F32 => stack::<f32>(pairs, &shape),
        DType::F64 => stack::<f64>(pairs, &shape),
        DType::C64 => stack::<Complex32>(pairs, &shape),
        DType::C128 => stack::<Complex64>(pairs, &shape),
    }
}

/// The shape of the sum of products; `None` where the chunks do not fit.
fn product_shape(pairs: &[(Chunk, Chunk)]) -> Option<Shape> {
    let of = |(left, right): &(Chunk, Chunk)| -> Option<Shape> {
        let (rows, inner) =
            left.shape().split_last_chunk::<2>().map(|(outer, [m, p])| ((outer, *m), *p))?;
        let (outer, [other, columns]) = right.shape().split_last_chunk::<2>()?;
        (rows.0 == outer && inner == *other).then(|| {
            let mut shape: Shape = outer.into();
            shape.extend([rows.1, *columns]);
            shape
        })
    };
    let shape = of(pairs.first()?)?;
    pairs.iter().skip(1).all(|pair| of(pair).as_ref() == Some(&shape)).then_some(shape)
}

fn misfit(pairs: &[(Chunk, Chunk)]) -> ArrayError {
    let shapes =
        pairs.iter().flat_map(|(left, right)| [left.shape().to_vec(), right.shape().to_vec()]);
    ArrayError::Shapes { operation: OPERATION, shapes: shapes.collect() }
}

/// A matrix in memory, with its steps in elements.
#[derive(Clone, Copy)]
pub(crate) struct Layout<T> {
    pub(crate) start: *const T,
    pub(crate) row: isize,
    pub(crate) column: isize,
}

/// The lengths of a product: `rows` x `inner` times `inner` x `columns`.
#[derive(Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) columns: usize,
}

/// Elements that matrices can be multiplied of.
pub(crate) trait Factor: Element {
    /// Writes the product to `target`, or adds it to what is there.
    ///
    /// # Safety
    /// All elements of both factors can be read and those of `target` written, and `target` lies
    /// apart from both.
    unsafe fn product(
        lengths: Lengths,
        target: Target<Self>,
        add: bool,
        left: Layout<Self>,
        right: Layout<Self>,
    );
}

/// Where a product is written: rows without gaps in them.
#[derive(Clone, Copy)]
pub(crate) struct Target<T> {
    pub(crate) start: *mut T,
    /// Elements from one row to the next.
    pub(crate) row: isize,
}

/// Whether the last two axes can be read in place, element by element.
fn in_place(chunk: &Chunk) -> bool {
    let size = chunk.dtype().size() as isize;
    let whole = |(len, stride): (&usize, &isize)| *len <= 1 || stride % size == 0;
    chunk.is_aligned() && chunk.shape().iter().zip(chunk.strides()).all(whole)
}

/// The chunk, or an aligned copy of it.
fn readable(chunk: &Chunk) -> Result<Chunk, ArrayError> {
    if in_place(chunk) { Ok(chunk.clone()) } else { chunk.contiguous() }
}

/// The layout of the last two axes of a readable chunk.
fn layout<T: Element>(chunk: &Chunk, byte_offset: isize) -> Layout<T> {
    let size = chunk.dtype().size() as isize;
    let axis = chunk.ndim() - 2;
    let step = |axis: usize| {
        if chunk.shape()[axis] <= 1 { 1 } else { chunk.strides()[axis] / size }
    };
    Layout {
        start: chunk.as_ptr().wrapping_offset(byte_offset).cast(),
        row: step(axis),
        column: step(axis + 1),
    }
}

fn stack<T: Factor>(pairs: &[(Chunk, Chunk)], shape: &[usize]) -> Result<Chunk, ArrayError> {
    Chunk::build(T::DTYPE, shape, |bytes| {
        if bytes.is_empty() {
            return Ok(());
        }
        let row = shape[shape.len() - 1] as isize;
        // SAFETY: the shapes were compared, and the target is new, aligned memory in C order.
        unsafe { stack_into::<T>(pairs, shape, bytes.as_mut_ptr().cast::<T>(), row) }
    })
}

/// Writes a stack of products from `target` on: matrices end to end, with `row` elements from one
/// of their rows to the next.
///
/// # Safety
/// The pairs fit each other and the shape, and all elements of the target can be written; it is
/// aligned and overlaps no factor.
unsafe fn stack_into<T: Factor>(
    pairs: &[(Chunk, Chunk)],
    shape: &[usize],
    mut target: *mut T,
    row: isize,
) -> Result<(), ArrayError> {
    let pairs: Vec<(Chunk, Chunk)> = pairs
        .iter()
        .map(|(left, right)| Ok((readable(left)?, readable(right)?)))
        .collect::<Result<_, ArrayError>>()?;
    let pairs = joined(pairs);
    let outer = &shape[..shape.len() - 2];
    let (rows, columns) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let mut position: Shape = Shape::from_elem(0, outer.len());
    for _ in 0..outer.iter().product() {
        for (place, (left, right)) in pairs.iter().enumerate() {
            let inner = left.shape()[outer.len() + 1];
            let offset = |chunk: &Chunk| -> isize {
                let steps = position.iter().zip(chunk.strides());
                steps.map(|(at, stride)| *at as isize * stride).sum()
            };
            // SAFETY: both chunks are aligned and fit; the target moves by one matrix for each
            // position.
            unsafe {
                T::product(
                    Lengths { rows, inner, columns },
                    Target { start: target, row },
                    place > 0,
                    layout(left, offset(left)),
                    layout(right, offset(right)),
                );
            }
        }
        target = target.wrapping_offset(rows as isize * row);
        for axis in (0..outer.len()).rev() {
            position[axis] += 1;
            if position[axis] < outer[axis] {
                break;
            }
            position[axis] = 0;
        }
    }
    Ok(())
}

/// Writes the sum of products of matrices from `target` on, with `row` bytes from one of its rows to
/// the next; false where that has to be done otherwise.
///
/// # Errors
/// As for [`matmul`].
///
/// # Safety
/// All elements of a matrix of the product's shape can be written from `target` on, and overlap no
/// factor.
pub unsafe fn matmul_into(
    pairs: &[(Chunk, Chunk)],
    target: *mut u8,
    row: isize,
) -> Result<bool, ArrayError> {
    let Some(dtype) = pairs.first().map(|(left, _)| left.dtype()) else { return Ok(false) };
    let alike = pairs.iter().all(|(left, right)| {
        left.ndim() == 2 && right.ndim() == 2 && left.dtype() == dtype && right.dtype() == dtype
    });
    let size = dtype.size() as isize;
    let aligned = (target as usize).is_multiple_of(dtype.size()) && row % size == 0;
    let Some(shape) = product_shape(pairs).filter(|_| alike && aligned) else { return Ok(false) };
    if shape.contains(&0) {
        return Ok(false);
    }
    let row = row / size;
    // SAFETY: the shapes were compared; the caller has promised the target.
    unsafe {
        match dtype {
            DType::F32 => stack_into::<f32>(pairs, &shape, target.cast(), row)?,
            DType::F64 => stack_into::<f64>(pairs, &shape, target.cast(), row)?,
            DType::C64 => stack_into::<Complex32>(pairs, &shape, target.cast(), row)?,
            DType::C128 => stack_into::<Complex64>(pairs, &shape, target.cast(), row)?,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Pairs of matrices of which the left ones lie side by side in memory, and the right ones one
/// below the other, become one pair.
fn joined(pairs: Vec<(Chunk, Chunk)>) -> Vec<(Chunk, Chunk)> {
    let mut all: Vec<(Chunk, Chunk)> = Vec::with_capacity(pairs.len());
    for (left, right) in pairs {
        if let Some((first, second)) = all.last_mut()
            && let (Some(wide), Some(high)) =
                (end_to_end(first, &left, 1), end_to_end(second, &right, 0))
        {
            (*first, *second) = (wide, high);
            continue;
        }
        all.push((left, right));
    }
    all
}

/// Two matrices as one along an axis, where the second begins right where the first one ends and
/// both are views of one buffer.
fn end_to_end(one: &Chunk, other: &Chunk, axis: usize) -> Option<Chunk> {
    let [across, length] = [1 - axis, axis];
    let fit = one.ndim() == 2
        && other.ndim() == 2
        && Arc::ptr_eq(one.buffer(), other.buffer())
        && one.strides() == other.strides()
        && one.shape()[across] == other.shape()[across]
        && one.shape()[length] > 1
        && other.shape()[length] > 0;
    if !fit {
        return None;
    }
    let reach = one.strides()[length].checked_mul(isize::try_from(one.shape()[length]).ok()?)?;
    if one.as_ptr().wrapping_offset(reach) != other.as_ptr() {
        return None;
    }
    let mut shape: Shape = one.shape().into();
    shape[length] += other.shape()[length];
    let strides: Strides = one.strides().into();
    // SAFETY: the elements are those of both, which are views of the same buffer.
    Some(unsafe { one.with_layout(0, &shape, &strides) })
}

macro_rules! float_factors {
    ($($type:ty => $one:expr),*) => {
        $(impl Factor for $type {
            unsafe fn product(
                lengths: Lengths,
                target: Target<Self>,
                add: bool,
                left: Layout<Self>,
                right: Layout<Self>,
            ) {
                let Lengths { rows, inner, columns } = lengths;
                let one: Self = $one;
                // SAFETY: as promised by the caller.
                unsafe {
                    gemm::gemm(
                        rows,
                        columns,
                        inner,
                        target.start,
                        1,
                        target.row,
                        add,
                        left.start,
                        left.column,
                        left.row,
                        right.start,
                        right.column,
                        right.row,
                        one,
                        one,
                        false,
                        false,
                        false,
                        Parallelism::None,
                    );
                }
            }
        })*
    };
}

float_factors!(
    f32 => 1.0,
    f64 => 1.0,
    Complex32 => Complex32::new(1.0, 0.0),
    Complex64 => Complex64::new(1.0, 0.0)
);

/// Half precision by way of single: as in NumPy, only the result is rounded to half.
fn half_precision(pairs: &[(Chunk, Chunk)]) -> Result<Chunk, ArrayError> {
    let single = |chunk: &Chunk| {
        let elements: Vec<f32> = chunk.to_vec::<f16>()?.into_iter().map(f16::to_f32).collect();
        Chunk::from_slice(chunk.shape(), &elements)
    };
    let pairs: Vec<(Chunk, Chunk)> = pairs
        .iter()
        .map(|(left, right)| Ok((single(left)?, single(right)?)))
        .collect::<Result<_, ArrayError>>()?;
    let product = matmul_batched(&pairs)?;
    let elements: Vec<f16> = product.to_vec::<f32>()?.into_iter().map(f16::from_f32).collect();
    Chunk::from_slice(product.shape(), &elements)
}

/// Elements whose products are computed here: integers and bools.
trait Whole: Element {
    /// `sum` and the product of both others.
    fn multiply_add(sum: Self, left: Self, right: Self) -> Self;
}

impl Whole for Bool {
    #[inline(always)]
    fn multiply_add(sum: Self, left: Self, right: Self) -> Self {
        Self(sum.0 | (u8::from(left.0 != 0) & u8::from(right.0 != 0)))
    }
}

/// How many rows of the right factor, and how many of its columns, are worked on at once: the
/// block stays in the second level of caches.
const INNER: usize = 128;
const COLUMNS: usize = 512;
/// How many rows of the result take one pass over a block.
const ROWS: usize = 4;

/// Adds the product to `target`.
///
/// # Safety
/// As for [`Factor::product`].
#[inline(always)]
unsafe fn add_product<T: Whole>(
    lengths: Lengths,
    target: *mut T,
    left: Layout<T>,
    right: Layout<T>,
    block: &mut [T],
) {
    let Lengths { rows, inner, columns } = lengths;
    for first in (0..columns).step_by(COLUMNS) {
        let width = COLUMNS.min(columns - first);
        for from in (0..inner).step_by(INNER) {
            let depth = INNER.min(inner - from);
            for (k, line) in block.chunks_exact_mut(COLUMNS).take(depth).enumerate() {
                let row = right.start.wrapping_offset((from + k) as isize * right.row);
                for (column, place) in line.iter_mut().take(width).enumerate() {
                    let at = row.wrapping_offset((first + column) as isize * right.column);
                    // SAFETY: the position lies in the right factor.
                    *place = unsafe { at.read() };
                }
            }
            for top in (0..rows).step_by(ROWS) {
                let height = ROWS.min(rows - top);
                for (k, line) in block.chunks_exact(COLUMNS).take(depth).enumerate() {
                    for row in top..top + height {
                        let at = left.start.wrapping_offset(
                            row as isize * left.row + (from + k) as isize * left.column,
                        );
                        // SAFETY: the position lies in the left factor, and the `width` elements
                        // from `first` on in a row of the target.
                        let (factor, sums) = unsafe {
                            let sums = target.wrapping_add(row * columns + first);
                            (at.read(), std::slice::from_raw_parts_mut(sums, width))
                        };
                        for (sum, other) in sums.iter_mut().zip(line) {
                            *sum = T::multiply_add(*sum, factor, *other);
                        }
                    }
                }
            }
        }
    }
}

macro_rules! whole_factors {
    ($($type:ty),*) => {
        $(impl Factor for $type {
            unsafe fn product(
                lengths: Lengths,
                target: Target<Self>,
                add: bool,
                left: Layout<Self>,
                right: Layout<Self>,
            ) {
                // Only floats are written elsewhere than in C order.
                debug_assert_eq!(target.row, lengths.columns as isize);
                let target = target.start;
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2")]
                unsafe fn avx2(
                    lengths: Lengths,
                    target: *mut $type,
                    left: Layout<$type>,
                    right: Layout<$type>,
                    block: &mut [$type],
                ) {
                    // SAFETY: as promised by the caller.
                    unsafe { add_product(lengths, target, left, right, block) }
                }
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                unsafe fn avx512(
                    lengths: Lengths,
                    target: *mut $type,
                    left: Layout<$type>,
                    right: Layout<$type>,
                    block: &mut [$type],
                ) {
                    // SAFETY: as promised by the caller.
                    unsafe { add_product(lengths, target, left, right, block) }
                }
                let mut block = vec![<$type>::default(); INNER.min(lengths.inner) * COLUMNS];
                let block = block.as_mut_slice();
                // SAFETY: as promised by the caller; the processor has what is enabled.
                unsafe {
                    if !add {
                        let len = lengths.rows * lengths.columns;
                        std::slice::from_raw_parts_mut(target, len).fill(<$type>::default());
                    }
                    #[cfg(target_arch = "x86_64")]
                    {
                        if is_x86_feature_detected!("avx512bw")
                            && is_x86_feature_detected!("avx512dq")
                            && is_x86_feature_detected!("avx512vl")
                        {
                            return avx512(lengths, target, left, right, block);
                        }
                        if is_x86_feature_detected!("avx2") {
                            return avx2(lengths, target, left, right, block);
                        }
                    }
                    add_product(lengths, target, left, right, block);
                }
            }
        })*
    };
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {
        $(impl Whole for $type {
            #[inline(always)]
            fn multiply_add(sum: Self, left: Self, right: Self) -> Self {
                sum.wrapping_add(left.wrapping_mul(right))
            }
        })*
    };
}

whole_numbers!(i8, i16, i32, i64, u8, u16, u32, u64);
whole_factors!(Bool, i8, i16, i32, i64, u8, u16, u32, u64);
