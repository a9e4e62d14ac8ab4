//! Fuses blockwise layers: a chain, tree or diamond of them becomes one layer whose tasks run
//! several steps, so that no result between the steps is ever held.
//!
//! A layer joins the layer that reads it when every reader is in the same group, and when each of
//! its blocks is read for exactly one block of the group's last layer, the same one on every way.
//! So nothing is computed twice and no parallelism is lost.

use rustc_hash::FxHashMap;

use crate::blocks::Blocks;
use crate::graph::{Entry, Graph};
use crate::ids::{LayerId, OperationId};
use crate::layers::{Argument, BlockStep, Blockwise, Layer, LayerKind, Operand};
use crate::selection::Selection;

/// The graph with blockwise layers fused; with `sources`, sources as well. Layers of `outputs`
/// stay. Fused layers remain in the graph with no task kept, so that ids do not change.
pub fn fuse_blockwise(mut graph: Graph, outputs: &[Blocks], sources: bool) -> Graph {
    let mut fusable: Vec<bool> = graph
        .entries
        .iter()
        .map(|entry| match entry.layer {
            Layer::Blockwise(_) => true,
            Layer::Source(_) => sources,
            _ => false,
        })
        .collect();
    for blocks in outputs {
        if let Some(fusable) = fusable.get_mut(blocks.layer.index()) {
            *fusable = false;
        }
    }
    let readers = readers(&graph);
    // For each layer the last layer of its group, and how the group's blocks map to its own.
    let mut place: Vec<Option<Place>> = vec![None; graph.entries.len()];
    let mut members: FxHashMap<LayerId, Vec<LayerId>> = FxHashMap::default();
    for position in (0..graph.entries.len()).rev() {
        let layer = LayerId::from_index(position);
        let entry = &graph.entries[position];
        if entry.kept == Selection::None {
            continue;
        }
        if fusable[position]
            && let Some(joined) = join(&graph, &place, layer, &readers[position])
        {
            members.entry(joined.root).or_default().push(layer);
            place[position] = Some(joined);
        } else if let Layer::Blockwise(blockwise) = &entry.layer {
            place[position] = Some(Place { root: layer, strides: natural(blockwise) });
        }
    }
    for position in 0..graph.entries.len() {
        let root = LayerId::from_index(position);
        let Some(mut group) = members.remove(&root) else { continue };
        group.reverse();
        group.push(root);
        if let Some(fused) = fuse(&graph, &place, &group) {
            graph.entries[position].layer = Layer::Blockwise(fused);
            for member in group.iter().filter(|member| **member != root) {
                graph.entries[member.index()].kept = Selection::None;
            }
        }
    }
    graph
}

/// A layer's place in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    root: LayerId,
    /// What each output label of the root adds to the position of the layer's block.
    strides: Vec<u32>,
}

/// The layers that read each layer.
fn readers(graph: &Graph) -> Vec<Vec<LayerId>> {
    let mut readers = vec![Vec::new(); graph.entries.len()];
    for (position, entry) in graph.entries.iter().enumerate() {
        if entry.kept == Selection::None {
            continue;
        }
        let layer = LayerId::from_index(position);
        for input in entry.inputs() {
            let known: &mut Vec<LayerId> = &mut readers[input.blocks.layer().index()];
            if known.last() != Some(&layer) {
                known.push(layer);
            }
        }
    }
    readers
}

/// The strides of a layer's own output, zero along axes of one block.
fn natural(blockwise: &Blockwise) -> Vec<u32> {
    blockwise.steps.last().map_or_else(Vec::new, |step| step.strides.clone())
}

/// Where a layer goes when all that read it agree.
fn join(
    graph: &Graph,
    place: &[Option<Place>],
    layer: LayerId,
    readers: &[LayerId],
) -> Option<Place> {
    let producer = &graph.entries[layer.index()];
    let mut joined: Option<Place> = None;
    for reader in readers {
        let entry = &graph.entries[reader.index()];
        let Layer::Blockwise(consumer) = &entry.layer else { return None };
        let at = place[reader.index()].as_ref()?;
        let Layer::Blockwise(root) = &graph.entries[at.root.index()].layer else { return None };
        if graph.entries[at.root.index()].annotation != producer.annotation {
            return None;
        }
        let labels = labels_of(consumer, root, &at.strides)?;
        for operand in operands(consumer).filter(|operand| operand.blocks.layer() == layer) {
            let strides = one_to_one(producer, consumer, operand)
                .then(|| translate(&operand.strides, &labels, root.rank))?;
            let found = Place { root: at.root, strides };
            if joined.as_ref().is_some_and(|known| *known != found) {
                return None;
            }
            joined = Some(found);
        }
    }
    joined
}

