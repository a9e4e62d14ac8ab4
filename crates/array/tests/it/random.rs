//! Moments and distribution functions of random chunks, and the independence of their blocks.

use std::collections::HashSet;

use samite_array::kernels::random::{Distribution, generate};
use samite_array::{ArrayError, Bool, DType};

const SEED: [u64; 4] = [17, 0, 0, 3];
const MANY: usize = 400_000;

fn floats(distribution: Distribution, block: u64) -> Vec<f64> {
    let chunk = generate(&distribution, SEED, block, &[MANY], DType::F64).unwrap();
    chunk.to_vec().unwrap()
}

/// The distance of Kolmogorov and Smirnov, of which 2 is passed once in three thousand tests.
fn distance(mut sample: Vec<f64>, cumulative: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let count = sample.len() as f64;
    let mut most = 0.0f64;
    for (place, x) in sample.iter().enumerate() {
        let expected = cumulative(*x);
        let (below, above) = (place as f64 / count, (place + 1) as f64 / count);
        most = most.max((expected - below).abs()).max((expected - above).abs());
    }
    most * count.sqrt()
}

/// The normal distribution function, to seven digits (Abramowitz and Stegun, 7.1.26).
fn phi(x: f64) -> f64 {
    let y = x.abs() / 2f64.sqrt();
    let t = 1.0 / (1.0 + 0.327_591_1 * y);
    let terms = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let upper = 0.5 * sum * (-y * y).exp();
    if x < 0.0 { upper } else { 1.0 - upper }
}

#[test]
fn continuous_distributions_have_their_functions() {
    use Distribution as D;
    let check = |distribution: D, cumulative: &dyn Fn(f64) -> f64| {
        for block in 0..2 {
            let found = distance(floats(distribution, block), cumulative);
            assert!(found < 2.1, "{distribution:?}: {found}");
        }
    };
    check(D::Random, &|x| x);
    check(D::Uniform { low: -2.0, high: 3.0 }, &|x| (x + 2.0) / 5.0);
    check(D::Normal { loc: 0.0, scale: 1.0 }, &phi);
    check(D::Normal { loc: 5.0, scale: 2.0 }, &|x| phi((x - 5.0) / 2.0));
    check(D::Lognormal { mean: 1.0, sigma: 0.5 }, &|x| phi((x.ln() - 1.0) / 0.5));
    check(D::Exponential { scale: 3.0 }, &|x| 1.0 - (-x / 3.0).exp());
    check(D::Gamma { shape: 2.0, scale: 1.5 }, &|x| 1.0 - (1.0 + x / 1.5) * (-x / 1.5).exp());
    check(D::ChiSquare { df: 2.0 }, &|x| 1.0 - (-x / 2.0).exp());
    check(D::Beta { a: 2.0, b: 1.0 }, &|x| x * x);
    check(D::F { dfnum: 2.0, dfden: 4.0 }, &|x| 1.0 - (1.0 + x / 2.0).powi(-2));
    check(D::StudentT { df: 2.0 }, &|x| 0.5 + x / (2.0 * (2.0 + x * x).sqrt()));
    check(D::Cauchy, &|x| 0.5 + x.atan() / std::f64::consts::PI);
    check(D::Laplace { loc: 1.0, scale: 2.0 }, &|x| {
        let tail = 0.5 * (-(x - 1.0).abs() / 2.0).exp();
        if x < 1.0 { tail } else { 1.0 - tail }
    });
    check(D::Logistic { loc: 1.0, scale: 2.0 }, &|x| 1.0 / (1.0 + (-(x - 1.0) / 2.0).exp()));
    check(D::Gumbel { loc: 1.0, scale: 2.0 }, &|x| (-(-(x - 1.0) / 2.0).exp()).exp());
    check(D::Rayleigh { scale: 2.0 }, &|x| 1.0 - (-x * x / 8.0).exp());
    check(D::Weibull { a: 1.5 }, &|x| 1.0 - (-x.powf(1.5)).exp());
    check(D::Pareto { a: 3.0 }, &|x| 1.0 - (1.0 + x).powi(-3));
    check(D::Power { a: 3.0 }, &|x| x.powi(3));
    check(D::Triangular { left: 0.0, mode: 1.0, right: 4.0 }, &|x| {
        if x < 1.0 { x * x / 4.0 } else { 1.0 - (4.0 - x).powi(2) / 12.0 }
    });
    check(D::Wald { mean: 1.0, scale: 2.0 }, &|x| {
        let root = (2.0 / x).sqrt();
        phi(root * (x - 1.0)) + 4f64.exp() * phi(-root * (x + 1.0))
    });
}

