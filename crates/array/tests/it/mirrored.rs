//! Blocks at both sides of a diagonal, computed together, against each of them computed alone.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use samite_array::kernels::evaluate::{Operand, evaluate};
use samite_array::kernels::mirror::{Block, Mirror, evaluate_both};
use samite_array::kernels::program::{Program, ProgramBuilder};
use samite_array::kernels::reduce::{Asked, Partial, Reduction, reduce_all, reduce_both};
use samite_array::kernels::ufunc::Ufunc;
use samite_array::{Chunk, DType, Expr, Grid, Limits, Scalar, Wanted, contiguous_strides, prepare};

use crate::layouts::{Data, Random};

/// An array that is read plainly and with two axes swapped, and another array.
struct Case {
    program: Program,
    mirror: Mirror,
    whole: Vec<usize>,
    sources: [Data; 2],
    shape: Vec<usize>,
    origin: Vec<usize>,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let ndim = 2 + random.below(3);
        let long = [0, 0, 220, 40, 14][ndim];
        let one = random.below(ndim);
        let other = (one + 1 + random.below(ndim - 1)) % ndim;
        let mirror = Mirror::new(one, other);
        let mut whole: Vec<usize> = (0..ndim).map(|_| 1 + random.below(long)).collect();
        whole[one] = whole[other];
        let dtypes = [random.pick(&DType::ALL), random.pick(&DType::ALL)];
        let sources = dtypes.map(|dtype| Data::random(random, dtype, &whole));
        let (mut shape, mut origin) = (Vec::new(), Vec::new());
        for len in &whole {
            let part = 1 + random.below(*len);
            // Now and then a block without elements.
            shape.push(if random.below(60) == 0 { 0 } else { part });
            origin.push(random.below(*len - part + 1));
        }
        let axis = random.below(ndim);
        let program = program(random, dtypes, axis);
        Self { program, mirror, whole, sources, shape, origin }
    }

    /// What the program reads for the block there: the first array, it with its axes swapped, and
    /// the second array.
    fn operands(&self, origin: &[usize]) -> Vec<Operand> {
        let at = |data: &Data, swapped: bool| {
            let Operand { start, mut strides } = data.operand();
            let [one, other] = self.mirror.axes();
            if swapped {
                strides.swap(one, other);
            }
            let offset: isize =
                origin.iter().zip(&strides).map(|(place, step)| *place as isize * step).sum();
            Operand { start: start.wrapping_offset(offset), strides }
        };
        vec![at(&self.sources[0], false), at(&self.sources[0], true), at(&self.sources[1], false)]
    }

    fn swapped(&self, by_axis: &[usize]) -> Vec<usize> {
        let [one, other] = self.mirror.axes();
        let mut swapped = by_axis.to_vec();
        swapped.swap(one, other);
        swapped
    }
}

/// A chain over the three operands, and sometimes over positions.
fn program(random: &mut Random, [first, second]: [DType; 2], axis: usize) -> Program {
    let mut builder = ProgramBuilder::new();
    let plain = builder.input(first);
    let swapped = builder.input(first);
    let more = builder.input(second);
    let mut result = match random.below(4) {
        // Nothing but one of them.
        0 => random.pick(&[plain, swapped]),
        1 => builder.apply(Ufunc::Maximum, &[plain, swapped]).unwrap(),
        _ => builder.apply(Ufunc::Add, &[plain, swapped]).unwrap(),
    };
    if random.below(3) == 0 {
        result = builder.apply(Ufunc::Multiply, &[result, more]).unwrap();
    }
    if random.below(3) == 0 {
        let count = builder.iota(axis, Scalar::new(3i64), Scalar::new(2i64));
        result = builder.apply(Ufunc::Add, &[count, result]).unwrap();
    }
    builder.finish(result)
}

/// Both parts of the results; none where there is an error.
fn finished(partial: &Partial) -> Option<Vec<f64>> {
    let chunk = partial.finish(DType::C128, 0.0).ok()?;
    let values = chunk.to_vec::<num_complex::Complex64>().ok()?;
    Some(values.iter().flat_map(|value| [value.re, value.im]).collect())
}

