//! Random expressions, fused and rewritten as they are, against an evaluator that makes each array
//! in full and takes one element at a time.

use std::sync::Arc;

use proptest::prelude::*;
use samite_array::kernels::reduce::Reduction;
use samite_array::{
    ArrayError, ArrayProgram, AxisChunks, AxisMap, Bool, Chunk, DType, Element, Expr, Grid, Limits,
    Operand, Prepared, Run, Scalar, Scan, Ufunc, ViewAxis, Wanted, prepare,
};
use samite_array::{compute, optimize};
use samite_runtime::{Options, Threads, run_here};

use crate::layouts::{Random, positions};
use crate::views::{LIES, lay};

/// Elements as whole numbers, which every order of adding gives alike.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    dtype: DType,
    shape: Vec<usize>,
    elements: Vec<i64>,
}

/// Beyond this, sums of doubles are no longer exact; a test ends there.
const EXACT: i64 = 1 << 50;

impl Plain {
    fn new(dtype: DType, shape: &[usize], mut at: impl FnMut(&[usize]) -> i64) -> Self {
        let elements = positions(shape).iter().map(|position| at(position)).collect();
        Self { dtype, shape: shape.to_vec(), elements }
    }

    fn at(&self, position: &[usize]) -> i64 {
        let place = position.iter().zip(&self.shape).fold(0, |at, (place, len)| at * len + place);
        self.elements[place]
    }

    fn is_exact(&self) -> bool {
        self.elements.iter().all(|element| element.abs() < EXACT)
    }

    fn of(chunk: &Chunk) -> Self {
        let elements = match chunk.dtype() {
            DType::F64 => chunk
                .to_vec::<f64>()
                .unwrap()
                .into_iter()
                .map(|value| if value.fract() == 0.0 { value as i64 } else { i64::MIN })
                .collect(),
            DType::I64 => chunk.to_vec::<i64>().unwrap(),
            DType::Bool => {
                chunk.to_vec::<Bool>().unwrap().into_iter().map(|value| value.0.into()).collect()
            }
            other => panic!("{other:?}"),
        };
        Self { dtype: chunk.dtype(), shape: chunk.shape().to_vec(), elements }
    }

    fn chunk(&self, random: &mut Random) -> Chunk {
        fn laid<T: Element>(plain: &Plain, random: &mut Random, of: impl Fn(i64) -> T) -> Chunk {
            let elements: Vec<T> = plain.elements.iter().map(|element| of(*element)).collect();
            lay(&plain.shape, &elements, random.pick(&LIES))
        }
        match self.dtype {
            DType::F64 => laid(self, random, |element| element as f64),
            DType::I64 => laid(self, random, |element| element),
            _ => laid(self, random, |element| Bool::from(element != 0)),
        }
    }

    fn scalar(dtype: DType, value: i64) -> Scalar {
        match dtype {
            DType::F64 => Scalar::new(value as f64),
            DType::I64 => Scalar::new(value),
            _ => Scalar::new(Bool::from(value != 0)),
        }
    }

    fn cast(&self, dtype: DType) -> Self {
        let of =
            |element: &i64| if dtype == DType::Bool { i64::from(*element != 0) } else { *element };
        Self { dtype, shape: self.shape.clone(), elements: self.elements.iter().map(of).collect() }
    }
}

/// Lengths of blocks along an axis, in any way; sometimes with empty ones.
fn cut(random: &mut Random, mut len: usize) -> AxisChunks {
    if len == 0 {
        return AxisChunks::from([0]);
    }
    let longest = 1 + random.below(len);
    let mut sizes = Vec::new();
    while len > 0 {
        if random.below(40) == 0 {
            sizes.push(0);
        }
        let size = (1 + random.below(longest)).min(len);
        sizes.push(size);
        len -= size;
    }
    sizes.into()
}

fn grid(random: &mut Random, shape: &[usize]) -> Grid {
    Grid::new(shape.iter().map(|len| cut(random, *len)).collect::<Vec<_>>())
}

const DTYPES: [DType; 3] = [DType::F64, DType::I64, DType::Bool];

fn shape(random: &mut Random) -> Vec<usize> {
    let ndim = random.below(4);
    (0..ndim)
        .map(|_| match random.below(12) {
            0 => 0,
            1 | 2 => 1,
            _ => 1 + random.below(9),
        })
        .collect()
}

type Pair = (Expr, Plain);

