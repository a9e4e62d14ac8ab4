//! Matrices in column-major order, which factorizations write in place.

use std::marker::PhantomData;
use std::ops::{Add, Mul, MulAssign, Sub, SubAssign};

use num_complex::{Complex, Complex32, Complex64};
use samite_factorize::traits::ComplexField;
use samite_factorize::{Factorize, MatMut, MatRef};

use crate::buffer::Buffer;
use crate::chunk::Chunk;
use crate::dtype::Element;
use crate::error::ArrayError;
use crate::kernels::copy;

/// Elements that matrices are factorized of.
pub(super) trait Field:
    Element
    + Factorize
    + ComplexField<Real: Element + Into<f64>>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + MulAssign
    + SubAssign
{
    const ONE: Self;
    const NAN: Self;

    fn conjugate(self) -> Self;

    /// The real part.
    fn part(self) -> Self::Real;

    fn magnitude(self) -> f64;

    fn finite(self) -> bool;

    /// The number of magnitude 1 that it is a positive multiple of; 1 where there is none.
    fn direction(self) -> Self;

    /// One divided by it.
    fn inverse(self) -> Self;
}

macro_rules! fields {
    ($($part:ty, $complex:ty);*) => {
        $(
            impl Field for $part {
                const ONE: Self = 1.0;
                const NAN: Self = <$part>::NAN;

                #[inline(always)]
                fn conjugate(self) -> Self {
                    self
                }

                fn part(self) -> $part {
                    self
                }

                fn magnitude(self) -> f64 {
                    f64::from(self.abs())
                }

                fn finite(self) -> bool {
                    self.is_finite()
                }

                fn direction(self) -> Self {
                    if self < 0.0 { -1.0 } else { 1.0 }
                }

                fn inverse(self) -> Self {
                    1.0 / self
                }
            }

            impl Field for $complex {
                const ONE: Self = Complex { re: 1.0, im: 0.0 };
                const NAN: Self = Complex { re: <$part>::NAN, im: <$part>::NAN };

                #[inline(always)]
                fn conjugate(self) -> Self {
                    self.conj()
                }

                fn part(self) -> $part {
                    self.re
                }

                fn magnitude(self) -> f64 {
                    f64::from(self.re.hypot(self.im))
                }

                fn finite(self) -> bool {
                    self.re.is_finite() && self.im.is_finite()
                }

                fn direction(self) -> Self {
                    let size = self.re.hypot(self.im);
                    if size > 0.0 && size.is_finite() { self / size } else { Self::ONE }
                }

                fn inverse(self) -> Self {
                    Self::ONE / self
                }
            }
        )*
    };
}

fields!(f32, Complex32; f64, Complex64);

/// A matrix in column-major order.
pub(super) struct Work<T> {
    buffer: Buffer,
    pub(super) rows: usize,
    pub(super) columns: usize,
    elements: PhantomData<T>,
}

impl<T: Field> Work<T> {
    /// A matrix of old data.
    fn stale(rows: usize, columns: usize) -> Result<Self, ArrayError> {
        let bytes = rows.checked_mul(columns).and_then(|len| len.checked_mul(size_of::<T>()));
        let bytes = bytes.filter(|bytes| *bytes <= isize::MAX as usize).ok_or_else(|| {
            ArrayError::TooLarge { operation: "matrix", shape: vec![rows, columns] }
        })?;
        Ok(Self { buffer: Buffer::allocate(bytes)?, rows, columns, elements: PhantomData })
    }

    pub(super) fn zeros(rows: usize, columns: usize) -> Result<Self, ArrayError> {
        let mut work = Self::stale(rows, columns)?;
        work.buffer.bytes_mut().fill(0);
        Ok(work)
    }

    /// Ones on the diagonal.
    pub(super) fn identity(rows: usize, columns: usize) -> Result<Self, ArrayError> {
        let mut work = Self::zeros(rows, columns)?;
        for place in 0..rows.min(columns) {
            work.elements_mut()[place * rows + place] = T::ONE;
        }
        Ok(work)
    }

