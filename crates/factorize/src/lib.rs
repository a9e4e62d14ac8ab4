//! Factorizations of dense matrices on one thread: faer's generic code, compiled here for the four
//! types of elements. It takes minutes of processor time, which the crates that call it are spared
//! whenever they change.
//!
//! Invariant: no chunk, no graph, no thread. Matrices are views that the caller owns.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor as llt;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::linalg::lu::partial_pivoting::factor as lu;
use faer::linalg::qr::no_pivoting::factor as qr;
use faer::linalg::svd::{self, ComputeSvdVectors};
use faer::linalg::{householder, triangular_inverse, triangular_solve};
use faer::traits::ComplexField;
use faer::{Conj, Mat, Par};
use num_complex::{Complex32, Complex64};

pub use faer::traits;
pub use faer::{MatMut, MatRef};

/// Why a factorization was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Failure {
    #[error("the method did not converge")]
    NoConvergence,
    #[error("the matrix is not positive definite")]
    NotPositive,
    #[error("{bytes} bytes of scratch memory are not to be had")]
    OutOfMemory { bytes: usize },
}

/// Which triangle a matrix is, and how it is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triangle {
    /// Whether it is the lower one.
    pub lower: bool,
    /// Whether its diagonal is to be taken as ones.
    pub unit: bool,
    /// Whether it is to be conjugated.
    pub conjugate: bool,
}

/// Elements that matrices are factorized of. Shapes that do not fit are the caller's mistake and
/// panic; elements that are not finite are not looked for.
pub trait Factorize: ComplexField {
    /// Writes the upper triangle and the reflections of a QR factorization in place of `matrix`,
    /// and the thin orthonormal factor to `q`, which holds ones on its diagonal before.
    ///
    /// # Errors
    /// [`Failure::OutOfMemory`].
    fn qr(matrix: MatMut<'_, Self>, q: MatMut<'_, Self>) -> Result<(), Failure>;

