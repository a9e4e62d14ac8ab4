//! Discrete Fourier transforms along one axis, as `numpy.fft` has them.

use std::cell::RefCell;
use std::sync::Arc;

use num_complex::Complex;
use realfft::{ComplexToReal, FftNum, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};
use smallvec::SmallVec;

use crate::chunk::{Chunk, Shape};
use crate::dtype::{DType, Element};
use crate::error::ArrayError;

const OPERATION: &str = "fft";

/// Which direction divides by the length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Norm {
    /// The inverse one.
    #[default]
    Backward,
    /// Both, by its square root.
    Ortho,
    /// The forward one.
    Forward,
}

impl Norm {
    /// The norm under which the other direction divides as this one does.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::Backward => Self::Forward,
            Self::Ortho => Self::Ortho,
            Self::Forward => Self::Backward,
        }
    }

    fn factor(self, length: usize, inverse: bool) -> f64 {
        match (self, inverse) {
            (Self::Backward, true) | (Self::Forward, false) => 1.0 / length as f64,
            (Self::Ortho, _) => 1.0 / (length as f64).sqrt(),
            _ => 1.0,
        }
    }
}

/// The transform along `axis`, which is first cropped or padded with zeros to length `n`.
///
/// Single precision stays single.
///
/// # Errors
/// [`ArrayError::Axis`], [`ArrayError::DTypes`] for what is neither `float32`, `float64` nor
/// complex, [`ArrayError::Parameter`] for length zero, [`ArrayError::OutOfMemory`].
pub fn fft(
    chunk: &Chunk,
    axis: usize,
    n: Option<usize>,
    inverse: bool,
    norm: Norm,
) -> Result<Chunk, ArrayError> {
    let length = length(chunk, axis, n)?;
    match chunk.dtype() {
        DType::F32 => complex::<f32>(chunk, axis, length, inverse, norm, widened::<f32>),
        DType::F64 => complex::<f64>(chunk, axis, length, inverse, norm, widened::<f64>),
        DType::C64 => complex::<f32>(chunk, axis, length, inverse, norm, read),
        DType::C128 => complex::<f64>(chunk, axis, length, inverse, norm, read),
        dtype => refuse(dtype),
    }
}

/// The first `n / 2 + 1` elements of the forward transform of real numbers.
///
/// # Errors
/// As for [`fft`]; complex numbers are refused.
pub fn rfft(chunk: &Chunk, axis: usize, n: Option<usize>, norm: Norm) -> Result<Chunk, ArrayError> {
    let length = length(chunk, axis, n)?;
    match chunk.dtype() {
        DType::F32 => from_real::<f32>(chunk, axis, length, norm.factor(length, false), false),
        DType::F64 => from_real::<f64>(chunk, axis, length, norm.factor(length, false), false),
        dtype => refuse(dtype),
    }
}

/// The `n` real numbers whose transform begins with these elements; `n` is `2 * (len - 1)` where
/// it is not given.
///
/// # Errors
/// As for [`fft`].
pub fn irfft(
    chunk: &Chunk,
    axis: usize,
    n: Option<usize>,
    norm: Norm,
) -> Result<Chunk, ArrayError> {
    let length = length_of_real(chunk, axis, n)?;
    to_any_real(chunk, axis, length, norm.factor(length, true), false)
}

/// The real transform of a signal of which the first half is given, and the rest of which is the
/// conjugate of that in reverse.
///
/// # Errors
/// As for [`fft`].
pub fn hfft(chunk: &Chunk, axis: usize, n: Option<usize>, norm: Norm) -> Result<Chunk, ArrayError> {
    let length = length_of_real(chunk, axis, n)?;
    to_any_real(chunk, axis, length, norm.factor(length, false), true)
}

