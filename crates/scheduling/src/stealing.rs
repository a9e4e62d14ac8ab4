//! Idle workers take tasks from busy ones.
//!
//! Decided after placement, as one batch: for each free slot of the workers that have fewer tasks
//! than slots, one of the least urgent tasks of those that have more is asked back. The task stays
//! where it is until that worker has answered that it gave it up, so it never runs twice; then it
//! is ready again, and placement finds the idle worker for it. Each run is asked for only once.

use std::cmp::Reverse;

use samite_graph::TaskId;

use crate::action::Action;
use crate::ids::{GraphSlot, TaskKey, WorkerSlot};
use crate::placement::transfer;
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    pub(crate) fn steal(&mut self, actions: &mut Vec<Action>) {
        let mut free = self.workers.imbalance().saturating_sub(self.steals_open);
        if free == 0 {
            return;
        }
        // Of very many workers some are looked at, and others the next time.
        let (thieves, backlogged) = self.workers.unbalanced();
        let wait = |slot| Some((Reverse(self.workers.get(slot)?.wait()), slot));
        let mut victims: Vec<_> = backlogged.into_iter().filter_map(wait).collect();
        victims.sort_unstable();
        for (_, victim) in victims {
            if free == 0 {
                return;
            }
            free -= self.steal_from(victim, &thieves, free, actions);
        }
    }

    /// Asks a worker for up to `wanted` tasks, and at most half of those that cannot run yet; how
    /// many were asked for.
    fn steal_from(
        &mut self,
        victim: WorkerSlot,
        thieves: &[WorkerSlot],
        wanted: usize,
        actions: &mut Vec<Action>,
    ) -> usize {
        let Some(worker) = self.workers.get(victim) else { return 0 };
        let id = worker.id;
        let wait = worker.wait();
        let waiting = worker.waiting();
        let wanted = wanted.min(waiting.div_ceil(2));
        let mut offers: Vec<_> = worker
            .assigned
            .iter()
            .enumerate()
            .filter_map(|(position, run)| {
                let graph = self.graphs.get(run.graph)?;
                let urgency = Reverse(graph.priority(run.task));
                Some((urgency, position, run.graph, run.task, run.asked))
            })
            .collect();
        offers.sort_unstable();
        // The most urgent ones run already, or will next.
        offers.truncate(waiting);
        offers.retain(|(.., asked)| !asked);
        let mut asked = 0;
        for (_, position, graph, task, _) in offers {
            if asked == wanted {
                break;
            }
            if !self.pays_off(graph, task, victim, wait, thieves) {
                continue;
            }
            self.workers.change(victim, |worker| {
                if let Some(run) = worker.assigned.get_mut(position) {
                    run.asked = true;
                }
            });
            let Some(rows) = self.graphs.get_mut(graph) else { continue };
            let key = TaskKey { graph: rows.id, task };
            let row = rows.task_mut(task);
            row.state = State::Stealing { worker: victim };
            let attempt = row.attempt;
            actions.push(Action::Steal { worker: id, task: key, attempt });
            self.steals_open += 1;
            self.counters.steals_asked += 1;
            asked += 1;
        }
        asked
    }

    /// Whether one of the idle workers may run a task and would have its inputs sooner than the
    /// busy one has time.
    fn pays_off(
        &self,
        slot: GraphSlot,
        task: TaskId,
        victim: WorkerSlot,
        wait: u64,
        thieves: &[WorkerSlot],
    ) -> bool {
        let Some(graph) = self.graphs.get(slot) else { return false };
        let bytes = graph.reads(task).iter().fold(0u64, |sum, input| {
            let local = self.graphs.holders(slot, *input).iter().any(|holder| *holder != victim);
            sum.saturating_add(if local { 0 } else { graph.read_bytes(task, *input) + 1 })
        });
        if transfer(bytes, &self.options) >= wait {
            return false;
        }
        let Some((_, options)) = graph.options(task).filter(|(_, given)| given.is_restricted())
        else {
            return true;
        };
        thieves.iter().filter_map(|thief| self.workers.get(*thief)).any(|thief| {
            let named = options.workers.iter().any(|name| thief.options.answers_to(name));
            (options.workers.is_empty() || named) && thief.has_resources(&options.resources)
        })
    }
}
