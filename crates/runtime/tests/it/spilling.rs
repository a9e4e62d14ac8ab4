//! Runs that do not fit into memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use samite_graph::{OperationId, Plan, PlanBuilder, TaskId};
use samite_runtime::{
    Data, Observer, OperationError, Options, Program, Run, RuntimeError, Value, run_here, start,
};

use crate::support::{Block, Number, number, numbers, program, wide};

pub(crate) const BLOCK: usize = 1 << 20;

/// Blocks that are all made before the first of them is used, then folded one by one.
pub(crate) fn held(blocks: u32) -> Arc<Plan> {
    let mut builder = PlanBuilder::with_capacity(blocks as usize * 3, blocks as usize * 3);
    let made: Vec<_> = (0..blocks).map(|index| builder.push(OperationId(0), index, [])).collect();
    let marks: Vec<_> =
        made.iter().map(|block| builder.push(OperationId(2), 0, [*block])).collect();
    // Every fold waits for all marks, so all blocks are alive at once.
    let all = builder.push(OperationId(4), 0, marks);
    let mut total = all;
    for block in made {
        total = builder.push(OperationId(6), 0, [total, block]);
    }
    Arc::new(builder.finish(vec![total]).unwrap())
}

pub(crate) fn folding() -> Arc<dyn Program> {
    program(|operation, index, _, inputs| {
        Ok(match operation {
            0 => Arc::new(Block::new(i64::from(index) + 1, BLOCK)) as Value,
            2 | 4 => Arc::new(Number(0)),
            _ => {
                let block = inputs[1].as_any().downcast_ref::<Block>().unwrap();
                assert_eq!(*block, Block::new(block.number, BLOCK));
                Arc::new(Number(number(&inputs[0]) + block.number))
            }
        })
    })
}

/// A worker that writes a file when the run ends removes it a moment later.
fn assert_emptied(folder: &std::path::Path) {
    for _ in 0..200 {
        if std::fs::read_dir(folder).unwrap().count() == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("files are left in {}", folder.display());
}

#[derive(Default)]
struct Tally {
    spilled: AtomicU64,
    restored: AtomicU64,
    refused: AtomicU64,
}

impl Observer for Tally {
    fn spilled(&self, _: TaskId, bytes: u64) {
        self.spilled.fetch_add(bytes, Ordering::Relaxed);
    }

    fn spill_refused(&self, _: TaskId, _: u64) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn restored(&self, _: TaskId, bytes: u64) {
        self.restored.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[test]
fn five_times_the_budget_ends_with_the_right_answer() {
    let folder = tempfile::tempdir().unwrap();
    for threads in [0, 1, 2, 4] {
        let tally = Arc::new(Tally::default());
        let options = Options {
            memory_limit: Some(10 * BLOCK),
            spill_folder: Some(folder.path().to_owned()),
            observer: Some(tally.clone()),
            ..Options::pool(threads)
        };
        let values = match threads {
            0 => run_here(held(50), folding(), options).unwrap(),
            _ => start(held(50), folding(), options).and_then(Run::join).unwrap(),
        };
        assert_eq!(numbers(&values), [50 * 51 / 2]);
        assert!(tally.spilled.load(Ordering::Relaxed) >= 38 * BLOCK as u64);
        assert_emptied(folder.path());
    }
}

#[test]
fn a_value_over_the_limit_is_named() {
    let body = program(|_, _, _, _| Ok(Arc::new(Block::new(1, BLOCK))));
    let options = Options { memory_limit: Some(BLOCK / 2), ..Options::pool(2) };
    let Err(error) = start(wide(0, 1), body, options).and_then(Run::join) else { panic!() };
    let RuntimeError::ValueTooLarge { name, bytes, limit, .. } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), *bytes, *limit), ("op0-0", BLOCK as u64 + 32, BLOCK as u64 / 2));
}

#[test]
fn inputs_over_the_limit_together_are_an_error_of_their_task() {
    let mut builder = PlanBuilder::with_capacity(9, 8);
    let made: Vec<_> = (0..8).map(|index| builder.push(OperationId(0), index, [])).collect();
    let joined = builder.push(OperationId(2), 8, made);
    let plan = Arc::new(builder.finish(vec![joined]).unwrap());
    let body = program(|operation, index, _, _| match operation {
        0 => Ok(Arc::new(Block::new(i64::from(index), BLOCK))),
        _ => Ok(Arc::new(Number(1))),
    });
    let options = Options { memory_limit: Some(5 * BLOCK), ..Options::pool(2) };
    let Err(error) = start(plan, body, options).and_then(Run::join) else { panic!() };
    let RuntimeError::TooMuchAtOnce { task, name, .. } = error else { panic!("{error}") };
    assert_eq!((task, name.as_str()), (Some(joined), "op2-8"));
}

