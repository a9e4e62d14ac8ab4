//! Tiles of strided operands brought into registers without gaps.

use crate::dtype::{DType, Element, Scalar};
use crate::kernels::cast::CastFrom;

/// Where the elements of a tile lie: steps in bytes along its columns and rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) column_step: isize,
    pub(super) row_step: isize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Layout {
    /// Whether the elements, of this size, stand one after another.
    pub(super) fn is_dense(&self, size: usize) -> bool {
        (self.columns == 1 || self.column_step == size as isize)
            && (self.rows == 1 || self.row_step == (self.columns * size) as isize)
    }
}

/// Copies a tile to a register; `ahead` is whether lines of the cache that are wanted soon are asked
/// for.
///
/// # Safety
/// The elements of the layout can be read; the register has room for them and is aligned.
pub(super) unsafe fn gather(
    from: *const u8,
    layout: Layout,
    size: usize,
    register: *mut u8,
    ahead: bool,
) {
    #[cfg(target_arch = "x86_64")]
    if size == 8
        && layout.row_step == 8
        && layout.rows >= 4
        && layout.columns >= 8
        && layout.column_step.unsigned_abs() > 8
        && is_x86_feature_detected!("avx2")
    {
        // SAFETY: the promise is the same, and the processor has the instructions.
        return unsafe { gather_by_squares(from, layout, register.cast(), ahead) };
    }
    // SAFETY: the promise is the same; only the size of elements matters to copies.
    unsafe {
        match size {
            1 => gather_as::<u8>(from, layout, register.cast(), ahead),
            2 => gather_as::<u16>(from, layout, register.cast(), ahead),
            4 => gather_as::<u32>(from, layout, register.cast(), ahead),
            8 => gather_as::<u64>(from, layout, register.cast(), ahead),
            _ => gather_as::<[u64; 2]>(from, layout, register.cast(), ahead),
        }
    }
}

/// Asks for the cache lines of a range of memory, which need not be there.
#[inline(always)]
pub(super) fn prefetch(start: *const u8, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..bytes).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(offset).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, bytes);
}

/// Columns ahead of those being transposed whose cache lines are asked for.
const AHEAD: usize = 24;

/// Columns that are transposed at once: their elements share cache lines of the register.
const STRIPE: usize = 8;

/// Copies a tile of elements of eight bytes, which lie without gaps along its rows, to where they
/// have none along its columns: by squares of four, which are transposed in vector registers.
///
/// # Safety
/// As for [`gather`], on a processor with AVX2; the step between rows is that of one element.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn gather_by_squares(from: *const u8, layout: Layout, register: *mut f64, ahead: bool) {
    use std::arch::x86_64::{
        _mm256_loadu_pd, _mm256_permute2f128_pd, _mm256_storeu_pd, _mm256_unpackhi_pd,
        _mm256_unpacklo_pd,
    };
    let Layout { column_step, rows, columns, .. } = layout;
    let column_of = |column: usize| from.wrapping_offset(column as isize * column_step);
    let squares = (rows / 4 * 4, columns / 4 * 4);
    for column in (0..squares.1).step_by(4) {
        if ahead && column_step.unsigned_abs() >= 256 {
            for next in column + AHEAD..column + AHEAD + 4 {
                prefetch(column_of(next), rows * 8);
            }
        }
        let lines: [*const f64; 4] = std::array::from_fn(|place| column_of(column + place).cast());
        for row in (0..squares.0).step_by(4) {
            // SAFETY: four elements of four columns belong to the layout, and their places to the
            // register.
            unsafe {
                let [a, b, c, d] = lines.map(|line| _mm256_loadu_pd(line.wrapping_add(row)));
                let (ab_even, ab_odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
                let (cd_even, cd_odd) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
                let to = register.add(row * columns + column);
                _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(ab_even, cd_even));
                let to = to.add(columns);
                _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd));
                let to = to.add(columns);
                _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x31>(ab_even, cd_even));
                let to = to.add(columns);
                _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd));
            }
        }
        for row in squares.0..rows {
            for (place, line) in lines.iter().enumerate() {
                // SAFETY: the element belongs to the layout, and its place to the register.
                unsafe {
                    let value = line.wrapping_add(row).read_unaligned();
                    register.add(row * columns + column + place).write(value);
                }
            }
        }
    }
    for column in squares.1..columns {
        for row in 0..rows {
            // SAFETY: as above.
            unsafe {
                let value = column_of(column).cast::<f64>().wrapping_add(row).read_unaligned();
                register.add(row * columns + column).write(value);
            }
        }
    }
}

