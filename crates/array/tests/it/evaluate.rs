//! Fused evaluation against an interpreter that takes one element at a time.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use samite_array::kernels::evaluate::evaluate;
use samite_array::kernels::program::{ProgramBuilder, Register};
use samite_array::kernels::ufunc::Ufunc;
use samite_array::{Bool, DType, Scalar, Shape};

use crate::layouts::{Data, Random, positions, same};

/// Converts with a loop of the standard library or by hand, for the dtypes that the test uses.
fn cast(value: Scalar, dtype: DType) -> Scalar {
    if value.dtype() == dtype {
        return value;
    }
    let integer: Option<i128> = match value.dtype() {
        DType::Bool => value.get::<Bool>().map(|value| i128::from(value.0 != 0)),
        DType::U8 => value.get::<u8>().map(i128::from),
        DType::I16 => value.get::<i16>().map(i128::from),
        DType::I32 => value.get::<i32>().map(i128::from),
        DType::I64 => value.get::<i64>().map(i128::from),
        DType::U64 => value.get::<u64>().map(i128::from),
        _ => None,
    };
    if let Some(integer) = integer {
        return match dtype {
            DType::Bool => Scalar::new(Bool::from(integer != 0)),
            DType::U8 => Scalar::new(integer as u8),
            DType::I16 => Scalar::new(integer as i16),
            DType::I32 => Scalar::new(integer as i32),
            DType::I64 => Scalar::new(integer as i64),
            DType::U64 => Scalar::new(integer as u64),
            DType::F32 => Scalar::new(integer as f32),
            DType::F64 => Scalar::new(integer as f64),
            other => panic!("{other:?}"),
        };
    }
    let double = match value.dtype() {
        DType::F32 => f64::from(value.get::<f32>().unwrap()),
        DType::F64 => value.get::<f64>().unwrap(),
        other => panic!("{other:?}"),
    };
    let fits = |low: f64, high: f64| double.trunc() >= low && double.trunc() < high;
    let narrow = if fits(-2f64.powi(31), 2f64.powi(31)) { double as i32 } else { i32::MIN };
    let wide = if fits(-2f64.powi(63), 2f64.powi(63)) { double as i64 } else { i64::MIN };
    match dtype {
        DType::Bool => Scalar::new(Bool::from(double != 0.0)),
        DType::U8 => Scalar::new(narrow as u8),
        DType::I16 => Scalar::new(narrow as i16),
        DType::I32 => Scalar::new(narrow),
        DType::I64 => Scalar::new(wide),
        DType::U64 if double >= 2f64.powi(63) && double < 2f64.powi(64) => {
            Scalar::new(double as u64)
        }
        DType::U64 if double >= 2f64.powi(64) => Scalar::new(0u64),
        DType::U64 => Scalar::new(wide as u64),
        DType::F32 => Scalar::new(double as f32),
        DType::F64 => Scalar::new(double),
        other => panic!("{other:?}"),
    }
}

macro_rules! interpret {
    ($ufunc:expr, $x:expr, $y:expr, $type:ty, $add:ident $sub:ident $mul:ident) => {{
        let (x, y) = ($x.get::<$type>().unwrap(), $y.get::<$type>().unwrap());
        match $ufunc {
            Ufunc::Add => Scalar::new(x.$add(y)),
            Ufunc::Subtract => Scalar::new(x.$sub(y)),
            Ufunc::Multiply => Scalar::new(x.$mul(y)),
            Ufunc::Less => Scalar::new(Bool::from(x < y)),
            Ufunc::Equal => Scalar::new(Bool::from(x == y)),
            Ufunc::GreaterEqual => Scalar::new(Bool::from(x >= y)),
            other => panic!("{other:?}"),
        }
    }};
}

fn apply(ufunc: Ufunc, inputs: &[Scalar]) -> Scalar {
    use std::ops::{Add, Mul, Sub};
    let dtypes: Vec<DType> = inputs.iter().map(Scalar::dtype).collect();
    let chosen = ufunc.resolve(&dtypes).unwrap();
    let inputs: Vec<Scalar> =
        inputs.iter().zip(&chosen.inputs).map(|(value, dtype)| cast(*value, *dtype)).collect();
    let (x, y) = (inputs[0], *inputs.get(1).unwrap_or(&inputs[0]));
    match ufunc {
        Ufunc::Where => {
            return if x.get::<Bool>().unwrap().get() { y } else { inputs[2] };
        }
        Ufunc::LogicalAnd => {
            let both = x.get::<Bool>().unwrap().get() && y.get::<Bool>().unwrap().get();
            return Scalar::new(Bool::from(both));
        }
        Ufunc::TrueDivide if x.dtype() == DType::F32 => {
            return Scalar::new(x.get::<f32>().unwrap() / y.get::<f32>().unwrap());
        }
        Ufunc::TrueDivide => return Scalar::new(x.get::<f64>().unwrap() / y.get::<f64>().unwrap()),
        Ufunc::Sqrt if x.dtype() == DType::F32 => {
            return Scalar::new(x.get::<f32>().unwrap().sqrt());
        }
        Ufunc::Sqrt => return Scalar::new(x.get::<f64>().unwrap().sqrt()),
        _ => {}
    }
    match x.dtype() {
        DType::U8 => interpret!(ufunc, x, y, u8, wrapping_add wrapping_sub wrapping_mul),
        DType::I16 => interpret!(ufunc, x, y, i16, wrapping_add wrapping_sub wrapping_mul),
        DType::I32 => interpret!(ufunc, x, y, i32, wrapping_add wrapping_sub wrapping_mul),
        DType::I64 => interpret!(ufunc, x, y, i64, wrapping_add wrapping_sub wrapping_mul),
        DType::F32 => interpret!(ufunc, x, y, f32, add sub mul),
        DType::F64 => interpret!(ufunc, x, y, f64, add sub mul),
        DType::Bool => {
            let (x, y) = (x.get::<Bool>().unwrap().get(), y.get::<Bool>().unwrap().get());
            Scalar::new(Bool::from(match ufunc {
                Ufunc::Add => x | y,
                Ufunc::Multiply => x & y,
                Ufunc::Less => !x & y,
                Ufunc::Equal => x == y,
                Ufunc::GreaterEqual => x | !y,
                other => panic!("{other:?}"),
            }))
        }
        other => panic!("{other:?}"),
    }
}

