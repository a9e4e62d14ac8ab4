//! Fourier transforms against sums that are written out.

use num_complex::{Complex32, Complex64};
use proptest::prelude::*;
use samite_array::kernels::fourier::{Norm, fft, hfft, ihfft, irfft, rfft};
use samite_array::{ArrayError, Chunk, DType};

use crate::views::{LIES, lay};

/// The transform of one line, not normed.
fn naive(line: &[Complex64], n: usize, inverse: bool) -> Vec<Complex64> {
    let sign = if inverse { 1.0 } else { -1.0 };
    let turn =
        |k: usize| Complex64::cis(sign * 2.0 * std::f64::consts::PI * (k % n) as f64 / n as f64);
    (0..n).map(|k| line.iter().take(n).enumerate().map(|(j, x)| x * turn(j * k)).sum()).collect()
}

fn factor(norm: Norm, n: usize, inverse: bool) -> f64 {
    match (norm, inverse) {
        (Norm::Ortho, _) => 1.0 / (n as f64).sqrt(),
        (Norm::Backward, true) | (Norm::Forward, false) => 1.0 / n as f64,
        _ => 1.0,
    }
}

/// All lines of a C-contiguous array, each replaced by what `of` makes of it.
fn along<T: Copy>(
    shape: [usize; 3],
    axis: usize,
    elements: &[T],
    of: impl Fn(Vec<T>) -> Vec<Complex64>,
) -> Vec<Complex64> {
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let mut result = Vec::new();
    for block in 0..outer {
        let lines: Vec<Vec<Complex64>> = (0..inner)
            .map(|place| {
                let at = |j: usize| elements[(block * shape[axis] + j) * inner + place];
                of((0..shape[axis]).map(at).collect())
            })
            .collect();
        for j in 0..lines[0].len() {
            result.extend(lines.iter().map(|line| line[j]));
        }
    }
    result
}

fn close(found: &[Complex64], wanted: &[Complex64]) {
    assert_eq!(found.len(), wanted.len());
    for (one, other) in found.iter().zip(wanted) {
        assert!((one - other).norm() < 1e-8, "{one} {other}");
    }
}

fn complexes(chunk: &Chunk) -> Vec<Complex64> {
    match chunk.dtype() {
        DType::F64 => chunk.to_vec::<f64>().unwrap().into_iter().map(Complex64::from).collect(),
        _ => chunk.to_vec::<Complex64>().unwrap(),
    }
}

proptest! {
    #[test]
    fn transforms(
        shape in prop::array::uniform3(1usize..20),
        axis in 0usize..3,
        n in prop::option::of(1usize..30),
        norm in prop::sample::select(vec![Norm::Backward, Norm::Ortho, Norm::Forward]),
        lie in 0usize..5,
        salt in 0.0..1.0f64,
    ) {
        let len = shape.iter().product::<usize>();
        let reals: Vec<f64> = (0..len).map(|i| ((i as f64 + salt) * 1.37).sin()).collect();
        let mixed: Vec<Complex64> =
            reals.iter().map(|x| Complex64::new(*x, (x * 31.0).cos())).collect();
        let (real, complex) = (lay(&shape, &reals, LIES[lie]), lay(&shape, &mixed, LIES[lie]));
        let widened: Vec<Complex64> = reals.iter().copied().map(Complex64::from).collect();
        let length = n.unwrap_or(shape[axis]);
        let half = |mut line: Vec<Complex64>| {
            line.truncate(length / 2 + 1);
            line
        };
        for inverse in [false, true] {
            let by = factor(norm, length, inverse);
            let scaled = |line: &[Complex64]| -> Vec<Complex64> {
                naive(line, length, inverse).into_iter().map(|x| x * by).collect()
            };
            let wanted = along(shape, axis, &mixed, |line| scaled(&line));
            close(&complexes(&fft(&complex, axis, n, inverse, norm).unwrap()), &wanted);
            let wanted = along(shape, axis, &widened, |line| scaled(&line));
            close(&complexes(&fft(&real, axis, n, inverse, norm).unwrap()), &wanted);
            let wanted = along(shape, axis, &widened, |line| half(scaled(&line)));
            let found = if inverse { ihfft(&real, axis, n, norm) } else { rfft(&real, axis, n, norm) };
            close(&complexes(&found.unwrap()), &wanted);
        }
        if n.is_some() || shape[axis] > 1 {
            let length = n.unwrap_or(2 * (shape[axis] - 1));
            let full = |line: &[Complex64], inverse: bool| -> Vec<Complex64> {
                let take = |k: usize| line.get(k).copied().unwrap_or_default();
                let signal: Vec<Complex64> = (0..length)
                    .map(|k| match k {
                        0 => take(0).re.into(),
                        _ if 2 * k == length => take(k).re.into(),
                        _ if 2 * k < length => take(k),
                        _ => take(length - k).conj(),
                    })
                    .collect();
                let by = factor(norm, length, inverse);
                naive(&signal, length, inverse).into_iter().map(|x| x * by).collect()
            };
            let wanted = along(shape, axis, &mixed, |line| full(&line, true));
            close(&complexes(&irfft(&complex, axis, n, norm).unwrap()), &wanted);
            let wanted = along(shape, axis, &mixed, |line| full(&line, false));
            close(&complexes(&hfft(&complex, axis, n, norm).unwrap()), &wanted);
        }
    }
}

#[test]
fn single_precision_stays_single() {
    let chunk = Chunk::from_slice(&[4], &[1f32, 2.0, 3.0, 4.0]).unwrap();
    let found = fft(&chunk, 0, None, false, Norm::Backward).unwrap();
    let wanted = [(10.0, 0.0), (-2.0, 2.0), (-2.0, 0.0), (-2.0, -2.0)];
    let wanted = wanted.map(|(re, im)| Complex32::new(re, im));
    assert_eq!(found.to_vec::<Complex32>().unwrap(), wanted);
    let back = irfft(&rfft(&chunk, 0, None, Norm::Backward).unwrap(), 0, None, Norm::Backward);
    assert_eq!(back.unwrap().to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn odd_requests() {
    let chunk = Chunk::from_slice(&[2, 0], &[] as &[f64]).unwrap();
    let refused = fft(&chunk, 1, None, false, Norm::Backward);
    assert!(matches!(refused, Err(ArrayError::Parameter { .. })));
    let padded = fft(&chunk, 1, Some(3), false, Norm::Backward).unwrap();
    assert_eq!(padded.to_vec::<Complex64>().unwrap(), [Complex64::default(); 6]);
    assert_eq!(fft(&chunk, 0, None, false, Norm::Backward).unwrap().shape(), [2, 0]);
    assert!(matches!(fft(&chunk, 2, None, false, Norm::Ortho), Err(ArrayError::Axis { .. })));
    let whole = Chunk::from_slice(&[2], &[1i32, 2]).unwrap();
    assert!(matches!(rfft(&whole, 0, None, Norm::Ortho), Err(ArrayError::DTypes { .. })));
    let nan = Chunk::from_slice(&[4], &[f64::NAN, 1.0, 2.0, 3.0]).unwrap();
    let result = fft(&nan, 0, None, false, Norm::Backward).unwrap();
    assert!(result.to_vec::<Complex64>().unwrap().iter().all(|x| x.re.is_nan()));
}
