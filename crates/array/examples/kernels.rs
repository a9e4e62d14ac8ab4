//! Times the kernels on blocks that do not fit the caches.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use samite_array::kernels::evaluate::{Operand, evaluate};
use samite_array::kernels::program::{Program, ProgramBuilder};
use samite_array::kernels::reduce::{Reduction, reduce};
use samite_array::kernels::scan::{Scan, scan};
use samite_array::kernels::ufunc::Ufunc;
use samite_array::{ArrayError, Chunk, DType, Scalar};

fn operand(chunk: &Chunk) -> Operand {
    Operand { start: chunk.as_ptr(), strides: chunk.strides().into() }
}

/// The seconds that this thread has run for: a busy machine lets it wait besides.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on all Unix systems, and `time` can be written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn time(name: &str, mut run: impl FnMut() -> Result<(), ArrayError>) -> Result<(), ArrayError> {
    let (mut best, mut least) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..7 {
        let (start, cpu) = (Instant::now(), processor_time());
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
        least = least.min(processor_time() - cpu);
    }
    println!("{name:40} {best:.4} s, of which on a processor {least:.4} s");
    Ok(())
}

fn doubles(shape: &[usize], seed: u64) -> Result<Chunk, ArrayError> {
    let len = shape.iter().product();
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let values: Vec<f64> = (0..len).map(|_| next()).collect();
    Chunk::from_slice(shape, &values)
}

fn fold(
    name: &str,
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    axes: &[bool],
    reduction: Reduction,
) -> Result<(), ArrayError> {
    let running = AtomicBool::new(false);
    let origin = vec![0; shape.len()];
    time(name, || {
        // SAFETY: the operands are chunks of this shape.
        let partial = unsafe {
            reduce(program, operands, shape, axes, reduction, None, &origin, shape, &running)?
        };
        partial.finish(DType::F64, 0.0)?;
        Ok(())
    })
}