/// How a register came about.
enum Made {
    Input(usize),
    Constant(Scalar),
    Iota(usize, Scalar, Scalar),
    Cast(usize, DType),
    Applied(Ufunc, Vec<usize>),
}

const DTYPES: [DType; 7] =
    [DType::Bool, DType::U8, DType::I16, DType::I32, DType::I64, DType::F32, DType::F64];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(300)) })]

    #[test]
    fn equals_the_interpreter(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let shape = random.shape();
        let mut builder = ProgramBuilder::new();
        let (mut made, mut registers): (Vec<Made>, Vec<Register>) = (Vec::new(), Vec::new());
        let mut data = Vec::new();
        for place in 0..1 + random.below(3) {
            let dtype = random.pick(&DTYPES);
            data.push(Data::random(random, dtype, &shape));
            registers.push(builder.input(dtype));
            made.push(Made::Input(place));
        }
        let dtype = random.pick(&DTYPES);
        let constant = random.scalar(dtype);
        registers.push(builder.constant(constant));
        made.push(Made::Constant(constant));
        if !shape.is_empty() {
            let axis = random.below(shape.len());
            let (start, step) = (Scalar::new(3i64), Scalar::new(-2i64));
            registers.push(builder.iota(axis, start, step));
            made.push(Made::Iota(axis, start, step));
        }
        let ufuncs = [
            Ufunc::Add, Ufunc::Subtract, Ufunc::Multiply, Ufunc::TrueDivide, Ufunc::Sqrt,
            Ufunc::Less, Ufunc::Equal, Ufunc::GreaterEqual, Ufunc::LogicalAnd, Ufunc::Where,
        ];
        for _ in 0..random.below(8) {
            if random.below(5) == 0 {
                let from = random.below(registers.len());
                let dtype = random.pick(&DTYPES);
                registers.push(builder.cast(registers[from], dtype));
                made.push(Made::Cast(from, dtype));
                continue;
            }
            let ufunc = random.pick(&ufuncs);
            let inputs: Vec<usize> =
                (0..ufunc.arity()).map(|_| random.below(registers.len())).collect();
            let chosen: Vec<Register> = inputs.iter().map(|input| registers[*input]).collect();
            let dtypes: Vec<DType> = chosen.iter().map(|input| builder.dtype(*input)).collect();
            let Some(found) = ufunc.resolve(&dtypes) else { continue };
            if found.inputs.iter().any(|dtype| !DTYPES.contains(dtype)) {
                continue;
            }
            registers.push(builder.apply(ufunc, &chosen).unwrap());
            made.push(Made::Applied(ufunc, inputs));
        }
        let result = registers.len() - 1 - random.below(2.min(registers.len()));
        let program = builder.finish(registers[result]);
        let size = program.output().size();

        // The target has its own order of axes, and gaps.
        let mut target = Data::random(random, program.output(), &shape);
        while target.strides.iter().zip(&shape).any(|(step, len)| *step == 0 && *len > 1) {
            target = Data::random(random, program.output(), &shape);
        }
        let origin: Shape = shape.iter().map(|_| random.below(100)).collect();
        let operands: Vec<_> = data.iter().map(Data::operand).collect();
        let to = target.operand();
        // SAFETY: the operands and the target were made for this shape.
        unsafe {
            evaluate(
                &program, &operands, &shape, to.start.cast_mut(), &to.strides, &origin,
                &AtomicBool::new(false),
            );
        }
        for position in positions(&shape) {
            let mut values: Vec<Scalar> = Vec::new();
            for made in &made {
                values.push(match made {
                    Made::Input(place) => data[*place].at(&position),
                    Made::Constant(value) => *value,
                    Made::Iota(axis, start, step) => {
                        let place = (position[*axis] + origin[*axis]) as i64;
                        let (start, step) = (start.get::<i64>().unwrap(), step.get::<i64>().unwrap());
                        Scalar::new(start + step * place)
                    }
                    Made::Cast(from, dtype) => cast(values[*from], *dtype),
                    Made::Applied(ufunc, inputs) => {
                        let inputs: Vec<Scalar> = inputs.iter().map(|input| values[*input]).collect();
                        apply(*ufunc, &inputs)
                    }
                });
            }
            let found = target.at(&position);
            prop_assert!(
                same(&found, &values[result]),
                "{found:?} is not {:?} at {position:?} of {shape:?}, {size} bytes", values[result]
            );
        }
    }
}
