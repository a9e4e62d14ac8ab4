//! Scans against plain loops.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use samite_array::kernels::program::ProgramBuilder;
use samite_array::kernels::scan::{Scan, combine_initial, last_values, scan, totals};
use samite_array::{Chunk, DType};

use crate::layouts::{Data, Random, positions};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(200)) })]

    #[test]
    fn equals_a_loop(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let mut shape = random.shape();
        if shape.is_empty() {
            shape.push(7);
        }
        if random.below(6) == 0 {
            shape = vec![2, 9000];
        }
        let axis = random.below(shape.len());
        let mut kept = shape.clone();
        kept.remove(axis);
        let kind = random.pick(&[Scan::Sum, Scan::Prod]);
        let data = Data::random(random, DType::I32, &shape);
        let mut builder = ProgramBuilder::new();
        let input = builder.input(DType::I32);
        let program = builder.finish(input);
        let join = |one: i64, other: i64| match kind {
            Scan::Sum => one.wrapping_add(other),
            Scan::Prod => one.wrapping_mul(other),
        };
        let first: Vec<i64> = positions(&kept).iter().map(|_| random.below(9) as i64).collect();
        let initial = Chunk::from_slice(&kept, &first).unwrap();
        let with = random.below(2) == 0;
        let running = AtomicBool::new(false);
        let origin = vec![0; shape.len()];
        // SAFETY: the operand was made for this shape.
        let (found, sums) = unsafe {
            let found = scan(
                &program, &[data.operand()], &shape, axis, kind, DType::I64,
                with.then_some(&initial), &origin, &running,
            );
            let sums = totals(
                &program, &[data.operand()], &shape, axis, kind, DType::I64, &origin, &running,
            );
            (found.unwrap(), sums.unwrap())
        };
        let elements = found.to_vec::<i64>().unwrap();
        let mut at = std::collections::HashMap::new();
        for (position, element) in positions(&shape).into_iter().zip(elements) {
            at.insert(position, element);
        }
        let totals = sums.to_vec::<i64>().unwrap();
        let neutral = if kind == Scan::Sum { 0 } else { 1 };
        for (place, position) in positions(&kept).into_iter().enumerate() {
            let mut sum = if with { first[place] } else { neutral };
            let mut total = neutral;
            for step in 0..shape[axis] {
                let mut full = position.clone();
                full.insert(axis, step);
                let item = i64::from(data.at(&full).get::<i32>().unwrap());
                sum = join(sum, item);
                total = join(total, item);
                prop_assert_eq!(at[&full], sum, "{:?} of {:?} along {}", full, shape, axis);
            }
            prop_assert_eq!(totals[place], total);
        }
        if shape[axis] > 0 && with {
            let last = last_values(&found, axis).unwrap();
            let joined = combine_initial(kind, &initial, &sums).unwrap();
            prop_assert_eq!(last.to_vec::<i64>().unwrap(), joined.to_vec::<i64>().unwrap());
        }
    }
}

/// Sums of whole numbers, which floats have exactly, along lines that are long enough to be written past the caches.
#[test]
fn long_lines() {
    fn check<T: samite_array::Element + std::ops::Add<Output = T>>(of: impl Fn(u8) -> T) {
        for (lines, len, skipped) in [(1, 1_100_003, 0), (2, 2_097_152, 1), (3, 1_050_001, 3)] {
            // The interpreter of undefined behaviour is slow, and lines are long for it much earlier.
            let len = if cfg!(miri) { len / 900 } else { len };
            let items: Vec<T> =
                (0..lines * (len + skipped)).map(|at| of((at * 7 % 5) as u8)).collect();
            let whole = Chunk::from_slice(&[lines, len + skipped], &items).unwrap();
            let chunk = whole.slice(1, skipped, 1, len).unwrap();
            let before: Vec<T> = (0..lines).map(|line| of(line as u8 + 3)).collect();
            let initial = Chunk::from_slice(&[lines], &before).unwrap();
            let mut builder = ProgramBuilder::new();
            let input = builder.input(T::DTYPE);
            let program = builder.finish(input);
            let operand = samite_array::kernels::evaluate::Operand {
                start: chunk.as_ptr(),
                strides: chunk.strides().into(),
            };
            for initial in [None, Some(&initial)] {
                // SAFETY: the operand is the chunk's.
                let found = unsafe {
                    scan(
                        &program,
                        std::slice::from_ref(&operand),
                        &[lines, len],
                        1,
                        Scan::Sum,
                        T::DTYPE,
                        initial,
                        &[0, 0],
                        &AtomicBool::new(false),
                    )
                };
                let found = found.unwrap().to_vec::<T>().unwrap();
                for line in 0..lines {
                    let items = &items[line * (len + skipped) + skipped..][..len];
                    let mut sum = initial.map_or(T::default(), |_| before[line]);
                    for (at, item) in items.iter().enumerate() {
                        sum = sum + *item;
                        assert!(found[line * len + at] == sum, "{lines} {len} {line} {at}");
                    }
                }
            }
        }
    }
    check(f64::from);
    check(f32::from);
    check(i64::from);
    check(|value| num_complex::Complex64::new(value.into(), 1.0));
}
