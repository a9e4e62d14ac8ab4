//! Products against sums that are written out.

use num_complex::Complex64;
use proptest::prelude::*;
use samite_array::kernels::matmul::{matmul, matmul_batched};
use samite_array::{ArrayError, Bool, Chunk, DType, Element};

use crate::views::{LIES, lay};

fn naive<T: Element>(
    (m, p, n): (usize, usize, usize),
    left: &[T],
    right: &[T],
    sums: &mut [T],
    add: impl Fn(T, T, T) -> T,
) {
    for i in 0..m {
        for j in 0..n {
            for k in 0..p {
                sums[i * n + j] = add(sums[i * n + j], left[i * p + k], right[k * n + j]);
            }
        }
    }
}

fn numbers(len: usize, seed: u64) -> Vec<u64> {
    let mut state = seed | 1;
    let step = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    };
    std::iter::repeat_with(step).take(len).collect()
}

fn check<T: Element>(
    seed: u64,
    (m, n): (usize, usize),
    inner: &[usize],
    lies: (usize, usize),
    of: impl Fn(u64) -> T,
    add: impl Fn(T, T, T) -> T + Copy,
    close: impl Fn(T, T) -> bool,
) {
    let mut sums = vec![T::default(); m * n];
    let mut pairs = Vec::new();
    for (place, p) in inner.iter().enumerate() {
        let some = |len, salt| -> Vec<T> {
            numbers(len, seed + 2 * place as u64 + salt).into_iter().map(&of).collect()
        };
        let (left, right) = (some(m * p, 10), some(p * n, 20));
        naive((m, *p, n), &left, &right, &mut sums, add);
        pairs.push((lay(&[m, *p], &left, LIES[lies.0]), lay(&[*p, n], &right, LIES[lies.1])));
    }
    let product = matmul(&pairs).unwrap();
    assert_eq!(product.shape(), [m, n]);
    assert!(product.is_contiguous());
    for (found, wanted) in product.to_vec::<T>().unwrap().into_iter().zip(sums) {
        assert!(close(found, wanted), "{found:?} {wanted:?}");
    }
}

proptest! {
    #[test]
    fn sums_of_products(
        seed: u32,
        m in 0usize..40,
        n in 0usize..40,
        inner in prop::collection::vec(0usize..150, 1..4),
        lies in (0usize..5, 0usize..5),
    ) {
        let (seed, size) = (u64::from(seed), (m, n));
        let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        let float = |bits: u64| (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        check(seed, size, &inner, lies, float, |sum, a, b| sum + a * b, near);
        check(seed, size, &inner, lies, |bits| float(bits) as f32, |sum, a, b| sum + a * b,
            |one, other| (one - other).abs() < 1e-3);
        check(seed, size, &inner, lies,
            |bits| Complex64::new(float(bits), float(bits << 20)),
            |sum, a, b| sum + a * b,
            |one, other| (one - other).norm() < 1e-9);
        check(seed, size, &inner, lies, |bits| bits as i64,
            |sum, a, b| sum.wrapping_add(a.wrapping_mul(b)), |one, other| one == other);
        check(seed, size, &inner, lies, |bits| bits as u8,
            |sum, a, b| sum.wrapping_add(a.wrapping_mul(b)), |one, other| one == other);
        check(seed, size, &inner, lies, |bits| Bool((bits % 8 == 0) as u8 * 3),
            |sum, a, b| Bool::from(sum.get() | (a.get() & b.get())),
            |one, other| one == other);
    }
}

#[test]
fn wide_integers_take_several_blocks() {
    check(
        1,
        (9, 1100),
        &[300],
        (0, 1),
        |bits| bits as i32,
        |sum, a, b| sum.wrapping_add(a.wrapping_mul(b)),
        |one, other| one == other,
    );
}

#[test]
fn stacks() {
    let (left, right) = (numbers(2 * 3 * 4 * 5, 1), numbers(2 * 3 * 5 * 6, 2));
    let whole =
        |values: &[u64]| values.iter().map(|bits| (bits >> 50) as f64).collect::<Vec<f64>>();
    let (left, right) = (whole(&left), whole(&right));
    for lie in LIES {
        let pair = (lay(&[2, 3, 4, 5], &left, lie), lay(&[2, 3, 5, 6], &right, lie));
        let product = matmul_batched(&[pair.clone(), pair]).unwrap();
        assert_eq!(product.shape(), [2, 3, 4, 6]);
        let found = product.to_vec::<f64>().unwrap();
        for (place, found) in found.chunks(24).enumerate() {
            let mut sums = vec![0.0; 24];
            let (left, right) = (&left[place * 20..][..20], &right[place * 30..][..30]);
            naive((4, 5, 6), left, right, &mut sums, |sum, a, b| sum + 2.0 * a * b);
            assert_eq!(found, sums);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let chunk = |shape: &[usize], dtype| Chunk::build(dtype, shape, |_| Ok(())).unwrap();
    let (one, other) = (chunk(&[2, 3], DType::F64), chunk(&[2, 3], DType::F64));
    assert!(matches!(matmul(&[(one.clone(), other)]), Err(ArrayError::Shapes { .. })));
    assert!(matches!(matmul(&[]), Err(ArrayError::Shapes { .. })));
    let vector = chunk(&[3], DType::F64);
    assert!(matches!(matmul(&[(one.clone(), vector.clone())]), Err(ArrayError::Shapes { .. })));
    assert!(matches!(matmul_batched(&[(vector, one.clone())]), Err(ArrayError::Shapes { .. })));
    let single = chunk(&[3, 4], DType::F32);
    assert!(matches!(matmul(&[(one, single)]), Err(ArrayError::DTypes { .. })));
}
