//! Columns dealt out to as many places as there are.

use crate::chunk::{Chunk, Shape};
use crate::dtype::DType;
use crate::error::ArrayError;

/// For each number below `count` the columns of `rows` (of shape `(k, n)`) that have it in
/// `numbers` (`uint16`, of shape `(n,)`), in their order, in memory of their own.
///
/// # Errors
/// [`ArrayError::Shapes`], [`ArrayError::DTypes`] for numbers of another dtype,
/// [`ArrayError::Parameter`] for one that is not below `count`, [`ArrayError::OutOfMemory`].
pub fn deal(rows: &Chunk, numbers: &Chunk, count: usize) -> Result<Vec<Chunk>, ArrayError> {
    let operation = "deal";
    let length = numbers.len();
    if rows.ndim() != 2 || numbers.ndim() != 1 || rows.shape()[1] != length {
        let shapes = vec![rows.shape().to_vec(), numbers.shape().to_vec()];
        return Err(ArrayError::Shapes { operation, shapes });
    }
    if numbers.dtype() != DType::U16 {
        return Err(ArrayError::DTypes { operation, dtypes: vec![rows.dtype(), numbers.dtype()] });
    }
    let numbers = numbers.to_vec::<u16>()?;
    let mut lengths = vec![0_usize; count];
    for number in &numbers {
        match lengths.get_mut(usize::from(*number)) {
            Some(length) => *length += 1,
            None => {
                let reason = "a number is not below the count";
                return Err(ArrayError::Parameter { operation, reason });
            }
        }
    }
    let height = rows.shape()[0];
    let shapes: Vec<Shape> =
        lengths.iter().map(|length| [height, *length].as_slice().into()).collect();
    let rows = rows.contiguous()?;
    let source = rows.as_bytes().unwrap_or_default();
    Chunk::build_all(rows.dtype(), &shapes, |targets| {
        match rows.dtype().size() {
            1 => scatter::<1>(targets, source, &numbers),
            2 => scatter::<2>(targets, source, &numbers),
            4 => scatter::<4>(targets, source, &numbers),
            8 => scatter::<8>(targets, source, &numbers),
            _ => scatter::<16>(targets, source, &numbers),
        }
        Ok(())
    })
}

/// Writes each element of `source`, row by row, behind those that its target has.
fn scatter<const SIZE: usize>(targets: Vec<&mut [u8]>, source: &[u8], numbers: &[u16]) {
    if numbers.is_empty() {
        return;
    }
    let mut targets: Vec<_> =
        targets.into_iter().map(|bytes| bytes.as_chunks_mut::<SIZE>().0.iter_mut()).collect();
    for row in source.as_chunks::<SIZE>().0.chunks_exact(numbers.len()) {
        for (element, number) in row.iter().zip(numbers) {
            if let Some(place) = targets.get_mut(usize::from(*number)).and_then(Iterator::next) {
                *place = *element;
            }
        }
    }
}
