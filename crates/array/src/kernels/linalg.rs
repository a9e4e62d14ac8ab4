//! Factorizations of matrices and what follows from them, for single and double precision, real
//! and complex. Results are C-contiguous and the same in every run.

mod qr;
mod work;

use num_complex::{Complex32, Complex64};
use samite_factorize::traits::ComplexField;
use samite_factorize::{Failure, Triangle};

use super::matmul::matmul;
use crate::chunk::Chunk;
use crate::dtype::DType;
use crate::error::ArrayError;
use work::{Field, Work};

/// Runs `$body` with `$type` standing for the Rust type of a dtype that has factorizations.
macro_rules! with_field {
    ($operation:literal, $chunk:expr, $type:ident => $body:expr) => {
        match $chunk.dtype() {
            DType::F32 => {
                type $type = f32;
                $body
            }
            DType::F64 => {
                type $type = f64;
                $body
            }
            DType::C64 => {
                type $type = Complex32;
                $body
            }
            DType::C128 => {
                type $type = Complex64;
                $body
            }
            dtype => Err(ArrayError::DTypes { operation: $operation, dtypes: vec![dtype] }),
        }
    };
}

fn not_a_matrix(chunk: &Chunk) -> ArrayError {
    ArrayError::Shapes { operation: "matrix", shapes: vec![chunk.shape().to_vec()] }
}

fn square(chunk: &Chunk) -> Result<usize, ArrayError> {
    match *chunk.shape() {
        [rows, columns] if rows == columns => Ok(rows),
        _ => Err(ArrayError::LinearAlgebra {
            reason: "Last 2 dimensions of the array must be square",
        }),
    }
}

const SINGULAR: ArrayError = ArrayError::LinearAlgebra { reason: "Singular matrix" };

/// The thin QR factorization `(q, r)`: `a = q @ r`, `q` has `min(a.shape)` orthonormal columns, and
/// the diagonal of the upper triangle `r` is real and not negative.
///
/// # Errors
/// [`ArrayError::Shapes`], [`ArrayError::DTypes`], [`ArrayError::OutOfMemory`].
pub fn qr(a: &Chunk) -> Result<(Chunk, Chunk), ArrayError> {
    with_field!("qr", a, T => {
        let (q, r) = qr::factors::<T>(a)?;
        Ok((q, r.into_chunk()?))
    })
}

/// The thin singular value decomposition `(u, s, vh)`, the values in descending order.
///
/// # Errors
/// [`ArrayError::Shapes`], [`ArrayError::DTypes`], [`ArrayError::LinearAlgebra`] where it does not
/// converge, which is so for what is not finite, [`ArrayError::OutOfMemory`].
pub fn svd(a: &Chunk) -> Result<(Chunk, Chunk, Chunk), ArrayError> {
    with_field!("svd", a, T => svd_of::<T>(a))
}

/// The factor of a positive definite matrix: the lower triangle `l` with `a = l @ l.conj().T` or,
/// unless `lower`, the upper one `u` with `a = u.conj().T @ u`. Only this triangle of `a` is read.
///
/// # Errors
/// [`ArrayError::LinearAlgebra`] for a matrix that is not square or not positive definite,
/// [`ArrayError::DTypes`], [`ArrayError::OutOfMemory`].
pub fn cholesky(a: &Chunk, lower: bool) -> Result<Chunk, ArrayError> {
    square(a)?;
    with_field!("cholesky", a, T => cholesky_of::<T>(a, lower))
}

/// The factorization `(p, l, u)` with partial pivoting: `a = p @ l @ u`, where `p` is a permutation
/// matrix of real numbers, `l` has a unit diagonal, and the inner length is `min(a.shape)`.
///
/// # Errors
/// [`ArrayError::Shapes`], [`ArrayError::DTypes`], [`ArrayError::OutOfMemory`].
pub fn lu(a: &Chunk) -> Result<(Chunk, Chunk, Chunk), ArrayError> {
    with_field!("lu", a, T => lu_of::<T>(a))
}

