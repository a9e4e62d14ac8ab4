//! From layers to a plan: building, culling, expanding and ordering, by the number of tasks.

#![allow(clippy::unwrap_used)]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use samite_graph::{
    AllToAll, AllToAllOperations, BlockInput, Blocks, Blockwise, Csr, Graph, OperationId, Optimize,
    Plan, PlanBuilder, Source, TaskId, TaskList, TaskRef, TreeOperations, TreeReduce, optimize,
    order,
};

const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];

fn main() {
    for (name, build) in [("tree", tree as fn(u32) -> _), ("shared", shared), ("list", list)] {
        let (graph, outputs) = build(1_000_000);
        let plan = graph.plan(&[outputs]).unwrap();
        let bytes = plan.memory() as f64 / plan.len() as f64;
        println!("{name}: {} tasks, {bytes:.1} bytes a task", plan.len());
    }
    divan::main();
}

fn wide(graph: &mut Graph, tasks: u32) -> Blocks {
    graph.add("wide", Source::new(OperationId(0), tasks)).unwrap()
}

fn reduce(graph: &mut Graph, blocks: Blocks) -> Blocks {
    let operations =
        TreeOperations { chunk: None, combine: OperationId(1), aggregate: OperationId(2) };
    let shape = [blocks.len() as u32];
    let layer = TreeReduce::new(blocks, &shape, &[(0, 8)], operations).unwrap();
    graph.add("reduce", layer).unwrap()
}

fn elementwise(graph: &mut Graph, operation: u32, inputs: &[Blocks]) -> Blocks {
    let shape = [inputs[0].len() as u32];
    let inputs: Vec<BlockInput<'_>> = inputs
        .iter()
        .map(|blocks| BlockInput { blocks: *blocks, shape: &shape, labels: &[0] })
        .collect();
    let layer = Blockwise::new(OperationId(operation), &[0], &inputs, &[]).unwrap();
    graph.add("elementwise", layer).unwrap()
}

/// A wide source and a tree over it.
fn tree(tasks: u32) -> (Graph, Blocks) {
    let mut graph = Graph::new();
    let source = wide(&mut graph, tasks / 8 * 7);
    let total = reduce(&mut graph, source);
    (graph, total)
}

/// A source and nine elementwise layers on top of each other.
fn chain(tasks: u32) -> (Graph, Blocks) {
    let mut graph = Graph::new();
    let mut blocks = wide(&mut graph, tasks / 10);
    for operation in 1..10 {
        blocks = elementwise(&mut graph, operation, &[blocks]);
    }
    (graph, blocks)
}

/// Each block serves two reductions: mean and mean of squares.
fn shared(tasks: u32) -> (Graph, Blocks) {
    let mut graph = Graph::new();
    let source = wide(&mut graph, tasks / 4);
    let square = elementwise(&mut graph, 3, &[source]);
    let mean = reduce(&mut graph, source);
    let squares = reduce(&mut graph, square);
    let both = elementwise(&mut graph, 4, &[mean, squares]);
    (graph, both)
}

fn shuffle(tasks: u32) -> (Graph, Blocks) {
    let mut graph = Graph::new();
    let source = wide(&mut graph, tasks / 3);
    let operations =
        AllToAllOperations { split: OperationId(1), barrier: OperationId(2), join: OperationId(3) };
    let layer = AllToAll::new(source, tasks / 3, operations).unwrap();
    let shuffled = graph.add("shuffle", layer).unwrap();
    (graph, shuffled)
}

/// One chain, task by task.
fn list(tasks: u32) -> (Graph, Blocks) {
    let mut layer = TaskList::with_capacity(tasks as usize, tasks as usize);
    for task in 0..tasks {
        layer.push(OperationId(0), task.checked_sub(1).map(TaskRef::own));
    }
    let mut graph = Graph::new();
    let blocks = graph.add("list", layer).unwrap();
    (graph, blocks.slice(tasks - 1..tasks))
}

fn bench(bencher: Bencher<'_, '_>, tasks: u32, build: fn(u32) -> (Graph, Blocks)) {
    bencher.counter(ItemsCount::new(tasks)).bench(|| {
        let (graph, outputs) = build(tasks);
        graph.plan(&[outputs]).unwrap()
    });
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn plan_tree(bencher: Bencher<'_, '_>, tasks: u32) {
    bench(bencher, tasks, tree);
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn plan_blockwise_chain(bencher: Bencher<'_, '_>, tasks: u32) {
    bench(bencher, tasks, chain);
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn plan_shared_blocks(bencher: Bencher<'_, '_>, tasks: u32) {
    bench(bencher, tasks, shared);
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn plan_shuffle(bencher: Bencher<'_, '_>, tasks: u32) {
    bench(bencher, tasks, shuffle);
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn plan_task_list(bencher: Bencher<'_, '_>, tasks: u32) {
    bench(bencher, tasks, list);
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn optimize_blockwise_chain(bencher: Bencher<'_, '_>, tasks: u32) {
    bencher.counter(ItemsCount::new(tasks)).bench(|| {
        let (graph, outputs) = chain(tasks);
        optimize(&graph, &[outputs], &Optimize::default()).unwrap()
    });
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn optimize_tree(bencher: Bencher<'_, '_>, tasks: u32) {
    bencher.counter(ItemsCount::new(tasks)).bench(|| {
        let (graph, outputs) = tree(tasks);
        optimize(&graph, &[outputs], &Optimize::default()).unwrap()
    });
}

/// The builder alone: what a caller pays who numbers tasks itself.
#[divan::bench(args = SIZES, sample_count = 10)]
fn builder_wide_and_join(bencher: Bencher<'_, '_>, tasks: u32) {
    bencher.counter(ItemsCount::new(tasks)).bench(|| -> Plan {
        let mut builder = PlanBuilder::with_capacity(tasks as usize, tasks as usize);
        for task in 1..tasks {
            builder.push(OperationId(0), task, []);
        }
        let join = builder.push(OperationId(1), 0, (0..tasks - 1).map(TaskId));
        builder.finish(vec![black_box(join)]).unwrap()
    });
}

/// Ordering alone, on what is shared so that several strategies are asked.
#[divan::bench(args = SIZES, sample_count = 10)]
fn order_shared_blocks(bencher: Bencher<'_, '_>, tasks: u32) {
    let (graph, outputs) = shared(tasks);
    let plan = graph.plan(&[outputs]).unwrap();
    let mut dependencies = Csr::with_capacity(plan.len(), plan.edges());
    for task in 0..plan.len() {
        dependencies.push_row(plan.dependencies(TaskId::from_index(task)).iter().copied());
    }
    let dependents = dependencies.transposed();
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench(|| order(&dependencies, &dependents, plan.outputs()).unwrap());
}