/// The inverse of [`hfft`].
///
/// # Errors
/// As for [`rfft`].
pub fn ihfft(
    chunk: &Chunk,
    axis: usize,
    n: Option<usize>,
    norm: Norm,
) -> Result<Chunk, ArrayError> {
    let length = length(chunk, axis, n)?;
    match chunk.dtype() {
        DType::F32 => from_real::<f32>(chunk, axis, length, norm.factor(length, true), true),
        DType::F64 => from_real::<f64>(chunk, axis, length, norm.factor(length, true), true),
        dtype => refuse(dtype),
    }
}

fn refuse<T>(dtype: DType) -> Result<T, ArrayError> {
    Err(ArrayError::DTypes { operation: OPERATION, dtypes: vec![dtype] })
}

/// The length of the axis, or the one that is wished for.
fn length(chunk: &Chunk, axis: usize, n: Option<usize>) -> Result<usize, ArrayError> {
    let Some(extent) = chunk.shape().get(axis) else {
        return Err(ArrayError::Axis { operation: OPERATION, axis, ndim: chunk.ndim() });
    };
    match n.unwrap_or(*extent) {
        0 => {
            let reason = "Invalid number of FFT data points (0) specified.";
            Err(ArrayError::Parameter { operation: OPERATION, reason })
        }
        length => Ok(length),
    }
}

fn length_of_real(chunk: &Chunk, axis: usize, n: Option<usize>) -> Result<usize, ArrayError> {
    let twice = chunk.shape().get(axis).map(|len| 2 * len.saturating_sub(1));
    length(chunk, axis, n.or(twice))
}

/// Floats that are transformed.
trait Real: FftNum + Element {
    fn rounded(value: f64) -> Self;

    /// Runs `plan` on the planner of this thread.
    fn planner<R>(plan: impl FnOnce(&mut Planners<Self>) -> R) -> R;
}

/// How many lengths are planned before a planner is made anew, so that it does not grow for ever.
const PLANS: usize = 64;

struct Planners<T: FftNum> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
    plans: usize,
}

impl<T: FftNum> Planners<T> {
    fn new() -> Self {
        Self { complex: FftPlanner::new(), real: RealFftPlanner::new(), plans: 0 }
    }

    fn bounded(&mut self) -> &mut Self {
        if self.plans >= PLANS {
            *self = Self::new();
        }
        self.plans += 1;
        self
    }
}

macro_rules! reals {
    ($($type:ty),*) => {
        $(impl Real for $type {
            fn rounded(value: f64) -> Self {
                value as Self
            }

            fn planner<R>(plan: impl FnOnce(&mut Planners<Self>) -> R) -> R {
                thread_local! {
                    static PLANNERS: RefCell<Planners<$type>> = RefCell::new(Planners::new());
                }
                PLANNERS.with_borrow_mut(|planners| plan(planners.bounded()))
            }
        })*
    };
}

reals!(f32, f64);

/// # Safety
/// An element can be read there.
unsafe fn read<T>(at: *const u8) -> T {
    // SAFETY: as promised by the caller.
    unsafe { at.cast::<T>().read_unaligned() }
}

/// # Safety
/// A float can be read there.
unsafe fn widened<T: FftNum>(at: *const u8) -> Complex<T> {
    // SAFETY: as promised by the caller.
    Complex::new(unsafe { at.cast::<T>().read_unaligned() }, T::zero())
}

fn complex<T: Real>(
    chunk: &Chunk,
    axis: usize,
    length: usize,
    inverse: bool,
    norm: Norm,
    read: unsafe fn(*const u8) -> Complex<T>,
) -> Result<Chunk, ArrayError>
where
    Complex<T>: Element,
{
    let plan: Arc<dyn Fft<T>> = T::planner(|planners| match inverse {
        true => planners.complex.plan_fft_inverse(length),
        false => planners.complex.plan_fft_forward(length),
    });
    let mut scratch = vec![Complex::default(); plan.get_outofplace_scratch_len()];
    let factor = T::rounded(norm.factor(length, inverse));
    let lines = Lines { axis, given: length, taken: length, made: length };
    transform(chunk, lines, read, |input, output: &mut [Complex<T>]| {
        plan.process_outofplace_with_scratch(input, output, &mut scratch);
        if factor != T::one() {
            output.iter_mut().for_each(|value| *value = *value * factor);
        }
    })
}

