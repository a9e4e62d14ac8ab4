//! Arrays of the `ndarray` crate as chunks, and chunks as such arrays.

use std::sync::Arc;

use ndarray::{Array, ArrayD, ArrayViewD, Axis, Dimension, IxDyn, ShapeBuilder};

use crate::buffer::Buffer;
use crate::chunk::{Chunk, Shape, Strides};
use crate::dtype::Element;
use crate::error::ArrayError;
use crate::expr::Expr;
use crate::grid::Grid;

/// How far the elements of an axis reach below the first one and above it, in bytes.
fn reach(shape: &[usize], strides: &[isize]) -> (isize, isize) {
    shape.iter().zip(strides).fold((0, 0), |(below, above), (len, stride)| {
        let last = stride * (len.saturating_sub(1) as isize);
        (below + last.min(0), above + last.max(0))
    })
}

impl Chunk {
    /// An array as a chunk, of whatever strides; its memory is kept and not copied.
    pub fn from_ndarray<T, D>(array: Array<T, D>) -> Self
    where
        T: Element,
        D: Dimension + 'static,
    {
        let size = size_of::<T>() as isize;
        let shape: Shape = array.shape().into();
        let strides: Strides = array.strides().iter().map(|step| step * size).collect();
        let start = array.as_ptr().cast::<u8>();
        let (below, len) = if array.is_empty() {
            (0, 0)
        } else {
            let (below, above) = reach(&shape, &strides);
            (below, (above - below + size) as usize)
        };
        // SAFETY: the array owns the memory of all its elements, which moving it does not move, and
        // nobody can reach it any more to write to it.
        unsafe {
            let buffer = Buffer::lent(start.wrapping_offset(below), len, Box::new(array));
            Self::from_raw(Arc::new(buffer), start, T::DTYPE, &shape, &strides)
        }
    }

    /// The chunk's elements as a view of its memory.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where the dtype is not that of `T`, or where elements do not lie at
    /// whole multiples of their size; [`to_ndarray`](Self::to_ndarray) copies such ones.
    pub fn as_ndarray<T: Element>(&self) -> Result<ArrayViewD<'_, T>, ArrayError> {
        let size = size_of::<T>() as isize;
        if T::DTYPE != self.dtype() {
            let dtypes = vec![self.dtype(), T::DTYPE];
            return Err(ArrayError::DTypes { operation: "viewing a chunk", dtypes });
        }
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(self.shape()), &[]).map_err(|_| self.unfit());
        }
        if !self.is_aligned() || self.strides().iter().any(|stride| stride % size != 0) {
            let dtypes = vec![self.dtype()];
            return Err(ArrayError::DTypes { operation: "viewing unaligned elements", dtypes });
        }
        // The view is made from its lowest element, with steps upwards, and then turned round.
        let (below, _) = reach(self.shape(), self.strides());
        let steps: Vec<usize> =
            self.strides().iter().map(|stride| (stride / size).unsigned_abs()).collect();
        let lowest = self.as_ptr().wrapping_offset(below).cast::<T>();
        // SAFETY: these are the chunk's elements, which live and stay as they are for as long as
        // the chunk is borrowed; address and steps are aligned.
        let mut view = unsafe {
            ArrayViewD::from_shape_ptr(IxDyn(self.shape()).strides(IxDyn(&steps)), lowest)
        };
        for (axis, stride) in self.strides().iter().enumerate() {
            if *stride < 0 {
                view.invert_axis(Axis(axis));
            }
        }
        Ok(view)
    }

    /// The chunk's elements as an array of their own, in C order.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where the dtype is not that of `T`, [`ArrayError::OutOfMemory`].
    pub fn to_ndarray<T: Element>(&self) -> Result<ArrayD<T>, ArrayError> {
        let elements = self.to_vec::<T>()?;
        ArrayD::from_shape_vec(IxDyn(self.shape()), elements).map_err(|_| self.unfit())
    }

    fn unfit(&self) -> ArrayError {
        ArrayError::TooLarge { operation: "ndarray", shape: self.shape().to_vec() }
    }
}

impl Expr {
    /// An array of the `ndarray` crate, in blocks of at most `chunks` elements along each axis; it
    /// is not copied.
    ///
    /// # Errors
    /// As [`Grid::regular`] and [`Expr::from_chunk`].
    pub fn from_ndarray<T, D>(array: Array<T, D>, chunks: &[usize]) -> Result<Self, ArrayError>
    where
        T: Element,
        D: Dimension + 'static,
    {
        let chunk = Chunk::from_ndarray(array);
        let grid = Grid::regular(chunk.shape(), chunks)?;
        Self::from_chunk(chunk, grid)
    }
}
