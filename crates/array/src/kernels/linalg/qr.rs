//! The factorization into a matrix with orthonormal columns and an upper triangle.
//!
//! Tall matrices are factorized panel by panel, each in the second level of caches, then the
//! triangles of all panels together, and so on. A panel is factorized by Cholesky's method twice
//! over, which is made of products; where its columns are too close to dependent for that, which
//! the second round shows, it is done by Householder's reflections.

use gemm::Parallelism;
use samite_factorize::Failure;

use super::failed;
use super::work::{Field, Work};
use crate::chunk::Chunk;
use crate::error::ArrayError;

/// A matrix this many times as high as wide is tall,
const TALL: usize = 16;
/// unless it is wider than this: then reflections are made of products too.
const NARROW: usize = 128;
/// The bytes of a panel.
const PANEL: usize = 384 << 10;

/// The thin factors of a matrix, the triangle with a diagonal that is not negative.
pub(super) fn factors<T: Field>(chunk: &Chunk) -> Result<(Chunk, Work<T>), ArrayError> {
    let [rows, columns] = *chunk.shape() else { return Err(super::not_a_matrix(chunk)) };
    if columns > 0 && columns <= NARROW && rows >= TALL * columns {
        let height = (PANEL / (columns * size_of::<T>())).max(4 * columns);
        if rows >= 2 * height {
            return tall(chunk, rows, columns, height);
        }
    }
    let (q, r) = by_reflections(Work::of(chunk)?)?;
    Ok((q.into_chunk()?, r))
}

/// The factors by Householder's method; both are NaN where the matrix is not finite.
fn by_reflections<T: Field>(mut matrix: Work<T>) -> Result<(Work<T>, Work<T>), ArrayError> {
    let (rows, columns) = (matrix.rows, matrix.columns);
    let size = rows.min(columns);
    let mut q = Work::identity(rows, size)?;
    if size == 0 {
        return Ok((q, Work::zeros(0, columns)?));
    }
    if !matrix.is_finite() {
        q.elements_mut().fill(T::NAN);
        matrix.elements_mut().fill(T::NAN);
        return Ok((q, matrix.corner(size, columns)?));
    }
    T::qr(matrix.mat_mut(), q.mat_mut()).map_err(failed)?;
    let mut r = matrix.corner(size, columns)?;
    r.clear(true);
    for place in 0..size {
        let direction = r.at(place, place).direction();
        if direction == T::ONE {
            continue;
        }
        let back = direction.conjugate();
        for column in place..columns {
            let element = r.at_mut(place, column);
            *element *= back;
        }
        for element in &mut q.elements_mut()[place * rows..(place + 1) * rows] {
            *element *= direction;
        }
    }
    Ok((q, r))
}

/// A panel that is factorized: its elements became columns that are orthonormal after they are
/// multiplied by `correction` from the right.
struct Panel<T> {
    correction: Option<Work<T>>,
    r: Work<T>,
}