/// # Safety
/// As for [`gather`].
unsafe fn gather_as<T: Copy>(from: *const u8, layout: Layout, register: *mut T, ahead: bool) {
    let Layout { column_step, row_step, rows, columns } = layout;
    let size = size_of::<T>() as isize;
    let at = |row: usize, column: usize| {
        from.wrapping_offset(row as isize * row_step + column as isize * column_step).cast::<T>()
    };
    // SAFETY: every element that is read belongs to the layout, and every place that is written to
    // the register's rows times columns.
    unsafe {
        if rows > 1 && (columns < 8 || row_step.unsigned_abs() < column_step.unsigned_abs()) {
            let mut column = 0;
            while column + STRIPE <= columns {
                if ahead && row_step == size && column_step.unsigned_abs() >= 256 {
                    for next in column + AHEAD..column + AHEAD + STRIPE {
                        prefetch(at(0, next).cast(), rows * size_of::<T>());
                    }
                }
                for row in 0..rows {
                    let mut line: [T; STRIPE] = [at(row, column).read_unaligned(); STRIPE];
                    for (offset, place) in line.iter_mut().enumerate().skip(1) {
                        *place = at(row, column + offset).read_unaligned();
                    }
                    register
                        .add(row * columns + column)
                        .cast::<[T; STRIPE]>()
                        .write_unaligned(line);
                }
                column += STRIPE;
            }
            for column in column..columns {
                for row in 0..rows {
                    register.add(row * columns + column).write(at(row, column).read_unaligned());
                }
            }
            return;
        }
        for row in 0..rows {
            let line = register.add(row * columns);
            if column_step == size {
                std::ptr::copy_nonoverlapping(
                    at(row, 0).cast::<u8>(),
                    line.cast::<u8>(),
                    columns * size_of::<T>(),
                );
            } else if column_step == 0 {
                let value = at(row, 0).read_unaligned();
                for column in 0..columns {
                    line.add(column).write(value);
                }
            } else {
                for column in 0..columns {
                    line.add(column).write(at(row, column).read_unaligned());
                }
            }
        }
    }
}

/// Copies a register to where its elements belong.
///
/// # Safety
/// The elements of the layout can be written; the register holds them.
pub(super) unsafe fn scatter(register: *const u8, layout: Layout, size: usize, to: *mut u8) {
    // SAFETY: the promise is the same; only the size of elements matters to copies.
    unsafe {
        match size {
            1 => scatter_as::<u8>(register.cast(), layout, to),
            2 => scatter_as::<u16>(register.cast(), layout, to),
            4 => scatter_as::<u32>(register.cast(), layout, to),
            8 => scatter_as::<u64>(register.cast(), layout, to),
            _ => scatter_as::<[u64; 2]>(register.cast(), layout, to),
        }
    }
}

/// # Safety
/// As for [`scatter`].
unsafe fn scatter_as<T: Copy>(register: *const T, layout: Layout, to: *mut u8) {
    let Layout { column_step, row_step, rows, columns } = layout;
    for row in 0..rows {
        let start = to.wrapping_offset(row as isize * row_step);
        // SAFETY: as promised for the elements of this row.
        unsafe {
            let line = register.add(row * columns);
            if column_step == size_of::<T>() as isize {
                std::ptr::copy_nonoverlapping(line.cast::<u8>(), start, columns * size_of::<T>());
            } else {
                for column in 0..columns {
                    start
                        .wrapping_offset(column as isize * column_step)
                        .cast::<T>()
                        .write_unaligned(line.add(column).read_unaligned());
                }
            }
        }
    }
}

/// Fills a register with one element.
///
/// # Safety
/// The register has room for `len` elements of the scalar's dtype.
pub(super) unsafe fn fill(value: &Scalar, len: usize, register: *mut u8) {
    let layout = Layout { column_step: 0, row_step: 0, rows: 1, columns: len };
    // SAFETY: the scalar's bytes are an element of its dtype, read again for each column.
    unsafe { gather(value.bytes().as_ptr(), layout, value.dtype().size(), register, false) };
}

/// Elements that can be counted along an axis.
trait Progress: Element {
    fn at(start: Self, step: Self, position: isize) -> Self;
}

macro_rules! progress {
    ($($type:ty, |$start:ident, $step:ident, $position:ident| $body:expr;)*) => {$(
        impl Progress for $type {
            #[inline(always)]
            fn at($start: Self, $step: Self, $position: isize) -> Self {
                $body
            }
        }
    )*};
}

progress! {
    crate::Bool, |start, step, position| {
        if position == 0 { start } else if position == 1 { step } else { Self(start.0 | step.0) }
    };
    i8, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    i16, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    i32, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    i64, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    u8, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    u16, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    u32, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    u64, |start, step, position| start.wrapping_add(step.wrapping_mul(position as Self));
    f32, |start, step, position| start + position as Self * step;
    f64, |start, step, position| start + position as Self * step;
    half::f16, |start, step, position| {
        Self::from_f32(start.to_f32() + position as f32 * step.to_f32())
    };
    num_complex::Complex32, |start, step, position| start + step * f32::cast_from(position as i64);
    num_complex::Complex64, |start, step, position| start + step * f64::cast_from(position as i64);
}

/// Fills a register with a progression. `first` is the position of its first element; the steps of
/// the layout are in positions.
///
/// # Safety
/// The register has room for the elements of the layout.
pub(super) unsafe fn count(
    start: &Scalar,
    step: &Scalar,
    first: isize,
    layout: Layout,
    register: *mut u8,
) {
    crate::with_dtype!(start.dtype(), T => {
        let (Some(start), Some(step)) = (start.get::<T>(), step.get::<T>()) else { return };
        // SAFETY: the promise is the same.
        unsafe { count_as::<T>(start, step, first, layout, register.cast()) }
    });
}

/// # Safety
/// As for [`count`].
unsafe fn count_as<T: Progress>(start: T, step: T, first: isize, layout: Layout, register: *mut T) {
    for row in 0..layout.rows {
        let first = first + row as isize * layout.row_step;
        for column in 0..layout.columns {
            let position = first + column as isize * layout.column_step;
            // SAFETY: as promised.
            unsafe {
                register.add(row * layout.columns + column).write(T::at(start, step, position));
            }
        }
    }
}

/// Whether a pointer is aligned for elements of a dtype.
pub(super) fn is_aligned(pointer: *const u8, dtype: DType) -> bool {
    (pointer as usize).is_multiple_of(dtype.size().min(8))
}
