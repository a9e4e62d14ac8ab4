//! Copies between strided layouts, by blocks where one side is transposed.

use smallvec::SmallVec;

use crate::chunk::Chunk;

/// One axis of a copy: its length, and the steps of both sides in bytes.
#[derive(Clone, Copy)]
struct Axis {
    len: usize,
    from: isize,
    to: isize,
}

/// Elements of a square block of a transposition; 16 of 8 bytes are two cache lines.
const BLOCK: usize = 16;

/// Copies all elements of `source` to where the same position has its place in the target.
///
/// # Safety
/// The target is valid for writes at every position of the source's shape, under `strides` from
/// `target`, and does not overlap the source.
pub unsafe fn copy(source: &Chunk, target: *mut u8, strides: &[isize]) {
    let (shape, size) = (source.shape(), source.dtype().size());
    // SAFETY: a chunk's elements can be read, and the caller has promised the rest.
    unsafe { copy_strided(source.as_ptr(), source.strides(), target, strides, shape, size) }
}

/// Copies elements of `size` bytes: 1, 2, 4, 8 or 16.
///
/// # Safety
/// Every position of the shape can be read under `from` steps from `source` and written under `to`
/// steps from `target`; the two do not overlap.
pub unsafe fn copy_strided(
    source: *const u8,
    from: &[isize],
    target: *mut u8,
    to: &[isize],
    shape: &[usize],
    size: usize,
) {
    if shape.contains(&0) {
        return;
    }
    let axes = coalesced(shape, from, to, size);
    // SAFETY: merging and ordering axes changes no address that is visited.
    unsafe {
        match size {
            1 => run::<u8>(source, target, &axes),
            2 => run::<[u8; 2]>(source, target, &axes),
            4 => run::<[u8; 4]>(source, target, &axes),
            8 => run::<[u8; 8]>(source, target, &axes),
            _ => run::<[u8; 16]>(source, target, &axes),
        }
    }
}

/// Copies bytes past the caches, where the processor can. Before anybody else reads them, the thread has to call
/// [`streamed`].
///
/// # Safety
/// The bytes can be read and written, and do not overlap.
pub(super) unsafe fn stream(from: *const u8, to: *mut u8, bytes: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
        const WIDTH: usize = size_of::<__m128i>();
        let head = to.align_offset(WIDTH).min(bytes);
        let blocks = (bytes - head) / WIDTH;
        // SAFETY: head, blocks and what is left are the bytes that were promised; the blocks begin
        // where vectors are aligned in the target.
        unsafe {
            from.copy_to_nonoverlapping(to, head);
            for place in (0..blocks).map(|block| head + block * WIDTH) {
                _mm_stream_si128(to.add(place).cast(), _mm_loadu_si128(from.add(place).cast()));
            }
            let done = head + blocks * WIDTH;
            from.add(done).copy_to_nonoverlapping(to.add(done), bytes - done);
        }
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    // SAFETY: the promise is the same.
    unsafe {
        from.copy_to_nonoverlapping(to, bytes);
    }
}

