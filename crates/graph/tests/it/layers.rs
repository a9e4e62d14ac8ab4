//! What each kind of layer needs, seen through the graph.

use std::sync::Arc;

use samite_graph::{
    AllToAll, AllToAllOperations, BlockInput, Blocks, Blockwise, Call, Graph, GraphError, Input,
    Layer, LayerKind, OperationId, Source, TaskRef, TreeOperations, TreeReduce,
};

fn source(graph: &mut Graph, len: u32) -> Blocks {
    graph.add("source", Source::new(OperationId(0), len)).unwrap()
}

fn needs(graph: &Graph, blocks: Blocks, position: u32) -> Vec<u32> {
    let needed = graph.dependencies(blocks.at(position)).unwrap();
    needed.iter().map(|task| task.index).collect()
}

#[test]
fn blockwise_contracts_broadcasts_and_transposes() {
    let mut graph = Graph::new();
    let left = source(&mut graph, 6);
    let right = source(&mut graph, 12);
    let inputs = [
        BlockInput { blocks: left, shape: &[2, 3], labels: &[10, 11] },
        BlockInput { blocks: right, shape: &[3, 4], labels: &[11, 12] },
    ];
    let product = Blockwise::new(OperationId(1), &[10, 12], &inputs, &[]).unwrap();
    assert_eq!(product.shape(), [2, 4]);
    let product = graph.add("product", product).unwrap();
    // Block (1, 2): row 1 of the left grid, column 2 of the right one.
    assert_eq!(needs(&graph, product, 6), [3, 4, 5, 2, 6, 10]);

    let row = source(&mut graph, 4);
    let inputs = [
        BlockInput { blocks: product, shape: &[2, 4], labels: &[0, 1] },
        BlockInput { blocks: row, shape: &[1, 4], labels: &[0, 1] },
    ];
    let sum = Blockwise::new(OperationId(2), &[1, 0], &inputs, &[]).unwrap();
    let sum = graph.add("sum", sum).unwrap();
    // Block (3, 1) of the transposed output: block (1, 3) of the first, block (0, 3) of the second.
    assert_eq!(needs(&graph, sum, 7), [7, 3]);

    let inputs = [BlockInput { blocks: row, shape: &[2, 2], labels: &[0, 0] }];
    let diagonal = Blockwise::new(OperationId(3), &[0, 1], &inputs, &[(1, 3)]).unwrap();
    let diagonal = graph.add("diagonal", diagonal).unwrap();
    assert_eq!(diagonal.len(), 6);
    assert_eq!(needs(&graph, diagonal, 5), [3]);
}

#[test]
fn blockwise_refuses_what_does_not_fit() {
    let mut graph = Graph::new();
    let four = source(&mut graph, 4);
    let three = source(&mut graph, 3);
    let fits = BlockInput { blocks: four, shape: &[4], labels: &[0] };
    let new = |output: &[u32], inputs: &[BlockInput<'_>]| {
        Blockwise::new(OperationId(0), output, inputs, &[]).unwrap_err()
    };
    let shape = BlockInput { blocks: four, shape: &[5], labels: &[0] };
    assert!(matches!(new(&[0], &[shape]), GraphError::BlockGrid { blocks: 4, .. }));
    let labels = BlockInput { blocks: four, shape: &[4], labels: &[0, 1] };
    assert!(matches!(new(&[0], &[labels]), GraphError::BlockGrid { .. }));
    let other = BlockInput { blocks: three, shape: &[3], labels: &[0] };
    assert_eq!(new(&[0], &[fits, other]), GraphError::LabelCount { label: 0, counts: (4, 3) });
    assert_eq!(new(&[9], &[fits]), GraphError::OutputLabel { label: 9 });
    assert_eq!(new(&[0, 0], &[fits]), GraphError::OutputLabel { label: 0 });
}

const TREE: TreeOperations = TreeOperations {
    chunk: Some(OperationId(1)),
    combine: OperationId(2),
    aggregate: OperationId(3),
};