/// As [`lu`], with the permutation as the row (`int64`) of `l` that each row of `a` is made of:
/// `a = l[rows] @ u`.
///
/// # Errors
/// As for [`lu`].
pub fn lu_rows(a: &Chunk) -> Result<(Chunk, Chunk, Chunk), ArrayError> {
    with_field!("lu", a, T => {
        let (order, l, u) = triangles::<T>(a)?;
        let mut rows = vec![0i64; order.len()];
        for (place, row) in order.iter().enumerate() {
            rows[*row] = place as i64;
        }
        Ok((Chunk::from_slice(&[rows.len()], &rows)?, l.into_chunk()?, u.into_chunk()?))
    })
}

/// Which form of a triangular matrix a system has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// The matrix.
    #[default]
    Plain,
    /// Its transpose.
    Transposed,
    /// Its conjugate transpose.
    Adjoint,
}

/// The solution of a triangular system, whose right side is a vector or a matrix. Only the triangle
/// of `a` that `lower` says is read, and not its diagonal where that is to be taken as `unit`.
///
/// # Errors
/// [`ArrayError::LinearAlgebra`] for a matrix that is not square or has a zero on its diagonal,
/// [`ArrayError::Shapes`], [`ArrayError::DTypes`], [`ArrayError::OutOfMemory`].
pub fn solve_triangular(
    a: &Chunk,
    b: &Chunk,
    lower: bool,
    form: Form,
    unit: bool,
) -> Result<Chunk, ArrayError> {
    square(a)?;
    with_field!("solve_triangular", a, T => {
        let matrix = Work::<T>::of(a)?;
        let right = right_side(a, b, "solve_triangular")?;
        if !unit && (0..matrix.rows).any(|place| matrix.at(place, place) == T::default()) {
            return Err(SINGULAR);
        }
        let solution = triangular(&matrix, Work::of(&right)?, lower, form, unit);
        shaped(solution.into_chunk()?, b)
    })
}

/// The solution of a system, whose right side is a vector or a matrix.
///
/// # Errors
/// [`ArrayError::LinearAlgebra`] for a matrix that is not square or singular,
/// [`ArrayError::Shapes`], [`ArrayError::DTypes`], [`ArrayError::OutOfMemory`].
pub fn solve(a: &Chunk, b: &Chunk) -> Result<Chunk, ArrayError> {
    square(a)?;
    with_field!("solve", a, T => {
        let right = right_side(a, b, "solve")?;
        let solution = Pivoted::<T>::of(a)?.regular()?.solve(&Work::of(&right)?)?;
        shaped(solution.into_chunk()?, b)
    })
}

/// The inverse of a matrix.
///
/// # Errors
/// [`ArrayError::LinearAlgebra`] for a matrix that is not square or singular,
/// [`ArrayError::DTypes`], [`ArrayError::OutOfMemory`].
pub fn inv(a: &Chunk) -> Result<Chunk, ArrayError> {
    let size = square(a)?;
    with_field!("inv", a, T => {
        Pivoted::<T>::of(a)?.regular()?.solve(&Work::identity(size, size)?)?.into_chunk()
    })
}

/// The eigenvalues of a Hermitian matrix in ascending order, and its eigenvectors as columns. Only
/// the triangle of `a` that `lower` says is read.
///
/// # Errors
/// [`ArrayError::LinearAlgebra`] for a matrix that is not square or where the method does not
/// converge, which is so for what is not finite; [`ArrayError::DTypes`],
/// [`ArrayError::OutOfMemory`].
pub fn eigh(a: &Chunk, lower: bool) -> Result<(Chunk, Chunk), ArrayError> {
    square(a)?;
    with_field!("eigh", a, T => eigh_of::<T>(a, lower))
}

/// The determinant, of shape `()`.
///
/// # Errors
/// [`ArrayError::LinearAlgebra`] for a matrix that is not square, [`ArrayError::DTypes`],
/// [`ArrayError::OutOfMemory`].
pub fn det(a: &Chunk) -> Result<Chunk, ArrayError> {
    square(a)?;
    with_field!("det", a, T => {
        let lu = Pivoted::<T>::of(a)?;
        // The product of the others may be infinite.
        let singular = lu.diagonal().any(|element| element == T::default());
        let first = if singular { T::default() } else { lu.sign() };
        let product = lu.diagonal().take_while(|_| !singular).fold(first, |one, other| one * other);
        Chunk::from_slice(&[], &[product])
    })
}