fn from_real<T: Real>(
    chunk: &Chunk,
    axis: usize,
    length: usize,
    factor: f64,
    conjugate: bool,
) -> Result<Chunk, ArrayError>
where
    Complex<T>: Element,
{
    let plan: Arc<dyn RealToComplex<T>> =
        T::planner(|planners| planners.real.plan_fft_forward(length));
    let mut scratch = plan.make_scratch_vec();
    let across = T::rounded(factor);
    let upward = if conjugate { -across } else { across };
    let lines = Lines { axis, given: length, taken: length, made: length / 2 + 1 };
    transform(chunk, lines, read::<T>, |input, output: &mut [Complex<T>]| {
        // It fails for wrong lengths only, and these come from the plan.
        let done = plan.process_with_scratch(input, output, &mut scratch);
        debug_assert!(done.is_ok());
        if factor != 1.0 || conjugate {
            for value in output {
                *value = Complex::new(value.re * across, value.im * upward);
            }
        }
    })
}

fn to_any_real(
    chunk: &Chunk,
    axis: usize,
    length: usize,
    factor: f64,
    conjugate: bool,
) -> Result<Chunk, ArrayError> {
    match chunk.dtype() {
        DType::F32 => to_real::<f32>(chunk, axis, length, factor, conjugate, widened::<f32>),
        DType::F64 => to_real::<f64>(chunk, axis, length, factor, conjugate, widened::<f64>),
        DType::C64 => to_real::<f32>(chunk, axis, length, factor, conjugate, read),
        DType::C128 => to_real::<f64>(chunk, axis, length, factor, conjugate, read),
        dtype => refuse(dtype),
    }
}

fn to_real<T: Real>(
    chunk: &Chunk,
    axis: usize,
    length: usize,
    factor: f64,
    conjugate: bool,
    read: unsafe fn(*const u8) -> Complex<T>,
) -> Result<Chunk, ArrayError>
where
    Complex<T>: Element,
{
    let plan: Arc<dyn ComplexToReal<T>> =
        T::planner(|planners| planners.real.plan_fft_inverse(length));
    let mut scratch = plan.make_scratch_vec();
    let factor = T::rounded(factor);
    let half = length / 2 + 1;
    let lines = Lines { axis, given: half, taken: half, made: length };
    transform(chunk, lines, read, |input: &mut [Complex<T>], output: &mut [T]| {
        if conjugate {
            input.iter_mut().for_each(|value| value.im = -value.im);
        }
        // Those of which a real signal has no imaginary part.
        input[0].im = T::zero();
        if length.is_multiple_of(2) {
            input[half - 1].im = T::zero();
        }
        let done = plan.process_with_scratch(input, output, &mut scratch);
        debug_assert!(done.is_ok());
        if factor != T::one() {
            output.iter_mut().for_each(|value| *value = *value * factor);
        }
    })
}

/// What is transformed, line by line along an axis.
#[derive(Clone, Copy)]
struct Lines {
    axis: usize,
    /// Elements of a line that `work` is given; those past the end of the axis are zero.
    given: usize,
    /// How many of them are taken from the chunk at most.
    taken: usize,
    /// Elements of a line of the result.
    made: usize,
}

/// Lines that are gathered together: neighbours share cache lines where the axis is not the last.
const BATCH: usize = 16;

