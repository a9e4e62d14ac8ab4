//! Factorizations, whose factors are multiplied again.

use num_complex::{Complex, Complex32, Complex64};
use samite_array::kernels::linalg::{
    Form, cholesky, det, eigh, inv, lu, lu_rows, qr, slogdet, solve, solve_triangular, svd,
};
use samite_array::kernels::matmul::matmul;
use samite_array::kernels::random::{Distribution, generate};
use samite_array::{ArrayError, Chunk, DType, Scalar};

use crate::views::{LIES, lay};

const DTYPES: [DType; 4] = [DType::F32, DType::F64, DType::C64, DType::C128];

/// The elements as complex numbers of double precision.
fn wide(chunk: &Chunk) -> Vec<Complex64> {
    match chunk.dtype() {
        DType::F32 => {
            chunk.to_vec::<f32>().unwrap().into_iter().map(|x| f64::from(x).into()).collect()
        }
        DType::F64 => chunk.to_vec::<f64>().unwrap().into_iter().map(Complex64::from).collect(),
        DType::C64 => {
            let elements = chunk.to_vec::<Complex32>().unwrap();
            elements.into_iter().map(|x| Complex::new(x.re.into(), x.im.into())).collect()
        }
        _ => chunk.to_vec::<Complex64>().unwrap(),
    }
}

fn narrow(shape: &[usize], elements: &[Complex64], dtype: DType) -> Chunk {
    match dtype {
        DType::F32 => {
            let elements: Vec<f32> = elements.iter().map(|x| x.re as f32).collect();
            Chunk::from_slice(shape, &elements).unwrap()
        }
        DType::F64 => {
            let elements: Vec<f64> = elements.iter().map(|x| x.re).collect();
            Chunk::from_slice(shape, &elements).unwrap()
        }
        DType::C64 => {
            let elements: Vec<Complex32> =
                elements.iter().map(|x| Complex::new(x.re as f32, x.im as f32)).collect();
            Chunk::from_slice(shape, &elements).unwrap()
        }
        _ => Chunk::from_slice(shape, elements).unwrap(),
    }
}

fn some(shape: &[usize], dtype: DType) -> Chunk {
    let normal = Distribution::Normal { loc: 0.3, scale: 1.0 };
    let chunk = generate(&normal, [1, 2, 3, 4], 0, shape, DType::C128).unwrap();
    narrow(shape, &wide(&chunk), dtype)
}

/// The conjugate transpose.
fn adjoint(chunk: &Chunk) -> Chunk {
    let turned = chunk.permuted(&[1, 0]);
    let elements: Vec<Complex64> = wide(&turned).iter().map(Complex64::conj).collect();
    narrow(turned.shape(), &elements, chunk.dtype())
}

fn times(one: &Chunk, other: &Chunk) -> Chunk {
    matmul(&[(one.clone(), other.clone())]).unwrap()
}

fn tolerance(dtype: DType) -> f64 {
    if matches!(dtype, DType::F32 | DType::C64) { 2e-4 } else { 1e-11 }
}

#[track_caller]
fn close(found: &Chunk, wanted: &Chunk) {
    assert_eq!(found.shape(), wanted.shape());
    assert_eq!(found.dtype(), wanted.dtype());
    let size = wide(wanted).iter().map(|x| x.norm()).fold(1.0, f64::max);
    for (one, other) in wide(found).iter().zip(wide(wanted)) {
        assert!((one - other).norm() <= tolerance(found.dtype()) * size, "{one} {other}");
    }
}

fn identity(size: usize, dtype: DType) -> Chunk {
    let ones = |place: usize| f64::from(u8::from(place.is_multiple_of(size + 1))).into();
    narrow(&[size, size], &(0..size * size).map(ones).collect::<Vec<_>>(), dtype)
}

fn triangle(chunk: &Chunk, lower: bool) -> Chunk {
    let columns = chunk.shape()[1];
    let mut elements = wide(chunk);
    for (place, element) in elements.iter_mut().enumerate() {
        let (row, column) = (place / columns, place % columns);
        if (lower && column > row) || (!lower && column < row) {
            *element = 0.0.into();
        }
    }
    narrow(chunk.shape(), &elements, chunk.dtype())
}

fn check_qr(a: &Chunk) {
    let (q, r) = qr(a).unwrap();
    let size = a.shape()[0].min(a.shape()[1]);
    assert_eq!(q.shape(), [a.shape()[0], size]);
    close(&times(&q, &r), a);
    close(&times(&adjoint(&q), &q), &identity(size, a.dtype()));
    close(&r, &triangle(&r, false));
    let columns = a.shape()[1];
    for place in 0..size {
        let pivot = wide(&r)[place * (columns + 1)];
        assert!(pivot.re >= 0.0 && pivot.im.abs() < tolerance(a.dtype()));
    }
}

