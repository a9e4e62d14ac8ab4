//! The order that sorting, searching and selecting share: NumPy's, with NaN last.

use std::cmp::Ordering;

use half::f16;
use num_complex::{Complex32, Complex64};

use crate::chunk::Chunk;
use crate::dtype::{Bool, Element};
use crate::error::ArrayError;

/// Elements that have an order.
pub(super) trait Ordered: Element {
    /// Where it stands beside another.
    fn order(&self, other: &Self) -> Ordering;

    /// Whether it is before another.
    #[inline(always)]
    fn before(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Less
    }
}

macro_rules! ordered {
    ($($type:ty),*; floats $($float:ty),*; complex $($complex:ty),*) => {
        $(impl Ordered for $type {
            #[inline(always)]
            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            #[inline(always)]
            fn before(&self, other: &Self) -> bool {
                self < other
            }
        })*
        $(impl Ordered for $float {
            #[inline(always)]
            fn order(&self, other: &Self) -> Ordering {
                match self.partial_cmp(other) {
                    Some(order) => order,
                    None => self.is_nan().cmp(&other.is_nan()),
                }
            }

            #[inline(always)]
            fn before(&self, other: &Self) -> bool {
                self < other || (other.is_nan() && !self.is_nan())
            }
        })*
        $(impl Ordered for $complex {
            #[inline(always)]
            fn order(&self, other: &Self) -> Ordering {
                let nans = |value: &Self| (value.re.is_nan(), value.im.is_nan());
                let (mine, others) = (nans(self), nans(other));
                // Numbers without NaN come first, then those with one in the imaginary part, in
                // the real part, and in both; inside a class by the parts that are numbers.
                mine.cmp(&others).then_with(|| {
                    self.re.order(&other.re).then_with(|| self.im.order(&other.im))
                })
            }
        })*
    };
}

ordered!(i8, i16, i32, i64, u8, u16, u32, u64; floats f16, f32, f64; complex Complex32, Complex64);

impl Ordered for Bool {
    #[inline(always)]
    fn order(&self, other: &Self) -> Ordering {
        self.get().cmp(&other.get())
    }
}

/// A C-contiguous chunk whose last axis is `axis`, and the order of axes that undoes this.
pub(super) fn axis_last(
    chunk: &Chunk,
    axis: usize,
    operation: &'static str,
) -> Result<(Chunk, Vec<usize>), ArrayError> {
    let ndim = chunk.ndim();
    if axis >= ndim {
        return Err(ArrayError::Axis { operation, axis, ndim });
    }
    let order: Vec<usize> = (0..ndim).filter(|other| *other != axis).chain([axis]).collect();
    let mut back: Vec<usize> = (0..ndim - 1).collect();
    back.insert(axis, ndim - 1);
    Ok((chunk.permuted(&order).contiguous()?, back))
}

/// The bytes of a new chunk as its elements.
pub(super) fn elements<T: Element>(bytes: &mut [u8]) -> &mut [T] {
    let len = bytes.len() / size_of::<T>();
    // SAFETY: the buffer of a chunk is aligned for every element, and any bytes are valid ones.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), len) }
}

/// The elements of a chunk that was made contiguous.
pub(super) fn whole<T: Element>(chunk: &Chunk) -> &[T] {
    chunk.as_slice().unwrap_or_default()
}
