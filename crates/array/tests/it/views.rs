//! Chunks with all kinds of strides.

use samite_array::{Chunk, Element};

/// How the elements of a chunk lie in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    Straight,
    Transposed,
    Backward,
    Sparse,
    Unaligned,
}

pub(crate) const LIES: [Lie; 5] =
    [Lie::Straight, Lie::Transposed, Lie::Backward, Lie::Sparse, Lie::Unaligned];

/// The chunk of these elements in C order, with strides of another kind.
pub(crate) fn lay<T: Element>(shape: &[usize], elements: &[T], lie: Lie) -> Chunk {
    let chunk = Chunk::from_slice(shape, elements).unwrap();
    let ndim = shape.len();
    let all = |chunk: &Chunk, step: isize| {
        (0..ndim).fold(chunk.clone(), |view, axis| {
            let len = view.shape()[axis];
            let (first, len) = match step {
                -1 => (len.saturating_sub(1), len),
                _ => (0, len.div_ceil(2)),
            };
            view.slice(axis, first, step, len).unwrap()
        })
    };
    match lie {
        Lie::Straight => chunk,
        Lie::Transposed => {
            let order: Vec<usize> = (0..ndim).rev().collect();
            chunk.permuted(&order).contiguous().unwrap().permuted(&order)
        }
        Lie::Backward => all(&all(&chunk, -1).contiguous().unwrap(), -1),
        Lie::Sparse => {
            let wide: Vec<usize> = shape.iter().map(|len| len * 2).collect();
            let mut holes = vec![T::default(); wide.iter().product()];
            for (place, element) in elements.iter().enumerate() {
                let (mut rest, mut at, mut step) = (place, 0, 1);
                for axis in (0..ndim).rev() {
                    at += 2 * (rest % shape[axis]) * step;
                    rest /= shape[axis];
                    step *= wide[axis];
                }
                holes[at] = *element;
            }
            all(&Chunk::from_slice(&wide, &holes).unwrap(), 2)
        }
        Lie::Unaligned => {
            let bytes = chunk.as_bytes().unwrap();
            let mut buffer = samite_array::Buffer::allocate(bytes.len() + 1).unwrap();
            buffer.bytes_mut()[1..].copy_from_slice(bytes);
            let start = buffer.as_ptr().wrapping_add(1);
            let strides = samite_array::contiguous_strides(shape, size_of::<T>());
            // SAFETY: the elements lie in the buffer from its second byte on.
            unsafe { Chunk::from_raw(buffer.into(), start, T::DTYPE, shape, &strides) }
        }
    }
}