fn source(random: &mut Random, dtype: DType, shape: &[usize]) -> Pair {
    let grid = grid(random, shape);
    match random.below(6) {
        0 => {
            let value = Plain::scalar(dtype, random.below(3) as i64);
            let plain = Plain::new(dtype, shape, |_| 0);
            let value_plain = Plain::of(&Chunk::full(value, &[]).unwrap()).elements[0];
            let elements = vec![value_plain; plain.elements.len()];
            (Expr::full(value, grid).unwrap(), Plain { elements, ..plain })
        }
        1 if shape.len() == 1 && dtype != DType::Bool => {
            let (start, step) = (random.below(7) as i64 - 3, random.below(5) as i64 - 2);
            let of = |value| Plain::scalar(dtype, value);
            let plain = Plain::new(dtype, shape, |at| start + step * at[0] as i64);
            (Expr::iota(of(start), of(step), grid).unwrap(), plain)
        }
        _ => {
            let bound = if dtype == DType::Bool { 2 } else { 7 };
            let low = if dtype == DType::Bool { 0 } else { -3 };
            let plain = Plain::new(dtype, shape, |_| low + random.below(bound) as i64);
            let chunk = plain.chunk(random);
            (Expr::from_chunk(chunk, grid).unwrap(), plain)
        }
    }
}

/// Another array of this shape: a new one, or one that is there.
fn other(random: &mut Random, made: &[Pair], dtype: DType, shape: &[usize]) -> Pair {
    let there: Vec<&Pair> =
        made.iter().filter(|pair| pair.1.shape == shape && pair.1.dtype == dtype).collect();
    if !there.is_empty() && random.below(2) == 0 {
        let (expr, plain) = there[random.below(there.len())];
        return (expr.clone(), plain.clone());
    }
    source(random, dtype, shape)
}

fn mapped(random: &mut Random, made: &[Pair], (expr, plain): &Pair) -> Pair {
    let ufuncs = [
        Ufunc::Add,
        Ufunc::Multiply,
        Ufunc::Subtract,
        Ufunc::Less,
        Ufunc::Equal,
        Ufunc::Maximum,
        Ufunc::Where,
        Ufunc::Negative,
    ];
    let mut ufunc = random.pick(&ufuncs);
    if plain.dtype == DType::Bool && matches!(ufunc, Ufunc::Subtract | Ufunc::Negative) {
        ufunc = Ufunc::Add;
    }
    // What is broadcast has fewer axes, or some of length one.
    let mut narrow: Vec<usize> = plain.shape.clone();
    for len in &mut narrow {
        if random.below(4) == 0 {
            *len = 1;
        }
    }
    let narrow = narrow[random.below(narrow.len() + 1).min(narrow.len())..].to_vec();
    let (with, right) = if random.below(2) == 0 {
        other(random, made, plain.dtype, &plain.shape)
    } else {
        source(random, plain.dtype, &narrow)
    };
    let new = plain.shape.len() - right.shape.len();
    let beside = |at: &[usize], right: &Plain| {
        let at: Vec<usize> = at[new..]
            .iter()
            .zip(&right.shape)
            .map(|(at, len)| if *len == 1 { 0 } else { *at })
            .collect();
        right.at(&at)
    };
    let bools = plain.dtype == DType::Bool;
    let dtype = match ufunc {
        Ufunc::Less | Ufunc::Equal => DType::Bool,
        _ => plain.dtype,
    };
    let apply = |one: i64, two: i64| match ufunc {
        Ufunc::Add if bools => one | two,
        Ufunc::Add => one.wrapping_add(two),
        Ufunc::Subtract => one.wrapping_sub(two),
        Ufunc::Multiply => one.wrapping_mul(two),
        Ufunc::Less => i64::from(one < two),
        Ufunc::Equal => i64::from(one == two),
        Ufunc::Maximum => one.max(two),
        Ufunc::Negative => one.wrapping_neg(),
        _ => unreachable!(),
    };
    if ufunc == Ufunc::Where {
        let (mask, condition) = other(random, made, DType::Bool, &plain.shape);
        let result = Plain::new(dtype, &plain.shape, |at| {
            if condition.at(at) != 0 { plain.at(at) } else { beside(at, &right) }
        });
        let operands = vec![mask.into(), expr.clone().into(), with.into()];
        return (Expr::map(ufunc, None, operands).unwrap(), result);
    }
    let result = Plain::new(dtype, &plain.shape, |at| apply(plain.at(at), beside(at, &right)));
    let operands: Vec<Operand> = match ufunc {
        Ufunc::Negative => vec![expr.clone().into()],
        _ if random.below(5) == 0 => {
            let value = random.below(3) as i64;
            let scalar = Operand::Scalar(Plain::scalar(plain.dtype, value));
            let value = if bools { i64::from(value != 0) } else { value };
            let result = Plain::new(dtype, &plain.shape, |at| apply(plain.at(at), value));
            let operands = vec![expr.clone().into(), scalar];
            return (Expr::map(ufunc, None, operands).unwrap(), result);
        }
        _ => vec![expr.clone().into(), with.into()],
    };
    (Expr::map(ufunc, None, operands).unwrap(), result)
}