fn operands(blockwise: &Blockwise) -> impl Iterator<Item = &Operand> {
    blockwise.steps.iter().flat_map(|step| &step.arguments).filter_map(|argument| match argument {
        Argument::Blocks(operand) => Some(operand),
        Argument::Step(_) => None,
    })
}

/// Whether each block of the producer serves exactly one block of the consumer: every block is
/// read, every step along the consumer's grid reads another one, and there are as many of both.
fn one_to_one(producer: &Entry, consumer: &Blockwise, operand: &Operand) -> bool {
    let whole = operand.blocks.len() == producer.layer.kind().len();
    let moves = |(count, stride): (&u32, &u32)| *count <= 1 || *stride > 0;
    whole
        && operand.blocks.len() == consumer.len()
        && consumer.shape().iter().zip(&operand.strides).all(moves)
}

/// For each output label of a member the root's label that moves it; `None` for labels of one
/// block, which nothing moves. No result where a label has no counterpart.
fn labels_of(member: &Blockwise, root: &Blockwise, strides: &[u32]) -> Option<Vec<Option<usize>>> {
    let own = natural(member);
    let counterpart = |(count, stride): (&u32, &u32)| {
        if *count <= 1 {
            return Some(None);
        }
        let mut labels = root.shape().iter().zip(strides);
        labels.position(|(other, moved)| other == count && moved == stride).map(Some)
    };
    member.shape().iter().zip(&own).map(counterpart).collect()
}

/// Strides by a member's labels as strides by the root's.
fn translate(strides: &[u32], labels: &[Option<usize>], rank: usize) -> Vec<u32> {
    let mut translated = vec![0; rank];
    for (stride, label) in strides.iter().zip(labels) {
        if let Some(label) = label {
            translated[*label] += stride;
        }
    }
    translated
}

/// One layer that runs the members of a group, which are in topological order, the root last.
fn fuse(graph: &Graph, place: &[Option<Place>], group: &[LayerId]) -> Option<Blockwise> {
    let root = match &graph.entries[group.last()?.index()].layer {
        Layer::Blockwise(root) => root,
        _ => return None,
    };
    let mut steps: Vec<BlockStep> = Vec::new();
    let mut last_step: FxHashMap<LayerId, u32> = FxHashMap::default();
    for layer in group {
        let at = place[layer.index()].as_ref()?;
        match &graph.entries[layer.index()].layer {
            Layer::Source(source) => steps.push(BlockStep {
                operation: source_operation(source),
                strides: at.strides.clone(),
                arguments: Vec::new(),
            }),
            Layer::Blockwise(member) => {
                let labels = labels_of(member, root, &at.strides)?;
                let base = steps.len() as u32;
                for step in &member.steps {
                    let arguments = step.arguments.iter().map(|argument| match argument {
                        Argument::Step(step) => Argument::Step(base + step),
                        Argument::Blocks(operand) => match last_step.get(&operand.blocks.layer()) {
                            Some(step) => Argument::Step(*step),
                            None => Argument::Blocks(Operand {
                                strides: translate(&operand.strides, &labels, root.rank),
                                ..operand.clone()
                            }),
                        },
                    });
                    let arguments = arguments.collect();
                    let strides = translate(&step.strides, &labels, root.rank);
                    steps.push(BlockStep { operation: step.operation, strides, arguments });
                }
            }
            _ => return None,
        }
        last_step.insert(*layer, steps.len().checked_sub(1)? as u32);
    }
    Some(Blockwise { steps, ..root.clone() })
}

fn source_operation(source: &impl LayerKind) -> OperationId {
    source.operation(0).operation
}
