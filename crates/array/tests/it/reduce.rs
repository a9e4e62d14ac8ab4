//! Reductions against plain loops, whole and in parts that are combined.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use samite_array::kernels::evaluate::Operand;
use samite_array::kernels::program::{Program, ProgramBuilder};
use samite_array::kernels::reduce::{Partial, Reduction, reduce};
use samite_array::{ArrayError, Chunk, DType, Scalar};

use crate::layouts::{Data, Random, positions};

fn copy_of(dtype: DType) -> Program {
    let mut builder = ProgramBuilder::new();
    let input = builder.input(dtype);
    builder.finish(input)
}

fn double(value: Scalar) -> f64 {
    match value.dtype() {
        DType::F64 => value.get().unwrap(),
        DType::F32 => value.get::<f32>().unwrap().into(),
        DType::I64 => value.get::<i64>().unwrap() as f64,
        DType::I32 => value.get::<i32>().unwrap().into(),
        DType::U8 => value.get::<u8>().unwrap().into(),
        other => panic!("{other:?}"),
    }
}

/// The reduction of doubles, by its definition.
fn oracle(reduction: Reduction, values: &[f64]) -> Option<f64> {
    let numbers: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let var = |values: &[f64]| {
        let middle = mean(values);
        values.iter().map(|value| (value - middle) * (value - middle)).sum::<f64>()
            / values.len() as f64
    };
    let any_nan = numbers.len() < values.len();
    let lowest = numbers.iter().copied().reduce(f64::min);
    let highest = numbers.iter().copied().reduce(f64::max);
    let place = |wanted: f64| values.iter().position(|value| *value == wanted);
    let first_nan = values.iter().position(|value| value.is_nan());
    Some(match reduction {
        Reduction::Sum => values.iter().sum(),
        Reduction::Prod => values.iter().product(),
        Reduction::Min | Reduction::Max if any_nan => f64::NAN,
        Reduction::Min => lowest?,
        Reduction::Max => highest?,
        Reduction::NanMin if values.is_empty() => return None,
        Reduction::NanMax if values.is_empty() => return None,
        Reduction::NanMin => lowest.unwrap_or(f64::NAN),
        Reduction::NanMax => highest.unwrap_or(f64::NAN),
        Reduction::Any => f64::from(values.iter().any(|value| *value != 0.0)),
        Reduction::All => f64::from(values.iter().all(|value| *value != 0.0)),
        Reduction::CountNonzero => values.iter().filter(|value| **value != 0.0).count() as f64,
        Reduction::CountNan => (values.len() - numbers.len()) as f64,
        Reduction::Mean => mean(values),
        Reduction::NanMean => mean(&numbers),
        Reduction::Var => var(values),
        Reduction::NanVar => var(&numbers),
        Reduction::ArgMin | Reduction::ArgMax if any_nan => first_nan? as f64,
        Reduction::ArgMin | Reduction::NanArgMin => place(lowest?)? as f64,
        Reduction::ArgMax | Reduction::NanArgMax => place(highest?)? as f64,
    })
}