fn close(one: f64, other: f64, tolerance: f64, scale: f64) -> bool {
    one == other
        || (one.is_nan() && other.is_nan())
        || (one - other).abs() <= tolerance * one.abs().max(scale)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(400)) })]

    #[test]
    fn written_blocks_are_those_of_one_alone(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let case = Case::random(random);
        let (image_shape, image_origin) = (case.swapped(&case.shape), case.swapped(&case.origin));
        let size = case.program.output().size();
        let running = AtomicBool::new(false);
        let operands = [case.operands(&case.origin), case.operands(&image_origin)];
        // Both targets are parts of one larger array, so that their strides are the same.
        let strides = contiguous_strides(&case.whole, size);
        let bytes = size * case.whole.iter().product::<usize>();
        let mut together = [vec![0u8; bytes], vec![0u8; bytes]];
        let mut alone = together.clone();
        let sides = [(&case.shape, &case.origin), (&image_shape, &image_origin)];
        let [block, image] = [0, 1].map(|side: usize| Block {
            operands: &operands[side],
            shape: sides[side].0,
            origin: sides[side].1,
        });
        let targets = together.each_mut().map(|target| target.as_mut_ptr());
        // SAFETY: the blocks lie within the sources, and the targets are as large as the arrays.
        unsafe {
            evaluate_both(&case.program, [block, image], case.mirror, targets, &strides, &running);
        }
        for (target, block) in alone.iter_mut().zip([block, image]) {
            let Block { operands, shape, origin } = block;
            // SAFETY: as above.
            unsafe {
                let to = target.as_mut_ptr();
                evaluate(&case.program, operands, shape, to, &strides, origin, &running);
            }
        }
        prop_assert!(together == alone, "{:?} of {:?} at {:?}", case.program, case.shape, case.origin);
    }

    #[test]
    fn reductions_are_those_of_one_alone(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let case = Case::random(random);
        let dtype = case.program.output();
        let (image_shape, image_origin) = (case.swapped(&case.shape), case.swapped(&case.origin));
        let operands = [case.operands(&case.origin), case.operands(&image_origin)];
        let count = 1 + random.below(3);
        let asked: Vec<Asked> = (0..count).map(|_| (random.pick(Reduction::ALL), None)).collect();
        let one = random.below(case.shape.len());
        let single = random.below(2) == 0;
        let axes: Vec<bool> =
            (0..case.shape.len()).map(|axis| axis == one || (!single && random.below(2) == 0)).collect();
        let running = AtomicBool::new(false);
        let sides = [(&case.shape, &case.origin), (&image_shape, &image_origin)];
        let [block, image] = [0, 1].map(|side: usize| Block {
            operands: &operands[side],
            shape: sides[side].0,
            origin: sides[side].1,
        });
        // SAFETY: the blocks lie within the sources.
        let together = unsafe {
            reduce_both(
                &case.program, [block, image], case.mirror, &axes, &asked, &case.whole, &running,
            )
        };
        for (side, Block { operands, shape, origin }) in [block, image].into_iter().enumerate() {
            // SAFETY: as above.
            let alone = unsafe {
                reduce_all(
                    &case.program, operands, shape, &axes, &asked, origin, &case.whole, &running,
                )
            };
            let (together, alone) = match (&together, alone) {
                (Ok(together), Ok(alone)) => (&together[side], alone),
                (Err(_), Err(_)) => continue,
                _ => return Err(TestCaseError::fail("one of both was refused")),
            };
            prop_assert_eq!(together.len(), asked.len());
            for (found, wanted) in together.iter().zip(&alone) {
                prop_assert_eq!(found.shape(), wanted.shape());
                prop_assert_eq!(found.reduction(), wanted.reduction());
                let (Some(found_values), Some(wanted_values)) =
                    (finished(found), finished(wanted)) else {
                    prop_assert!(finished(found).is_none() && finished(wanted).is_none());
                    continue;
                };
                // Sums and products of floats depend on the order, up to infinity and nothing.
                let ordered = match found.reduction() {
                    Reduction::Sum | Reduction::Prod => dtype.kind() >= samite_array::Kind::Float,
                    Reduction::Mean | Reduction::NanMean | Reduction::Var | Reduction::NanVar => true,
                    _ => false,
                };
                let tolerance = match dtype {
                    _ if !ordered => 0.0,
                    DType::F16 => 4e-3,
                    DType::F32 | DType::C64 => 1e-5,
                    _ => 1e-9,
                };
                let extent = |value: &f64| if value.is_finite() { value.abs() } else { 0.0 };
                let scale = wanted_values.iter().map(extent).fold(1.0, f64::max);
                let missing = |number: &[f64]| number.iter().any(|part| part.is_nan());
                let numbers = found_values.chunks(2).zip(wanted_values.chunks(2));
                // Which of several complex numbers that are none is taken depends on the order.
                let known = numbers.filter(|(one, other)| !(missing(one) && missing(other)));
                for (one, other) in known.flat_map(|(one, other)| one.iter().zip(other)) {
                    let huge = |value: f64| !value.is_finite() || value.abs() > 1e30;
                    if ordered && (huge(*one) || huge(*other) || scale > 1e30) {
                        continue;
                    }
                    prop_assert!(
                        close(*one, *other, tolerance, scale),
                        "{:?} of {dtype:?}: {one} alone {other}", found.reduction()
                    );
                }
            }
        }
    }
}

