//! Places in sorted sequences.

use super::order::{Ordered, elements, whole};
use crate::chunk::Chunk;
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::with_dtype;

/// Sequences of so many bytes are compared with whole blocks of values, element by element.
const FEW: usize = 48;
/// The values of a block.
const BLOCK: usize = 512;

/// Writes how many elements of a sequence come before each value.
fn counted<T: Ordered>(sequence: &[T], values: &[T], right: bool, places: &mut [i64]) {
    places.fill(0);
    for element in sequence {
        for (place, value) in places.iter_mut().zip(values) {
            let passed = if right { !value.before(element) } else { element.before(value) };
            *place += i64::from(passed);
        }
    }
}

/// For each value the place (`int64`) in the sorted sequence before which it can stand: the first
/// one or, with `right`, the last one.
///
/// # Errors
/// [`ArrayError::Shapes`] for a sequence that has not one axis, [`ArrayError::DTypes`] where the
/// dtypes differ, [`ArrayError::OutOfMemory`].
pub fn searchsorted(sorted: &Chunk, values: &Chunk, right: bool) -> Result<Chunk, ArrayError> {
    let operation = "searchsorted";
    if sorted.ndim() != 1 {
        return Err(ArrayError::Shapes { operation, shapes: vec![sorted.shape().to_vec()] });
    }
    if sorted.dtype() != values.dtype() {
        let dtypes = vec![sorted.dtype(), values.dtype()];
        return Err(ArrayError::DTypes { operation, dtypes });
    }
    let (sequence, values) = (sorted.contiguous()?, values.contiguous()?);
    with_dtype!(sorted.dtype(), T => Chunk::build(DType::I64, values.shape(), |bytes| {
        let sequence = whole::<T>(&sequence);
        if size_of_val(sequence) <= FEW {
            let blocks = elements::<i64>(bytes).chunks_mut(BLOCK);
            for (places, values) in blocks.zip(whole::<T>(&values).chunks(BLOCK)) {
                counted(sequence, values, right, places);
            }
            return Ok(());
        }
        for (place, value) in elements::<i64>(bytes).iter_mut().zip(whole::<T>(&values)) {
            *place = if right {
                sequence.partition_point(|element| !value.before(element))
            } else {
                sequence.partition_point(|element| element.before(value))
            } as i64;
        }
        Ok(())
    }))
}

/// The number (`int64`) of the bin that each value falls into, counted from 1; bins may ascend or
/// descend, and hold their left edge or, with `right`, their right one.
///
/// # Errors
/// As for [`searchsorted`], and [`ArrayError::Parameter`] for bins that are not monotonic.
pub fn digitize(values: &Chunk, bins: &Chunk, right: bool) -> Result<Chunk, ArrayError> {
    let operation = "digitize";
    if bins.ndim() != 1 {
        return Err(ArrayError::Shapes { operation, shapes: vec![bins.shape().to_vec()] });
    }
    let edges = bins.contiguous()?;
    let (ascending, descending) = with_dtype!(bins.dtype(), T => {
        let edges = whole::<T>(&edges);
        (
            edges.windows(2).all(|pair| !pair[1].before(&pair[0])),
            edges.windows(2).all(|pair| !pair[0].before(&pair[1])),
        )
    });
    if ascending {
        return searchsorted(bins, values, !right);
    }
    let count = bins.len();
    let reversed = bins.slice(0, count.saturating_sub(1), -1, count).filter(|_| descending);
    let Some(reversed) = reversed else {
        let reason = "bins must be monotonically increasing or decreasing";
        return Err(ArrayError::Parameter { operation, reason });
    };
    let places = searchsorted(&reversed, values, !right)?;
    Chunk::build(DType::I64, places.shape(), |bytes| {
        for (to, place) in elements::<i64>(bytes).iter_mut().zip(whole::<i64>(&places)) {
            *to = count as i64 - place;
        }
        Ok(())
    })
}
