//! Reductions of half precision, of complex numbers and of bools, in dtypes that are asked for, and
//! of runs that are cancelled.

use std::sync::atomic::AtomicBool;

use half::f16;
use num_complex::{Complex32, Complex64};
use proptest::prelude::*;
use samite_array::kernels::evaluate::Operand;
use samite_array::kernels::program::ProgramBuilder;
use samite_array::kernels::reduce::{Partial, Reduction, reduce};
use samite_array::{ArrayError, Bool, Chunk, DType, Element};

use crate::views::{LIES, lay};

fn partial(
    chunk: &Chunk,
    reduction: Reduction,
    accumulator: Option<DType>,
    cancelled: bool,
) -> Result<Partial, ArrayError> {
    let mut builder = ProgramBuilder::new();
    let input = builder.input(chunk.dtype());
    let program = builder.finish(input);
    let operand = Operand { start: chunk.as_ptr(), strides: chunk.strides().into() };
    let (axes, origin) = (vec![true; chunk.ndim()], vec![0; chunk.ndim()]);
    let flag = AtomicBool::new(cancelled);
    // SAFETY: the operand is a chunk of this shape.
    unsafe {
        reduce(
            &program,
            &[operand],
            chunk.shape(),
            &axes,
            reduction,
            accumulator,
            &origin,
            chunk.shape(),
            &flag,
        )
    }
}

/// The reduction of all elements, in `output`.
fn whole<T: Element>(
    chunk: &Chunk,
    reduction: Reduction,
    accumulator: Option<DType>,
) -> Result<T, ArrayError> {
    let output = accumulator.or_else(|| reduction.output(chunk.dtype())).unwrap();
    assert_eq!(output, T::DTYPE, "{reduction:?}");
    let found = partial(chunk, reduction, accumulator, false)?.finish(output, 0.0)?;
    assert!(found.shape().is_empty());
    Ok(found.to_vec::<T>()?[0])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(100)) })]

    #[test]
    fn half_precision(values in prop::collection::vec(-40i32..40, 1..300), lie in 0usize..5) {
        let doubles: Vec<f64> = values.iter().map(|value| f64::from(*value) / 8.0).collect();
        let halves: Vec<f16> = doubles.iter().map(|value| f16::from_f64(*value)).collect();
        let chunk = lay(&[halves.len()], &halves, LIES[lie]);
        let sum: f64 = doubles.iter().sum();
        let mean = sum / doubles.len() as f64;
        let var = doubles.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / doubles.len() as f64;
        let lowest = doubles.iter().copied().fold(f64::INFINITY, f64::min);
        // Sums of eighths are exact in single precision, so that only the result is rounded.
        prop_assert_eq!(whole::<f16>(&chunk, Reduction::Sum, None).unwrap(), f16::from_f64(sum));
        let near = |found: f16, wanted: f64| (found.to_f64() - wanted).abs() <= 1e-3 * wanted.abs() + 1e-4;
        prop_assert!(near(whole::<f16>(&chunk, Reduction::Mean, None).unwrap(), mean));
        prop_assert!(near(whole::<f16>(&chunk, Reduction::Var, None).unwrap(), var));
        prop_assert_eq!(whole::<f16>(&chunk, Reduction::Min, None).unwrap().to_f64(), lowest);
        let first = doubles.iter().position(|value| *value == lowest).unwrap() as i64;
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::ArgMin, None).unwrap(), first);
        let some = doubles.iter().filter(|value| **value != 0.0).count() as i64;
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::CountNonzero, None).unwrap(), some);
        prop_assert_eq!(whole::<f64>(&chunk, Reduction::Sum, Some(DType::F64)).unwrap(), sum);
    }

    #[test]
    fn complex_numbers(parts in prop::collection::vec((-9i32..9, -9i32..9), 1..200), lie in 0usize..5) {
        let values: Vec<Complex64> =
            parts.iter().map(|(re, im)| Complex64::new((*re).into(), (*im).into())).collect();
        let narrow: Vec<Complex32> =
            parts.iter().map(|(re, im)| Complex32::new(*re as f32, *im as f32)).collect();
        let chunk = lay(&[values.len()], &values, LIES[lie]);
        let single = lay(&[narrow.len()], &narrow, LIES[lie]);
        let sum: Complex64 = values.iter().sum();
        prop_assert_eq!(whole::<Complex64>(&chunk, Reduction::Sum, None).unwrap(), sum);
        let found = whole::<Complex32>(&single, Reduction::Sum, None).unwrap();
        prop_assert_eq!(Complex64::new(found.re.into(), found.im.into()), sum);
        let mean = sum / values.len() as f64;
        let found = whole::<Complex64>(&chunk, Reduction::Mean, None).unwrap();
        prop_assert!((found - mean).norm() < 1e-12, "{} {}", found, mean);
        let var = values.iter().map(|value| (value - mean).norm_sqr()).sum::<f64>() / values.len() as f64;
        let found = whole::<f64>(&chunk, Reduction::Var, None).unwrap();
        prop_assert!((found - var).abs() < 1e-10 * (1.0 + var), "{} {}", found, var);
        let few = lay(&[values.len().min(8)], &values[..values.len().min(8)], LIES[lie]);
        let product: Complex64 = values.iter().take(8).product();
        let found = whole::<Complex64>(&few, Reduction::Prod, None).unwrap();
        prop_assert!((found - product).norm() <= 1e-12 * product.norm().max(1.0));
        // In the order of the real parts, then of the imaginary ones.
        let least = parts.iter().min().unwrap();
        let found = whole::<Complex64>(&chunk, Reduction::Min, None).unwrap();
        prop_assert_eq!(found, Complex64::new(least.0.into(), least.1.into()));
        let some = parts.iter().filter(|part| **part != (0, 0)).count() as i64;
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::CountNonzero, None).unwrap(), some);
        let any = whole::<Bool>(&chunk, Reduction::Any, None).unwrap();
        prop_assert_eq!(any.get(), some > 0);
    }

    #[test]
    fn bools(values in prop::collection::vec(any::<bool>(), 1..300), lie in 0usize..5) {
        let elements: Vec<Bool> = values.iter().map(|value| Bool::from(*value)).collect();
        let chunk = lay(&[elements.len()], &elements, LIES[lie]);
        let count = values.iter().filter(|value| **value).count() as i64;
        let (any, all) = (count > 0, count == values.len() as i64);
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::Sum, None).unwrap(), count);
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::CountNonzero, None).unwrap(), count);
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::Prod, None).unwrap(), i64::from(all));
        prop_assert_eq!(whole::<Bool>(&chunk, Reduction::Any, None).unwrap().get(), any);
        prop_assert_eq!(whole::<Bool>(&chunk, Reduction::All, None).unwrap().get(), all);
        prop_assert_eq!(whole::<Bool>(&chunk, Reduction::Max, None).unwrap().get(), any);
        prop_assert_eq!(whole::<Bool>(&chunk, Reduction::Min, None).unwrap().get(), all);
        let mean = count as f64 / values.len() as f64;
        prop_assert!((whole::<f64>(&chunk, Reduction::Mean, None).unwrap() - mean).abs() < 1e-15);
        let first = values.iter().position(|value| *value).unwrap_or(0) as i64;
        prop_assert_eq!(whole::<i64>(&chunk, Reduction::ArgMax, None).unwrap(), first);
    }
}

