//! Every pass keeps the values of the outputs, and does what it is for.

use proptest::prelude::*;
use samite_graph::{
    AnnotationId, BlockInput, Blockwise, ChainLimits, Draft, Graph, InlineLimits, OperationId,
    Optimize, PlanBuilder, Source, TaskId, TreeOperations, TreeReduce, Work, cull, fuse_blockwise,
    fuse_chains, inline, optimize,
};

use crate::evaluate::{graph_values, plan_values};
use crate::random::{Sample, samples};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_pass_keeps_values(
        Sample { graph, outputs } in samples(),
        width in 0u32..4,
        length in 1u32..6,
        steps in 0u32..6,
        sources: bool,
        cheap_ones: u32,
    ) {
        let expected = graph_values(&graph, &outputs);
        prop_assert_eq!(&plan_values(&graph.plan(&outputs).unwrap()), &expected, "plan");

        let uncut = graph.draft(&outputs).unwrap().finish().unwrap();
        prop_assert_eq!(&plan_values(&uncut), &expected, "without culling");

        let culled = cull(&graph, &outputs).unwrap();
        prop_assert_eq!(&cull(&culled, &outputs).unwrap().tasks(), &culled.tasks(), "cull twice");

        let fused = fuse_blockwise(culled.clone(), &outputs, sources);
        let draft = fused.draft(&outputs).unwrap();
        prop_assert_eq!(&plan_values(&draft.finish().unwrap()), &expected, "blockwise");

        let limits = ChainLimits { width, length };
        let draft = fuse_chains(culled.draft(&outputs).unwrap(), limits);
        prop_assert_eq!(&plan_values(&draft.finish().unwrap()), &expected, "chains");

        let cheap = |operation: OperationId| cheap_ones >> (operation.0 % 32) & 1 == 1;
        let draft = inline(culled.draft(&outputs).unwrap(), &cheap, InlineLimits { steps });
        prop_assert_eq!(&plan_values(&draft.finish().unwrap()), &expected, "inline");

        let all = Optimize {
            sources,
            cheap: Some(&cheap),
            chains: Some(limits),
            inline: InlineLimits { steps },
            ..Optimize::default()
        };
        prop_assert_eq!(&plan_values(&optimize(&graph, &outputs, &all).unwrap()), &expected, "all");
    }

    #[test]
    fn culling_keeps_exactly_what_is_reached(Sample { graph, outputs } in samples()) {
        let plan = graph.plan(&outputs).unwrap();
        let mut reached = vec![false; plan.len()];
        let mut stack: Vec<TaskId> = plan.outputs().to_vec();
        while let Some(task) = stack.pop() {
            if !std::mem::replace(&mut reached[task.index()], true) {
                stack.extend(plan.dependencies(task));
            }
        }
        prop_assert!(reached.iter().all(|reached| *reached));
    }
}

fn elementwise(
    graph: &mut Graph,
    operation: u32,
    inputs: &[samite_graph::Blocks],
) -> samite_graph::Blocks {
    let inputs: Vec<BlockInput<'_>> = inputs
        .iter()
        .map(|blocks| BlockInput { blocks: *blocks, shape: &[4], labels: &[0] })
        .collect();
    let layer = Blockwise::new(OperationId(operation), &[0], &inputs, &[]).unwrap();
    graph.add("elementwise", layer).unwrap()
}

#[test]
fn a_diamond_of_blockwise_layers_is_one_task_a_block() {
    let mut graph = Graph::new();
    let source = graph.add("source", Source::new(OperationId(0), 4)).unwrap();
    let left = elementwise(&mut graph, 1, &[source]);
    let right = elementwise(&mut graph, 2, &[source]);
    let sum = elementwise(&mut graph, 3, &[left, right]);
    let expected = graph_values(&graph, &[sum]);
    let plan = optimize(&graph, &[sum], &Optimize::default()).unwrap();
    assert_eq!(plan.len(), 4);
    assert_eq!(plan.edges(), 0);
    assert_eq!(plan_values(&plan), expected);
    let Work::Fused(steps) = plan.work(TaskId(2)) else { panic!("not fused") };
    assert_eq!(
        steps.iter().map(|step| (step.operation.0, step.index)).collect::<Vec<_>>(),
        [(0, 2), (1, 2), (2, 2), (3, 2)]
    );
}