fn viewed(random: &mut Random, (expr, plain): &Pair) -> Pair {
    let mut axes: Vec<ViewAxis> = (0..plain.shape.len())
        .filter(|axis| plain.shape[*axis] != 1 || random.below(2) == 0)
        .map(ViewAxis::Input)
        .collect();
    for place in (1..axes.len()).rev() {
        axes.swap(place, random.below(place + 1));
    }
    if axes.len() < 4 && random.below(2) == 0 {
        axes.insert(random.below(axes.len() + 1), ViewAxis::New);
    }
    let mut shape = Vec::new();
    let mut list = Vec::new();
    for axis in &axes {
        let blocks = match axis {
            ViewAxis::Input(axis) => {
                shape.push(plain.shape[*axis]);
                None
            }
            ViewAxis::New => {
                let len = random.below(4);
                shape.push(len);
                Some(cut(random, len))
            }
        };
        list.push((*axis, blocks));
    }
    let result = Plain::new(plain.dtype, &shape, |at| {
        let mut from = vec![0; plain.shape.len()];
        for (axis, place) in axes.iter().zip(at) {
            if let ViewAxis::Input(axis) = axis {
                from[*axis] = *place;
            }
        }
        plain.at(&from)
    });
    (expr.view(&list).unwrap(), result)
}

fn gathered(random: &mut Random, (expr, plain): &Pair) -> Pair {
    let mut maps = Vec::new();
    let mut places: Vec<Vec<usize>> = Vec::new();
    for len in &plain.shape {
        let len = *len;
        let map = match random.below(6) {
            _ if len == 0 => AxisMap::identity(0),
            0 => AxisMap::strided(len - 1, -1, len),
            1 => {
                let first = random.below(len);
                let step = 1 + random.below(3);
                AxisMap::strided(first, step as isize, (len - first).div_ceil(step))
            }
            2 => {
                let count = random.below(2 * len);
                let positions: Vec<usize> = (0..count).map(|_| random.below(len)).collect();
                AxisMap::positions(positions)
            }
            3 => {
                let shift = random.below(len);
                AxisMap::from_runs([
                    Run { start: shift, step: 1, len: len - shift },
                    Run { start: 0, step: 1, len: shift },
                ])
            }
            _ => AxisMap::identity(len),
        };
        let runs = map.runs().iter().flat_map(|run| (0..run.len).map(|place| run.at(place)));
        places.push(runs.collect());
        maps.push(map);
    }
    let shape: Vec<usize> = places.iter().map(Vec::len).collect();
    let grid = grid(random, &shape);
    let result = Plain::new(plain.dtype, &shape, |at| {
        let from: Vec<usize> = at.iter().zip(&places).map(|(at, places)| places[*at]).collect();
        plain.at(&from)
    });
    (expr.gather(maps.into(), grid).unwrap(), result)
}

fn joined(random: &mut Random, made: &[Pair], (expr, plain): &Pair) -> Pair {
    let axis = random.below(plain.shape.len());
    let mut parts = vec![(expr.clone(), plain.clone())];
    for _ in 0..1 + random.below(2) {
        let mut shape = plain.shape.clone();
        if random.below(2) == 0 {
            shape[axis] = random.below(5);
        }
        parts.push(other(random, made, plain.dtype, &shape));
    }
    let mut shape = plain.shape.clone();
    shape[axis] = parts.iter().map(|part| part.1.shape[axis]).sum();
    let result = Plain::new(plain.dtype, &shape, |at| {
        let mut at = at.to_vec();
        for (_, part) in &parts {
            if at[axis] < part.shape[axis] {
                return part.at(&at);
            }
            at[axis] -= part.shape[axis];
        }
        unreachable!()
    });
    let exprs = parts.into_iter().map(|part| part.0).collect();
    (Expr::concatenate(exprs, axis).unwrap(), result)
}