#[test]
fn qr_factors() {
    for dtype in DTYPES {
        for shape in [[1, 1], [7, 7], [30, 8], [8, 30], [200, 90], [5000, 3]] {
            check_qr(&some(&shape, dtype));
        }
        let elements = wide(&some(&[9, 4], dtype));
        for lie in LIES {
            if dtype == DType::C128 {
                check_qr(&lay(&[9, 4], &elements, lie));
            }
        }
    }
}

#[test]
fn tall_qr_factors() {
    for dtype in DTYPES {
        check_qr(&some(&[20_000, 20], dtype));
        check_qr(&some(&[100_001, 7], dtype).slice(0, 100_000, -1, 100_001).unwrap());
    }
    check_qr(&some(&[20, 30_000], DType::F64).permuted(&[1, 0]));
}

/// Columns that depend on one another, nearly or wholly, or are far out of scale.
#[test]
fn tall_qr_of_hard_matrices() {
    let (rows, columns) = (30_000, 12);
    let base = wide(&some(&[rows, columns], DType::F64));
    let with = |of: &dyn Fn(usize, usize, &[Complex64]) -> Complex64| {
        let elements: Vec<Complex64> = (0..rows * columns)
            .map(|at| {
                let (row, column) = (at / columns, at % columns);
                of(row, column, &base[row * columns..][..columns])
            })
            .collect();
        narrow(&[rows, columns], &elements, DType::F64)
    };
    check_qr(&with(&|_, _, row| row[0]));
    check_qr(&with(&|_, column, row| row[0] + row[column] * 1e-9));
    check_qr(&with(&|_, column, row| row[0] + row[column] * 1e-5));
    check_qr(&with(&|_, column, row| if column == 3 { 0.0.into() } else { row[column] }));
    check_qr(&with(&|row, column, all| if row < 20_000 { 0.0.into() } else { all[column] }));
    check_qr(&with(&|_, _, _| 0.0.into()));
    for scale in [1e-200, 1e200] {
        let a = with(&|_, column, row| row[column] * scale);
        let (q, r) = qr(&a).unwrap();
        close(&times(&adjoint(&q), &q), &identity(columns, DType::F64));
        let back = wide(&times(&q, &r));
        assert!(back.iter().zip(wide(&a)).all(|(x, y)| ((x - y) / scale).norm() < 1e-11));
    }
    for odd in [f64::NAN, f64::INFINITY] {
        let a = with(&|row, column, all| if row == 9_000 { odd.into() } else { all[column] });
        let (q, r) = qr(&a).unwrap();
        assert_eq!((q.shape(), r.shape()), (&[rows, columns][..], &[columns, columns][..]));
        assert!(wide(&q).iter().chain(&wide(&r)).all(|x| x.is_nan()));
    }
}

#[test]
fn singular_values() {
    for dtype in DTYPES {
        for shape in [[1, 1], [6, 6], [30, 8], [8, 30], [3000, 9], [60, 50]] {
            let a = some(&shape, dtype);
            let (u, s, vh) = svd(&a).unwrap();
            let size = shape[0].min(shape[1]);
            assert_eq!((u.shape(), vh.shape()), (&[shape[0], size][..], &[size, shape[1]][..]));
            close(&times(&adjoint(&u), &u), &identity(size, dtype));
            close(&times(&vh, &adjoint(&vh)), &identity(size, dtype));
            let values = wide(&s);
            assert!(values.windows(2).all(|pair| pair[0].re >= pair[1].re));
            let scaled: Vec<Complex64> =
                wide(&u).iter().enumerate().map(|(at, x)| x * values[at % size]).collect();
            close(&times(&narrow(u.shape(), &scaled, dtype), &vh), &a);
        }
    }
    let nan = Chunk::from_slice(&[2, 2], &[1.0, f64::NAN, 2.0, 3.0]).unwrap();
    assert!(matches!(svd(&nan), Err(ArrayError::LinearAlgebra { .. })));
}

fn positive(size: usize, dtype: DType) -> Chunk {
    let a = some(&[size, size + 5], dtype);
    times(&a, &adjoint(&a))
}

#[test]
fn cholesky_factors() {
    for dtype in DTYPES {
        for size in [1, 2, 17, 150] {
            let a = positive(size, dtype);
            let lower = cholesky(&triangle(&a, true), true).unwrap();
            close(&lower, &triangle(&lower, true));
            close(&times(&lower, &adjoint(&lower)), &a);
            let upper = cholesky(&triangle(&a, false), false).unwrap();
            close(&upper, &triangle(&upper, false));
            close(&times(&adjoint(&upper), &upper), &a);
        }
    }
    for bad in [[1.0, 0.0, 2.0, 1.0], [-1.0, 0.0, 0.0, 1.0], [0.0; 4], [f64::NAN, 0.0, 0.0, 1.0]] {
        let a = Chunk::from_slice(&[2, 2], &bad).unwrap();
        assert!(matches!(cholesky(&a, true), Err(ArrayError::LinearAlgebra { .. })), "{bad:?}");
    }
    let wide = some(&[2, 3], DType::F64);
    assert!(matches!(cholesky(&wide, true), Err(ArrayError::LinearAlgebra { .. })));
}

