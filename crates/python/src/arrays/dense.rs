//! The kernels of whole chunks for Python code: matrices, transforms, sorting, searching, counting.
//!
//! Every function takes plain arrays of native dtypes as they are, works without the interpreter,
//! and gives new arrays. It returns None where an array or a dtype has no native form.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use samite::array::kernels::fourier::Norm;
use samite::array::kernels::linalg::Form;
use samite::array::kernels::select::Between;
use samite::array::kernels::{
    deal, fourier, histogram, linalg, matmul, searchsorted, select, sort, take,
};
use samite::array::{ArrayError, Chunk};

use crate::arrays::convert::{raised, to_argument, to_chunk, to_numpy};
use crate::gil;

type Object<'py> = Bound<'py, PyAny>;
type Result1<'py> = PyResult<Option<Object<'py>>>;
type Result2<'py> = PyResult<Option<(Object<'py>, Object<'py>)>>;
type Result3<'py> = PyResult<Option<(Object<'py>, Object<'py>, Object<'py>)>>;

/// The result of a kernel, which ran without the interpreter; `None` where it has no form for the
/// dtypes.
fn run<T>(py: Python<'_>, kernel: impl FnOnce() -> Result<T, ArrayError>) -> PyResult<Option<T>> {
    match gil::released(kernel) {
        Ok(result) => Ok(Some(result)),
        Err(ArrayError::DTypes { .. }) => Ok(None),
        Err(failed) => Err(raised(py, failed)),
    }
}

fn one<'py>(
    array: &Object<'py>,
    kernel: impl FnOnce(&Chunk) -> Result<Chunk, ArrayError>,
) -> Result1<'py> {
    let py = array.py();
    let Some(chunk) = to_chunk(array) else { return Ok(None) };
    run(py, || kernel(&chunk))?.map(|made| to_numpy(py, &made)).transpose()
}

fn two<'py>(
    array: &Object<'py>,
    other: &Object<'py>,
    kernel: impl FnOnce(&Chunk, &Chunk) -> Result<Chunk, ArrayError>,
) -> Result1<'py> {
    let Some(second) = to_chunk(other) else { return Ok(None) };
    one(array, |first| kernel(first, &second))
}

fn pair<'py>(
    array: &Object<'py>,
    kernel: impl FnOnce(&Chunk) -> Result<(Chunk, Chunk), ArrayError>,
) -> Result2<'py> {
    let py = array.py();
    let Some(chunk) = to_chunk(array) else { return Ok(None) };
    let Some((first, second)) = run(py, || kernel(&chunk))? else { return Ok(None) };
    Ok(Some((to_argument(py, &first)?, to_argument(py, &second)?)))
}

fn triple<'py>(
    array: &Object<'py>,
    kernel: impl FnOnce(&Chunk) -> Result<(Chunk, Chunk, Chunk), ArrayError>,
) -> Result3<'py> {
    let py = array.py();
    let Some(chunk) = to_chunk(array) else { return Ok(None) };
    let Some((first, second, third)) = run(py, || kernel(&chunk))? else { return Ok(None) };
    Ok(Some((to_numpy(py, &first)?, to_numpy(py, &second)?, to_numpy(py, &third)?)))
}

/// The product of two matrices, or of two stacks of as many.
#[pyfunction(name = "matmul")]
fn dense_matmul<'py>(left: &Object<'py>, right: &Object<'py>) -> Result1<'py> {
    two(left, right, |left, right| matmul::matmul_batched(&[(left.clone(), right.clone())]))
}

/// The thin factors `q` and `r`; the diagonal of `r` is not negative.
#[pyfunction]
fn qr<'py>(a: &Object<'py>) -> Result2<'py> {
    pair(a, linalg::qr)
}

/// The thin singular value decomposition.
#[pyfunction]
fn svd<'py>(a: &Object<'py>) -> Result3<'py> {
    triple(a, linalg::svd)
}

/// The triangular factor of a positive definite matrix.
#[pyfunction]
fn cholesky<'py>(a: &Object<'py>, lower: bool) -> Result1<'py> {
    one(a, |a| linalg::cholesky(a, lower))
}

/// The factors of `a == l[rows] @ u`, as `(rows, l, u)`.
#[pyfunction]
fn lu<'py>(a: &Object<'py>) -> Result3<'py> {
    triple(a, linalg::lu_rows)
}