#[test]
fn what_is_wanted_or_shared_across_blocks_is_not_fused() {
    let mut graph = Graph::new();
    let source = graph.add("source", Source::new(OperationId(0), 4)).unwrap();
    let middle = elementwise(&mut graph, 1, &[source]);
    let last = elementwise(&mut graph, 2, &[middle]);
    let plan = optimize(&graph, &[last, middle], &Optimize::default()).unwrap();
    assert_eq!(plan.len(), 8);

    // x + x.T reads each block for two blocks: fusing would compute it twice.
    let mut graph = Graph::new();
    let source = graph.add("source", Source::new(OperationId(0), 4)).unwrap();
    let shape = [2, 2];
    let inputs = [
        BlockInput { blocks: source, shape: &shape, labels: &[0, 1] },
        BlockInput { blocks: source, shape: &shape, labels: &[1, 0] },
    ];
    let layer = Blockwise::new(OperationId(1), &[0, 1], &inputs, &[]).unwrap();
    let sum = graph.add("sum", layer).unwrap();
    let plan = optimize(&graph, &[sum], &Optimize { chains: None, ..Optimize::default() }).unwrap();
    assert_eq!(plan.len(), 8);
}

#[test]
fn a_width_of_one_fuses_chains_into_the_leaves_of_a_tree() {
    let mut graph = Graph::new();
    let source = graph.add("source", Source::new(OperationId(0), 4)).unwrap();
    let operations = TreeOperations {
        chunk: Some(OperationId(1)),
        combine: OperationId(2),
        aggregate: OperationId(3),
    };
    let layer = TreeReduce::new(source, &[4], &[(0, 2)], operations).unwrap();
    let total = graph.add("total", layer).unwrap();
    let tasks = |width| {
        let chains = Some(ChainLimits { width, length: 100 });
        optimize(&graph, &[total], &Optimize { chains, ..Optimize::default() }).unwrap().len()
    };
    assert_eq!([tasks(0), tasks(1), tasks(2), tasks(4)], [11, 7, 3, 1]);
}

#[test]
fn annotations_keep_tasks_apart() {
    let mut graph = Graph::new();
    let source = graph.add("source", Source::new(OperationId(0), 4)).unwrap();
    let inputs = [BlockInput { blocks: source, shape: &[4], labels: &[0] }];
    let layer = Blockwise::new(OperationId(1), &[0], &inputs, &[]).unwrap();
    let marked = graph.add_annotated("marked", Some(AnnotationId(7)), layer).unwrap();
    let plan = optimize(&graph, &[marked], &Optimize::default()).unwrap();
    assert_eq!(plan.len(), 8);
    assert_eq!(plan.annotation(plan.outputs()[0]), Some(AnnotationId(7)));
    assert_eq!(plan.layer_name(plan.outputs()[0]), "marked");
}

/// A chain of a million tasks with descending ids, so that no shortcut applies.
fn deep_chain() -> Draft {
    const TASKS: u32 = 1_000_000;
    let mut builder = PlanBuilder::with_capacity(TASKS as usize, TASKS as usize);
    for task in 0..TASKS {
        builder.push(OperationId(task % 2), task, (task + 1 < TASKS).then_some(TaskId(task + 1)));
    }
    Draft::new(builder, vec![TaskId(0)])
}

#[test]
fn deep_graphs_do_not_recurse() {
    let expected = plan_values(&deep_chain().finish().unwrap());
    let fused = fuse_chains(deep_chain(), ChainLimits { width: 1, length: 100 });
    assert_eq!(fused.len(), 10_000);
    assert_eq!(plan_values(&fused.finish().unwrap()), expected);
    let cheap = |operation: OperationId| operation.0 == 1;
    let inlined = inline(deep_chain(), &cheap, InlineLimits::default());
    assert_eq!(inlined.len(), 500_000);
    assert_eq!(plan_values(&inlined.finish().unwrap()), expected);
    let whole = fuse_chains(deep_chain(), ChainLimits { width: 1, length: u32::MAX });
    assert_eq!(whole.len(), 1);
    assert_eq!(plan_values(&whole.finish().unwrap()), expected);
}
