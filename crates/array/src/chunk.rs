//! Chunks: strided views of shared memory, on their way between tasks.

use std::any::Any;
use std::io;
use std::sync::Arc;

use samite_runtime::{Data, OperationError, Restore, SpillError, Value};
use smallvec::SmallVec;

use crate::buffer::Buffer;
use crate::dtype::{DType, Element, Scalar};
use crate::error::ArrayError;
use crate::kernels::copy;

/// Lengths of axes.
pub type Shape = SmallVec<[usize; 4]>;
/// Bytes from one element to the next, by axis; negative and zero ones are fine.
pub type Strides = SmallVec<[isize; 4]>;

/// The number of elements of a shape; `None` where it does not fit an `isize`.
pub fn checked_len(shape: &[usize]) -> Option<usize> {
    // As in NumPy, an array without elements may have any lengths besides.
    if shape.contains(&0) {
        return Some(0);
    }
    let len = shape.iter().try_fold(1usize, |len, axis| len.checked_mul(*axis))?;
    (len <= isize::MAX as usize).then_some(len)
}

/// The strides of a C-contiguous array.
pub fn contiguous_strides(shape: &[usize], itemsize: usize) -> Strides {
    let mut strides: Strides = SmallVec::from_elem(0, shape.len());
    let mut step = itemsize;
    for (stride, axis) in strides.iter_mut().zip(shape).rev() {
        *stride = step as isize;
        step *= (*axis).max(1);
    }
    strides
}

/// A chunk: an n-dimensional strided view of a buffer that is shared and never written again.
///
/// Invariant: every element of the view lies inside the buffer, which outlives the view.
#[derive(Clone)]
pub struct Chunk {
    buffer: Arc<Buffer>,
    /// The element at position zero along all axes.
    start: *const u8,
    dtype: DType,
    shape: Shape,
    strides: Strides,
    /// Whether an expression keeps the memory too, so that dropping the chunk gives nothing back.
    kept: bool,
}

