//! Random graphs, made from lists of small numbers so that failures shrink.

use proptest::prelude::*;
use samite_graph::{
    AllToAll, AllToAllOperations, AnnotationId, BlockInput, Blocks, Blockwise, Graph, OperationId,
    Source, TaskList, TaskRef, TreeOperations, TreeReduce,
};

/// One layer: a kind, then numbers that choose its inputs and its shape.
pub(crate) type Recipe = (u8, u8, u8, u8, u8);

/// A graph and what is wanted of it.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) graph: Graph,
    pub(crate) outputs: Vec<Blocks>,
}

pub(crate) fn samples() -> impl Strategy<Value = Sample> {
    let recipes = prop::collection::vec(any::<Recipe>(), 1..10);
    let wanted = prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..3);
    (recipes, wanted).prop_map(|(recipes, wanted)| sample(&recipes, &wanted))
}

fn sample(recipes: &[Recipe], wanted: &[(u8, u8, u8)]) -> Sample {
    let mut graph = Graph::new();
    let mut made: Vec<(Blocks, [u32; 2])> = Vec::new();
    for (position, recipe) in recipes.iter().enumerate() {
        let layer = add(&mut graph, &made, position as u32 * 8, *recipe);
        made.push(layer);
    }
    // Mostly the last layers are wanted, sometimes a part of one.
    let outputs = wanted
        .iter()
        .map(|(layer, first, count)| {
            let (blocks, _) = made[made.len() - 1 - usize::from(*layer) % made.len().min(3)];
            match count % 3 {
                0 => blocks.slice(u32::from(*first % 4)..u32::from(*first % 4 + 1)),
                _ => blocks,
            }
        })
        .collect();
    Sample { graph, outputs }
}

fn add(
    graph: &mut Graph,
    made: &[(Blocks, [u32; 2])],
    operation: u32,
    (kind, first, second, rows, columns): Recipe,
) -> (Blocks, [u32; 2]) {
    let id = |offset: u32| OperationId(operation + offset);
    let annotation = (kind >= 224).then_some(AnnotationId(1));
    let shape = [u32::from(rows % 3) + 1, u32::from(columns % 4) + 1];
    let pick = |choice: u8| made[usize::from(choice) % made.len()];
    let kind = if made.is_empty() { 0 } else { kind % 8 };
    match kind {
        0 => {
            let source = Source::new(id(0), shape[0] * shape[1]);
            (graph.add_annotated("source", annotation, source).unwrap(), shape)
        }
        1..=3 => {
            let (left, left_shape) = pick(first);
            let (right, right_shape) = pick(second);
            let left_labels: [u32; 2] = if rows & 16 == 0 { [0, 1] } else { [1, 0] };
            let right_labels: [u32; 2] = match columns / 64 {
                0 => [0, 1],
                1 => [1, 0],
                2 => [1, 2],
                _ => [0, 0],
            };
            let inputs = [
                BlockInput { blocks: left, shape: &left_shape, labels: &left_labels },
                BlockInput { blocks: right, shape: &right_shape, labels: &right_labels },
            ];
            let output: &[u32] = if columns / 64 == 2 { &[0, 2] } else { &[0, 1] };
            let layer = Blockwise::new(id(0), output, &inputs, &[])
                .or_else(|_| Blockwise::new(id(0), &[1, 0], &inputs[..1], &[]))
                .unwrap();
            let shape = [layer.shape()[0], layer.shape()[1]];
            (graph.add_annotated("blockwise", annotation, layer).unwrap(), shape)
        }
        4 => {
            let (input, shape) = pick(first);
            let operations = TreeOperations {
                chunk: (rows % 2 == 0).then_some(id(1)),
                combine: id(2),
                aggregate: id(3),
            };
            let axes: &[(usize, u32)] = match second % 3 {
                0 => &[(0, 2)],
                1 => &[(1, 2)],
                _ => &[(0, 2), (1, 3)],
            };
            let layer = TreeReduce::new(input, &shape, axes, operations).unwrap();
            let mut reduced = shape;
            for (axis, _) in axes {
                reduced[*axis] = 1;
            }
            (graph.add_annotated("reduce", annotation, layer).unwrap(), reduced)
        }
        5 => {
            let (input, _) = pick(first);
            let operations = AllToAllOperations { split: id(4), barrier: id(5), join: id(6) };
            let layer = AllToAll::new(input, shape[0] * shape[1], operations).unwrap();
            (graph.add_annotated("shuffle", annotation, layer).unwrap(), shape)
        }
        _ => {
            let mut list = TaskList::default();
            for task in 0..shape[0] * shape[1] {
                let mut needed = Vec::new();
                for choice in [first, second, rows] {
                    let choice = choice.wrapping_mul(task as u8 | 1);
                    if choice % 3 == 0 && task > 0 {
                        needed.push(TaskRef::own(u32::from(choice / 3) % task));
                    } else if choice % 3 == 1 {
                        let (blocks, _) = pick(choice / 3);
                        needed.push(blocks.at(u32::from(choice) % blocks.len() as u32));
                    }
                }
                list.push(id(task % 4), needed);
            }
            (graph.add_annotated("list", annotation, list).unwrap(), shape)
        }
    }
}