/// Makes what [`stream`] wrote visible in the order in which other threads are told of it.
pub(super) fn streamed() {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every processor of the architecture has the instruction, which touches no memory.
    #[allow(unused_unsafe)]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// The axes from slowest to fastest in the target, those of one element left out and neighbours
/// that lie end to end on both sides merged.
fn coalesced(shape: &[usize], from: &[isize], to: &[isize], size: usize) -> SmallVec<[Axis; 6]> {
    let mut axes: SmallVec<[Axis; 6]> = shape
        .iter()
        .zip(from)
        .zip(to)
        .filter(|((len, _), _)| **len != 1)
        .map(|((len, from), to)| Axis { len: *len, from: *from, to: *to })
        .collect();
    axes.sort_by_key(|axis| std::cmp::Reverse(axis.to.unsigned_abs()));
    let mut merged: SmallVec<[Axis; 6]> = SmallVec::new();
    for axis in axes {
        if let Some(last) = merged.last_mut() {
            let len = axis.len as isize;
            if last.from == axis.from * len && last.to == axis.to * len {
                *last = Axis { len: last.len * axis.len, ..axis };
                continue;
            }
        }
        merged.push(axis);
    }
    if merged.is_empty() {
        merged.push(Axis { len: 1, from: size as isize, to: size as isize });
    }
    merged
}

/// # Safety
/// As for [`copy`], with the elements of both sides of the size of `T`.
unsafe fn run<T: Copy>(source: *const u8, target: *mut u8, axes: &[Axis]) {
    let size = size_of::<T>() as isize;
    let Some((inner, outer)) = axes.split_last() else { return };
    if inner.from != size
        && let Some(other) =
            outer.iter().rposition(|axis| axis.from.unsigned_abs() < inner.from.unsigned_abs())
    {
        let rows = outer[other];
        let rest: SmallVec<[Axis; 6]> = outer
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != other)
            .map(|(_, axis)| *axis)
            .collect();
        each(source, target, &rest, &mut |from, to| {
            // SAFETY: all positions along both axes belong to the copy.
            unsafe { transpose::<T>(from, to, rows, *inner) }
        });
        return;
    }
    each(source, target, outer, &mut |from, to| {
        // SAFETY: all positions along the inner axis belong to the copy; a step of one element on
        // both sides is a range of bytes.
        unsafe {
            if inner.from == size && inner.to == size {
                std::ptr::copy_nonoverlapping(from, to, inner.len * size_of::<T>());
            } else if inner.from == 0 && inner.to == size {
                let value = from.cast::<T>().read_unaligned();
                for place in 0..inner.len {
                    to.cast::<T>().wrapping_add(place).write_unaligned(value);
                }
            } else {
                line::<T>(from, to, inner.len, inner.from, inner.to);
            }
        }
    });
}

/// # Safety
/// `len` elements can be read and written at these steps.
#[inline]
unsafe fn line<T: Copy>(mut from: *const u8, mut to: *mut u8, len: usize, step: isize, out: isize) {
    for _ in 0..len {
        // SAFETY: as promised by the caller.
        unsafe { to.cast::<T>().write_unaligned(from.cast::<T>().read_unaligned()) };
        from = from.wrapping_offset(step);
        to = to.wrapping_offset(out);
    }
}

/// Copies two axes of which the source is fast along one and the target along the other, square by
/// square, so that the cache lines of both sides are used whole.
///
/// # Safety
/// All positions along both axes can be read and written.
unsafe fn transpose<T: Copy>(source: *const u8, target: *mut u8, rows: Axis, columns: Axis) {
    for row in (0..rows.len).step_by(BLOCK) {
        let height = BLOCK.min(rows.len - row) as isize;
        for column in (0..columns.len).step_by(BLOCK) {
            let width = BLOCK.min(columns.len - column);
            let (row, column) = (row as isize, column as isize);
            let from = source.wrapping_offset(row * rows.from + column * columns.from);
            let to = target.wrapping_offset(row * rows.to + column * columns.to);
            for line_of in 0..height {
                // SAFETY: the square lies within both axes.
                unsafe {
                    line::<T>(
                        from.wrapping_offset(line_of * rows.from),
                        to.wrapping_offset(line_of * rows.to),
                        width,
                        columns.from,
                        columns.to,
                    );
                }
            }
        }
    }
}

/// Calls `visit` for each position along some axes, the last one fastest.
fn each(
    source: *const u8,
    target: *mut u8,
    axes: &[Axis],
    visit: &mut dyn FnMut(*const u8, *mut u8),
) {
    let mut position: SmallVec<[usize; 6]> = SmallVec::from_elem(0, axes.len());
    let (mut from, mut to) = (source, target);
    loop {
        visit(from, to);
        let mut axis = axes.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            let Axis { len, from: step, to: out } = axes[axis];
            position[axis] += 1;
            from = from.wrapping_offset(step);
            to = to.wrapping_offset(out);
            if position[axis] < len {
                break;
            }
            position[axis] = 0;
            from = from.wrapping_offset(-step * len as isize);
            to = to.wrapping_offset(-out * len as isize);
        }
    }
}