/// The solution of a triangular system; `form` is "N", "T" or "C".
#[pyfunction]
fn solve_triangular<'py>(
    a: &Object<'py>,
    b: &Object<'py>,
    lower: bool,
    form: &str,
    unit: bool,
) -> Result1<'py> {
    let form = match form {
        "N" => Form::Plain,
        "T" => Form::Transposed,
        "C" => Form::Adjoint,
        _ => return Err(PyValueError::new_err("the form of a matrix is 'N', 'T' or 'C'")),
    };
    two(a, b, |a, b| linalg::solve_triangular(a, b, lower, form, unit))
}

/// The solution of a system.
#[pyfunction]
fn solve<'py>(a: &Object<'py>, b: &Object<'py>) -> Result1<'py> {
    two(a, b, linalg::solve)
}

/// The inverse of a matrix.
#[pyfunction]
fn inv<'py>(a: &Object<'py>) -> Result1<'py> {
    one(a, linalg::inv)
}

/// The eigenvalues and eigenvectors of a Hermitian matrix.
#[pyfunction]
fn eigh<'py>(a: &Object<'py>, lower: bool) -> Result2<'py> {
    pair(a, |a| linalg::eigh(a, lower))
}

/// The determinant.
#[pyfunction]
fn det<'py>(a: &Object<'py>) -> Result1<'py> {
    let py = a.py();
    let Some(chunk) = to_chunk(a) else { return Ok(None) };
    run(py, || linalg::det(&chunk))?.map(|made| to_argument(py, &made)).transpose()
}

/// The sign and the logarithm of the determinant.
#[pyfunction]
fn slogdet<'py>(a: &Object<'py>) -> Result2<'py> {
    pair(a, linalg::slogdet)
}

fn norm_of(name: Option<&str>) -> PyResult<Norm> {
    match name {
        None | Some("backward") => Ok(Norm::Backward),
        Some("ortho") => Ok(Norm::Ortho),
        Some("forward") => Ok(Norm::Forward),
        Some(other) => Err(PyValueError::new_err(format!(
            "Invalid norm value {other}; should be \"backward\",\"ortho\" or \"forward\"."
        ))),
    }
}

/// The Fourier transform of a kind ("fft", "ifft", "rfft", "irfft", "hfft" or "ihfft") along an
/// axis.
#[pyfunction]
fn fft<'py>(
    a: &Object<'py>,
    kind: &str,
    axis: usize,
    n: Option<usize>,
    norm: Option<&str>,
) -> Result1<'py> {
    let norm = norm_of(norm)?;
    match kind {
        "fft" => one(a, |a| fourier::fft(a, axis, n, false, norm)),
        "ifft" => one(a, |a| fourier::fft(a, axis, n, true, norm)),
        "rfft" => one(a, |a| fourier::rfft(a, axis, n, norm)),
        "irfft" => one(a, |a| fourier::irfft(a, axis, n, norm)),
        "hfft" => one(a, |a| fourier::hfft(a, axis, n, norm)),
        "ihfft" => one(a, |a| fourier::ihfft(a, axis, n, norm)),
        _ => Ok(None),
    }
}

/// The elements in order along an axis.
#[pyfunction(name = "sort")]
fn dense_sort<'py>(a: &Object<'py>, axis: usize) -> Result1<'py> {
    one(a, |a| sort::sort(a, axis))
}

/// The positions that put the elements in order along an axis, equal ones as they stand.
#[pyfunction]
fn argsort<'py>(a: &Object<'py>, axis: usize) -> Result1<'py> {
    one(a, |a| sort::argsort(a, axis))
}

/// The `k` greatest elements along an axis, greatest first, or the `-k` least ones.
#[pyfunction]
fn topk<'py>(a: &Object<'py>, k: isize, axis: usize) -> Result1<'py> {
    one(a, |a| sort::topk(a, k, axis))
}

/// The positions of what `topk` gives.
#[pyfunction]
fn argtopk<'py>(a: &Object<'py>, k: isize, axis: usize) -> Result1<'py> {
    one(a, |a| sort::argtopk(a, k, axis))
}

/// The places of values in a sorted sequence.
#[pyfunction(name = "searchsorted")]
fn dense_searchsorted<'py>(
    sorted: &Object<'py>,
    values: &Object<'py>,
    right: bool,
) -> Result1<'py> {
    two(sorted, values, |sorted, values| searchsorted::searchsorted(sorted, values, right))
}

/// The bins that values fall into.
#[pyfunction]
fn digitize<'py>(values: &Object<'py>, bins: &Object<'py>, right: bool) -> Result1<'py> {
    two(values, bins, |values, bins| searchsorted::digitize(values, bins, right))
}