fn tall<T: Field>(
    chunk: &Chunk,
    rows: usize,
    columns: usize,
    height: usize,
) -> Result<(Chunk, Work<T>), ArrayError> {
    // Panels of equal height, but for one row.
    let count = rows.div_ceil(height);
    let bounds = |panel: usize| panel * rows / count..(panel + 1) * rows / count;
    let mut panels: Vec<Option<Work<T>>> = Vec::with_capacity(count);
    let mut triangles = Work::<T>::zeros(columns, count * columns)?;
    let mut r = None;
    let q = Chunk::build(T::DTYPE, &[rows, columns], |bytes| {
        let target = bytes.as_mut_ptr().cast::<T>();
        for place in 0..count {
            let range = bounds(place);
            let misfit = || super::not_a_matrix(chunk);
            let part = chunk.slice(0, range.start, 1, range.len()).ok_or_else(misfit)?;
            let mut work = Work::of(&part)?;
            let panel = match by_products(&mut work)? {
                Some(panel) => panel,
                None => {
                    let (q, r) = by_reflections(Work::of(&part)?)?;
                    work = q;
                    Panel { correction: None, r }
                }
            };
            // The triangles stand below one another, row by row.
            for column in 0..columns {
                for row in 0..=column {
                    *triangles.at_mut(column, place * columns + row) = panel.r.at(row, column);
                }
            }
            panels.push(panel.correction);
            let rows = target.wrapping_add(range.start * columns);
            // SAFETY: these rows of the result are not borrowed elsewhere.
            let rows = unsafe { std::slice::from_raw_parts_mut(rows, range.len() * columns) };
            for (column, elements) in work.elements().chunks_exact(range.len()).enumerate() {
                for (row, element) in rows.chunks_exact_mut(columns).zip(elements) {
                    row[column] = *element;
                }
            }
        }
        // Transposed, they are one matrix in C order.
        let (mixing, last) =
            factors::<T>(&std::mem::replace(&mut triangles, Work::zeros(0, 0)?).into_transposed())?;
        r = Some(last);
        let mut before = vec![T::default(); (rows / count + 1) * columns];
        for (place, correction) in panels.iter().enumerate() {
            let range = bounds(place);
            let mut mix = Work::<T>::of(
                &mixing
                    .slice(0, place * columns, 1, columns)
                    .ok_or_else(|| super::not_a_matrix(chunk))?,
            )?;
            if let Some(correction) = correction {
                let mut product = Work::zeros(columns, columns)?;
                multiply(correction, false, &mix, product.elements_mut());
                mix = product;
            }
            let rows = target.wrapping_add(range.start * columns);
            let before = &mut before[..range.len() * columns];
            let (height, width) = (range.len(), columns as isize);
            // SAFETY: these rows of the result are not borrowed elsewhere, and `before` is a copy
            // of them.
            unsafe {
                before.copy_from_slice(std::slice::from_raw_parts(rows, before.len()));
                gemm::gemm(
                    height,
                    columns,
                    columns,
                    rows,
                    1,
                    width,
                    false,
                    before.as_ptr(),
                    1,
                    width,
                    mix.elements().as_ptr(),
                    width,
                    1,
                    T::ONE,
                    T::ONE,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
        Ok(())
    })?;
    match r {
        Some(r) => Ok((q, r)),
        None => Err(super::not_a_matrix(chunk)),
    }
}

/// Writes the product of two matrices, the left one transposed and conjugated on demand, to
/// `target` in column-major order.
fn multiply<T: Field>(left: &Work<T>, adjoint: bool, right: &Work<T>, target: &mut [T]) {
    let (rows, inner) = if adjoint { (left.columns, left.rows) } else { (left.rows, left.columns) };
    assert!(inner == right.rows && target.len() == rows * right.columns);
    let (step, across) = (1, left.rows as isize);
    // SAFETY: the lengths were compared; the target is borrowed alone.
    unsafe {
        gemm::gemm(
            rows,
            right.columns,
            inner,
            target.as_mut_ptr(),
            rows as isize,
            1,
            false,
            left.elements().as_ptr(),
            if adjoint { step } else { across },
            if adjoint { across } else { step },
            right.elements().as_ptr(),
            right.rows as isize,
            1,
            T::ONE,
            T::ONE,
            false,
            adjoint,
            false,
            Parallelism::None,
        );
    }
}

/// Factorizes a panel by Cholesky's method twice; `None` where its columns are too dependent.
fn by_products<T: Field>(panel: &mut Work<T>) -> Result<Option<Panel<T>>, ArrayError> {
    let columns = panel.columns;
    let mut gram = Work::<T>::zeros(columns, columns)?;
    multiply(panel, true, panel, gram.elements_mut());
    let Some(first) = triangle(gram)? else { return Ok(None) };
    divide(panel, &first);
    let mut gram = Work::<T>::zeros(columns, columns)?;
    multiply(panel, true, panel, gram.elements_mut());
    // Nearly orthonormal columns, so that one more round makes them so to the last digit.
    let mut off = 0.0;
    for column in 0..columns {
        for row in 0..columns {
            let expected = if row == column { T::ONE } else { T::default() };
            off += (gram.at(row, column) - expected).magnitude().powi(2);
        }
    }
    // NaN is no small number.
    if off.is_nan() || off > 0.1 {
        return Ok(None);
    }
    let Some(second) = triangle(gram)? else { return Ok(None) };
    let mut r = Work::zeros(columns, columns)?;
    multiply(&second, false, &first, r.elements_mut());
    r.clear(true);
    let mut correction = Work::zeros(columns, columns)?;
    T::invert_upper(second.mat(), correction.mat_mut());
    Ok(Some(Panel { correction: Some(correction), r }))
}

/// The upper triangle of which the product with its adjoint, which is lower, is this matrix; `None`
/// where it is not positive definite.
fn triangle<T: Field>(mut gram: Work<T>) -> Result<Option<Work<T>>, ArrayError> {
    let columns = gram.columns;
    match T::cholesky(gram.mat_mut()) {
        Err(Failure::NotPositive) => return Ok(None),
        done => done.map_err(failed)?,
    }
    if !gram.is_finite() {
        return Ok(None);
    }
    let mut upper = Work::zeros(columns, columns)?;
    for column in 0..columns {
        for row in 0..=column {
            *upper.at_mut(row, column) = gram.at(column, row).conjugate();
        }
    }
    Ok(Some(upper))
}

/// Rows that are divided together: those of 20 columns stay in the first level of caches.
const STRIP: usize = 128;

/// Replaces a panel by what gives the panel when multiplied by an upper triangle.
fn divide<T: Field>(panel: &mut Work<T>, upper: &Work<T>) {
    #[inline(always)]
    fn body<T: Field>(panel: &mut Work<T>, upper: &Work<T>) {
        let (rows, columns) = (panel.rows, panel.columns);
        let elements = panel.elements_mut();
        for first in (0..rows).step_by(STRIP) {
            let height = STRIP.min(rows - first);
            for column in 0..columns {
                let (before, rest) = elements.split_at_mut(column * rows);
                let target = &mut rest[first..first + height];
                let factors = &upper.elements()[column * columns..][..=column];
                let part = |place: usize| &before[place * rows + first..][..height];
                let fours = column / 4 * 4;
                for place in (0..fours).step_by(4) {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|next| part(place + next));
                    let [e, f, g, h] = [0, 1, 2, 3].map(|next| factors[place + next]);
                    for (row, value) in target.iter_mut().enumerate() {
                        *value = *value - (a[row] * e + b[row] * f) - (c[row] * g + d[row] * h);
                    }
                }
                for (place, factor) in factors.iter().enumerate().take(column).skip(fours) {
                    let (other, factor) = (part(place), *factor);
                    for (value, other) in target.iter_mut().zip(other) {
                        *value -= *other * factor;
                    }
                }
                let inverse = factors[column].inverse();
                for value in target {
                    *value *= inverse;
                }
            }
        }
    }
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn avx2<T: Field>(panel: &mut Work<T>, upper: &Work<T>) {
            body(panel, upper);
        }
        #[target_feature(enable = "avx512f,avx512vl")]
        fn avx512<T: Field>(panel: &mut Work<T>, upper: &Work<T>) {
            body(panel, upper);
        }
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has what is enabled.
            return unsafe { avx512(panel, upper) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has what is enabled.
            return unsafe { avx2(panel, upper) };
        }
    }
    body(panel, upper);
}
