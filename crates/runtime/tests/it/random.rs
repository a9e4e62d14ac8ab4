//! Random graphs give the same result in every way of running them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use samite_graph::{OperationId, Plan, PlanBuilder, Step, StepInput, TaskId};
use samite_runtime::{Guard, Options, Program, run_here, start};

use crate::guarding::Lock;
use crate::support::{Block, Number, number, numbers, program};

struct Open;

impl Guard for Open {
    fn batch(&self, body: &mut dyn FnMut()) {
        body();
    }
}

/// Each task: its operation, and its dependencies as distances back.
fn graphs() -> impl Strategy<Value = (Vec<(u32, Vec<u32>)>, Vec<usize>)> {
    let task = (0u32..4, proptest::collection::vec(1u32..20, 0..4));
    let tasks = proptest::collection::vec(task, 1..120);
    (tasks, proptest::collection::vec(0usize..1000, 1..8))
}

fn build(tasks: &[(u32, Vec<u32>)], outputs: &[usize]) -> Arc<Plan> {
    let mut builder = PlanBuilder::with_capacity(tasks.len(), tasks.len());
    for (index, (operation, back)) in tasks.iter().enumerate() {
        let index = index as u32;
        let inputs: Vec<_> =
            back.iter().filter_map(|back| index.checked_sub(*back)).map(TaskId).collect();
        if *operation == 3 {
            let count = inputs.len() as u32;
            let steps = vec![
                Step {
                    operation: OperationId(0),
                    index,
                    inputs: (0..count).map(StepInput::Dependency).collect(),
                },
                Step {
                    operation: OperationId(1),
                    index,
                    inputs: (0..count)
                        .map(StepInput::Dependency)
                        .chain([StepInput::Step(0)])
                        .collect(),
                },
            ];
            builder.push_fused(steps, inputs);
        } else {
            builder.push(OperationId(*operation), index, inputs);
        }
    }
    let outputs = outputs.iter().map(|output| TaskId::from_index(output % tasks.len()));
    Arc::new(builder.finish(outputs.collect()).unwrap())
}

fn mixing(bytes: usize) -> Arc<dyn Program> {
    program(move |operation, index, _, inputs| {
        let sum = inputs
            .iter()
            .fold(i64::from(index), |sum, value| sum.wrapping_mul(31).wrapping_add(number(value)));
        for value in inputs {
            let block = value.as_any().downcast_ref::<Block>().unwrap();
            assert_eq!(*block, Block::new(block.number, bytes));
        }
        Ok(Arc::new(Block::new(sum ^ i64::from(operation), bytes)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn every_way_of_running_gives_the_same((tasks, outputs) in graphs()) {
        let plan = build(&tasks, &outputs);
        let expected = numbers(&run_here(plan.clone(), mixing(2048), Options::calling()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        for threads in [1, 2, 4] {
            // Room for the outputs or the inputs of one task, and little else.
            for limit in [None, Some(8 * 2080), Some(12 * 2080)] {
                let options = Options {
                    memory_limit: limit,
                    spill_folder: Some(folder.path().to_owned()),
                    guard: (threads != 2).then(|| Arc::new(Open) as Arc<dyn Guard>),
                    ..Options::pool(threads)
                };
                let run = start(plan.clone(), mixing(2048), options).unwrap();
                let values = run.join().unwrap();
                prop_assert_eq!(numbers(&values), expected.clone());
            }
        }
        let options = Options {
            memory_limit: Some(8 * 2080),
            spill_folder: Some(folder.path().to_owned()),
            ..Options::calling()
        };
        let values = run_here(plan, mixing(2048), options).unwrap();
        prop_assert_eq!(numbers(&values), expected);
    }
}

/// Adds up, and sleeps for a time that depends on the task: most not at all, a few for long.
fn dozing() -> Arc<dyn Program> {
    program(|_, index, _, inputs| {
        match index.wrapping_mul(2_654_435_761) >> 28 {
            0 => std::thread::sleep(Duration::from_micros(800)),
            1 | 2 => std::thread::sleep(Duration::from_micros(150)),
            _ => {}
        }
        let sum = inputs
            .iter()
            .fold(i64::from(index), |sum, value| sum.wrapping_mul(31).wrapping_add(number(value)));
        Ok(Arc::new(Number(sum)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Short and long tasks, free and guarded ones, mixed: batches are taken, cut short, taken
    /// away, and given to others.
    #[test]
    fn uneven_tasks_give_the_same((tasks, outputs) in graphs()) {
        let plan = build(&tasks, &outputs);
        let expected = numbers(&run_here(plan.clone(), dozing(), Options::calling()).unwrap());
        for threads in [1, 2, 3, 8] {
            let options = Options {
                guard: Some(Arc::new(Lock::default())),
                ..Options::pool(threads)
            };
            let run = start(plan.clone(), dozing(), options).unwrap();
            let outcome = run.wait(Duration::from_secs(20));
            let values = outcome.expect("the run hangs").unwrap();
            prop_assert_eq!(numbers(&values), expected.clone());
        }
    }
}