/// The sign of the determinant and the logarithm of its magnitude, each of shape `()`.
///
/// # Errors
/// As for [`det`].
pub fn slogdet(a: &Chunk) -> Result<(Chunk, Chunk), ArrayError> {
    square(a)?;
    with_field!("slogdet", a, T => {
        let lu = Pivoted::<T>::of(a)?;
        let (mut sign, mut logarithm) = (lu.sign(), 0.0);
        for element in lu.diagonal() {
            let size = element.magnitude();
            sign *= if size == 0.0 { T::default() } else { element.direction() };
            logarithm += size.ln();
        }
        let logarithm = Chunk::from_slice(&[], &[logarithm as <T as ComplexField>::Real])?;
        Ok((Chunk::from_slice(&[], &[sign])?, logarithm))
    })
}

fn failed(failure: Failure) -> ArrayError {
    let reason = match failure {
        Failure::NoConvergence => "the method did not converge",
        Failure::NotPositive => "Matrix is not positive definite",
        Failure::OutOfMemory { bytes } => return ArrayError::OutOfMemory { bytes },
    };
    ArrayError::LinearAlgebra { reason }
}

/// The right side as a matrix.
fn right_side(a: &Chunk, b: &Chunk, operation: &'static str) -> Result<Chunk, ArrayError> {
    if a.dtype() != b.dtype() {
        return Err(ArrayError::DTypes { operation, dtypes: vec![a.dtype(), b.dtype()] });
    }
    if !(1..=2).contains(&b.ndim()) || b.shape()[0] != a.shape()[0] {
        let shapes = vec![a.shape().to_vec(), b.shape().to_vec()];
        return Err(ArrayError::Shapes { operation, shapes });
    }
    if b.ndim() == 2 {
        return Ok(b.clone());
    }
    let strides = [b.strides()[0], b.dtype().size() as isize];
    // SAFETY: an axis of length one reaches no further.
    Ok(unsafe { b.with_layout(0, &[b.shape()[0], 1], &strides) })
}

/// A solution with the axes of the right side.
fn shaped(solution: Chunk, b: &Chunk) -> Result<Chunk, ArrayError> {
    if b.ndim() == 2 {
        return Ok(solution);
    }
    // SAFETY: the only column of a C-contiguous matrix has its elements one after the other.
    Ok(unsafe { solution.with_layout(0, b.shape(), &[b.dtype().size() as isize]) })
}

/// The real parts of a column.
fn real_parts<T: Field>(column: &Work<T>) -> Result<Chunk, ArrayError> {
    let parts: Vec<T::Real> = column.elements().iter().map(|element| element.part()).collect();
    Chunk::from_slice(&[parts.len()], &parts)
}

fn svd_of<T: Field>(a: &Chunk) -> Result<(Chunk, Chunk, Chunk), ArrayError> {
    const FAILED: ArrayError = ArrayError::LinearAlgebra { reason: "SVD did not converge" };
    let [rows, columns] = *a.shape() else { return Err(not_a_matrix(a)) };
    if rows > columns && columns > 0 && rows >= TALL * columns {
        let (q, r) = qr::factors::<T>(a)?;
        let (u, s, vh) = svd_of::<T>(&r.into_chunk()?)?;
        return Ok((matmul(&[(q, u)])?, s, vh));
    }
    let matrix = Work::<T>::of(a)?;
    if !matrix.is_finite() {
        return Err(FAILED);
    }
    let size = rows.min(columns);
    let (mut u, mut v) = (Work::<T>::zeros(rows, size)?, Work::<T>::zeros(columns, size)?);
    let mut s = Work::<T>::zeros(size, 1)?;
    if size > 0 {
        T::svd(matrix.mat(), u.mat_mut(), s.mat_mut(), v.mat_mut()).map_err(|failure| {
            if failure == Failure::NoConvergence { FAILED } else { failed(failure) }
        })?;
    }
    for element in v.elements_mut() {
        *element = element.conjugate();
    }
    Ok((u.into_chunk()?, real_parts(&s)?, v.into_transposed()))
}

