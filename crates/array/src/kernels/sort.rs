//! Sorting along an axis, with NaN last.

use super::order::{Ordered, axis_last, elements, whole};
use crate::chunk::{Chunk, Shape};
use crate::dtype::{DType, Element};
use crate::error::ArrayError;
use crate::with_dtype;

/// The elements in order along `axis`.
///
/// # Errors
/// [`ArrayError::Axis`], [`ArrayError::OutOfMemory`].
pub fn sort(chunk: &Chunk, axis: usize) -> Result<Chunk, ArrayError> {
    let (lines, back) = axis_last(chunk, axis, "sort")?;
    let length = chunk.shape()[axis].max(1);
    let sorted = with_dtype!(chunk.dtype(), T => Chunk::build(T::DTYPE, lines.shape(), |bytes| {
        let target = elements::<T>(bytes);
        target.copy_from_slice(whole(&lines));
        for line in target.chunks_exact_mut(length) {
            line.sort_unstable_by(Ordered::order);
        }
        Ok(())
    }))?;
    Ok(sorted.permuted(&back))
}

/// The positions (`int64`) that put the elements in order along `axis`; equal ones stay as they
/// stand.
///
/// # Errors
/// As for [`sort`], and [`ArrayError::TooLarge`] for axes of 2^32 elements and more.
pub fn argsort(chunk: &Chunk, axis: usize) -> Result<Chunk, ArrayError> {
    let (lines, back) = axis_last(chunk, axis, "argsort")?;
    let length = chunk.shape()[axis];
    let positions = with_dtype!(chunk.dtype(), T => ranked::<T>(&lines, length, length, |line| {
        line.sort_by(|one, other| one.0.order(&other.0));
    }))?;
    Ok(positions.permuted(&back))
}

/// The `|k|` greatest elements along `axis` in descending order or, where `k` is negative, the
/// least ones in ascending order; all of them where there are fewer.
///
/// # Errors
/// As for [`sort`].
pub fn topk(chunk: &Chunk, k: isize, axis: usize) -> Result<Chunk, ArrayError> {
    let (lines, back) = axis_last(chunk, axis, "topk")?;
    let length = chunk.shape()[axis];
    let count = k.unsigned_abs().min(length);
    let mut shape: Shape = lines.shape().into();
    if let Some(last) = shape.last_mut() {
        *last = count;
    }
    let best = with_dtype!(chunk.dtype(), T => Chunk::build(T::DTYPE, &shape, |bytes| {
        let order = |one: &T, other: &T| {
            if k < 0 { one.order(other) } else { other.order(one) }
        };
        let mut line: Vec<T> = Vec::with_capacity(length);
        if count == 0 {
            return Ok(());
        }
        let sources = whole::<T>(&lines).chunks_exact(length);
        for (target, source) in elements::<T>(bytes).chunks_exact_mut(count).zip(sources) {
            line.clear();
            line.extend_from_slice(source);
            line.select_nth_unstable_by(count - 1, order);
            line[..count].sort_unstable_by(order);
            target.copy_from_slice(&line[..count]);
        }
        Ok(())
    }))?;
    Ok(best.permuted(&back))
}

/// The positions (`int64`) of what [`topk`] gives; of equal elements the first ones.
///
/// # Errors
/// As for [`argsort`].
pub fn argtopk(chunk: &Chunk, k: isize, axis: usize) -> Result<Chunk, ArrayError> {
    let (lines, back) = axis_last(chunk, axis, "argtopk")?;
    let length = chunk.shape()[axis];
    let count = k.unsigned_abs().min(length);
    let positions = with_dtype!(chunk.dtype(), T => ranked::<T>(&lines, length, count, |line| {
        let order = |one: &(T, u32), other: &(T, u32)| {
            let values = if k < 0 { one.0.order(&other.0) } else { other.0.order(&one.0) };
            values.then(one.1.cmp(&other.1))
        };
        line.select_nth_unstable_by(count - 1, order);
        line[..count].sort_unstable_by(order);
    }))?;
    Ok(positions.permuted(&back))
}

/// The first `count` positions of each line after `arrange` has put its elements in order.
fn ranked<T: Element>(
    lines: &Chunk,
    length: usize,
    count: usize,
    mut arrange: impl FnMut(&mut [(T, u32)]),
) -> Result<Chunk, ArrayError> {
    let mut shape: Shape = lines.shape().into();
    if u32::try_from(length).is_err() {
        return Err(ArrayError::TooLarge { operation: "argsort", shape: shape.to_vec() });
    }
    if let Some(last) = shape.last_mut() {
        *last = count;
    }
    Chunk::build(DType::I64, &shape, |bytes| {
        if count == 0 {
            return Ok(());
        }
        let mut line: Vec<(T, u32)> = Vec::with_capacity(length);
        let sources = whole::<T>(lines).chunks_exact(length);
        for (target, source) in elements::<i64>(bytes).chunks_exact_mut(count).zip(sources) {
            line.clear();
            line.extend(source.iter().copied().zip(0..));
            arrange(&mut line);
            for (to, (_, position)) in target.iter_mut().zip(&line) {
                *to = i64::from(*position);
            }
        }
        Ok(())
    })
}