/// A square table in four by four blocks.
fn table(first: u32) -> Expr {
    let elements: Vec<f64> = (first..first + 1600).map(f64::from).collect();
    let table = Chunk::from_slice(&[40, 40], &elements).unwrap();
    Expr::from_chunk(table, Grid::regular(&[40, 40], &[10, 10]).unwrap()).unwrap()
}

fn sum(one: &Expr, other: &Expr) -> Expr {
    Expr::map(Ufunc::Add, None, vec![one.clone().into(), other.clone().into()]).unwrap()
}

fn transposed(x: &Expr) -> Expr {
    x.transpose(&[1, 0]).unwrap()
}

/// How many blocks are taken from the task of another block: nothing else in the plans of these
/// tests waits for one task alone.
fn taken(root: &Expr) -> usize {
    let prepared = prepare(std::slice::from_ref(root), Wanted::Whole, &Limits::default()).unwrap();
    let plan = &prepared.plan;
    let tasks = (0..plan.len()).map(samite_graph::TaskId::from_index);
    tasks.filter(|task| plan.dependencies(*task).len() == 1).count()
}

#[test]
fn blocks_at_both_sides_of_the_diagonal_are_one_task() {
    let x = table(0);
    let both = sum(&x, &transposed(&x));
    assert_eq!(taken(&both), 6);
    for axes in [[true, false], [false, true], [true, true]] {
        let reduced = both.reduce(Reduction::Sum, &axes, None, 0.0, &[]).unwrap();
        assert_eq!(taken(&reduced), 6, "{axes:?}");
    }
}

#[test]
fn other_reads_are_not_paired() {
    let (x, other) = (table(0), table(7));
    for sum in [sum(&x, &x), sum(&x, &transposed(&other)), sum(&x, &other)] {
        assert_eq!(taken(&sum), 0);
    }
    // What is at the other side of the diagonal is no block.
    let stripes = x.rechunk(Grid::regular(&[40, 40], &[40, 10]).unwrap()).unwrap();
    let both = sum(&stripes, &transposed(&stripes).rechunk(stripes.grid().clone()).unwrap());
    let reduced = both.reduce(Reduction::Sum, &[true, false], None, 0.0, &[]).unwrap();
    let found = reduced.compute().unwrap().to_vec::<f64>().unwrap();
    let wanted = sum(&x, &transposed(&x)).reduce(Reduction::Sum, &[true, false], None, 0.0, &[]);
    assert_eq!(found, wanted.unwrap().compute().unwrap().to_vec::<f64>().unwrap());
}
