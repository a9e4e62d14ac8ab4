//! Keeps only the tasks that the wanted outputs need.
//!
//! Layers are looked at from the last to the first. A layer that is wanted as a whole and that
//! reads its inputs as wholes costs a constant; any other is walked task by task.

use crate::blocks::{Blocks, TaskRef};
use crate::error::GraphError;
use crate::graph::Graph;
use crate::ids::LayerId;
use crate::selection::Wanted;

/// The graph with only those tasks kept that `outputs` need.
///
/// # Errors
/// [`GraphError::MissingBlock`] where an output or a task that it needs is not in the graph.
pub fn cull(graph: &Graph, outputs: &[Blocks]) -> Result<Graph, GraphError> {
    let mut wanted: Vec<Wanted> = vec![Wanted::None; graph.entries.len()];
    for blocks in outputs {
        want_range(graph, &mut wanted, *blocks, None)?;
    }
    let mut culled = graph.clone();
    let mut needed: Vec<TaskRef> = Vec::new();
    for position in (0..graph.entries.len()).rev() {
        let layer = LayerId::from_index(position);
        let entry = &graph.entries[position];
        let kind = entry.layer.kind();
        let len = kind.len();
        let inputs = entry.inputs();
        match &wanted[position] {
            Wanted::None => {}
            Wanted::All if inputs.iter().all(|input| input.every) => {
                for input in &inputs {
                    let reader = Some(TaskRef { layer, index: 0 });
                    want_range(graph, &mut wanted, input.blocks, reader)?;
                }
            }
            Wanted::All => {
                for index in 0..len as u32 {
                    needed.clear();
                    kind.dependencies(index, &mut needed);
                    for task in needed.iter().filter(|task| task.layer != layer) {
                        if !task.is_own() {
                            want(graph, &mut wanted, *task, TaskRef { layer, index })?;
                        } else if task.index as usize >= len {
                            let reader = Some(TaskRef { layer, index });
                            return Err(graph.missing(task.within(layer), reader));
                        }
                    }
                }
            }
            Wanted::Some(_) => {
                // Tasks of the layer may need others of it: a stack instead of recursion.
                let first = std::mem::take(&mut wanted[position]).finish(len);
                let mut stack: Vec<u32> = first.positions(len).collect();
                for index in &stack {
                    wanted[position].insert(*index, len);
                }
                while let Some(index) = stack.pop() {
                    needed.clear();
                    kind.dependencies(index, &mut needed);
                    for task in &needed {
                        let task = task.within(layer);
                        if want(graph, &mut wanted, task, TaskRef { layer, index })?
                            && task.layer == layer
                        {
                            stack.push(task.index);
                        }
                    }
                }
            }
        }
        culled.entries[position].kept = std::mem::take(&mut wanted[position]).finish(len);
    }
    Ok(culled)
}

/// Adds one task; whether it was absent.
fn want(
    graph: &Graph,
    wanted: &mut [Wanted],
    task: TaskRef,
    reader: TaskRef,
) -> Result<bool, GraphError> {
    // A layer is read by later ones and by itself only, so what is wanted of it is complete when
    // the walk comes to it.
    let earlier = task.layer <= reader.layer;
    match wanted.get_mut(task.layer.index()) {
        Some(slot) if earlier && graph.contains(task) => {
            Ok(slot.insert(task.index, graph.entries[task.layer.index()].layer.kind().len()))
        }
        _ => Err(graph.missing(task, Some(reader))),
    }
}

/// Adds a run of tasks; all tasks of a layer where the run is all that it offers.
fn want_range(
    graph: &Graph,
    wanted: &mut [Wanted],
    blocks: Blocks,
    reader: Option<TaskRef>,
) -> Result<(), GraphError> {
    let Some(entry) = graph.entries.get(blocks.layer.index()) else {
        return Err(graph.missing(TaskRef { layer: blocks.layer, index: blocks.first }, reader));
    };
    let len = entry.layer.kind().len();
    let offered = entry.layer.kind().outputs();
    let whole = blocks.first == offered.start && blocks.len() == offered.len();
    if whole && entry.kept == crate::selection::Selection::All {
        if len > 0 {
            wanted[blocks.layer.index()] = Wanted::All;
        }
        return Ok(());
    }
    for task in blocks.iter() {
        if !graph.contains(task) {
            return Err(graph.missing(task, reader));
        }
        wanted[blocks.layer.index()].insert(task.index, len);
    }
    Ok(())
}