#[test]
fn any_byte_but_zero_is_true() {
    let chunk = Chunk::from_slice(&[4], &[Bool(0), Bool(2), Bool(255), Bool(1)]).unwrap();
    assert_eq!(whole::<i64>(&chunk, Reduction::Sum, None).unwrap(), 3);
    assert_eq!(whole::<i64>(&chunk, Reduction::ArgMax, None).unwrap(), 1);
}

#[test]
fn sums_are_formed_in_the_dtype_that_is_asked_for() {
    let mut values = vec![1.0f32; 1 << 12];
    values[0] = 1e9;
    let chunk = Chunk::from_slice(&[values.len()], &values).unwrap();
    assert_eq!(whole::<f64>(&chunk, Reduction::Sum, Some(DType::F64)).unwrap(), 1e9 + 4095.0);
    let mean = whole::<f64>(&chunk, Reduction::Mean, Some(DType::F64)).unwrap();
    assert!((mean - (1e9 + 4095.0) / 4096.0).abs() < 1e-6, "{mean}");
    let bytes = Chunk::from_slice(&[3], &[200u8, 100, 7]).unwrap();
    assert_eq!(whole::<u64>(&bytes, Reduction::Sum, None).unwrap(), 307);
    assert_eq!(whole::<u8>(&bytes, Reduction::Sum, Some(DType::U8)).unwrap(), 51);
    assert_eq!(whole::<f32>(&bytes, Reduction::Prod, Some(DType::F32)).unwrap(), 140_000.0);
    let longs = Chunk::from_slice(&[2], &[1i64 << 33, 5]).unwrap();
    assert_eq!(whole::<i32>(&longs, Reduction::Sum, Some(DType::I32)).unwrap(), 5);
    let bools = Chunk::from_slice(&[2], &[Bool(1), Bool(1)]).unwrap();
    assert_eq!(whole::<f64>(&bools, Reduction::Sum, Some(DType::F64)).unwrap(), 2.0);
    let real = Chunk::from_slice(&[2], &[1.5f64, 2.0]).unwrap();
    let sum = whole::<Complex64>(&real, Reduction::Sum, Some(DType::C128)).unwrap();
    assert_eq!(sum, Complex64::new(3.5, 0.0));
}

#[test]
fn nothing_is_read_after_it_was_cancelled() {
    let chunk = Chunk::from_slice(&[100_000], &[1.0f64; 100_000]).unwrap();
    for reduction in Reduction::ALL {
        let stopped = partial(&chunk, *reduction, None, true).unwrap();
        // What it holds is of no use, but can be finished and dropped.
        let output = reduction.output(DType::F64).unwrap();
        let found = stopped.finish(output, 0.0);
        if *reduction == Reduction::Sum {
            assert_eq!(found.unwrap().to_vec::<f64>().unwrap(), [0.0]);
        }
    }
}