/// From this ratio of rows to columns on, the singular values are those of the triangle.
const TALL: usize = 4;

fn cholesky_of<T: Field>(a: &Chunk, lower: bool) -> Result<Chunk, ArrayError> {
    // The upper triangle of a matrix is the lower one of its transpose, whose factor is transposed
    // in turn.
    let mut matrix = Work::<T>::of(&if lower { a.clone() } else { a.permuted(&[1, 0]) })?;
    let size = matrix.rows;
    matrix.clear(false);
    if size > 0 {
        T::cholesky(matrix.mat_mut()).map_err(failed)?;
        let positive = |place: usize| {
            let pivot: f64 = matrix.at(place, place).part().into();
            pivot > 0.0 && pivot.is_finite()
        };
        if !(0..size).all(positive) {
            return Err(failed(Failure::NotPositive));
        }
    }
    // The method leaves its own numbers above the diagonal.
    matrix.clear(false);
    if lower { matrix.into_chunk() } else { Ok(matrix.into_transposed()) }
}

fn lu_of<T: Field<Real: Field>>(a: &Chunk) -> Result<(Chunk, Chunk, Chunk), ArrayError> {
    let (order, l, u) = triangles::<T>(a)?;
    let mut p = Work::<T::Real>::zeros(order.len(), order.len())?;
    for (place, row) in order.iter().enumerate() {
        *p.at_mut(*row, place) = <T::Real as Field>::ONE;
    }
    Ok((p.into_chunk()?, l.into_chunk()?, u.into_chunk()?))
}

/// The rows that those of the factors stand for, and both factors.
type Triangles<T> = (Vec<usize>, Work<T>, Work<T>);

fn triangles<T: Field>(a: &Chunk) -> Result<Triangles<T>, ArrayError> {
    let [_, _] = *a.shape() else { return Err(not_a_matrix(a)) };
    let lu = Pivoted::<T>::of(a)?;
    let (rows, columns) = (lu.matrix.rows, lu.matrix.columns);
    let size = rows.min(columns);
    let mut l = lu.matrix.corner(rows, size)?;
    l.clear(false);
    for place in 0..size {
        *l.at_mut(place, place) = T::ONE;
    }
    let mut u = lu.matrix.corner(size, columns)?;
    u.clear(true);
    Ok((lu.order, l, u))
}

/// An LU factorization with partial pivoting.
struct Pivoted<T> {
    /// Both triangles in one matrix.
    matrix: Work<T>,
    /// The row of the matrix that each row of the factors stands for.
    order: Vec<usize>,
    /// Whether the permutation is odd.
    odd: bool,
}

impl<T: Field> Pivoted<T> {
    fn of(a: &Chunk) -> Result<Self, ArrayError> {
        let mut matrix = Work::<T>::of(a)?;
        let (rows, columns) = (matrix.rows, matrix.columns);
        let mut order: Vec<usize> = (0..rows).collect();
        if !matrix.is_finite() {
            // No pivot is the greatest one, so nothing that follows is a number.
            matrix.elements_mut().fill(T::NAN);
            return Ok(Self { matrix, order, odd: false });
        }
        if rows == 0 || columns == 0 {
            return Ok(Self { matrix, order, odd: false });
        }
        let mut inverse = order.clone();
        let odd = T::lu(matrix.mat_mut(), &mut order, &mut inverse).map_err(failed)?;
        let found = Self { matrix, order, odd };
        // The method divides by a pivot even where it is zero.
        let usable = |pivot: T| pivot.finite() && pivot != T::default();
        if found.diagonal().all(usable) { Ok(found) } else { Self::singular(a) }
    }

