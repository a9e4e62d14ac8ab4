//! Sorting, searching, selecting, counting and taking against what is written out.

use std::cmp::Ordering;

use num_complex::Complex64;
use proptest::prelude::*;
use samite_array::kernels::histogram::{bincount, histogram};
use samite_array::kernels::searchsorted::{digitize, searchsorted};
use samite_array::kernels::select::{Between, median, quantiles};
use samite_array::kernels::sort::{argsort, argtopk, sort, topk};
use samite_array::kernels::take::take;
use samite_array::{ArrayError, Chunk, DType};

use crate::views::{LIES, lay};

fn order(one: &f64, other: &f64) -> Ordering {
    one.partial_cmp(other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

/// Few different numbers, with some NaN.
fn values() -> impl Strategy<Value = f64> {
    prop_oneof![8 => (-6i32..6).prop_map(|x| f64::from(x) / 2.0), 1 => Just(f64::NAN)]
}

fn arrays() -> impl Strategy<Value = ([usize; 3], Vec<f64>)> {
    prop::array::uniform3(0usize..8).prop_flat_map(|shape| {
        (Just(shape), prop::collection::vec(values(), shape.iter().product::<usize>()))
    })
}

/// The lines along an axis, in C order of the other axes.
fn lines<T: Copy>(shape: &[usize], elements: &[T], axis: usize) -> Vec<Vec<T>> {
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let mut lines = Vec::new();
    for block in 0..outer {
        for place in 0..inner {
            let at = |j: usize| elements[(block * shape[axis] + j) * inner + place];
            lines.push((0..shape[axis]).map(at).collect());
        }
    }
    lines
}

fn bits(lines: Vec<Vec<f64>>) -> Vec<Vec<u64>> {
    let one = |x: f64| if x.is_nan() { u64::MAX } else { (x + 0.0).to_bits() };
    lines.into_iter().map(|line| line.into_iter().map(one).collect()).collect()
}

fn floats(chunk: &Chunk, axis: usize) -> Vec<Vec<u64>> {
    bits(lines(chunk.shape(), &chunk.to_vec::<f64>().unwrap(), axis))
}

fn places(chunk: &Chunk, axis: usize) -> Vec<Vec<i64>> {
    lines(chunk.shape(), &chunk.to_vec::<i64>().unwrap(), axis)
}

proptest! {
    #[test]
    fn sorts((shape, elements) in arrays(), axis in 0usize..3, lie in 0usize..5, k in -9isize..9) {
        let chunk = lay(&shape, &elements, LIES[lie]);
        let ranked: Vec<Vec<(f64, i64)>> = lines(&shape, &elements, axis)
            .into_iter()
            .map(|line| {
                let mut line: Vec<(f64, i64)> = line.into_iter().zip(0..).collect();
                line.sort_by(|one, other| order(&one.0, &other.0));
                line
            })
            .collect();
        let first = |lines: &[Vec<(f64, i64)>]| {
            bits(lines.iter().map(|line| line.iter().map(|pair| pair.0).collect()).collect())
        };
        let second = |lines: &[Vec<(f64, i64)>]| -> Vec<Vec<i64>> {
            lines.iter().map(|line| line.iter().map(|pair| pair.1).collect()).collect()
        };
        let found = sort(&chunk, axis).unwrap();
        prop_assert_eq!(found.shape(), &shape[..]);
        prop_assert_eq!(floats(&found, axis), first(&ranked));
        prop_assert_eq!(places(&argsort(&chunk, axis).unwrap(), axis), second(&ranked));
        let best: Vec<Vec<(f64, i64)>> = ranked
            .into_iter()
            .map(|mut line| {
                if k > 0 {
                    line.sort_by(|one, other| order(&other.0, &one.0).then(one.1.cmp(&other.1)));
                }
                line.truncate(k.unsigned_abs());
                line
            })
            .collect();
        prop_assert_eq!(floats(&topk(&chunk, k, axis).unwrap(), axis), first(&best));
        prop_assert_eq!(places(&argtopk(&chunk, k, axis).unwrap(), axis), second(&best));
    }

    #[test]
    fn searches(mut sorted in prop::collection::vec(values(), 0..12), (shape, elements) in arrays(), lie in 0usize..5) {
        sorted.sort_by(order);
        let sequence = lay(&[sorted.len()], &sorted, LIES[lie]);
        let chunk = lay(&shape, &elements, LIES[lie]);
        for right in [false, true] {
            let wanted: Vec<i64> = elements
                .iter()
                .map(|value| {
                    let before = |other: &&f64| match order(other, value) {
                        Ordering::Less => true,
                        Ordering::Equal => right,
                        Ordering::Greater => false,
                    };
                    sorted.iter().filter(before).count() as i64
                })
                .collect();
            let found = searchsorted(&sequence, &chunk, right).unwrap();
            prop_assert_eq!(found.to_vec::<i64>().unwrap(), wanted.clone());
            prop_assert_eq!(digitize(&chunk, &sequence, !right).unwrap().to_vec::<i64>().unwrap(), wanted);
        }
    }

    #[test]
    fn takes((shape, elements) in arrays(), axis in 0usize..3, lie in 0usize..5,
             wishes in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let chunk = lay(&shape, &elements, LIES[lie]);
        let extent = shape[axis];
        let indices: Vec<i64> = match extent {
            0 => vec![],
            _ => wishes.iter().map(|wish| wish.index(2 * extent) as i64 - extent as i64).collect(),
        };
        let found = take(&chunk, &indices, axis).unwrap();
        let wanted: Vec<Vec<f64>> = lines(&shape, &elements, axis)
            .into_iter()
            .map(|line| {
                let at = |index: &i64| line[index.rem_euclid(extent as i64) as usize];
                indices.iter().map(at).collect()
            })
            .collect();
        prop_assert_eq!(found.shape()[axis], indices.len());
        prop_assert_eq!(floats(&found, axis), bits(wanted));
    }

    #[test]
    fn selects((shape, elements) in arrays(), axis in 0usize..3, lie in 0usize..5,
               q in prop::collection::vec(prop_oneof![0.0..=1.0f64, Just(0.0), Just(1.0), Just(0.5)], 0..5)) {
        let chunk = lay(&shape, &elements, LIES[lie]);
        let sorted: Vec<Vec<f64>> = lines(&shape, &elements, axis)
            .into_iter()
            .map(|mut line| {
                line.sort_by(order);
                line
            })
            .collect();
        for between in [Between::Linear, Between::Lower, Between::Higher, Between::Midpoint, Between::Nearest] {
            let found = quantiles(&chunk, axis, &q, between).unwrap();
            let found = found.to_vec::<f64>().unwrap();
            prop_assert_eq!(found.len(), q.len() * sorted.len());
            for (place, found) in found.into_iter().enumerate() {
                let (q, line) = (q[place / sorted.len()], &sorted[place % sorted.len()]);
                if line.last().is_none_or(|last| last.is_nan()) {
                    prop_assert!(found.is_nan());
                    continue;
                }
                let position = q * (line.len() - 1) as f64;
                let (low, high) = (line[position.floor() as usize], line[position.ceil() as usize]);
                let wanted = match between {
                    Between::Linear => low + (high - low) * position.fract(),
                    Between::Lower => low,
                    Between::Higher => high,
                    Between::Midpoint => (low + high) / 2.0,
                    Between::Nearest => line[position.round_ties_even() as usize],
                };
                prop_assert!((found - wanted).abs() < 1e-12, "{} {} {:?}", found, wanted, between);
            }
        }
        let medians = median(&chunk, axis).unwrap().to_vec::<f64>().unwrap();
        prop_assert_eq!(medians.len(), sorted.len());
    }

    #[test]
    fn counts((shape, elements) in arrays(), lie in 0usize..5, even: bool, low in -4.0..2.0f64, bins in 1usize..9) {
        let chunk = lay(&shape, &elements, LIES[lie]);
        let mut edges: Vec<f64> =
            (0..=bins).map(|bin| low + bin as f64 * if even { 0.5 } else { 0.3 * bin as f64 }).collect();
        edges[0] = (edges[0] * 2.0).floor() / 2.0;
        let of = |value: f64| {
            (0..bins).find(|bin| {
                let last = bin + 1 == bins;
                value >= edges[*bin] && (value < edges[bin + 1] || (last && value == edges[bin + 1]))
            })
        };
        let (mut counts, mut sums) = (vec![0i64; bins], vec![0.0; bins]);
        for (place, value) in elements.iter().enumerate() {
            if let Some(bin) = of(*value) {
                counts[bin] += 1;
                sums[bin] += place as f64;
            }
        }
        let found = histogram(&chunk, &edges, None).unwrap();
        prop_assert_eq!(found.to_vec::<i64>().unwrap(), counts);
        let weights: Vec<f64> = (0..elements.len()).map(|place| place as f64).collect();
        let weights = lay(&shape, &weights, LIES[lie]);
        let found = histogram(&chunk, &edges, Some(&weights)).unwrap();
        prop_assert_eq!(found.to_vec::<f64>().unwrap(), sums);
    }

    #[test]
    fn counts_of_whole_numbers(numbers in prop::collection::vec(0u8..20, 0..50), least in 0usize..30, lie in 0usize..5) {
        let chunk = lay(&[numbers.len()], &numbers, LIES[lie]);
        let length = numbers.iter().map(|x| usize::from(*x) + 1).max().unwrap_or(0).max(least);
        let (mut counts, mut sums) = (vec![0i64; length], vec![0.0; length]);
        for (place, number) in numbers.iter().enumerate() {
            counts[usize::from(*number)] += 1;
            sums[usize::from(*number)] += place as f64;
        }
        prop_assert_eq!(bincount(&chunk, None, least).unwrap().to_vec::<i64>().unwrap(), counts);
        let weights: Vec<f64> = (0..numbers.len()).map(|place| place as f64).collect();
        let weights = Chunk::from_slice(&[weights.len()], &weights).unwrap();
        prop_assert_eq!(bincount(&chunk, Some(&weights), least).unwrap().to_vec::<f64>().unwrap(), sums);
    }
}

#[test]
fn evenly_spaced_edges_decide() {
    let edges: Vec<f64> = (0..=1000).map(|bin| bin as f64 * 0.001).collect();
    let chunk = Chunk::from_slice(&[1001], &edges).unwrap();
    let mut wanted = vec![1i64; 1000];
    wanted[999] = 2;
    assert_eq!(histogram(&chunk, &edges, None).unwrap().to_vec::<i64>().unwrap(), wanted);
}

#[test]
fn complex_numbers_have_an_order() {
    let of = Complex64::new;
    let elements =
        [of(2.0, 1.0), of(1.0, f64::NAN), of(1.0, 5.0), of(f64::NAN, 0.0), of(1.0, -1.0)];
    let chunk = Chunk::from_slice(&[5], &elements).unwrap();
    assert_eq!(argsort(&chunk, 0).unwrap().to_vec::<i64>().unwrap(), [4, 2, 0, 1, 3]);
}

#[test]
fn between_equal_infinities() {
    let chunk = Chunk::from_slice(&[2], &[f64::INFINITY; 2]).unwrap();
    assert_eq!(median(&chunk, 0).unwrap().to_vec::<f64>().unwrap(), [f64::INFINITY]);
    let found = quantiles(&chunk, 0, &[0.3], Between::Linear).unwrap();
    assert_eq!(found.to_vec::<f64>().unwrap(), [f64::INFINITY]);
}

#[test]
fn descending_bins() {
    let values = Chunk::from_slice(&[5], &[0.2, 6.4, 3.0, 1.6, 10.0]).unwrap();
    let bins = Chunk::from_slice(&[3], &[10.0, 4.0, 1.0]).unwrap();
    let found = |right| digitize(&values, &bins, right).unwrap().to_vec::<i64>().unwrap();
    assert_eq!(found(false), [3, 1, 2, 2, 0]);
    assert_eq!(found(true), [3, 1, 2, 2, 1]);
}

#[test]
fn what_is_refused() {
    let chunk = Chunk::from_slice(&[3], &[1.0, 3.0, 2.0]).unwrap();
    assert!(matches!(sort(&chunk, 1), Err(ArrayError::Axis { .. })));
    assert!(matches!(take(&chunk, &[3], 0), Err(ArrayError::Parameter { .. })));
    assert!(matches!(take(&chunk, &[-4], 0), Err(ArrayError::Parameter { .. })));
    assert!(matches!(digitize(&chunk, &chunk, false), Err(ArrayError::Parameter { .. })));
    assert!(matches!(histogram(&chunk, &[1.0, 0.0], None), Err(ArrayError::Parameter { .. })));
    assert!(matches!(bincount(&chunk, None, 0), Err(ArrayError::DTypes { .. })));
    let negative = Chunk::from_slice(&[2], &[1i32, -1]).unwrap();
    assert!(matches!(bincount(&negative, None, 0), Err(ArrayError::Parameter { .. })));
    assert!(matches!(
        quantiles(&chunk, 0, &[1.5], Between::Linear),
        Err(ArrayError::Parameter { .. })
    ));
    let single = Chunk::from_slice(&[2], &[1.0f32, 2.0]).unwrap();
    assert_eq!(median(&single, 0).unwrap().dtype(), DType::F32);
}