/// Runs `work` on all lines of a chunk, which may overwrite what it is given.
fn transform<S: Copy + Default, D: Element>(
    chunk: &Chunk,
    lines: Lines,
    read: unsafe fn(*const u8) -> S,
    mut work: impl FnMut(&mut [S], &mut [D]),
) -> Result<Chunk, ArrayError> {
    let Lines { axis, given, taken, made } = lines;
    let mut shape: Shape = chunk.shape().into();
    let taken = taken.min(shape[axis]);
    shape[axis] = made;
    Chunk::build(D::DTYPE, &shape, |bytes| {
        if bytes.is_empty() {
            return Ok(());
        }
        let target = bytes.as_mut_ptr().cast::<D>();
        let step = chunk.strides()[axis];
        let inner: usize = shape[axis + 1..].iter().product();
        let count = shape[..axis].iter().product::<usize>() * inner;
        let mut cursor = Cursor::new(chunk, axis);
        let mut inputs = vec![S::default(); given * BATCH.min(count)];
        let mut outputs = vec![D::default(); if inner == 1 { 0 } else { made * BATCH.min(count) }];
        for first in (0..count).step_by(BATCH) {
            let batch = BATCH.min(count - first);
            let starts: SmallVec<[*const u8; BATCH]> =
                (0..batch).map(|_| cursor.next_start()).collect();
            for (line, start) in inputs.chunks_exact_mut(given).zip(&starts) {
                line[taken..].fill(S::default());
                if step.unsigned_abs() == size_of::<S>() {
                    gather(line, *start, step, taken, read);
                }
            }
            if step.unsigned_abs() != size_of::<S>() {
                for place in 0..taken {
                    for (line, start) in starts.iter().enumerate() {
                        // SAFETY: the position lies in the chunk.
                        let value = unsafe { read(start.wrapping_offset(place as isize * step)) };
                        inputs[line * given + place] = value;
                    }
                }
            }
            for (line, input) in inputs.chunks_exact_mut(given).take(batch).enumerate() {
                if inner == 1 {
                    // SAFETY: the lines of the result lie end to end in new, aligned memory.
                    let output = unsafe {
                        std::slice::from_raw_parts_mut(
                            target.wrapping_add((first + line) * made),
                            made,
                        )
                    };
                    work(input, output);
                } else {
                    work(input, &mut outputs[line * made..(line + 1) * made]);
                }
            }
            if inner == 1 {
                continue;
            }
            for place in 0..made {
                for line in 0..batch {
                    let (outer, along) = ((first + line) / inner, (first + line) % inner);
                    let at = (outer * made + place) * inner + along;
                    // SAFETY: the position lies in the result, whose memory is aligned.
                    unsafe { target.wrapping_add(at).write(outputs[line * made + place]) };
                }
            }
        }
        Ok(())
    })
}

fn gather<S: Copy>(
    line: &mut [S],
    start: *const u8,
    step: isize,
    taken: usize,
    read: unsafe fn(*const u8) -> S,
) {
    for (place, value) in line.iter_mut().take(taken).enumerate() {
        // SAFETY: the position lies in the chunk.
        *value = unsafe { read(start.wrapping_offset(place as isize * step)) };
    }
}

/// The starts of the lines along an axis, in C order of the other axes.
struct Cursor<'a> {
    chunk: &'a Chunk,
    axis: usize,
    position: Shape,
    start: *const u8,
}

impl<'a> Cursor<'a> {
    fn new(chunk: &'a Chunk, axis: usize) -> Self {
        let position = Shape::from_elem(0, chunk.ndim());
        Self { chunk, axis, position, start: chunk.as_ptr() }
    }

    fn next_start(&mut self) -> *const u8 {
        let start = self.start;
        for axis in (0..self.chunk.ndim()).rev().filter(|axis| *axis != self.axis) {
            let (len, stride) = (self.chunk.shape()[axis], self.chunk.strides()[axis]);
            self.position[axis] += 1;
            self.start = self.start.wrapping_offset(stride);
            if self.position[axis] < len {
                break;
            }
            self.position[axis] = 0;
            self.start = self.start.wrapping_offset(-stride * len as isize);
        }
        start
    }
}
