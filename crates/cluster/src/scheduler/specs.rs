//! What tasks run, for clients that run them once more in their own process.

use std::collections::BTreeMap;

use bytes::Bytes;
use rustc_hash::FxHashSet;
use samite_graph::{OperationId, StepInput, Work};
use samite_scheduling::{GraphId, TaskKey};

use super::core::Core;
use crate::encoded::Encoded;
use crate::plain::{Fault, Plain};
use crate::protocol::Key;

/// More tasks than this are not told of at once.
const MOST: usize = 10_000;

fn id_of(task: TaskKey) -> Plain {
    Plain::text(format!("{}/{}", task.graph.0, task.task.0))
}

fn encoded(payload: &Encoded) -> Plain {
    let bytes = |frame: &Bytes| Plain::Bytes(frame.to_vec().into());
    let frames = payload.frames.iter().map(bytes).collect();
    Plain::List(vec![Plain::count(payload.kind), Plain::List(frames)])
}

impl Core {
    /// The task of a result, or with `failing` the one that it failed with, and all that it needs as
    /// far as workers hold no result with a name: `{root, tasks: [{id, key, held, dependencies,
    /// steps: [[operation, index, inputs]]}], operations: {operation: [kind, frames]}}`. An input of
    /// a step is the number of a dependency, or of an earlier step counted from -1 down.
    pub(super) fn task_specs(&self, arguments: &Plain) -> Result<Plain, Fault> {
        let missing = || Fault::value("task_specs: a key must be text");
        let key = arguments.get("key").and_then(Plain::as_text).ok_or_else(missing)?;
        let unknown = || Fault::new("KeyError", format!("this cluster knows no task {key:?}"));
        let named = self.task_of(&Key::from(key)).ok_or_else(unknown)?;
        let failing = arguments.get("failing").is_some_and(Plain::is_true);
        let root = match self.machine.failure(named) {
            Some((origin, _)) if failing => origin,
            _ => named,
        };
        let root = self.machine.origin(root).unwrap_or(root);
        let mut operations: BTreeMap<(GraphId, OperationId), Plain> = BTreeMap::new();
        let mut tasks = Vec::new();
        let (mut seen, mut waiting) = (FxHashSet::default(), vec![root]);
        while let Some(task) = waiting.pop() {
            if !seen.insert(task) {
                continue;
            }
            if seen.len() > MOST {
                let text = format!("{key:?} needs more than {MOST} tasks whose results are gone");
                return Err(Fault::value(text));
            }
            let record = self.names.graphs.get(&task.graph).ok_or_else(unknown)?;
            let name = record.outputs.get(task.task);
            let mut told = vec![
                ("id", id_of(task)),
                ("key", Plain::text(record.name_of(task.task))),
                ("held", Plain::Bool(false)),
            ];
            if task != root && name.is_some() && !self.holders(task).is_empty() {
                told.retain(|(name, _)| *name != "held");
                told.push(("held", Plain::Bool(true)));
                tasks.push(Plain::map(told));
                continue;
            }
            let mut steps = Vec::new();
            let mut step = |operation: OperationId, index: u32, inputs: Vec<Plain>| {
                let payload = record.operations.get(operation.index());
                if let Some(payload) = payload {
                    operations.entry((task.graph, operation)).or_insert_with(|| encoded(payload));
                }
                let place = format!("{}/{}", task.graph.0, operation.index());
                let parts = vec![Plain::text(place), Plain::count(index), Plain::List(inputs)];
                steps.push(Plain::List(parts));
                payload.is_some()
            };
            let dependencies = record.plan.dependencies(task.task);
            let known = match record.plan.work(task.task) {
                Work::Single { operation, index } => {
                    step(operation, index, (0..dependencies.len()).map(Plain::count).collect())
                }
                Work::Fused(fused) => fused.iter().all(|one| {
                    let inputs = one.inputs.iter().map(|input| match input {
                        StepInput::Dependency(number) => Plain::count(*number),
                        StepInput::Step(number) => Plain::Int(-1 - i64::from(*number)),
                    });
                    step(one.operation, one.index, inputs.collect())
                }),
            };
            if !known {
                let name = record.name_of(task.task);
                let text = format!("the data {name:?} that {key:?} needs cannot be computed again");
                return Err(Fault::value(text));
            }
            let needed = dependencies.iter().map(|other| {
                let other = TaskKey { graph: task.graph, task: *other };
                self.machine.origin(other).unwrap_or(other)
            });
            let needed: Vec<TaskKey> = needed.collect();
            told.push(("dependencies", Plain::List(needed.iter().copied().map(id_of).collect())));
            told.push(("steps", Plain::List(steps)));
            tasks.push(Plain::map(told));
            waiting.extend(needed);
        }
        let operations = operations.into_iter().map(|((graph, operation), payload)| {
            (Plain::text(format!("{}/{}", graph.0, operation.index())), payload)
        });
        Ok(Plain::map([
            ("root", id_of(root)),
            ("tasks", Plain::List(tasks)),
            ("operations", Plain::Map(operations.collect())),
        ]))
    }
}