    /// As `of`, column by column, which goes on past columns without a pivot.
    fn singular(a: &Chunk) -> Result<Self, ArrayError> {
        let mut matrix = Work::<T>::of(a)?;
        let (rows, columns) = (matrix.rows, matrix.columns);
        let mut order: Vec<usize> = (0..rows).collect();
        let mut odd = false;
        for place in 0..rows.min(columns) {
            let mut pivot = place;
            for row in place + 1..rows {
                if matrix.at(row, place).magnitude() > matrix.at(pivot, place).magnitude() {
                    pivot = row;
                }
            }
            if matrix.at(pivot, place) == T::default() {
                continue;
            }
            if pivot != place {
                odd = !odd;
                order.swap(pivot, place);
                for column in matrix.elements_mut().chunks_exact_mut(rows) {
                    column.swap(pivot, place);
                }
            }
            let inverse = matrix.at(place, place).inverse();
            let (left, right) = matrix.elements_mut().split_at_mut((place + 1) * rows);
            let factors = &mut left[place * rows + place + 1..];
            for factor in &mut *factors {
                *factor *= inverse;
            }
            for column in right.chunks_exact_mut(rows) {
                let above = column[place];
                for (value, factor) in column[place + 1..].iter_mut().zip(&*factors) {
                    *value -= *factor * above;
                }
            }
        }
        Ok(Self { matrix, order, odd })
    }

    fn diagonal(&self) -> impl Iterator<Item = T> {
        (0..self.matrix.rows.min(self.matrix.columns)).map(|place| self.matrix.at(place, place))
    }

    /// The determinant of the permutation.
    fn sign(&self) -> T {
        if self.odd { T::default() - T::ONE } else { T::ONE }
    }

    /// Itself unless it is singular.
    fn regular(self) -> Result<Self, ArrayError> {
        if self.diagonal().any(|element| element == T::default()) {
            Err(SINGULAR)
        } else {
            Ok(self)
        }
    }

    fn solve(&self, right: &Work<T>) -> Result<Work<T>, ArrayError> {
        let mut solution = Work::zeros(right.rows, right.columns)?;
        let rows = right.rows.max(1);
        let columns = right.elements().chunks_exact(rows);
        for (to, from) in solution.elements_mut().chunks_exact_mut(rows).zip(columns) {
            for (place, row) in self.order.iter().enumerate() {
                to[place] = from[*row];
            }
        }
        let half = triangular(&self.matrix, solution, true, Form::Plain, true);
        Ok(triangular(&self.matrix, half, false, Form::Plain, false))
    }
}

fn triangular<T: Field>(
    matrix: &Work<T>,
    mut right: Work<T>,
    lower: bool,
    form: Form,
    unit: bool,
) -> Work<T> {
    if right.rows == 0 || right.columns == 0 {
        return right;
    }
    let (matrix, lower) = match form {
        Form::Plain => (matrix.mat(), lower),
        Form::Transposed | Form::Adjoint => (matrix.mat().transpose(), !lower),
    };
    let which = Triangle { lower, unit, conjugate: form == Form::Adjoint };
    T::solve_triangular(matrix, which, right.mat_mut());
    right
}

fn eigh_of<T: Field>(a: &Chunk, lower: bool) -> Result<(Chunk, Chunk), ArrayError> {
    const FAILED: ArrayError = ArrayError::LinearAlgebra { reason: "Eigenvalues did not converge" };
    let mut matrix = Work::<T>::of(&if lower { a.clone() } else { a.permuted(&[1, 0]) })?;
    if !lower {
        for element in matrix.elements_mut() {
            *element = element.conjugate();
        }
    }
    // What the other triangle holds is nobody's business.
    matrix.clear(false);
    if !matrix.is_finite() {
        return Err(FAILED);
    }
    let size = matrix.rows;
    let (mut values, mut vectors) = (Work::<T>::zeros(size, 1)?, Work::<T>::zeros(size, size)?);
    if size > 0 {
        T::eigh(matrix.mat(), values.mat_mut(), vectors.mat_mut()).map_err(|failure| {
            if failure == Failure::NoConvergence { FAILED } else { failed(failure) }
        })?;
    }
    Ok((real_parts(&values)?, vectors.into_chunk()?))
}
