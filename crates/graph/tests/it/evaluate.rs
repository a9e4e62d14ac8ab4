//! A tiny interpreter: a value is a number that depends on the operation, its index and the values
//! of all arguments in order, so that two plans compute the same only if they do the same.

use std::collections::HashMap;

use samite_graph::{Blocks, Graph, OperationId, Plan, StepInput, TaskId, TaskRef, Work};

fn apply(operation: OperationId, index: u32, arguments: &[u64]) -> u64 {
    let mut value = 0xcbf2_9ce4_8422_2325u64 ^ u64::from(operation.0) << 32 ^ u64::from(index);
    for argument in arguments {
        value = (value.rotate_left(5) ^ argument).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    value
}

/// The values of a plan's outputs, its tasks run in the order of their ranks.
pub(crate) fn plan_values(plan: &Plan) -> Vec<u64> {
    let mut sequence: Vec<TaskId> = (0..plan.len()).map(TaskId::from_index).collect();
    sequence.sort_by_key(|task| plan.rank(*task));
    let mut values: Vec<Option<u64>> = vec![None; plan.len()];
    for task in sequence {
        let inputs: Vec<u64> =
            plan.dependencies(task).iter().map(|id| values[id.index()].unwrap()).collect();
        let value = match plan.work(task) {
            Work::Single { operation, index } => apply(operation, index, &inputs),
            Work::Fused(steps) => {
                let mut made: Vec<u64> = Vec::new();
                for step in steps {
                    let arguments: Vec<u64> = step
                        .inputs
                        .iter()
                        .map(|input| match input {
                            StepInput::Dependency(position) => inputs[*position as usize],
                            StepInput::Step(step) => made[*step as usize],
                        })
                        .collect();
                    made.push(apply(step.operation, step.index, &arguments));
                }
                *made.last().unwrap()
            }
        };
        values[task.index()] = Some(value);
    }
    plan.outputs().iter().map(|task| values[task.index()].unwrap()).collect()
}

/// The values of some blocks, straight from the layers' rules.
pub(crate) fn graph_values(graph: &Graph, outputs: &[Blocks]) -> Vec<u64> {
    let mut values: HashMap<TaskRef, u64> = HashMap::new();
    let wanted: Vec<TaskRef> = outputs.iter().flat_map(Blocks::iter).collect();
    let mut stack = wanted.clone();
    while let Some(&task) = stack.last() {
        let needed = graph.dependencies(task).unwrap();
        let before = stack.len();
        stack.extend(needed.iter().filter(|task| !values.contains_key(task)));
        if stack.len() == before {
            stack.pop();
            let call = graph.operation(task).unwrap();
            let arguments: Vec<u64> = needed.iter().map(|task| values[task]).collect();
            values.insert(task, apply(call.operation, call.index, &arguments));
        }
    }
    wanted.iter().map(|task| values[task]).collect()
}