fn reduced(random: &mut Random, (expr, plain): &Pair) -> Pair {
    let axes: Vec<bool> = plain.shape.iter().map(|_| random.below(2) == 0).collect();
    let length: usize = plain
        .shape
        .iter()
        .zip(&axes)
        .filter(|(_, reduced)| **reduced)
        .map(|(len, _)| len)
        .product();
    let mut all = vec![Reduction::Sum, Reduction::Any, Reduction::All, Reduction::CountNonzero];
    if length > 0 {
        all.extend([Reduction::Min, Reduction::Max]);
    }
    let reduction = random.pick(&all);
    let dtype = reduction.output(plain.dtype).unwrap();
    let kept = |wanted: bool| {
        let axes: Vec<usize> = (0..axes.len()).filter(|axis| axes[*axis] == wanted).collect();
        let shape: Vec<usize> = axes.iter().map(|axis| plain.shape[*axis]).collect();
        (axes, shape)
    };
    let ((outer, shape), (inner, across)) = (kept(false), kept(true));
    let across = positions(&across);
    let result = Plain::new(dtype, &shape, |at| {
        let elements = across.iter().map(|deep| {
            let mut from = vec![0; axes.len()];
            outer.iter().zip(at).for_each(|(axis, place)| from[*axis] = *place);
            inner.iter().zip(deep).for_each(|(axis, place)| from[*axis] = *place);
            plain.at(&from)
        });
        match reduction {
            Reduction::Sum => elements.fold(0, i64::wrapping_add),
            Reduction::Min => elements.min().unwrap(),
            Reduction::Max => elements.max().unwrap(),
            Reduction::CountNonzero => elements.filter(|element| *element != 0).count() as i64,
            Reduction::Any => elements.map(|element| i64::from(element != 0)).max().unwrap_or(0),
            _ => elements.map(|element| i64::from(element != 0)).min().unwrap_or(1),
        }
    });
    let split: &[u32] = random.pick(&[&[], &[2, 3], &[3]]);
    (expr.reduce(reduction, &axes, None, 0.0, split).unwrap(), result)
}

fn scanned(random: &mut Random, (expr, plain): &Pair) -> Pair {
    let axis = random.below(plain.shape.len());
    let dtype = if plain.dtype == DType::Bool { DType::I64 } else { plain.dtype };
    let result = Plain::new(dtype, &plain.shape, |at| {
        let mut at = at.to_vec();
        (0..=at[axis]).fold(0, |sum: i64, place| {
            at[axis] = place;
            sum.wrapping_add(plain.at(&at))
        })
    });
    (expr.scan(Scan::Sum, axis, dtype).unwrap(), result)
}

fn reshaped(random: &mut Random, (expr, plain): &Pair) -> Pair {
    let elements = plain.elements.clone();
    if plain.shape.len() >= 2 && random.below(2) == 0 {
        // Blocks of whole rows become blocks of a line.
        let inner: usize = plain.shape[1..].iter().product();
        let rows = cut(random, plain.shape[0]);
        let mut before = Grid::whole(&plain.shape);
        before = before.with_axis(0, rows.clone());
        let line: AxisChunks = rows.iter().map(|rows| rows * inner).collect();
        let flat = expr.rechunk(before).unwrap().reshape(Grid::new([line])).unwrap();
        return (flat, Plain { dtype: plain.dtype, shape: vec![elements.len()], elements });
    }
    let mut shape: Vec<usize> = plain.shape.iter().rev().copied().collect();
    shape.insert(0, 1);
    let whole = expr.rechunk(Grid::whole(&plain.shape)).unwrap();
    let expr = whole.reshape(Grid::whole(&shape)).unwrap();
    (expr, Plain { dtype: plain.dtype, shape, elements })
}

fn multiplied(random: &mut Random, made: &[Pair], (expr, plain): &Pair) -> Pair {
    let shape = [plain.shape[1], 1 + random.below(6)];
    let (with, right) = other(random, made, plain.dtype, &shape);
    let result = Plain::new(plain.dtype, &[plain.shape[0], shape[1]], |at| {
        let products = (0..shape[0])
            .map(|inner| plain.at(&[at[0], inner]).wrapping_mul(right.at(&[inner, at[1]])));
        if plain.dtype == DType::Bool {
            return products.max().unwrap_or(0);
        }
        products.fold(0, i64::wrapping_add)
    });
    (expr.matmul(&with).unwrap(), result)
}