fn main() -> Result<(), ArrayError> {
    let running = AtomicBool::new(false);
    let len = 30_000_000;
    let (x, y) = (doubles(&[len], 1)?, doubles(&[len], 2)?);
    let mut builder = ProgramBuilder::new();
    let copied = builder.input(DType::F64);
    let copy = builder.finish(copied);
    fold("sum", &copy, &[operand(&x)], &[len], &[true], Reduction::Sum)?;
    for reduction in
        [Reduction::NanMean, Reduction::Var, Reduction::NanVar, Reduction::Max, Reduction::ArgMax]
    {
        fold(reduction.name(), &copy, &[operand(&x)], &[len], &[true], reduction)?;
    }

    let mut builder = ProgramBuilder::new();
    let (a, b) = (builder.input(DType::F64), builder.input(DType::F64));
    let two = builder.constant(Scalar::new(2.0f64));
    let one = builder.constant(Scalar::new(1.0f64));
    let aa = builder.apply(Ufunc::Multiply, &[a, a])?;
    let bb = builder.apply(Ufunc::Multiply, &[b, b])?;
    let sum = builder.apply(Ufunc::Add, &[aa, bb])?;
    let root = builder.apply(Ufunc::Sqrt, &[sum])?;
    let twice = builder.apply(Ufunc::Multiply, &[root, two])?;
    let more = builder.apply(Ufunc::Add, &[b, one])?;
    let quotient = builder.apply(Ufunc::TrueDivide, &[a, more])?;
    let result = builder.apply(Ufunc::Subtract, &[twice, quotient])?;
    let program = builder.finish(result);
    fold("fused, sum", &program, &[operand(&x), operand(&y)], &[len], &[true], Reduction::Sum)?;
    let few = 100_000;
    time("fused, sum of 1e5, 300 times", || {
        for _ in 0..300 {
            let operands = [operand(&x), operand(&y)];
            // SAFETY: the operands have more elements.
            let partial = unsafe {
                reduce(
                    &program,
                    &operands,
                    &[few],
                    &[true],
                    Reduction::Sum,
                    None,
                    &[0],
                    &[few],
                    &running,
                )?
            };
            drop(partial);
        }
        Ok(())
    })?;
    for (ufunc, inputs) in [
        (Ufunc::Add, 2),
        (Ufunc::Sqrt, 1),
        (Ufunc::TrueDivide, 2),
        (Ufunc::Maximum, 2),
        (Ufunc::FloorDivide, 2),
        (Ufunc::Exp, 1),
        (Ufunc::Sin, 1),
    ] {
        let mut builder = ProgramBuilder::new();
        let registers = [builder.input(DType::F64), builder.input(DType::F64)];
        let result = builder.apply(ufunc, &registers[..inputs])?;
        let program = builder.finish(result);
        let mut target = vec![0.0f64; few];
        let target = target.as_mut_ptr().cast::<u8>();
        time(&format!("{} of 1e5, 300 times", ufunc.name()), || {
            for _ in 0..300 {
                let operands = [operand(&x), operand(&y)];
                // SAFETY: the operands and the target have as many elements.
                unsafe { evaluate(&program, &operands, &[few], target, &[8], &[0], &running) };
            }
            Ok(())
        })?;
    }
    drop(y);

    let square = doubles(&[8000, 8000], 3)?;
    let half = square.slice(0, 0, 1, 4000).unwrap_or(square.clone());
    let other = square.permuted(&[1, 0]).slice(0, 0, 1, 4000).unwrap_or(square.clone());
    let mut builder = ProgramBuilder::new();
    let (a, b) = (builder.input(DType::F64), builder.input(DType::F64));
    let sum = builder.apply(Ufunc::Add, &[a, b])?;
    let program = builder.finish(sum);
    let shape = [4000, 8000];
    let both = [operand(&half), operand(&other)];
    fold("(x + x.T), mean of columns", &program, &both, &shape, &[true, false], Reduction::Mean)?;
    fold("(x + x.T), mean of rows", &program, &both, &shape, &[false, true], Reduction::Mean)?;
    let whole = [operand(&half)];
    for reduction in
        [Reduction::Sum, Reduction::Var, Reduction::NanVar, Reduction::Max, Reduction::ArgMax]
    {
        let name = format!("{} of columns", reduction.name());
        fold(&name, &copy, &whole, &shape, &[true, false], reduction)?;
        let name = format!("{} of rows", reduction.name());
        fold(&name, &copy, &whole, &shape, &[false, true], reduction)?;
    }
    for inner in [2, 4, 8] {
        let shape = [32_000_000 / inner, inner];
        let narrow =
            Operand { start: half.as_ptr(), strides: smallvec::smallvec![8 * inner as isize, 8] };
        let name = format!("sum of columns, {inner} long rows");
        fold(&name, &copy, std::slice::from_ref(&narrow), &shape, &[true, false], Reduction::Sum)?;
        let name = format!("sum of rows, {inner} long rows");
        fold(&name, &copy, std::slice::from_ref(&narrow), &shape, &[false, true], Reduction::Sum)?;
        let name = format!("var of rows, {inner} long rows");
        fold(&name, &copy, std::slice::from_ref(&narrow), &shape, &[false, true], Reduction::Var)?;
    }
    time("cumsum of 2e7", || {
        let shape = [20_000_000];
        // SAFETY: there are as many elements.
        let scanned = unsafe {
            scan(&copy, &[operand(&x)], &shape, 0, Scan::Sum, DType::F64, None, &[0], &running)?
        };
        drop(scanned);
        Ok(())
    })?;
    time("cumsum of 4 blocks of 5e6", || {
        let shape = [5_000_000];
        for _ in 0..4 {
            // SAFETY: there are as many elements.
            let scanned = unsafe {
                scan(&copy, &[operand(&x)], &shape, 0, Scan::Sum, DType::F64, None, &[0], &running)?
            };
            drop(scanned);
        }
        Ok(())
    })
}
