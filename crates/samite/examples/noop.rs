//! Plans and runs no-op tasks, half of them side by side and half in a tree, and prints how long
//! it took and how much memory it cost as one line of JSON.
//!
//! `cargo run --release -p samite --example noop -- [tasks] [threads]`

use std::sync::Arc;
use std::time::Instant;

use samite::graph::{OperationId, PlanBuilder, TaskId};
use samite::runtime::{
    Context, Lane, OperationError, Options, Program, Run, Unit, Value, run_here, start,
};

struct Nothing;

impl Program for Nothing {
    fn run(
        &self,
        _: OperationId,
        _: u32,
        _: &Context<'_>,
        _: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        Ok(Arc::new(Unit))
    }

    fn lane(&self, _: OperationId) -> Lane {
        Lane::Free
    }

    fn name(&self, _: OperationId, index: u32) -> String {
        format!("nothing-{index}")
    }
}

/// The most memory that this process ever held, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let tasks: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let threads: usize = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let before = peak_memory();

    let planning = Instant::now();
    let mut builder = PlanBuilder::with_capacity(tasks, tasks);
    let operation = OperationId(0);
    let mut outputs = Vec::new();
    // The wide half: tasks that know nothing of each other, gathered by sixteens.
    let wide = tasks / 2 / 17;
    for group in 0..wide {
        let first = builder.len();
        for index in 0..16 {
            builder.push(operation, (group * 16 + index) as u32, []);
        }
        let members = (first..first + 16).map(TaskId::from_index);
        outputs.push(builder.push(operation, group as u32, members));
    }
    // The other half: a tree of twos.
    let leaves = (tasks.saturating_sub(builder.len()) / 2).max(1);
    let mut level: Vec<TaskId> =
        (0..leaves).map(|index| builder.push(operation, index as u32, [])).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| builder.push(operation, 0, pair.to_vec())).collect();
    }
    outputs.extend(level);
    let plan = Arc::new(builder.finish(outputs)?);
    let plan_seconds = planning.elapsed().as_secs_f64();

    let running = Instant::now();
    let tasks = plan.len();
    let values = if threads == 0 {
        run_here(plan, Arc::new(Nothing), Options::calling())?
    } else {
        start(plan, Arc::new(Nothing), Options::pool(threads)).and_then(Run::join)?
    };
    let run_seconds = running.elapsed().as_secs_f64();
    let bytes = (peak_memory() - before) as f64 / tasks as f64;
    println!(
        "{{\"tasks\": {tasks}, \"outputs\": {}, \"plan_seconds\": {plan_seconds:.4}, \
         \"run_seconds\": {run_seconds:.4}, \"bytes_per_task\": {bytes:.1}}}",
        values.len()
    );
    Ok(())
}