fn grown(random: &mut Random, made: &[Pair]) -> Option<Pair> {
    let pair = &made[made.len() - 1 - random.below(made.len().min(3))];
    let ndim = pair.1.shape.len();
    let made = match random.below(11) {
        0..3 => mapped(random, made, pair),
        3 => {
            let dtype = random.pick(&DTYPES);
            (pair.0.cast(dtype), pair.1.cast(dtype))
        }
        4 => viewed(random, pair),
        5 | 6 => gathered(random, pair),
        7 if ndim > 0 => joined(random, made, pair),
        8 if ndim > 0 => reduced(random, pair),
        9 if ndim > 0 => scanned(random, pair),
        10 if ndim == 2 => multiplied(random, made, pair),
        10 if ndim > 0 => reshaped(random, pair),
        _ => mapped(random, made, pair),
    };
    (made.1.is_exact() && made.1.elements.len() < 3000).then_some(made)
}

/// Arrays that are made of one another.
fn arrays(random: &mut Random) -> Vec<Pair> {
    let dtype = random.pick(&DTYPES);
    let shape = shape(random);
    let mut made = vec![source(random, dtype, &shape)];
    for _ in 0..1 + random.below(9) {
        match grown(random, &made) {
            Some(pair) => made.push(pair),
            None => break,
        }
    }
    made
}

fn on_this_thread() -> Options {
    Options { threads: Threads::Calling, ..Options::default() }
}

