//! Reductions of the same elements are made in one pass, and give what each gives alone.

use std::sync::atomic::AtomicBool;

use num_complex::Complex64;
use proptest::prelude::*;
use samite_array::kernels::evaluate::Operand as Elements;
use samite_array::kernels::program::{Program, ProgramBuilder};
use samite_array::kernels::reduce::{Asked, Partial, Reduction, reduce, reduce_all};
use samite_array::{
    Chunk, DType, Expr, Grid, Limits, Operand, Scalar, Ufunc, Wanted, compute, prepare,
};
use samite_runtime::{Options, Threads};

use crate::layouts::{Data, Random};

/// The elements themselves, or something that has to be computed of them.
fn program(random: &mut Random, dtype: DType) -> Program {
    let mut builder = ProgramBuilder::new();
    let input = builder.input(dtype);
    let result = match random.below(2) {
        0 => input,
        _ => builder.apply(Ufunc::Add, &[input, input]).unwrap(),
    };
    builder.finish(result)
}

/// The results as doubles, or why there are none.
fn finished(partial: &Partial, dtype: DType) -> Result<(Vec<usize>, Vec<f64>), String> {
    let output = partial.reduction().output(dtype).unwrap();
    let chunk = partial.finish(output, 0.0).map_err(|error| error.to_string())?;
    let shape = chunk.shape().to_vec();
    if output == DType::C128 {
        let numbers = chunk.to_vec::<Complex64>().unwrap();
        return Ok((shape, numbers.iter().flat_map(|number| [number.re, number.im]).collect()));
    }
    let whole = Expr::from_chunk(chunk, Grid::whole(&shape)).unwrap();
    let numbers = whole.cast(DType::F64).compute().unwrap().to_vec::<f64>().unwrap();
    Ok((shape, numbers))
}

/// Tiles may be of other lengths, so that the last digits may be others.
fn close(one: &[f64], other: &[f64], digits: f64) -> bool {
    let alike = |(one, other): (&f64, &f64)| {
        one == other
            || (one.is_nan() && other.is_nan())
            || (one - other).abs() <= digits * other.abs().max(1.0)
    };
    one.len() == other.len() && one.iter().zip(other).all(alike)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(400)) })]

    #[test]
    fn each_gives_what_it_gives_alone(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let shape = random.shape();
        let dtypes = [DType::F64, DType::F32, DType::I32, DType::U8, DType::F16, DType::C128];
        let dtype = random.pick(&dtypes);
        let data = Data::random(random, dtype, &shape);
        let program = program(random, dtype);
        let one = random.below(shape.len().max(1));
        let axes: Vec<bool> = (0..shape.len()).map(|axis| axis == one).collect();
        let (origin, running) = (vec![0; shape.len()], AtomicBool::new(false));
        let operand = || {
            let operand = data.operand();
            [Elements { start: operand.start, strides: operand.strides }]
        };
        let alone = |(reduction, accumulator): Asked| {
            // SAFETY: the operand can be read over its shape.
            unsafe {
                reduce(
                    &program, &operand(), &shape, &axes, reduction, accumulator, &origin, &shape,
                    &running,
                )
            }
        };
        let all: Vec<Asked> = Reduction::ALL.iter().map(|reduction| (*reduction, None)).collect();
        let known: Vec<Asked> = all.into_iter().filter(|asked| alone(*asked).is_ok()).collect();
        let asked: Vec<Asked> = (0..1 + random.below(5)).map(|_| random.pick(&known)).collect();
        // SAFETY: as above.
        let together = unsafe {
            reduce_all(&program, &operand(), &shape, &axes, &asked, &origin, &shape, &running)
        };
        for (asked, partial) in asked.iter().zip(together.unwrap()) {
            let wanted = finished(&alone(*asked).unwrap(), dtype);
            let digits = match dtype {
                DType::F16 => 2e-3,
                DType::F32 => 1e-6,
                _ => 1e-12,
            };
            match (finished(&partial, dtype), wanted) {
                (Ok((shape, found)), Ok((wanted_shape, wanted))) => {
                    prop_assert_eq!(shape, wanted_shape);
                    let alike = close(&found, &wanted, digits);
                    prop_assert!(alike, "{:?} of {:?}: {:?}, {:?}", asked, dtype, found, wanted);
                }
                (found, wanted) => prop_assert_eq!(found, wanted),
            }
        }
    }
}