#[test]
fn lu_factors() {
    for dtype in DTYPES {
        for shape in [[1, 1], [9, 9], [30, 8], [8, 30], [150, 150]] {
            let a = some(&shape, dtype);
            let (p, l, u) = lu(&a).unwrap();
            close(&l, &triangle(&l, true));
            close(&u, &triangle(&u, false));
            let (rows, lower, upper) = lu_rows(&a).unwrap();
            assert_eq!((wide(&lower), wide(&upper)), (wide(&l), wide(&u)));
            for (place, row) in rows.to_vec::<i64>().unwrap().into_iter().enumerate() {
                assert_eq!(wide(&p)[place * shape[0] + row as usize], 1.0.into());
            }
            let p = narrow(p.shape(), &wide(&p), dtype);
            close(&times(&p, &times(&l, &u)), &a);
            // The greatest pivot is that of the greatest sum of both parts.
            assert!(wide(&l).iter().all(|x| x.norm() < 2.0f64.sqrt()));
            if dtype.kind() == samite_array::Kind::Float {
                assert!(wide(&l).iter().all(|x| x.norm() < 1.0 + 1e-6));
            }
            // A column of zeros, and rows that are equal.
            let (height, width) = (shape[0], shape[1]);
            let mut elements = wide(&a);
            for row in 0..height {
                elements[row * width + width / 2] = 0.0.into();
                if row > height / 2 {
                    elements.copy_within(..width, row * width);
                }
            }
            let a = narrow(&shape, &elements, dtype);
            let (p, l, u) = lu(&a).unwrap();
            let p = narrow(p.shape(), &wide(&p), dtype);
            close(&times(&p, &times(&l, &u)), &a);
            if height == width {
                assert_eq!(wide(&det(&a).unwrap())[0], 0.0.into());
                assert!(matches!(inv(&a), Err(ArrayError::LinearAlgebra { .. })));
            }
        }
    }
}

#[test]
fn systems() {
    for dtype in DTYPES {
        for size in [1, 2, 9, 100] {
            let a = some(&[size, size], dtype);
            let b = some(&[size, 3], dtype);
            close(&times(&a, &solve(&a, &b).unwrap()), &b);
            let vector = b.slice(1, 1, 1, 1).unwrap();
            // SAFETY: the axis that goes has one element.
            let flat = unsafe { vector.with_layout(0, &[size], &[vector.strides()[0]]) };
            let solution = solve(&a, &flat).unwrap();
            assert_eq!(solution.shape(), [size]);
            assert_eq!(wide(&solution).len(), size);
            close(&times(&a, &inv(&a).unwrap()), &identity(size, dtype));
            // A triangle that is far from singular.
            let strong: Vec<Complex64> = wide(&a)
                .iter()
                .enumerate()
                .map(|(at, x)| if at % (size + 1) == 0 { x + 20.0 } else { x / size as f64 })
                .collect();
            let strong = narrow(&[size, size], &strong, dtype);
            for lower in [false, true] {
                let half = triangle(&strong, lower);
                for form in [Form::Plain, Form::Transposed, Form::Adjoint] {
                    let solution = solve_triangular(&strong, &b, lower, form, false).unwrap();
                    let matrix = match form {
                        Form::Plain => half.clone(),
                        Form::Transposed => half.permuted(&[1, 0]),
                        Form::Adjoint => adjoint(&half),
                    };
                    close(&times(&matrix, &solution), &b);
                }
                let mut unit = wide(&half);
                unit.iter_mut().step_by(size + 1).for_each(|x| *x = 1.0.into());
                let unit = narrow(&[size, size], &unit, dtype);
                let solution = solve_triangular(&half, &b, lower, Form::Plain, true).unwrap();
                close(&times(&unit, &solution), &b);
            }
        }
    }
}