#[test]
fn normal_variables_have_their_moments_and_tail() {
    let sample = floats(Distribution::Normal { loc: 0.0, scale: 1.0 }, 9);
    let moment = |power: i32| sample.iter().map(|x| x.powi(power)).sum::<f64>() / MANY as f64;
    for (power, expected, spread) in [(1, 0.0, 1.0), (2, 1.0, 1.42), (3, 0.0, 3.9), (4, 3.0, 9.8)] {
        assert!((moment(power) - expected).abs() < 4.0 * spread / (MANY as f64).sqrt());
    }
    // The chance to be beyond the base layer is 2.6e-4.
    let beyond = sample.iter().filter(|x| x.abs() > 3.654_152_885_361_009).count();
    assert!((60..=150).contains(&beyond), "{beyond}");
    assert!(sample.iter().any(|x| *x > 4.0) && sample.iter().any(|x| *x < -4.0));
}

#[test]
fn discrete_distributions_have_their_moments() {
    use Distribution as D;
    let check = |distribution: D, mean: f64, variance: f64| {
        let chunk = generate(&distribution, SEED, 3, &[MANY], DType::I64).unwrap();
        let sample: Vec<f64> =
            chunk.to_vec::<i64>().unwrap().into_iter().map(|count| count as f64).collect();
        let average = sample.iter().sum::<f64>() / MANY as f64;
        let spread = sample.iter().map(|x| (x - average).powi(2)).sum::<f64>() / MANY as f64;
        let error = (average - mean).abs() / (variance / MANY as f64).sqrt();
        assert!(error < 4.0, "{distribution:?}: {average}");
        assert!((spread / variance - 1.0).abs() < 0.05, "{distribution:?}: {spread}");
    };
    check(D::Poisson { lam: 0.5 }, 0.5, 0.5);
    check(D::Poisson { lam: 40.0 }, 40.0, 40.0);
    check(D::Binomial { n: 20, p: 0.3 }, 6.0, 4.2);
    check(D::Binomial { n: 1000, p: 0.7 }, 700.0, 210.0);
    check(D::NegativeBinomial { n: 3.0, p: 0.4 }, 4.5, 11.25);
    check(D::Geometric { p: 0.2 }, 5.0, 20.0);
    check(D::Hypergeometric { ngood: 30, nbad: 20, nsample: 10 }, 6.0, 10.0 * 0.24 * 40.0 / 49.0);
    check(D::Integers { low: -5, last: 5 }, 0.0, 10.0);
    let certain = generate(&D::Geometric { p: 1.0 }, SEED, 3, &[9], DType::I32).unwrap();
    assert_eq!(certain.to_vec::<i32>().unwrap(), [1; 9]);
}