#[test]
fn a_tree_reduces_groups_of_neighbours() {
    let mut graph = Graph::new();
    let input = source(&mut graph, 10);
    let tree = graph.add("sum", TreeReduce::new(input, &[10], &[(0, 3)], TREE).unwrap()).unwrap();
    // Ten chunks, four combines (3 + 3 + 3 + 1), two combines, one aggregate.
    assert_eq!(graph.kept(tree.layer()), 17);
    assert_eq!(tree.len(), 1);
    assert_eq!(needs(&graph, tree, 0), [14, 15]);
    let combine = TaskRef { layer: tree.layer(), index: 13 };
    assert_eq!(graph.dependencies(combine).unwrap(), [TaskRef { layer: tree.layer(), index: 9 }]);
    assert_eq!(graph.operation(combine), Ok(Call { operation: OperationId(2), index: 3 }));
    assert_eq!(graph.operation(tree.at(0)).unwrap().operation, OperationId(3));
}

#[test]
fn a_tree_reduces_several_axes_at_once() {
    let mut graph = Graph::new();
    let input = source(&mut graph, 3 * 2 * 5);
    let operations = TreeOperations { chunk: None, ..TREE };
    let axes = [(0, 2), (2, 3)];
    let tree = TreeReduce::new(input, &[3, 2, 5], &axes, operations).unwrap();
    let tree = graph.add("sum", tree).unwrap();
    // Combines on a grid of (2, 2, 2), then one aggregate for each block of the axis that stays.
    assert_eq!(graph.kept(tree.layer()), 10);
    assert_eq!(needs(&graph, tree, 1), [2, 3, 6, 7]);
    let combine = TaskRef { layer: tree.layer(), index: 3 };
    let needed: Vec<u32> =
        graph.dependencies(combine).unwrap().iter().map(|task| task.index).collect();
    assert_eq!(needed, [8, 9, 18, 19]);
}

#[test]
fn a_tree_refuses_axes_that_it_cannot_reduce() {
    let mut graph = Graph::new();
    let input = source(&mut graph, 4);
    let new = |axes: &[(usize, u32)]| TreeReduce::new(input, &[4], axes, TREE).unwrap_err();
    assert_eq!(new(&[(1, 2)]), GraphError::ReductionAxis { axis: 1, split_every: 2 });
    assert_eq!(new(&[(0, 1)]), GraphError::ReductionAxis { axis: 0, split_every: 1 });
    assert_eq!(new(&[(0, 2), (0, 2)]), GraphError::ReductionAxis { axis: 0, split_every: 2 });
}

#[test]
fn a_shuffle_has_as_many_edges_as_tasks() {
    let mut graph = Graph::new();
    let input = source(&mut graph, 100);
    let operations =
        AllToAllOperations { split: OperationId(1), barrier: OperationId(2), join: OperationId(3) };
    let shuffle = graph.add("shuffle", AllToAll::new(input, 50, operations).unwrap()).unwrap();
    let plan = graph.plan(&[shuffle]).unwrap();
    assert_eq!(plan.len(), 100 + 100 + 1 + 50);
    assert_eq!(plan.edges(), 100 + 100 + 50);
    let join = graph.operation(shuffle.at(49));
    assert_eq!(join, Ok(Call { operation: OperationId(3), index: 49 }));
}

/// Each block needs its own and its neighbours' blocks: a kind that the crate does not have.
#[derive(Debug)]
struct Overlap {
    input: Blocks,
}

impl LayerKind for Overlap {
    fn len(&self) -> usize {
        self.input.len()
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.push(Input { blocks: self.input, every: true });
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let last = self.len() as u32 - 1;
        let neighbours = index.saturating_sub(1)..=(index + 1).min(last);
        dependencies.extend(neighbours.map(|block| self.input.at(block)));
    }

    fn operation(&self, index: u32) -> Call {
        Call { operation: OperationId(1), index }
    }
}

#[test]
fn other_kinds_of_layers_can_be_added() {
    let mut graph = Graph::new();
    let input = source(&mut graph, 10);
    let kind: Arc<dyn LayerKind> = Arc::new(Overlap { input });
    let overlap = graph.add("overlap", Layer::from(kind)).unwrap();
    assert_eq!(needs(&graph, overlap, 0), [0, 1]);
    let plan = graph.plan(&[overlap.slice(4..6)]).unwrap();
    assert_eq!(plan.len(), 4 + 2);
}