#[test]
fn outputs_over_the_limit_together_are_an_error() {
    let body = program(|_, index, _, _| Ok(Arc::new(Block::new(i64::from(index), BLOCK))));
    let options = Options { memory_limit: Some(5 * BLOCK), ..Options::pool(2) };
    let Err(error) = start(wide(0, 8), body, options).and_then(Run::join) else { panic!() };
    assert!(matches!(error, RuntimeError::TooMuchAtOnce { task: None, .. }), "{error}");
}

#[test]
fn values_that_refuse_stay_and_the_run_goes_on() {
    struct Stubborn(Vec<u8>);
    impl Data for Stubborn {
        fn nbytes(&self) -> usize {
            self.0.len()
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
    }
    let body = program(|operation, _, _, inputs| {
        Ok(match operation {
            0 => Arc::new(Stubborn(vec![1; BLOCK])) as Value,
            2 | 4 => Arc::new(Number(0)),
            _ => Arc::new(Number(number(&inputs[0]) + 1)),
        })
    });
    let tally = Arc::new(Tally::default());
    let options = Options {
        memory_limit: Some(4 * BLOCK),
        observer: Some(tally.clone()),
        ..Options::pool(2)
    };
    let values = start(held(12), body, options).and_then(Run::join).unwrap();
    assert_eq!(numbers(&values), [12]);
    assert!(tally.refused.load(Ordering::Relaxed) >= 8);
}

#[test]
fn a_broken_file_names_the_task() {
    struct Breaking;
    impl Observer for Breaking {
        fn spilled(&self, _: TaskId, _: u64) {
            BREAK.with_borrow(|folder| {
                for run in std::fs::read_dir(folder.as_ref().unwrap()).unwrap().flatten() {
                    for file in std::fs::read_dir(run.path()).unwrap().flatten() {
                        std::fs::write(file.path(), b"no longer a value").unwrap();
                    }
                }
            });
        }
    }
    thread_local! {
        static BREAK: std::cell::RefCell<Option<std::path::PathBuf>> =
            const { std::cell::RefCell::new(None) };
    }
    let folder = tempfile::tempdir().unwrap();
    BREAK.set(Some(folder.path().to_owned()));
    let options = Options {
        memory_limit: Some(4 * BLOCK),
        spill_folder: Some(folder.path().to_owned()),
        observer: Some(Arc::new(Breaking)),
        ..Options::calling()
    };
    let Err(error) = run_here(held(12), folding(), options) else { panic!() };
    let RuntimeError::Restore { name, folder: named, .. } = error else { panic!("{error}") };
    assert!(name.starts_with("op0-"), "{name}");
    assert!(named.starts_with(folder.path()));
}

#[test]
fn a_spill_folder_that_cannot_be_made_is_named() {
    let options = Options {
        memory_limit: Some(4 * BLOCK),
        spill_folder: Some("/dev/null/no-folder".into()),
        ..Options::pool(2)
    };
    let Err(error) = start(held(12), folding(), options).and_then(Run::join) else { panic!() };
    let RuntimeError::Spill { name, bytes, folder, .. } = error else { panic!("{error}") };
    assert!(name.starts_with("op0-"));
    assert_eq!((bytes, folder.to_str()), (BLOCK as u64 + 32, Some("/dev/null/no-folder")));
}

#[test]
fn operations_may_fail_while_values_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let body = program(|operation, index, _, inputs| match operation {
        0 => Ok(Arc::new(Block::new(i64::from(index) + 1, BLOCK)) as Value),
        2 | 4 => Ok(Arc::new(Number(0))),
        _ if number(&inputs[0]) > 20 => Err(OperationError::new("enough")),
        _ => Ok(Arc::new(Number(number(&inputs[0]) + number(&inputs[1])))),
    });
    let options = Options {
        memory_limit: Some(6 * BLOCK),
        spill_folder: Some(folder.path().to_owned()),
        ..Options::pool(3)
    };
    let outcome = start(held(20), body, options).and_then(Run::join);
    assert!(matches!(outcome, Err(RuntimeError::TaskFailed { .. })));
    assert_emptied(folder.path());
}