// SAFETY: the memory behind `start` is kept alive by `buffer`, which can be sent and shared, and is
// only read through a chunk.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// A view of a buffer.
    ///
    /// # Safety
    /// All elements that shape and strides reach from `start` lie inside the buffer and hold
    /// initialized elements of the dtype, and nobody writes to them any more. `start` and the strides need not be aligned
    /// to the elements' size: kernels read such views element by element.
    pub unsafe fn from_raw(
        buffer: Arc<Buffer>,
        start: *const u8,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
    ) -> Self {
        debug_assert_eq!(shape.len(), strides.len());
        Self { buffer, start, dtype, shape: shape.into(), strides: strides.into(), kept: false }
    }

    /// A C-contiguous chunk that `fill` writes: it is given the bytes, which are zero or old data.
    ///
    /// # Errors
    /// [`ArrayError::OutOfMemory`], [`ArrayError::TooLarge`], and those of `fill`.
    pub fn build(
        dtype: DType,
        shape: &[usize],
        fill: impl FnOnce(&mut [u8]) -> Result<(), ArrayError>,
    ) -> Result<Self, ArrayError> {
        let mut buffer = Self::allocate(dtype, shape)?;
        fill(buffer.bytes_mut())?;
        Ok(Self::of_buffer(buffer, dtype, shape))
    }

    /// As [`build`](Self::build), for several chunks that `fill` writes at once.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn build_all(
        dtype: DType,
        shapes: &[Shape],
        fill: impl FnOnce(Vec<&mut [u8]>) -> Result<(), ArrayError>,
    ) -> Result<Vec<Self>, ArrayError> {
        let mut buffers = shapes
            .iter()
            .map(|shape| Self::allocate(dtype, shape))
            .collect::<Result<Vec<_>, _>>()?;
        fill(buffers.iter_mut().map(Buffer::bytes_mut).collect())?;
        let pairs = buffers.into_iter().zip(shapes);
        Ok(pairs.map(|(buffer, shape)| Self::of_buffer(buffer, dtype, shape)).collect())
    }

    fn allocate(dtype: DType, shape: &[usize]) -> Result<Buffer, ArrayError> {
        let bytes = checked_len(shape)
            .and_then(|len| len.checked_mul(dtype.size()))
            .filter(|bytes| *bytes <= isize::MAX as usize)
            .ok_or_else(|| ArrayError::TooLarge { operation: "chunk", shape: shape.to_vec() })?;
        Buffer::allocate(bytes)
    }

    /// The C-contiguous chunk of a buffer that was allocated for it.
    fn of_buffer(buffer: Buffer, dtype: DType, shape: &[usize]) -> Self {
        let start = buffer.as_ptr();
        let strides = contiguous_strides(shape, dtype.size());
        let buffer = Arc::new(buffer);
        Self { buffer, start, dtype, shape: shape.into(), strides, kept: false }
    }

    /// A C-contiguous chunk of these elements, in C order.
    ///
    /// # Errors
    /// [`ArrayError::Shapes`] where their number is not that of the shape,
    /// [`ArrayError::OutOfMemory`].
    pub fn from_slice<T: Element>(shape: &[usize], elements: &[T]) -> Result<Self, ArrayError> {
        if checked_len(shape) != Some(elements.len()) {
            let shapes = vec![shape.to_vec(), vec![elements.len()]];
            return Err(ArrayError::Shapes { operation: "chunk", shapes });
        }
        Self::build(T::DTYPE, shape, |bytes| {
            // SAFETY: `bytes` has room for exactly these elements, which are plain data.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    elements.as_ptr().cast::<u8>(),
                    bytes.as_mut_ptr(),
                    bytes.len(),
                );
            }
            Ok(())
        })
    }

    /// A chunk of one element repeated, which takes the memory of one.
    ///
    /// # Errors
    /// [`ArrayError::OutOfMemory`].
    pub fn full(value: Scalar, shape: &[usize]) -> Result<Self, ArrayError> {
        let mut one = Self::build(value.dtype(), &[], |bytes| {
            bytes.copy_from_slice(value.bytes());
            Ok(())
        })?;
        one.shape = shape.into();
        one.strides = SmallVec::from_elem(0, shape.len());
        Ok(one)
    }

    /// The dtype.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The bytes from one element to the next along each axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        if self.shape.contains(&0) { 0 } else { self.shape.iter().product() }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The element at position zero along all axes; dangling where there is none.
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// The buffer that it is a view of.
    pub fn buffer(&self) -> &Arc<Buffer> {
        &self.buffer
    }

    /// Whether the elements stand in C order without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut step = self.dtype.size() as isize;
        for (axis, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *axis == 0 {
                return true;
            }
            if *axis != 1 && *stride != step {
                return false;
            }
            step *= *axis as isize;
        }
        true
    }

    /// Whether elements can be read as Rust values in place.
    pub fn is_aligned(&self) -> bool {
        let alignment = self.dtype.size().min(8);
        let aligned = |value: isize| value % alignment as isize == 0;
        aligned(self.start as isize)
            && self
                .shape
                .iter()
                .zip(&self.strides)
                .all(|(axis, stride)| *axis <= 1 || aligned(*stride))
    }

    /// Another view of the same buffer.
    ///
    /// # Safety
    /// As for [`from_raw`](Self::from_raw).
    pub unsafe fn with_layout(&self, offset: isize, shape: &[usize], strides: &[isize]) -> Self {
        debug_assert_eq!(shape.len(), strides.len());
        Self {
            buffer: Arc::clone(&self.buffer),
            start: self.start.wrapping_offset(offset),
            dtype: self.dtype,
            shape: shape.into(),
            strides: strides.into(),
            kept: self.kept,
        }
    }

    /// The same elements, of which the caller keeps the memory: they do not count as memory that the
    /// chunk holds, and are not worth writing to disk.
    #[must_use]
    pub(crate) fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Whether an expression keeps the memory too, and reads it again.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// The part of it that begins at `first` along `axis` and takes `len` elements `step` apart.
    ///
    /// Returns `None` where they are not all there.
    pub fn slice(&self, axis: usize, first: usize, step: isize, len: usize) -> Option<Self> {
        let extent = *self.shape.get(axis)?;
        if len > 0 {
            let last = (first as isize).checked_add(step.checked_mul(len as isize - 1)?)?;
            if first >= extent || last < 0 || last >= extent as isize {
                return None;
            }
        }
        let mut part = self.clone();
        part.shape[axis] = len;
        part.strides[axis] = self.strides[axis] * step;
        if len > 0 {
            part.start = self.start.wrapping_offset(self.strides[axis] * first as isize);
        }
        Some(part)
    }

    /// The same elements with the axes in another order: axis `i` of the result is axis `order[i]`.
    ///
    /// # Panics
    /// Never for a permutation of the axes, which the caller has to give.
    pub fn permuted(&self, order: &[usize]) -> Self {
        let mut result = self.clone();
        for (place, axis) in order.iter().enumerate() {
            result.shape[place] = self.shape[*axis];
            result.strides[place] = self.strides[*axis];
        }
        result
    }

    /// The elements in C order without gaps: this chunk if they stand so, else a copy.
    ///
    /// # Errors
    /// [`ArrayError::OutOfMemory`].
    pub fn contiguous(&self) -> Result<Self, ArrayError> {
        if self.is_contiguous() && self.is_aligned() { Ok(self.clone()) } else { self.copied() }
    }

    /// The elements in C order without gaps, in new memory.
    ///
    /// # Errors
    /// [`ArrayError::OutOfMemory`].
    pub fn copied(&self) -> Result<Self, ArrayError> {
        Self::build(self.dtype, &self.shape, |bytes| {
            let strides = contiguous_strides(&self.shape, self.dtype.size());
            // SAFETY: `bytes` has room for exactly the elements of the shape, in C order.
            unsafe { copy::copy(self, bytes.as_mut_ptr(), &strides) };
            Ok(())
        })
    }

    /// The bytes of a C-contiguous chunk; `None` for another.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if !self.is_contiguous() {
            return None;
        }
        let len = self.len() * self.dtype.size();
        if len == 0 {
            return Some(&[]);
        }
        // SAFETY: the elements stand at `start` in C order without gaps, inside the buffer.
        Some(unsafe { std::slice::from_raw_parts(self.start, len) })
    }

    /// The elements of a C-contiguous, aligned chunk of the dtype of `T`; `None` for another.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        if T::DTYPE != self.dtype || !self.is_contiguous() || !self.is_aligned() {
            return None;
        }
        if self.is_empty() {
            return Some(&[]);
        }
        // SAFETY: as in `as_bytes`; the dtype is that of `T` and the address is aligned.
        Some(unsafe { std::slice::from_raw_parts(self.start.cast::<T>(), self.len()) })
    }

    /// The elements in C order.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where the dtype is not that of `T`, [`ArrayError::OutOfMemory`].
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, ArrayError> {
        if T::DTYPE != self.dtype {
            let dtypes = vec![self.dtype, T::DTYPE];
            return Err(ArrayError::DTypes { operation: "reading a chunk", dtypes });
        }
        let mut elements = vec![T::default(); self.len()];
        let strides = contiguous_strides(&self.shape, self.dtype.size());
        // SAFETY: the vector has room for exactly the elements of the shape, in C order.
        unsafe { copy::copy(self, elements.as_mut_ptr().cast::<u8>(), &strides) };
        Ok(elements)
    }

    /// The chunk inside a value of the runtime.
    pub fn of(value: &Value) -> Option<&Self> {
        value.as_any().downcast_ref()
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Chunk")
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .field("strides", &self.strides)
            .finish_non_exhaustive()
    }
}

impl Data for Chunk {
    fn nbytes(&self) -> usize {
        // Views of one buffer count as what they show of it; together that is the buffer.
        if self.kept { 0 } else { self.buffer.held_bytes().min(self.len() * self.dtype.size()) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
        let whole = self.contiguous().map_err(|_out_of_memory| SpillError::Refused)?;
        let Some(bytes) = whole.as_bytes() else { return Err(SpillError::Refused) };
        sink.write_all(bytes)?;
        Ok(Box::new(Spilled { dtype: self.dtype, shape: self.shape.clone() }))
    }
}

/// How a chunk on disk is read back: its elements stand there in C order.
struct Spilled {
    dtype: DType,
    shape: Shape,
}

impl Restore for Spilled {
    fn restore(&self, source: &mut dyn io::Read) -> Result<Value, OperationError> {
        let mut failed = None;
        let chunk = Chunk::build(self.dtype, &self.shape, |bytes| {
            failed = source.read_exact(bytes).err();
            Ok(())
        });
        match failed {
            Some(error) => Err(OperationError::new(error)),
            None => Ok(Arc::new(chunk.map_err(OperationError::new)?)),
        }
    }
}
