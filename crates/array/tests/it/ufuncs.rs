//! Which loops are picked, and single results that NumPy gives.

use std::sync::atomic::AtomicBool;

use samite_array::kernels::evaluate::{Operand, evaluate};
use samite_array::kernels::program::ProgramBuilder;
use samite_array::kernels::ufunc::Ufunc;
use samite_array::{Bool, Chunk, DType, Element};

fn apply<T: Element, R: Element>(ufunc: Ufunc, inputs: &[&[T]]) -> Vec<R> {
    let chunks: Vec<Chunk> =
        inputs.iter().map(|input| Chunk::from_slice(&[input.len()], input).unwrap()).collect();
    let mut builder = ProgramBuilder::new();
    let registers: Vec<_> = chunks.iter().map(|chunk| builder.input(chunk.dtype())).collect();
    let result = builder.apply(ufunc, &registers).unwrap();
    assert_eq!(builder.dtype(result), R::DTYPE);
    let program = builder.finish(result);
    let operands: Vec<Operand> = chunks
        .iter()
        .map(|chunk| Operand { start: chunk.as_ptr(), strides: chunk.strides().into() })
        .collect();
    let shape = [inputs[0].len()];
    let result = Chunk::build(R::DTYPE, &shape, |bytes| {
        // SAFETY: all chunks are of this shape.
        unsafe {
            evaluate(
                &program,
                &operands,
                &shape,
                bytes.as_mut_ptr(),
                &[size_of::<R>() as isize],
                &[0],
                &AtomicBool::new(false),
            );
        }
        Ok(())
    });
    result.unwrap().to_vec().unwrap()
}

#[test]
fn loops_are_those_of_numpy() {
    use DType::{Bool, C64, F16, F32, F64, I8, I16, I32, I64, U8, U64};
    let output = |name: &str, inputs: &[DType]| {
        Ufunc::from_name(name).unwrap().resolve(inputs).map(|found| found.output)
    };
    assert_eq!(output("add", &[Bool, Bool]), Some(Bool));
    assert_eq!(output("subtract", &[Bool, Bool]), None);
    assert_eq!(output("subtract", &[Bool, I8]), Some(I8));
    assert_eq!(output("power", &[Bool, Bool]), Some(I8));
    assert_eq!(output("add", &[U64, I64]), Some(F64));
    assert_eq!(output("add", &[I16, F16]), Some(F32));
    assert_eq!(output("true_divide", &[I8, I8]), Some(F64));
    assert_eq!(output("divide", &[I8, F16]), Some(F16));
    assert_eq!(output("left_shift", &[U64, I8]), None);
    assert_eq!(output("equal", &[U64, I8]), Some(Bool));
    assert_eq!(output("sqrt", &[I8]), Some(F16));
    assert_eq!(output("sqrt", &[I16]), Some(F32));
    assert_eq!(output("sqrt", &[I32]), Some(F64));
    assert_eq!(output("absolute", &[C64]), Some(F32));
    assert_eq!(output("floor", &[U8]), Some(U8));
    assert_eq!(output("floor", &[C64]), None);
    assert_eq!(output("negative", &[Bool]), None);
    assert_eq!(output("signbit", &[I8]), Some(Bool));
    assert_eq!(output("deg2rad", &[F32]), Some(F32));
    assert_eq!(output("isnan", &[Bool]), Some(Bool));
}

