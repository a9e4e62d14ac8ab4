//! Elements at chosen positions along an axis.

use std::borrow::Cow;

use super::copy;
use crate::chunk::{Chunk, Shape, contiguous_strides};
use crate::error::ArrayError;

/// The elements at `indices` along `axis`, C-contiguous; negative indices count from the end.
///
/// # Errors
/// [`ArrayError::Axis`], [`ArrayError::Parameter`] for an index out of bounds,
/// [`ArrayError::OutOfMemory`].
pub fn take(chunk: &Chunk, indices: &[i64], axis: usize) -> Result<Chunk, ArrayError> {
    let operation = "take";
    let Some(extent) = chunk.shape().get(axis).copied() else {
        return Err(ArrayError::Axis { operation, axis, ndim: chunk.ndim() });
    };
    let place = |index: &i64| {
        let place = if *index < 0 { index + extent as i64 } else { *index };
        let reason = "index is out of bounds";
        match (0..extent as i64).contains(&place) {
            true => Ok(place),
            false => Err(ArrayError::Parameter { operation, reason }),
        }
    };
    // What is negative is a very large number without a sign.
    let greatest = indices.iter().fold(0, |most, index| (*index as u64).max(most));
    let places: Cow<'_, [i64]> = match greatest < extent as u64 {
        true => Cow::Borrowed(indices),
        false => indices.iter().map(place).collect::<Result<_, _>>()?,
    };
    let mut shape: Shape = chunk.shape().into();
    shape[axis] = places.len();
    let size = chunk.dtype().size();
    let run = shape[axis + 1..].iter().product::<usize>() * size;
    Chunk::build(chunk.dtype(), &shape, |bytes| {
        if bytes.is_empty() {
            return Ok(());
        }
        let strides = contiguous_strides(&shape, size);
        // Long runs and few of many elements do not pay for a copy of the whole.
        if !chunk.is_contiguous() && places.len() < extent {
            for (at, place) in places.iter().enumerate() {
                let Some(part) = chunk.slice(axis, *place as usize, 1, 1) else { continue };
                let target = bytes.as_mut_ptr().wrapping_offset(at as isize * strides[axis]);
                // SAFETY: the slice at `at` of the result has the shape of the part.
                unsafe { copy::copy(&part, target, &strides) };
            }
            return Ok(());
        }
        let source = chunk.contiguous()?;
        let source = source.as_bytes().unwrap_or_default();
        let targets = bytes.chunks_exact_mut(places.len() * run);
        for (target, source) in targets.zip(source.chunks_exact(extent * run)) {
            match run {
                1 => gather::<1>(target, source, &places),
                2 => gather::<2>(target, source, &places),
                4 => gather::<4>(target, source, &places),
                8 => gather::<8>(target, source, &places),
                16 => gather::<16>(target, source, &places),
                _ => {
                    for (to, place) in target.chunks_exact_mut(run).zip(places.iter()) {
                        let place = *place as usize;
                        to.copy_from_slice(&source[place * run..(place + 1) * run]);
                    }
                }
            }
        }
        Ok(())
    })
}

fn gather<const RUN: usize>(target: &mut [u8], source: &[u8], places: &[i64]) {
    let source = source.as_chunks::<RUN>().0;
    for (to, place) in target.as_chunks_mut::<RUN>().0.iter_mut().zip(places) {
        *to = source[*place as usize];
    }
}