#[test]
fn singular_systems_are_refused() {
    let a = Chunk::from_slice(&[2, 2], &[1.0, 2.0, 2.0, 4.0]).unwrap();
    let b = Chunk::from_slice(&[2], &[1.0, 2.0]).unwrap();
    let zero = Chunk::full(Scalar::new(0.0f64), &[3, 3]).unwrap();
    assert!(matches!(solve(&a, &b), Err(ArrayError::LinearAlgebra { .. })));
    assert!(matches!(inv(&zero), Err(ArrayError::LinearAlgebra { .. })));
    let refused = solve_triangular(&zero, &zero, true, Form::Plain, false);
    assert!(matches!(refused, Err(ArrayError::LinearAlgebra { .. })));
    assert!(matches!(solve(&zero, &b), Err(ArrayError::Shapes { .. })));
    assert!(matches!(solve(&zero, &some(&[3], DType::F32)), Err(ArrayError::DTypes { .. })));
    let whole = Chunk::from_slice(&[1, 1], &[1i64]).unwrap();
    assert!(matches!(inv(&whole), Err(ArrayError::DTypes { .. })));
    for odd in [f64::NAN, f64::INFINITY] {
        for at in 0..9 {
            let mut elements = vec![2.0, 1.0, 0.0, 1.0, 3.0, 1.0, 0.0, 1.0, 4.0];
            elements[at] = odd;
            let a = Chunk::from_slice(&[3, 3], &elements).unwrap();
            assert!(wide(&inv(&a).unwrap()).iter().all(|x| x.is_nan()));
            assert_eq!(lu(&a).unwrap().0.shape(), [3, 3]);
            assert_eq!(det(&a).unwrap().shape(), [0usize; 0]);
        }
    }
}

#[test]
fn eigenvalues() {
    for dtype in DTYPES {
        for size in [1, 2, 20, 120] {
            let a = some(&[size, size], dtype);
            let elements: Vec<Complex64> =
                wide(&a).iter().zip(wide(&adjoint(&a))).map(|(x, y)| x + y).collect();
            let a = narrow(&[size, size], &elements, dtype);
            for lower in [false, true] {
                let (values, vectors) = eigh(&triangle(&a, lower), lower).unwrap();
                let values = wide(&values);
                assert!(values.windows(2).all(|pair| pair[0].re <= pair[1].re));
                close(&times(&adjoint(&vectors), &vectors), &identity(size, dtype));
                let scaled: Vec<Complex64> = wide(&vectors)
                    .iter()
                    .enumerate()
                    .map(|(at, x)| x * values[at % size])
                    .collect();
                let scaled = narrow(&[size, size], &scaled, dtype);
                close(&times(&a, &vectors), &scaled);
            }
        }
    }
    let nan = Chunk::from_slice(&[2, 2], &[f64::NAN, 1.0, 2.0, 3.0]).unwrap();
    assert!(matches!(eigh(&nan, true), Err(ArrayError::LinearAlgebra { .. })));
}

#[test]
fn determinants() {
    for dtype in DTYPES {
        let a = some(&[2, 2], dtype);
        let [p, q, r, s] = wide(&a)[..] else { panic!() };
        let expected = p * s - q * r;
        let found = wide(&det(&a).unwrap())[0];
        assert!((found - expected).norm() < tolerance(dtype));
        let (sign, logarithm) = slogdet(&a).unwrap();
        assert!((wide(&sign)[0] * wide(&logarithm)[0].exp() - expected).norm() < tolerance(dtype));
    }
    let zero = Chunk::full(Scalar::new(0.0f64), &[2, 2]).unwrap();
    let (sign, logarithm) = slogdet(&zero).unwrap();
    assert_eq!(wide(&sign)[0].re, 0.0);
    assert_eq!(wide(&logarithm)[0].re, f64::NEG_INFINITY);
    let swap = Chunk::from_slice(&[3, 3], &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
    assert_eq!(wide(&det(&swap).unwrap())[0].re, -1.0);
}

#[test]
fn empty_matrices() {
    let none = some(&[0, 0], DType::F64);
    assert_eq!(wide(&det(&none).unwrap())[0].re, 1.0);
    assert_eq!(inv(&none).unwrap().shape(), [0, 0]);
    assert_eq!(cholesky(&none, true).unwrap().shape(), [0, 0]);
    assert_eq!(eigh(&none, true).unwrap().1.shape(), [0, 0]);
    for shape in [[0, 3], [3, 0], [0, 0]] {
        let a = some(&shape, DType::C64);
        let (q, r) = qr(&a).unwrap();
        assert_eq!((q.shape(), r.shape()), (&[shape[0], 0][..], &[0, shape[1]][..]));
        assert_eq!(svd(&a).unwrap().1.shape(), [0]);
        let (p, l, u) = lu(&a).unwrap();
        assert_eq!(p.shape(), [shape[0], shape[0]]);
        assert_eq!((l.shape(), u.shape()), (&[shape[0], 0][..], &[0, shape[1]][..]));
    }
    let right = some(&[3, 0], DType::F64);
    assert_eq!(solve(&some(&[3, 3], DType::F64), &right).unwrap().shape(), [3, 0]);
    assert!(matches!(qr(&some(&[3], DType::F64)), Err(ArrayError::Shapes { .. })));
}