/// A table of a thousand rows in ten blocks.
fn table() -> Expr {
    let elements: Vec<f64> = (0..4000).map(|place| f64::from(place % 977)).collect();
    let table = Chunk::from_slice(&[1000, 4], &elements).unwrap();
    Expr::from_chunk(table, Grid::regular(&[1000, 4], &[100, 4]).unwrap()).unwrap()
}

fn reduced(x: &Expr, reduction: Reduction, axes: &[bool]) -> Expr {
    x.reduce(reduction, axes, None, 0.0, &[]).unwrap()
}

/// How many tasks that reduce a block a run has, by their names.
fn passes(roots: &[Expr]) -> Vec<String> {
    let prepared = prepare(roots, Wanted::Whole, &Limits::default()).unwrap();
    let names = prepared.operations.iter().map(|operation| operation.name());
    names.filter(|name| name.ends_with("-chunk")).collect()
}

#[test]
fn the_source_is_read_once() {
    let x = table();
    let both = [true, true];
    let [sum, mean, var] = [Reduction::Sum, Reduction::Mean, Reduction::Var]
        .map(|reduction| reduced(&x, reduction, &both));
    assert_eq!(passes(&[sum.clone(), mean.clone(), var.clone()]), ["sum-mean-var-chunk"]);
    let alone: usize =
        [&sum, &mean, &var].map(|root| tasks(std::slice::from_ref(root))).iter().sum();
    // Ten tasks read the blocks, where three times as many would.
    assert_eq!(tasks(&[sum, mean, var]), alone - 20);
    let highest = reduced(&x, Reduction::Max, &both);
    let lowest = reduced(&x, Reduction::Min, &both);
    let range = Expr::map(Ufunc::Subtract, None, vec![highest.into(), lowest.into()]).unwrap();
    assert_eq!(passes(std::slice::from_ref(&range)), ["max-min-chunk"]);
    assert_eq!(range.compute().unwrap().to_vec::<f64>().unwrap(), [976.0]);
}

fn tasks(roots: &[Expr]) -> usize {
    prepare(roots, Wanted::Whole, &Limits::default()).unwrap().plan.len()
}

#[test]
fn what_they_reduce_is_computed_once() {
    // Costly enough to be stored for two readers, if these were two.
    let exp = Expr::map(Ufunc::Exp, None, vec![table().into()]).unwrap();
    let scaled =
        Expr::map(Ufunc::Multiply, None, vec![exp.into(), Operand::Scalar(Scalar::new(0.5))]);
    let scaled = scaled.unwrap();
    let (sum, mean) = (Reduction::Sum, Reduction::Mean);
    let roots = [sum, mean].map(|reduction| reduced(&scaled, reduction, &[true, false]));
    assert_eq!(passes(&roots), ["sum-mean-chunk"]);
    let prepared = prepare(&roots, Wanted::Whole, &Limits::default()).unwrap();
    assert!(prepared.operations.iter().all(|operation| operation.name() != "elementwise"));
}

#[test]
fn other_axes_are_another_pass() {
    let x = table();
    let roots = [
        reduced(&x, Reduction::Sum, &[true, false]),
        reduced(&x, Reduction::Sum, &[false, true]),
        reduced(&x, Reduction::Max, &[true, false]),
    ];
    assert_eq!(passes(&roots), ["sum-max-chunk", "sum-chunk"]);
}

#[test]
fn they_survive_a_small_memory() {
    let x = table();
    let roots = [Reduction::Sum, Reduction::Var, Reduction::ArgMax]
        .map(|reduction| x.reduce(reduction, &[true, false], None, 0.0, &[2]).unwrap());
    let options =
        Options { threads: Threads::Calling, memory_limit: Some(1500), ..Options::default() };
    let found = compute(&roots, options).unwrap();
    for (root, found) in roots.iter().zip(found) {
        let alone = root.compute().unwrap();
        assert_eq!(found.as_bytes().unwrap(), alone.as_bytes().unwrap());
    }
}