#[test]
fn integers_have_equal_chances() {
    let counted = |low: i128, last: i128, dtype: DType| -> Vec<u64> {
        let chunk =
            generate(&Distribution::Integers { low, last }, SEED, 1, &[MANY], dtype).unwrap();
        match dtype {
            DType::U8 => chunk.to_vec::<u8>().unwrap().into_iter().map(u64::from).collect(),
            DType::I16 => chunk.to_vec::<i16>().unwrap().into_iter().map(|x| x as u64).collect(),
            DType::Bool => {
                chunk.to_vec::<Bool>().unwrap().into_iter().map(|x| u64::from(x.0)).collect()
            }
            _ => chunk.to_vec::<u64>().unwrap(),
        }
    };
    for (low, last, dtype) in [
        (3, 9, DType::U8),
        (-3, 3, DType::I16),
        (0, 1, DType::Bool),
        (0, 255, DType::U8),
        (7, 7, DType::U64),
    ] {
        let sample = counted(low, last, dtype);
        let range = (last - low + 1) as f64;
        let mut counts = vec![0f64; range as usize];
        for value in sample {
            counts[(i128::from(value as i64) - low) as usize] += 1.0;
        }
        let expected = MANY as f64 / range;
        let square: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        assert!(square <= range - 1.0 + 4.0 * (2.0 * range).sqrt() * f64::from(range > 1.0));
    }
    // Ranges of which a third of the words are drawn anew, and of all words.
    let three_quarters = 3i128 << 62;
    let sample = counted(0, three_quarters - 1, DType::U64);
    let part = sample.iter().map(|x| *x as f64 / three_quarters as f64).collect();
    assert!(distance(part, |x| x) < 2.0);
    let sample = counted(0, i128::from(u64::MAX), DType::U64);
    assert!(distance(sample.iter().map(|x| *x as f64 / 2f64.powi(64)).collect(), |x| x) < 2.0);
}

#[test]
fn streams_follow_from_seed_and_block() {
    let normal = Distribution::Normal { loc: 0.0, scale: 1.0 };
    assert_eq!(floats(normal, 5), floats(normal, 5));
    let mut first = HashSet::new();
    for seed in 0..20 {
        for block in 0..500 {
            for seed in [[seed, 0, 0, 0], [0, 0, 0, seed + 1]] {
                let chunk = generate(&Distribution::Random, seed, block, &[4], DType::F64).unwrap();
                for value in chunk.to_vec::<f64>().unwrap() {
                    assert!(first.insert(value.to_bits()));
                }
            }
        }
    }
    // A shorter chunk begins as a longer one does.
    let short = generate(&normal, SEED, 5, &[300], DType::F64).unwrap().to_vec::<f64>().unwrap();
    assert_eq!(short[..256], floats(normal, 5)[..256]);
}

#[test]
fn neighbours_are_independent() {
    let normal = Distribution::Normal { loc: 0.0, scale: 1.0 };
    let correlation = |one: &[f64], other: &[f64]| {
        let sum: f64 = one.iter().zip(other).map(|(a, b)| a * b).sum();
        sum / (one.len() as f64).sqrt()
    };
    let blocks: Vec<Vec<f64>> = (0..6).map(|block| floats(normal, block)).collect();
    for (place, one) in blocks.iter().enumerate() {
        for other in &blocks[place + 1..] {
            assert!(correlation(one, other).abs() < 4.0);
        }
        for lag in 1..20 {
            assert!(correlation(&one[lag..], &one[..MANY - lag]).abs() < 4.0);
        }
    }
}

#[test]
fn other_dtypes() {
    let single = generate(&Distribution::Random, SEED, 0, &[3, 1000], DType::F32).unwrap();
    assert_eq!(single.shape(), [3, 1000]);
    assert!(single.to_vec::<f32>().unwrap().iter().all(|x| (0.0..1.0).contains(x)));
    let refused = generate(&Distribution::Random, SEED, 0, &[3], DType::I32);
    assert!(matches!(refused, Err(ArrayError::Parameter { .. })));
    let negative = Distribution::Normal { loc: 0.0, scale: -1.0 };
    assert!(matches!(
        generate(&negative, SEED, 0, &[3], DType::F64),
        Err(ArrayError::Parameter { .. })
    ));
    let zero = Distribution::Normal { loc: 2.0, scale: 0.0 };
    let constant = generate(&zero, SEED, 0, &[5], DType::F64).unwrap();
    assert_eq!(constant.to_vec::<f64>().unwrap(), [2.0; 5]);
    assert!(generate(&Distribution::Random, SEED, 0, &[0, 4], DType::F64).unwrap().is_empty());
}