    /// The elements of a chunk, which has two axes and this dtype.
    pub(super) fn of(chunk: &Chunk) -> Result<Self, ArrayError> {
        let [rows, columns] = *chunk.shape() else { return Err(super::not_a_matrix(chunk)) };
        let mut work = Self::stale(rows, columns)?;
        debug_assert_eq!(chunk.dtype(), T::DTYPE);
        work.load(chunk);
        Ok(work)
    }

    /// Takes over the elements of a chunk of the same shape and dtype.
    pub(super) fn load(&mut self, chunk: &Chunk) {
        assert!(chunk.shape() == [self.rows, self.columns] && chunk.dtype() == T::DTYPE);
        let size = size_of::<T>() as isize;
        let strides = [size, size * self.rows as isize];
        // SAFETY: the buffer has room for the elements of exactly this shape, in this order.
        unsafe { copy::copy(chunk, self.buffer.bytes_mut().as_mut_ptr(), &strides) };
    }

    /// The elements, column by column.
    pub(super) fn elements(&self) -> &[T] {
        let len = self.rows * self.columns;
        // SAFETY: the buffer holds these elements, aligned, and any bytes are valid ones.
        unsafe { std::slice::from_raw_parts(self.buffer.as_ptr().cast(), len) }
    }

    /// The elements, column by column.
    pub(super) fn elements_mut(&mut self) -> &mut [T] {
        let len = self.rows * self.columns;
        // SAFETY: as for `elements`.
        unsafe { std::slice::from_raw_parts_mut(self.buffer.bytes_mut().as_mut_ptr().cast(), len) }
    }

    pub(super) fn at(&self, row: usize, column: usize) -> T {
        self.elements()[column * self.rows + row]
    }

    pub(super) fn at_mut(&mut self, row: usize, column: usize) -> &mut T {
        let place = column * self.rows + row;
        &mut self.elements_mut()[place]
    }

    pub(super) fn mat(&self) -> MatRef<'_, T> {
        MatRef::from_column_major_slice(self.elements(), self.rows, self.columns)
    }

    pub(super) fn mat_mut(&mut self) -> MatMut<'_, T> {
        let (rows, columns) = (self.rows, self.columns);
        MatMut::from_column_major_slice_mut(self.elements_mut(), rows, columns)
    }

    /// Whether all elements are finite.
    pub(super) fn is_finite(&self) -> bool {
        self.elements().iter().all(|element| element.finite())
    }

    /// Zeros in place of what is above the diagonal or, with `below`, under it.
    pub(super) fn clear(&mut self, below: bool) {
        let rows = self.rows;
        for (place, column) in self.elements_mut().chunks_exact_mut(rows.max(1)).enumerate() {
            let cleared = if below { (place + 1).min(rows)..rows } else { 0..place.min(rows) };
            column[cleared].fill(T::default());
        }
    }

    /// The first rows and columns.
    pub(super) fn corner(&self, rows: usize, columns: usize) -> Result<Self, ArrayError> {
        let mut part = Self::stale(rows, columns)?;
        for column in 0..columns {
            let from = column * self.rows;
            part.elements_mut()[column * rows..][..rows]
                .copy_from_slice(&self.elements()[from..from + rows]);
        }
        Ok(part)
    }

    /// A chunk in column-major order.
    fn into_view(self) -> Chunk {
        let size = size_of::<T>() as isize;
        let start = self.buffer.as_ptr();
        let (shape, strides) = ([self.rows, self.columns], [size, size * self.rows as isize]);
        // SAFETY: the buffer holds exactly these elements.
        unsafe { Chunk::from_raw(self.buffer.into(), start, T::DTYPE, &shape, &strides) }
    }

    /// A C-contiguous chunk.
    pub(super) fn into_chunk(self) -> Result<Chunk, ArrayError> {
        self.into_view().contiguous()
    }

    /// A C-contiguous chunk of the transposed matrix, which takes no copy.
    pub(super) fn into_transposed(self) -> Chunk {
        self.into_view().permuted(&[1, 0])
    }
}
