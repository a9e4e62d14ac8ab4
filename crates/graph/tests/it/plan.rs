//! Plans of random and of wrong graphs.

use proptest::prelude::*;
use samite_graph::{
    Blocks, ChainLimits, Draft, Graph, GraphError, LayerId, OperationId, Plan, PlanBuilder, Step,
    StepInput, TaskId, TaskList, TaskRef, fuse_chains, peak_held,
};

fn build(rows: &[Vec<u32>], outputs: &[u32]) -> Result<Plan, GraphError> {
    let mut builder = PlanBuilder::default();
    for (index, row) in rows.iter().enumerate() {
        builder.push(OperationId(0), index as u32, row.iter().map(|id| TaskId(*id)));
    }
    builder.finish(outputs.iter().map(|id| TaskId(*id)).collect())
}

/// A random graph without cycles: edges go from larger to smaller keys, and keys are shuffled.
fn acyclic() -> impl Strategy<Value = (Vec<Vec<u32>>, Vec<u32>)> {
    (1usize..60).prop_flat_map(|tasks| {
        let row = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
        let rows = prop::collection::vec(row, tasks);
        let names = Just((0..tasks as u32).collect::<Vec<_>>()).prop_shuffle();
        let outputs = prop::collection::vec(0..tasks as u32, 0..4);
        (rows, names, outputs).prop_map(move |(rows, names, outputs)| {
            let mut table = vec![Vec::new(); tasks];
            for (place, row) in rows.iter().enumerate().skip(1) {
                table[names[place] as usize] =
                    row.iter().map(|index| names[index.index(place)]).collect();
            }
            (table, outputs)
        })
    })
}

fn is_cycle(rows: &[Vec<u32>], tasks: &[u32]) -> bool {
    let next = tasks.iter().cycle().skip(1);
    !tasks.is_empty()
        && tasks.iter().zip(next).all(|(task, needed)| rows[*task as usize].contains(needed))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranks_are_a_topological_order((rows, outputs) in acyclic()) {
        let plan = build(&rows, &outputs).unwrap();
        let ranks: Vec<u32> = (0..plan.len()).map(|id| plan.rank(TaskId::from_index(id))).collect();
        let mut sorted = ranks.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..plan.len() as u32).collect::<Vec<_>>());
        for (task, row) in rows.iter().enumerate() {
            for needed in row {
                prop_assert!(ranks[*needed as usize] < ranks[task]);
            }
        }
        prop_assert!(peak_held(&plan, &ranks) <= plan.len());
    }

    #[test]
    fn wrong_graphs_are_reported(
        rows in prop::collection::vec(prop::collection::vec(0u32..12, 0..3), 1..11),
        outputs in prop::collection::vec(0u32..12, 0..3),
    ) {
        match build(&rows, &outputs) {
            Ok(plan) => prop_assert_eq!(plan.len(), rows.len()),
            Err(GraphError::Cycle { tasks }) => {
                let tasks: Vec<u32> = tasks.iter().map(|task| task.0).collect();
                prop_assert!(is_cycle(&rows, &tasks), "{:?} is no cycle", tasks);
            }
            Err(GraphError::MissingTask { missing, wanted_by: Some(task) }) => {
                prop_assert!(missing.index() >= rows.len());
                prop_assert!(rows[task.index()].contains(&missing.0));
            }
            Err(GraphError::MissingTask { missing, wanted_by: None }) => {
                prop_assert!(missing.index() >= rows.len() && outputs.contains(&missing.0));
            }
            Err(error) => prop_assert!(false, "unexpected {error}"),
        }
    }

    #[test]
    fn wrong_task_lists_are_reported(
        rows in prop::collection::vec(prop::collection::vec(0u32..12, 0..3), 1..11),
        wanted in 0u32..12,
    ) {
        let mut list = TaskList::default();
        for row in &rows {
            list.push(OperationId(0), row.iter().map(|index| TaskRef::own(*index)));
        }
        let mut graph = Graph::new();
        let blocks = graph.add("list", list).unwrap();
        for outputs in [Blocks::from(blocks.at(wanted)), blocks] {
            match graph.plan(&[outputs]) {
                Ok(plan) => prop_assert!(plan.len() <= rows.len()),
                Err(GraphError::CycleInLayer { layer, indices }) => {
                    prop_assert_eq!(&*layer, "list");
                    prop_assert!(is_cycle(&rows, &indices), "{:?} is no cycle", indices);
                }
                Err(GraphError::MissingBlock { layer, index, .. }) => {
                    prop_assert_eq!(&*layer, "list");
                    prop_assert!(index as usize >= rows.len());
                }
                Err(error) => prop_assert!(false, "unexpected {error}"),
            }
        }
    }
}

#[test]
fn a_layer_reads_from_earlier_layers_only() {
    let mut list = TaskList::default();
    list.push(OperationId(0), [TaskRef { layer: LayerId(3), index: 0 }]);
    let error = Graph::new().add("list", list).unwrap_err();
    assert_eq!(error, GraphError::UnknownLayer { layer: LayerId(3), wanted_by: "list".into() });
}

#[test]
fn work_that_no_plan_can_hold_is_reported() {
    let operation = OperationId(1 << 31);
    let mut builder = PlanBuilder::default();
    builder.push(operation, 0, []);
    let error = builder.finish(vec![TaskId(0)]).unwrap_err();
    assert_eq!(error, GraphError::OperationTooLarge { operation });

    let step = |inputs: Vec<StepInput>| Step { operation: OperationId(0), index: 0, inputs };
    for steps in [
        vec![],
        vec![step(vec![StepInput::Step(0)])],
        vec![step(vec![]), step(vec![StepInput::Dependency(1)])],
    ] {
        let mut builder = PlanBuilder::default();
        builder.push(OperationId(0), 0, []);
        let task = builder.push_fused(steps, [TaskId(0)]);
        // Passes leave it for `finish` to report.
        let draft = fuse_chains(Draft::new(builder, vec![task]), ChainLimits::default());
        assert_eq!(draft.finish().unwrap_err(), GraphError::FusedSteps { task });
    }
}

#[test]
fn repeated_arguments_are_kept() {
    let plan = build(&[vec![], vec![0, 0]], &[1, 1]).unwrap();
    assert_eq!(plan.dependencies(TaskId(1)), [TaskId(0), TaskId(0)]);
    assert_eq!(plan.dependents(TaskId(0)), [TaskId(1), TaskId(1)]);
    assert_eq!(plan.outputs(), [TaskId(1), TaskId(1)]);
}
