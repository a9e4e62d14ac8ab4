//! Programs made of closures, and values to run them on.

use std::any::Any;
use std::io::{Read, Write};
use std::sync::Arc;

use samite_graph::{OperationId, Plan, PlanBuilder, TaskId};
use samite_runtime::{Context, Data, Lane, OperationError, Program, Restore, SpillError, Value};

/// A number; never spilled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) i64);

impl Data for Number {
    fn nbytes(&self) -> usize {
        8
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A number with ballast, which can be spilled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: i64,
    pub(crate) ballast: Vec<u8>,
}

impl Block {
    pub(crate) fn new(number: i64, bytes: usize) -> Self {
        let mut state = number as u64 | 1;
        // Noise, so that compression cannot hide the bytes.
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        let mut ballast = Vec::with_capacity(bytes);
        for word in noise.take(bytes / 8) {
            ballast.extend_from_slice(&word);
        }
        Self { number, ballast }
    }
}

impl Data for Block {
    fn nbytes(&self) -> usize {
        self.ballast.len() + 32
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn Write) -> Result<Box<dyn Restore>, SpillError> {
        sink.write_all(&self.ballast)?;
        Ok(Box::new(RestoreBlock { number: self.number, bytes: self.ballast.len() }))
    }
}

struct RestoreBlock {
    number: i64,
    bytes: usize,
}

impl Restore for RestoreBlock {
    fn restore(&self, source: &mut dyn Read) -> Result<Value, OperationError> {
        let mut ballast = vec![0; self.bytes];
        source.read_exact(&mut ballast).map_err(OperationError::new)?;
        Ok(Arc::new(Block { number: self.number, ballast }))
    }
}

/// The number in a value of either kind.
pub(crate) fn number(value: &Value) -> i64 {
    match value.as_any().downcast_ref::<Number>() {
        Some(number) => number.0,
        None => value.as_any().downcast_ref::<Block>().unwrap().number,
    }
}

/// What a task sees of itself: operation, index, context, inputs.
pub(crate) type Body =
    dyn Fn(u32, u32, &Context<'_>, &[Value]) -> Result<Value, OperationError> + Send + Sync;

/// A program whose operations are one closure; odd operations are guarded.
pub(crate) struct Closure(pub(crate) Box<Body>);

impl Program for Closure {
    fn run(
        &self,
        operation: OperationId,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        (self.0)(operation.0, index, context, inputs)
    }

    fn lane(&self, operation: OperationId) -> Lane {
        if operation.0 % 2 == 1 { Lane::Guarded } else { Lane::Free }
    }

    fn name(&self, operation: OperationId, index: u32) -> String {
        format!("op{}-{index}", operation.0)
    }
}

pub(crate) fn program(
    body: impl Fn(u32, u32, &Context<'_>, &[Value]) -> Result<Value, OperationError>
    + Send
    + Sync
    + 'static,
) -> Arc<dyn Program> {
    Arc::new(Closure(Box::new(body)))
}

/// A program that adds its inputs up and adds one.
pub(crate) fn adding() -> Arc<dyn Program> {
    program(|_, _, _, inputs| Ok(Arc::new(Number(inputs.iter().map(number).sum::<i64>() + 1))))
}

/// Tasks as (operation, dependencies); the index is the task's own id.
pub(crate) fn plan(tasks: &[(u32, &[u32])], outputs: &[u32]) -> Arc<Plan> {
    let mut builder = PlanBuilder::with_capacity(tasks.len(), tasks.len());
    for (index, (operation, dependencies)) in tasks.iter().enumerate() {
        let dependencies = dependencies.iter().map(|task| TaskId(*task));
        builder.push(OperationId(*operation), index as u32, dependencies);
    }
    Arc::new(builder.finish(outputs.iter().map(|task| TaskId(*task)).collect()).unwrap())
}

/// So many tasks of an operation without dependencies, all of them outputs.
pub(crate) fn wide(operation: u32, tasks: u32) -> Arc<Plan> {
    let rows: Vec<(u32, &[u32])> = (0..tasks).map(|_| (operation, &[][..])).collect();
    plan(&rows, &(0..tasks).collect::<Vec<_>>())
}

pub(crate) fn numbers(values: &[Value]) -> Vec<i64> {
    values.iter().map(number).collect()
}