/// Runs what was prepared on this thread.
fn run(mut prepared: Prepared) -> Result<Vec<Vec<Chunk>>, ArrayError> {
    let program = Arc::new(ArrayProgram { operations: std::mem::take(&mut prepared.operations) });
    let values = run_here(Arc::clone(&prepared.plan), program, on_this_thread())?;
    prepared.results(&values)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(crate::cases(600)) })]

    #[test]
    fn equal_the_naive_evaluator(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let made = arrays(random);
        // Several at once share what they are made of.
        let first = random.below(made.len());
        let roots: Vec<Expr> = made[first..].iter().map(|pair| pair.0.clone()).collect();
        let options = if random.below(2) == 0 { on_this_thread() } else { Options::default() };
        let found = compute(&roots, options).unwrap();
        for (found, (expr, wanted)) in found.iter().zip(&made[first..]) {
            prop_assert_eq!(&Plain::of(found), wanted, "{}", expr.tree());
        }
    }

    #[test]
    fn optimized_ones_keep_shape_and_chunks(seed in any::<u64>()) {
        let made = arrays(&mut Random::new(seed));
        let roots: Vec<Expr> = made.iter().map(|pair| pair.0.clone()).collect();
        for (before, after) in roots.iter().zip(optimize(&roots).unwrap()) {
            prop_assert_eq!(before.dtype(), after.dtype());
            prop_assert!(before.grid().same_as(after.grid()));
        }
    }

    #[test]
    fn come_back_from_bytes(seed in any::<u64>()) {
        let made = arrays(&mut Random::new(seed));
        let (expr, wanted) = &made[made.len() - 1];
        let back = Expr::decode(&expr.encode().unwrap()).unwrap();
        prop_assert_eq!(back.dtype(), expr.dtype());
        prop_assert!(back.grid().same_as(expr.grid()));
        prop_assert_eq!(back.token(), expr.token());
        let found = compute(&[back], on_this_thread()).unwrap();
        prop_assert_eq!(&Plain::of(&found[0]), wanted);
    }

    #[test]
    fn changed_bytes_are_an_expression_or_an_error(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let made = arrays(random);
        let mut bytes = made[made.len() - 1].0.encode().unwrap();
        for _ in 0..1 + random.below(4) {
            let place = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[place] = random.next() as u8,
                1 => bytes[place] ^= 1 << random.below(8),
                2 => bytes.truncate(place + 1),
                _ => bytes.insert(place, random.next() as u8),
            }
        }
        // What is a small expression can be computed, or fails with an error.
        if let Ok(expr) = Expr::decode(&bytes)
            && expr.nbytes() < 1 << 20
            && expr.grid().blocks().is_some_and(|blocks| blocks < 1 << 10)
            && expr.tree().len() < 1 << 16
        {
            let _ = optimize(std::slice::from_ref(&expr));
            let _ = prepare(&[expr], Wanted::Blocks, &Limits { in_memory: usize::MAX, folder: None, pieces: false });
        }
    }

    #[test]
    fn bytes_of_any_content_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Expr::decode(&bytes);
    }

    #[test]
    fn cut_anew_through_a_file(seed in any::<u64>()) {
        let random = &mut Random::new(seed);
        let dtype = random.pick(&DTYPES);
        let shape: Vec<usize> = (0..1 + random.below(3)).map(|_| 1 + random.below(40)).take(2).collect();
        let (expr, plain) = source(random, dtype, &shape);
        let (expr, plain) = if random.below(2) == 0 { (expr, plain) } else { gathered(random, &(expr, plain)) };
        let other = expr.rechunk(grid(random, &plain.shape)).unwrap();
        let again = other.clone();
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { in_memory: 0, folder: Some(folder.path().to_owned()), pieces: false };
        let wanted = random.pick(&[Wanted::Whole, Wanted::Blocks]);
        let through = run(prepare(std::slice::from_ref(&other), wanted, &limits).unwrap()).unwrap();
        let within = Limits { in_memory: usize::MAX, folder: None, pieces: false };
        let inside = run(prepare(std::slice::from_ref(&other), wanted, &within).unwrap()).unwrap();
        let cut = Limits { in_memory: 0, folder: None, pieces: true };
        let pieces = run(prepare(&[other], Wanted::Blocks, &cut).unwrap()).unwrap();
        let blocks = run(prepare(&[again], Wanted::Blocks, &within).unwrap()).unwrap();
        for (one, two) in pieces[0].iter().zip(&blocks[0]) {
            prop_assert_eq!(Plain::of(one), Plain::of(two));
        }
        prop_assert_eq!(through[0].len(), inside[0].len());
        for (one, two) in through[0].iter().zip(&inside[0]) {
            prop_assert_eq!(Plain::of(one), Plain::of(two));
        }
        if wanted == Wanted::Whole {
            prop_assert_eq!(&Plain::of(&through[0][0]), &plain);
        }
        // The file goes with what reads it.
        drop((through, inside));
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_folder_that_is_not_there() {
    let grid = |rows, columns| Grid::regular(&[64, 64], &[rows, columns]).unwrap();
    let chunk = Chunk::from_slice(&[64, 64], &(0..64 * 64).collect::<Vec<i64>>()).unwrap();
    let sums =
        Expr::from_chunk(chunk, grid(1, 64)).unwrap().scan(Scan::Sum, 0, DType::I64).unwrap();
    let expr = sums.rechunk(grid(64, 1)).unwrap();
    let limits = Limits { in_memory: 0, folder: Some("/nowhere/at/all".into()), pieces: false };
    let outcome = prepare(&[expr], Wanted::Whole, &limits).and_then(run);
    assert!(matches!(outcome, Err(ArrayError::Io { .. } | ArrayError::Runtime(_))), "{outcome:?}");
}

#[test]
fn chunks_and_runs_that_overflow_are_refused() {
    let huge = Grid::new([AxisChunks::from([usize::MAX, 2])]);
    assert!(matches!(Expr::full(Scalar::new(0i64), huge), Err(ArrayError::Chunks { .. })));
    let none = Grid::new([AxisChunks::from([])]);
    assert!(matches!(Expr::full(Scalar::new(0i64), none), Err(ArrayError::Chunks { .. })));
    let ten = Expr::full(Scalar::new(0i64), Grid::whole(&[10])).unwrap();
    for run in [
        Run { start: 0, step: isize::MAX, len: 3 },
        Run { start: 1, step: -1, len: 3 },
        Run { start: usize::MAX, step: 1, len: 2 },
        Run { start: 10, step: 1, len: 1 },
    ] {
        let grid = Grid::whole(&[run.len]);
        let found = ten.gather(smallvec::smallvec![AxisMap::from_runs([run])], grid);
        assert!(matches!(found, Err(ArrayError::Axis { .. })), "{run:?}");
    }
}

#[test]
fn a_long_chain_needs_no_stack() {
    let grid = Grid::regular(&[10], &[3]).unwrap();
    let mut expr = Expr::full(Scalar::new(0i64), grid).unwrap();
    for _ in 0..20_000 {
        let one = Operand::Scalar(Scalar::new(1i64));
        expr = Expr::map(Ufunc::Add, None, vec![expr.into(), one]).unwrap();
    }
    assert_eq!(expr.compute().unwrap().to_vec::<i64>().unwrap(), [20_000; 10]);
    let back = Expr::decode(&expr.encode().unwrap()).unwrap();
    assert_eq!(back.token(), expr.token());
}
