//! The static order of a plan's tasks.

use crate::csr::Csr;
use crate::error::GraphError;
use crate::ids::TaskId;

/// Ranks tasks depth first from the outputs; a cycle is an error.
pub fn order(
    dependencies: &Csr,
    _dependents: &Csr,
    outputs: &[TaskId],
) -> Result<Vec<u32>, GraphError> {
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let tasks = dependencies.rows();
    let mut rank = vec![0u32; tasks];
    let mut state = vec![NEW; tasks];
    let mut next = 0u32;
    let mut stack: Vec<(TaskId, u32)> = Vec::new();
    for root in outputs.iter().copied().chain((0..tasks).map(TaskId::from_index)) {
        if state[root.index()] != NEW {
            continue;
        }
        state[root.index()] = OPEN;
        stack.push((root, 0));
        while let Some((task, position)) = stack.pop() {
            let row = dependencies.row(task);
            if let Some(&needed) = row.get(position as usize) {
                stack.push((task, position + 1));
                match state[needed.index()] {
                    NEW => {
                        state[needed.index()] = OPEN;
                        stack.push((needed, 0));
                    }
                    OPEN => {
                        let start = stack.iter().position(|(open, _)| *open == needed).unwrap_or(0);
                        return Err(GraphError::Cycle {
                            tasks: stack[start..].iter().map(|(open, _)| *open).collect(),
                        });
                    }
                    _ => {}
                }
            } else {
                state[task.index()] = DONE;
                rank[task.index()] = next;
                next += 1;
            }
        }
    }
    Ok(rank)
}