fn close(found: f64, wanted: f64, scale: f64) -> bool {
    found == wanted
        || (found.is_nan() && wanted.is_nan())
        || (found - wanted).abs() <= 1e-11 * wanted.abs().max(scale)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(600)) })]

    #[test]
    fn equals_its_definition(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let shape = random.shape();
        let dtype = random.pick(&[DType::F64, DType::F64, DType::F32, DType::I64, DType::I32, DType::U8]);
        let reduction = random.pick(Reduction::ALL);
        let data = Data::random(random, dtype, &shape);
        let flat = random.below(3) == 0 || shape.is_empty();
        let one = random.below(shape.len().max(1));
        let position = matches!(
            reduction,
            Reduction::ArgMin | Reduction::ArgMax | Reduction::NanArgMin | Reduction::NanArgMax
        );
        let axes: Vec<bool> = (0..shape.len())
            .map(|axis| flat || axis == one || (!position && random.below(2) == 0))
            .collect();
        let program = copy_of(dtype);
        let operand = data.operand();

        // Cut along an axis, whose parts are combined.
        let cut = if shape.is_empty() { None } else { Some(random.below(shape.len())) };
        let mut parts = Vec::new();
        let running = AtomicBool::new(false);
        let at = if let Some(axis) = cut && axes[axis] { random.below(shape[axis] + 1) } else { 0 };
        let pieces: Vec<(usize, usize)> = match cut {
            Some(axis) if axes[axis] => vec![(0, at), (at, shape[axis])],
            _ => vec![(0, usize::MAX)],
        };
        for (first, last) in pieces {
            let mut part = shape.clone();
            let mut origin = vec![0; shape.len()];
            let mut start = operand.start;
            if let Some(axis) = cut && last != usize::MAX {
                part[axis] = last - first;
                origin[axis] = first;
                start = start.wrapping_offset(first as isize * operand.strides[axis]);
            }
            let operand = Operand { start, strides: operand.strides.clone() };
            // SAFETY: the part lies within the operand's shape.
            let partial = unsafe {
                reduce(
                    &program, &[operand], &part, &axes, reduction, None, &origin, &shape, &running,
                )
            };
            parts.push(partial.unwrap());
        }
        let references: Vec<&Partial> = parts.iter().collect();
        let whole = Partial::combine(&references).unwrap();
        let output = reduction.output(dtype).unwrap();
        let output = if output == DType::F32 { DType::F64 } else { output };
        let finished = whole.finish(output, 0.0);

        let kept: Vec<usize> =
            shape.iter().zip(&axes).filter(|(_, reduced)| !**reduced).map(|(len, _)| *len).collect();
        let folded: Vec<usize> =
            shape.iter().zip(&axes).filter(|(_, reduced)| **reduced).map(|(len, _)| *len).collect();
        prop_assert_eq!(whole.shape(), kept.as_slice());
        let mut wanted = Vec::new();
        let (mut empty, mut unordered) = (false, false);
        let (mut scales, mut wraps) = (Vec::new(), Vec::new());
        for position in positions(&kept) {
            let values: Vec<f64> = positions(&folded)
                .into_iter()
                .map(|inner| {
                    let (mut kept, mut folded) = (position.iter(), inner.iter());
                    let place: Vec<usize> = axes
                        .iter()
                        .map(|reduced| *if *reduced { folded.next() } else { kept.next() }.unwrap())
                        .collect();
                    double(data.at(&place))
                })
                .collect();
            // Integers wrap where doubles overflow or lose digits.
            let size = |value: &f64| value.abs().max(1.0);
            let product: f64 = values.iter().map(size).product();
            wraps.push(dtype.kind() < samite_array::Kind::Float && product > 1e15);
            scales.push(values.iter().filter(|value| value.is_finite()).map(|value| value.abs()).sum::<f64>());
            match oracle(reduction, &values) {
                Some(value) => wanted.push(value),
                None if values.is_empty() => empty = true,
                None => unordered = true,
            }
        }
        match finished {
            Err(ArrayError::EmptyReduction { .. }) => prop_assert!(empty),
            Err(ArrayError::AllNan) => prop_assert!(unordered),
            Err(error) => prop_assert!(false, "{error}"),
            Ok(chunk) => {
                prop_assert!(!empty && !unordered);
                let found = results(&chunk);
                let all = found.iter().zip(&wanted).zip(scales.iter().zip(&wraps));
                for ((found, wanted), (scale, wraps)) in all {
                    // Huge numbers overflow; then there is nothing to compare.
                    let sums = matches!(reduction, Reduction::Sum | Reduction::Prod);
                    let moments = matches!(reduction, Reduction::Var | Reduction::NanVar);
                    let whole = dtype.kind() < samite_array::Kind::Float;
                    if whole && (*wraps && reduction == Reduction::Prod || sums && *scale > 1e15) {
                        continue;
                    }
                    if *scale > 1e100 && (sums || moments || !wanted.is_finite()) {
                        continue;
                    }
                    // Where a product leaves the range of numbers depends on its order.
                    let tiny = |value: f64| value.abs() < 1e-200;
                    if reduction == Reduction::Prod && tiny(*found) && tiny(*wanted) {
                        continue;
                    }
                    let scale = match reduction {
                        Reduction::Sum | Reduction::Mean | Reduction::NanMean => *scale,
                        Reduction::Var | Reduction::NanVar => scale * scale,
                        _ => 0.0,
                    };
                    prop_assert!(
                        close(*found, *wanted, scale),
                        "{} of {dtype:?} {shape:?} {axes:?} {:?}: {found} is not {wanted}",
                        reduction.name(), data.strides
                    );
                }
                prop_assert_eq!(found.len(), wanted.len());
            }
        }
    }
}