/// How many elements lie between each edge and the next, or the sums of their weights.
#[pyfunction(name = "histogram")]
fn dense_histogram<'py>(
    a: &Object<'py>,
    edges: Vec<f64>,
    weights: Option<&Object<'py>>,
) -> Result1<'py> {
    match weights {
        None => one(a, |a| histogram::histogram(a, &edges, None)),
        Some(weights) => {
            two(a, weights, |a, weights| histogram::histogram(a, &edges, Some(weights)))
        }
    }
}

/// How often each whole number occurs, or the sums of weights.
#[pyfunction]
fn bincount<'py>(a: &Object<'py>, weights: Option<&Object<'py>>, minlength: usize) -> Result1<'py> {
    match weights {
        None => one(a, |a| histogram::bincount(a, None, minlength)),
        Some(weights) => {
            two(a, weights, |a, weights| histogram::bincount(a, Some(weights), minlength))
        }
    }
}

/// The quantiles along an axis, which are the first axis of the result.
#[pyfunction]
fn quantiles<'py>(a: &Object<'py>, q: Vec<f64>, axis: usize, method: &str) -> Result1<'py> {
    let between = match method {
        "linear" => Between::Linear,
        "lower" => Between::Lower,
        "higher" => Between::Higher,
        "midpoint" => Between::Midpoint,
        "nearest" => Between::Nearest,
        _ => return Ok(None),
    };
    one(a, |a| select::quantiles(a, axis, &q, between))
}

/// The elements at indices (`int64`) along an axis.
#[pyfunction(name = "take")]
fn dense_take<'py>(a: &Object<'py>, indices: &Object<'py>, axis: usize) -> Result1<'py> {
    two(a, indices, |a, indices| match indices.as_slice::<i64>() {
        Some(places) => take::take(a, places, axis),
        None => take::take(a, &indices.to_vec::<i64>()?, axis),
    })
}

/// For each number below `count` the columns of `rows` that have it in `numbers` (`uint16`).
#[pyfunction(name = "deal")]
fn dense_deal<'py>(
    rows: &Object<'py>,
    numbers: &Object<'py>,
    count: usize,
) -> PyResult<Option<Vec<Object<'py>>>> {
    let py = rows.py();
    let (Some(rows), Some(numbers)) = (to_chunk(rows), to_chunk(numbers)) else { return Ok(None) };
    let Some(dealt) = run(py, || deal::deal(&rows, &numbers, count))? else { return Ok(None) };
    dealt.iter().map(|part| to_numpy(py, part)).collect::<PyResult<_>>().map(Some)
}

/// Adds the module of these functions.
pub fn register(parent: &Bound<'_, PyModule>) -> PyResult<()> {
    let module = PyModule::new(parent.py(), "_dense")?;
    module.add_function(wrap_pyfunction!(dense_matmul, &module)?)?;
    module.add_function(wrap_pyfunction!(qr, &module)?)?;
    module.add_function(wrap_pyfunction!(svd, &module)?)?;
    module.add_function(wrap_pyfunction!(cholesky, &module)?)?;
    module.add_function(wrap_pyfunction!(lu, &module)?)?;
    module.add_function(wrap_pyfunction!(solve_triangular, &module)?)?;
    module.add_function(wrap_pyfunction!(solve, &module)?)?;
    module.add_function(wrap_pyfunction!(inv, &module)?)?;
    module.add_function(wrap_pyfunction!(eigh, &module)?)?;
    module.add_function(wrap_pyfunction!(det, &module)?)?;
    module.add_function(wrap_pyfunction!(slogdet, &module)?)?;
    module.add_function(wrap_pyfunction!(fft, &module)?)?;
    module.add_function(wrap_pyfunction!(dense_sort, &module)?)?;
    module.add_function(wrap_pyfunction!(argsort, &module)?)?;
    module.add_function(wrap_pyfunction!(topk, &module)?)?;
    module.add_function(wrap_pyfunction!(argtopk, &module)?)?;
    module.add_function(wrap_pyfunction!(dense_searchsorted, &module)?)?;
    module.add_function(wrap_pyfunction!(dense_deal, &module)?)?;
    module.add_function(wrap_pyfunction!(digitize, &module)?)?;
    module.add_function(wrap_pyfunction!(dense_histogram, &module)?)?;
    module.add_function(wrap_pyfunction!(bincount, &module)?)?;
    module.add_function(wrap_pyfunction!(quantiles, &module)?)?;
    module.add_function(wrap_pyfunction!(dense_take, &module)?)?;
    parent.add_submodule(&module)
}
