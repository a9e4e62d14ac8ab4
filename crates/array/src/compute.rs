//! Computing expressions on this machine.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_graph::{OperationId, Optimize, Plan, TaskId};
use samite_runtime::{
    Context, Lane, OperationError, Options, Program, RuntimeError, Threads, Value, run_here, start,
};

use crate::chunk::Chunk;
use crate::error::ArrayError;
use crate::expr::Expr;
use crate::lower::{Limits, Lowered, Operation, Target, lower};
use crate::passes::optimize;

/// Expressions that are ready to run: a plan, its operations, and where the results will be.
pub struct Prepared {
    /// What runs.
    pub plan: Arc<Plan>,
    /// The operations that the plan's numbers point at.
    pub operations: Vec<Operation>,
    /// The tasks that stand for blocks which come from elsewhere: the token of the source and the
    /// number of the block, for each.
    pub elsewhere: Vec<(TaskId, u128, u32)>,
    results: Vec<Place>,
}

/// Where a result will be.
#[derive(Clone)]
enum Place {
    /// Written by the tasks.
    Written(Arc<Target>),
    /// The run's output of this number.
    Output(usize),
    /// The blocks from one of the run's outputs up to another.
    Blocks(std::ops::Range<usize>),
}

/// What becomes of each expression's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One array of all of them.
    Whole,
    /// Each by itself.
    Blocks,
}

/// Optimizes and lowers expressions, and plans their tasks.
///
/// # Errors
/// [`ArrayError::Graph`], [`ArrayError::OutOfMemory`] where there is no room for a result.
pub fn prepare(roots: &[Expr], wanted: Wanted, limits: &Limits) -> Result<Prepared, ArrayError> {
    let all = optimize(roots)?;
    // What is asked for twice is computed once.
    let mut roots: Vec<Expr> = Vec::with_capacity(all.len());
    let mut places = Vec::with_capacity(all.len());
    let mut known = FxHashMap::default();
    for root in all {
        let next = roots.len();
        let place = *known.entry(root.address()).or_insert(next);
        places.push(place);
        if place == next {
            roots.push(root);
        }
    }
    let mut targets = Vec::with_capacity(roots.len());
    for root in &roots {
        let several = root.grid().blocks() != Some(1);
        targets.push(match wanted {
            Wanted::Whole if several => {
                Some(Arc::new(Target::allocate(root.dtype(), root.shape())?))
            }
            _ => None,
        });
    }
    let Lowered { graph, operations, mut outputs, elsewhere } = lower(&roots, &targets, limits)?;
    let mut results: Vec<Place> = Vec::with_capacity(roots.len());
    let mut at = 0;
    for (blocks, target) in outputs.iter().zip(targets) {
        results.push(match (target, wanted) {
            (Some(target), _) => Place::Written(target),
            (None, Wanted::Whole) => Place::Output(at),
            (None, Wanted::Blocks) => Place::Blocks(at..at + blocks.len()),
        });
        at += blocks.len();
    }
    // An output is a task of its own, whoever reads it.
    outputs.extend(elsewhere.iter().map(|(_, blocks)| *blocks));
    let plan = samite_graph::optimize(&graph, &outputs, &Optimize::default())?;
    let mut tasks = plan.outputs().iter().skip(at);
    let mut sources = Vec::new();
    for (content, blocks) in elsewhere {
        let numbers = 0..blocks.len() as u32;
        sources.extend(numbers.zip(&mut tasks).map(|(block, task)| (*task, content, block)));
    }
    let results = places.into_iter().map(|place| results[place].clone()).collect();
    Ok(Prepared { plan: Arc::new(plan), operations, elsewhere: sources, results })
}

impl Prepared {
    /// The results, from the values of the plan's outputs.
    ///
    /// # Errors
    /// [`ArrayError::WrongChunk`] where a value is no chunk.
    pub fn results(&self, values: &[Value]) -> Result<Vec<Vec<Chunk>>, ArrayError> {
        let chunk = |place: usize| {
            values.get(place).and_then(Chunk::of).cloned().ok_or_else(|| ArrayError::WrongChunk {
                operation: "compute",
                found: "not an array of native elements".to_owned(),
                wanted: "an array".to_owned(),
            })
        };
        self.results
            .iter()
            .map(|result| match result {
                Place::Written(target) => Ok(vec![target.into_chunk()]),
                Place::Output(place) => Ok(vec![chunk(*place)?]),
                Place::Blocks(range) => range.clone().map(chunk).collect(),
            })
            .collect()
    }
}

/// The operations of arrays as a program of the runtime.
pub struct ArrayProgram {
    /// The table.
    pub operations: Vec<Operation>,
}

impl Program for ArrayProgram {
    fn run(
        &self,
        operation: OperationId,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        self.operations[operation.index()].run(index, context, inputs)
    }

    fn lane(&self, operation: OperationId) -> Lane {
        if self.operations[operation.index()].is_guarded() { Lane::Guarded } else { Lane::Free }
    }

    fn name(&self, operation: OperationId, index: u32) -> String {
        format!("{}-{index}", self.operations[operation.index()].name())
    }
}

/// Computes several expressions in one run: what they share is computed once.
///
/// # Errors
/// [`ArrayError::Runtime`] where a task failed or memory did not suffice.
pub fn compute(roots: &[Expr], options: Options) -> Result<Vec<Chunk>, ArrayError> {
    let prepared = prepare(roots, Wanted::Whole, &limits_of(&options))?;
    let chunks = run(prepared, options)?;
    Ok(chunks.into_iter().flatten().collect())
}

/// Computes the blocks of several expressions, and gives expressions that hold them.
///
/// # Errors
/// As [`compute`].
pub fn persist(roots: &[Expr], options: Options) -> Result<Vec<Expr>, ArrayError> {
    let prepared = prepare(roots, Wanted::Blocks, &limits_of(&options))?;
    let chunks = run(prepared, options)?;
    roots
        .iter()
        .zip(chunks)
        .map(|(root, blocks)| Expr::stored(blocks, root.dtype(), root.grid().clone()))
        .collect()
}

fn limits_of(options: &Options) -> Limits {
    Limits::for_run(options.memory_limit, options.spill_folder.clone())
}

fn run(prepared: Prepared, options: Options) -> Result<Vec<Vec<Chunk>>, ArrayError> {
    let Prepared { plan, operations, elsewhere, results } = prepared;
    let program = Arc::new(ArrayProgram { operations });
    let values: Result<Vec<Value>, RuntimeError> = match options.threads {
        Threads::Calling => run_here(Arc::clone(&plan), program, options),
        Threads::Pool(_) => start(Arc::clone(&plan), program, options)?.join(),
    };
    let values = values?;
    Prepared { plan, operations: Vec::new(), elsewhere, results }.results(&values)
}

impl Expr {
    /// Computes the array with the default options.
    ///
    /// # Errors
    /// As [`compute`].
    pub fn compute(&self) -> Result<Chunk, ArrayError> {
        let mut chunks = compute(std::slice::from_ref(self), Options::default())?;
        chunks.pop().ok_or(ArrayError::Internal { what: "a result is missing" })
    }
}