    /// Writes the lower Cholesky factor in place of the lower triangle of `matrix`.
    ///
    /// # Errors
    /// [`Failure::NotPositive`], [`Failure::OutOfMemory`].
    fn cholesky(matrix: MatMut<'_, Self>) -> Result<(), Failure>;

    /// Writes both triangles of an LU factorization in place of `matrix`, and the order of rows.
    /// Returns whether the permutation is odd. A pivot of zero is divided by.
    ///
    /// # Errors
    /// [`Failure::OutOfMemory`].
    fn lu(
        matrix: MatMut<'_, Self>,
        order: &mut [usize],
        inverse: &mut [usize],
    ) -> Result<bool, Failure>;

    /// Writes the thin singular value decomposition, the values to the only column of `s`.
    ///
    /// # Errors
    /// [`Failure::NoConvergence`], [`Failure::OutOfMemory`].
    fn svd(
        matrix: MatRef<'_, Self>,
        u: MatMut<'_, Self>,
        s: MatMut<'_, Self>,
        v: MatMut<'_, Self>,
    ) -> Result<(), Failure>;

    /// Writes the eigenvalues of the Hermitian matrix with this lower triangle to the only column
    /// of `values`, and its eigenvectors.
    ///
    /// # Errors
    /// [`Failure::NoConvergence`], [`Failure::OutOfMemory`].
    fn eigh(
        matrix: MatRef<'_, Self>,
        values: MatMut<'_, Self>,
        vectors: MatMut<'_, Self>,
    ) -> Result<(), Failure>;

    /// Writes the solution of a triangular system in place of its right side.
    fn solve_triangular(matrix: MatRef<'_, Self>, which: Triangle, right: MatMut<'_, Self>);

    /// Writes the inverse of an upper triangle.
    fn invert_upper(matrix: MatRef<'_, Self>, inverse: MatMut<'_, Self>);
}

fn scratch(needed: StackReq) -> Result<MemBuffer, Failure> {
    let failed = Failure::OutOfMemory { bytes: needed.unaligned_bytes_required() };
    MemBuffer::try_new(needed).map_err(|_| failed)
}

macro_rules! factorize {
    ($($type:ty),*) => {
        $(impl Factorize for $type {
            fn qr(mut matrix: MatMut<'_, Self>, q: MatMut<'_, Self>) -> Result<(), Failure> {
                let (rows, columns) = (matrix.nrows(), matrix.ncols());
                let size = rows.min(columns);
                let block = qr::recommended_block_size::<Self>(rows, columns);
                let mut coefficients = Mat::<Self>::zeros(block, size);
                let mut memory = scratch(StackReq::any_of(&[
                    qr::qr_in_place_scratch::<Self>(
                        rows,
                        columns,
                        block,
                        Par::Seq,
                        Default::default(),
                    ),
                    householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<
                        Self,
                    >(rows, block, size),
                ]))?;
                let stack = MemStack::new(&mut memory);
                qr::qr_in_place(
                    matrix.as_mut(),
                    coefficients.as_mut(),
                    Par::Seq,
                    stack,
                    Default::default(),
                );
                householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
                    matrix.as_ref().get(.., ..size),
                    coefficients.as_ref(),
                    Conj::No,
                    q,
                    Par::Seq,
                    stack,
                );
                Ok(())
            }

            fn cholesky(matrix: MatMut<'_, Self>) -> Result<(), Failure> {
                let needed = llt::cholesky_in_place_scratch::<Self>(
                    matrix.nrows(),
                    Par::Seq,
                    Default::default(),
                );
                let mut memory = scratch(needed)?;
                let stack = MemStack::new(&mut memory);
                let (regular, params) = (Default::default(), Default::default());
                match llt::cholesky_in_place(matrix, regular, Par::Seq, stack, params) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Failure::NotPositive),
                }
            }

            fn lu(
                matrix: MatMut<'_, Self>,
                order: &mut [usize],
                inverse: &mut [usize],
            ) -> Result<bool, Failure> {
                let needed = lu::lu_in_place_scratch::<usize, Self>(
                    matrix.nrows(),
                    matrix.ncols(),
                    Par::Seq,
                    Default::default(),
                );
                let mut memory = scratch(needed)?;
                let stack = MemStack::new(&mut memory);
                let params = Default::default();
                let (info, _) =
                    lu::lu_in_place(matrix, order, inverse, Par::Seq, stack, params);
                Ok(info.transposition_count % 2 == 1)
            }

            fn svd(
                matrix: MatRef<'_, Self>,
                u: MatMut<'_, Self>,
                s: MatMut<'_, Self>,
                v: MatMut<'_, Self>,
            ) -> Result<(), Failure> {
                let thin = ComputeSvdVectors::Thin;
                let mut memory = scratch(svd::svd_scratch::<Self>(
                    matrix.nrows(),
                    matrix.ncols(),
                    thin,
                    thin,
                    Par::Seq,
                    Default::default(),
                ))?;
                svd::svd(
                    matrix,
                    s.col_mut(0).as_diagonal_mut(),
                    Some(u),
                    Some(v),
                    Par::Seq,
                    MemStack::new(&mut memory),
                    Default::default(),
                )
                .map_err(|_| Failure::NoConvergence)
            }

            fn eigh(
                matrix: MatRef<'_, Self>,
                values: MatMut<'_, Self>,
                vectors: MatMut<'_, Self>,
            ) -> Result<(), Failure> {
                let mut memory = scratch(evd::self_adjoint_evd_scratch::<Self>(
                    matrix.nrows(),
                    ComputeEigenvectors::Yes,
                    Par::Seq,
                    Default::default(),
                ))?;
                evd::self_adjoint_evd(
                    matrix,
                    values.col_mut(0).as_diagonal_mut(),
                    Some(vectors),
                    Par::Seq,
                    MemStack::new(&mut memory),
                    Default::default(),
                )
                .map_err(|_| Failure::NoConvergence)
            }

            fn solve_triangular(
                matrix: MatRef<'_, Self>,
                which: Triangle,
                right: MatMut<'_, Self>,
            ) {
                use triangular_solve as by;
                let conj = if which.conjugate { Conj::Yes } else { Conj::No };
                match (which.lower, which.unit) {
                    (true, false) => by::solve_lower_triangular_in_place_with_conj(
                        matrix,
                        conj,
                        right,
                        Par::Seq,
                    ),
                    (true, true) => by::solve_unit_lower_triangular_in_place_with_conj(
                        matrix,
                        conj,
                        right,
                        Par::Seq,
                    ),
                    (false, false) => by::solve_upper_triangular_in_place_with_conj(
                        matrix,
                        conj,
                        right,
                        Par::Seq,
                    ),
                    (false, true) => by::solve_unit_upper_triangular_in_place_with_conj(
                        matrix,
                        conj,
                        right,
                        Par::Seq,
                    ),
                }
            }

            fn invert_upper(matrix: MatRef<'_, Self>, inverse: MatMut<'_, Self>) {
                triangular_inverse::invert_upper_triangular(inverse, matrix, Par::Seq);
            }
        })*
    };
}

factorize!(f32, f64, Complex32, Complex64);