#[test]
fn every_loop_has_a_kernel() {
    let mut missing = Vec::new();
    for ufunc in Ufunc::ALL {
        assert_eq!(Ufunc::from_name(ufunc.name()), Some(*ufunc));
        for dtype in DType::ALL {
            let inputs = vec![dtype; ufunc.arity()];
            let Some(found) = ufunc.resolve(&inputs) else { continue };
            let mut builder = ProgramBuilder::new();
            let registers: Vec<_> = inputs.iter().map(|dtype| builder.input(*dtype)).collect();
            match builder.apply(*ufunc, &registers) {
                Ok(result) if builder.dtype(result) == found.output => {}
                _ => missing.push((ufunc.name(), dtype)),
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn integers_divide_as_in_numpy() {
    let x = [7i32, -7, 7, -7, 5, i32::MIN];
    let y = [2i32, 2, -2, -2, 0, -1];
    assert_eq!(apply::<i32, i32>(Ufunc::FloorDivide, &[&x, &y]), [3, -4, -4, 3, 0, i32::MIN]);
    assert_eq!(apply::<i32, i32>(Ufunc::Remainder, &[&x, &y]), [1, 1, -1, -1, 0, 0]);
    assert_eq!(apply::<i32, i32>(Ufunc::Fmod, &[&x, &y]), [1, -1, 1, -1, 0, 0]);
    let powers = apply::<i32, i32>(Ufunc::Power, &[&[3, -2, 2, 10], &[4, 3, 40, 0]]);
    assert_eq!(powers, [81, -8, 0, 1]);
    assert_eq!(apply::<i8, i8>(Ufunc::LeftShift, &[&[1, 1, -1], &[7, 8, -1]]), [-128, 0, 0]);
    assert_eq!(apply::<i8, i8>(Ufunc::RightShift, &[&[-128, -1, 64], &[7, 9, -1]]), [-1, -1, 0]);
}

#[test]
fn floats_divide_as_in_numpy() {
    let inf = f64::INFINITY;
    let x = [7.5, -7.5, 7.5, 1.0, -1.0, inf, -0.0, 1.0];
    let y = [2.0, 2.0, -2.0, inf, inf, 2.0, 3.0, 0.0];
    let quotients = apply::<f64, f64>(Ufunc::FloorDivide, &[&x, &y]);
    assert_eq!(quotients[..5], [3.0, -4.0, -4.0, 0.0, -1.0]);
    assert!(quotients[5].is_nan());
    assert!(quotients[6] == 0.0 && quotients[6].is_sign_negative());
    assert_eq!(quotients[7], inf);
    let rests = apply::<f64, f64>(Ufunc::Remainder, &[&x, &y]);
    assert_eq!(rests[..5], [1.5, 0.5, -0.5, 1.0, inf]);
    assert!(rests[5].is_nan() && rests[7].is_nan());
    assert!(rests[6] == 0.0 && rests[6].is_sign_positive());
}

#[test]
fn what_is_not_a_number_wins_or_loses() {
    let nan = f64::NAN;
    let (x, y) = ([1.0, nan, 2.0], [nan, 1.0, 3.0]);
    let largest = apply::<f64, f64>(Ufunc::Maximum, &[&x, &y]);
    assert!(largest[0].is_nan() && largest[1].is_nan() && largest[2] == 3.0);
    assert_eq!(apply::<f64, f64>(Ufunc::Fmin, &[&x, &y]), [1.0, 1.0, 2.0]);
    let less = apply::<f64, Bool>(Ufunc::Less, &[&x, &y]);
    assert_eq!(less, [Bool(0), Bool(0), Bool(1)]);
}

#[test]
fn half_precision_is_rounded_once_an_operation() {
    use half::f16;
    let half = f16::from_f32;
    let sums = apply::<f16, f16>(Ufunc::Add, &[&[half(2048.0)], &[half(1.0)]]);
    assert_eq!(sums, [half(2048.0)]);
    assert_eq!(apply::<i8, f16>(Ufunc::Sqrt, &[&[4]]), [half(2.0)]);
}

#[test]
fn complex_numbers_are_ordered_and_divided() {
    use num_complex::Complex64 as C;
    let (x, y) = ([C::new(1.0, 2.0), C::new(1.0, 3.0)], [C::new(1.0, 3.0), C::new(0.0, 9.0)]);
    assert_eq!(apply::<C, Bool>(Ufunc::Less, &[&x, &y]), [Bool(1), Bool(0)]);
    assert_eq!(apply::<C, C>(Ufunc::Maximum, &[&x, &y]), [C::new(1.0, 3.0), C::new(1.0, 3.0)]);
    let quotient = apply::<C, C>(Ufunc::TrueDivide, &[&[C::new(1.0, 2.0)], &[C::new(0.0, 2.0)]]);
    assert_eq!(quotient, [C::new(1.0, -0.5)]);
    assert_eq!(apply::<C, f64>(Ufunc::Absolute, &[&[C::new(3.0, 4.0)]]), [5.0]);
}