fn results(chunk: &Chunk) -> Vec<f64> {
    match chunk.dtype() {
        DType::F64 => chunk.to_vec::<f64>().unwrap(),
        DType::I64 => chunk.to_vec::<i64>().unwrap().iter().map(|value| *value as f64).collect(),
        DType::U64 => chunk.to_vec::<u64>().unwrap().iter().map(|value| *value as f64).collect(),
        DType::I32 => {
            chunk.to_vec::<i32>().unwrap().iter().map(|value| f64::from(*value)).collect()
        }
        DType::U8 => chunk.to_vec::<u8>().unwrap().iter().map(|value| f64::from(*value)).collect(),
        DType::Bool => chunk
            .to_vec::<samite_array::Bool>()
            .unwrap()
            .iter()
            .map(|value| f64::from(u8::from(value.get())))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn all(values: &[f64], reduction: Reduction, ddof: f64) -> Result<f64, ArrayError> {
    let chunk = Chunk::from_slice(&[values.len()], values)?;
    let operand = Operand { start: chunk.as_ptr(), strides: chunk.strides().into() };
    let shape = [values.len()];
    let running = AtomicBool::new(false);
    // SAFETY: the operand is a chunk of this shape.
    let partial = unsafe {
        reduce(
            &copy_of(DType::F64),
            &[operand],
            &shape,
            &[true],
            reduction,
            None,
            &[0],
            &shape,
            &running,
        )?
    };
    Ok(results(&partial.finish(reduction.output(DType::F64).unwrap(), ddof)?)[0])
}

#[test]
fn sums_keep_what_rounding_loses() {
    let mut values = vec![1e16];
    values.extend(std::iter::repeat_n(1.0, 100_000));
    values.push(-1e16);
    let sum = all(&values, Reduction::Sum, 0.0).unwrap();
    assert!((sum - 100_000.0).abs() <= 256.0, "{sum}");
    let tenths = vec![0.1; 10_000_000];
    assert!((all(&tenths, Reduction::Sum, 0.0).unwrap() - 1e6).abs() < 1e-8);
}

#[test]
fn variance_is_stable_and_counts_degrees_of_freedom() {
    let values: Vec<f64> = (0..10_000).map(|place| 1e9 + f64::from(place % 10)).collect();
    assert!((all(&values, Reduction::Var, 0.0).unwrap() - 8.25).abs() < 1e-9);
    assert_eq!(all(&[1.0, 2.0, 3.0], Reduction::Var, 1.0).unwrap(), 1.0);
    assert!(all(&[1.0], Reduction::Var, 1.0).unwrap().is_nan());
    assert!(all(&[], Reduction::Mean, 0.0).unwrap().is_nan());
}

#[test]
fn partials_come_back_from_a_file() {
    use samite_runtime::Data as _;
    let chunk = Chunk::from_slice(&[2, 3], &[1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let operand = Operand { start: chunk.as_ptr(), strides: chunk.strides().into() };
    let running = AtomicBool::new(false);
    // SAFETY: the operand is a chunk of this shape.
    let partial = unsafe {
        reduce(
            &copy_of(DType::F64),
            &[operand],
            &[2, 3],
            &[false, true],
            Reduction::Var,
            None,
            &[0, 0],
            &[2, 3],
            &running,
        )
    }
    .unwrap();
    let mut file = Vec::new();
    let restore = partial.spill(&mut file).unwrap();
    let value = restore.restore(&mut file.as_slice()).unwrap();
    let restored: &Partial = value.as_any().downcast_ref().unwrap();
    let wanted = results(&partial.finish(DType::F64, 0.0).unwrap());
    assert_eq!(results(&restored.finish(DType::F64, 0.0).unwrap()), wanted);
}
