//! The speed of matrix products, factorizations, Fourier transforms and random numbers.

#![allow(clippy::unwrap_used)]

use divan::{Bencher, black_box};
use samite_array::kernels::fourier::{Norm, fft, rfft};
use samite_array::kernels::linalg::{eigh, inv, lu, qr, solve, svd};
use samite_array::kernels::matmul::matmul;
use samite_array::kernels::random::{Distribution, generate};
use samite_array::{Chunk, DType};

fn main() {
    divan::main();
}

fn some(shape: &[usize], dtype: DType) -> Chunk {
    generate(&Distribution::Random, [1, 2, 3, 4], 0, shape, dtype).unwrap()
}

#[divan::bench(args = [1000, 2000, 4000], sample_count = 3)]
fn product(bencher: Bencher<'_, '_>, size: usize) {
    let a = some(&[size, size], DType::F64);
    let pairs = [(a.clone(), a)];
    bencher.bench(|| matmul(&pairs).unwrap());
}

#[divan::bench(sample_count = 5)]
fn product_of_integers(bencher: Bencher<'_, '_>) {
    let digits = Distribution::Integers { low: 0, last: 9 };
    let a = generate(&digits, [0; 4], 0, &[500, 500], DType::I64).unwrap();
    let pairs = [(a.clone(), a)];
    bencher.bench(|| matmul(&pairs).unwrap());
}

#[divan::bench(args = [(500_000, 20), (50_000, 100), (2000, 500)], sample_count = 10)]
fn qr_factors(bencher: Bencher<'_, '_>, (rows, columns): (usize, usize)) {
    let a = some(&[rows, columns], DType::F64);
    bencher.bench(|| qr(&a).unwrap());
}

#[divan::bench(sample_count = 3)]
fn square_factors(bencher: Bencher<'_, '_>) {
    let a = some(&[500, 500], DType::F64);
    bencher.bench(|| {
        black_box(svd(&a).unwrap());
        black_box(eigh(&a, true).unwrap());
        black_box(lu(&a).unwrap());
        black_box(inv(&a).unwrap());
        black_box(solve(&a, &a).unwrap());
    });
}

#[divan::bench(args = [0, 1], sample_count = 5)]
fn transform(bencher: Bencher<'_, '_>, axis: usize) {
    let a = some(&[2000, 2000], DType::C128);
    bencher.bench(|| fft(&a, axis, None, false, Norm::Backward).unwrap());
}

#[divan::bench(args = [0, 1], sample_count = 5)]
fn transform_of_reals(bencher: Bencher<'_, '_>, axis: usize) {
    let a = some(&[2000, 2000], DType::F64);
    bencher.bench(|| rfft(&a, axis, None, Norm::Backward).unwrap());
}

#[divan::bench(args = [
    Distribution::Random,
    Distribution::Normal { loc: 0.0, scale: 1.0 },
    Distribution::Exponential { scale: 1.0 },
    Distribution::Gamma { shape: 2.0, scale: 1.0 },
    Distribution::Poisson { lam: 10.0 },
], sample_count = 5)]
fn million_random_numbers(distribution: Distribution) -> Chunk {
    generate(&distribution, [1, 2, 3, 4], 0, &[1_000_000], DType::F64).unwrap()
}
