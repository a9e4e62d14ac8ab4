//! Workers that leave: retired one by one, or restarted with all that there is.

use std::collections::BTreeMap;

use samite_scheduling::{Event, WorkerId};

use super::coordination::Asker;
use super::core::Core;
use crate::plain::{Fault, Plain};
use crate::protocol::{Key, ToWorker};

struct Request {
    asker: Asker,
    close: bool,
    missing: Vec<WorkerId>,
    done: Vec<(Plain, Plain)>,
}

/// Requests under way.
#[derive(Default)]
pub(super) struct Retiring {
    open: Vec<Request>,
}

impl Core {
    /// Lets workers leave after their results were copied; answers what is known of them.
    pub(super) fn retire_workers(&mut self, asker: Asker, arguments: &Plain) {
        let close = arguments.get("close_workers").is_none_or(Plain::is_true);
        let mut workers = self.chosen(arguments);
        workers.retain(|id| self.workers.get(id).is_some_and(|worker| !worker.retiring));
        if arguments.get("workers").is_none() && arguments.get("names").is_none() {
            let count = match arguments.get("n").map(Plain::as_int) {
                Some(Some(count)) if count >= 0 => usize::try_from(count).unwrap_or(usize::MAX),
                Some(_) => {
                    let text = "retire_workers: n must be a number from zero up";
                    return self.reply(asker, Err(Fault::value(text)));
                }
                None => workers.iter().filter(|id| self.is_idle(**id)).count(),
            };
            workers.sort_by_key(|id| self.machine.occupancy(*id).unwrap_or(0));
            workers.truncate(count);
        }
        if workers.is_empty() {
            return self.reply(asker, Ok(Plain::Map(Vec::new())));
        }
        let mut request = Request { asker, close, missing: workers.clone(), done: Vec::new() };
        for id in &workers {
            if let Some(worker) = self.workers.get_mut(id) {
                worker.retiring = true;
            }
        }
        // Nobody is left who could take what the last workers hold.
        let last = self.workers.values().all(|worker| worker.retiring);
        if last {
            for id in std::mem::take(&mut request.missing) {
                self.retire(id, &mut request);
            }
            self.reply(asker, Ok(Plain::Map(request.done)));
            return self.let_last_ones_go();
        }
        self.pending.retiring.open.push(request);
        for worker in workers {
            self.tell(Event::WorkerRetiring { worker });
        }
    }

    /// Lets all workers go that shall leave, where nobody stays to whom they could give anything.
    pub(super) fn let_last_ones_go(&mut self) {
        if self.workers.values().any(|worker| !worker.retiring) {
            return;
        }
        for mut request in std::mem::take(&mut self.pending.retiring.open) {
            for id in std::mem::take(&mut request.missing) {
                self.retire(id, &mut request);
            }
            self.reply(request.asker, Ok(Plain::Map(request.done)));
        }
    }

    fn is_idle(&self, worker: WorkerId) -> bool {
        self.machine.assigned(worker).next().is_none()
    }

    fn retire(&mut self, id: WorkerId, request: &mut Request) {
        let info = self.worker_info(id);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        request.done.push((Plain::text(worker.address.to_string()), info));
        if request.close {
            worker.leaving = true;
            worker.out.push(ToWorker::Close { reason: String::from("it was retired") });
        }
    }

    /// A worker holds and runs nothing any more that is needed.
    pub(super) fn worker_retired(&mut self, worker: WorkerId) {
        self.retired(worker, true);
    }

    pub(super) fn retiring_lost(&mut self, worker: WorkerId) {
        self.retired(worker, false);
    }

    fn retired(&mut self, worker: WorkerId, there: bool) {
        for mut request in std::mem::take(&mut self.pending.retiring.open) {
            if let Some(place) = request.missing.iter().position(|id| *id == worker) {
                request.missing.swap_remove(place);
                if there {
                    self.retire(worker, &mut request);
                }
            }
            if request.missing.is_empty() {
                self.reply(request.asker, Ok(Plain::Map(request.done)));
            } else {
                self.pending.retiring.open.push(request);
            }
        }
    }

    /// Forgets all tasks and results, and restarts the workers that somebody watches.
    pub(super) fn restart(&mut self) -> Plain {
        let mut keys: Vec<Key> = self.names.by_key.keys().cloned().collect();
        keys.sort_unstable();
        self.cancel(&keys, "the cluster was restarted");
        self.log_event("all", Plain::map([("action", Plain::text("restart"))]));
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        self.restart_each(&workers)
    }

    /// Restarts some of the workers.
    pub(super) fn restart_workers(&mut self, arguments: &Plain) -> Plain {
        let workers = self.chosen(arguments);
        self.restart_each(&workers)
    }

    fn restart_each(&mut self, workers: &[WorkerId]) -> Plain {
        let mut answers = BTreeMap::new();
        for id in workers {
            let Some(worker) = self.workers.get_mut(id) else { continue };
            let watched = worker.about.get("nanny").is_some();
            if watched {
                worker.leaving = true;
                worker.out.push(ToWorker::Close { reason: String::from("restart") });
            }
            answers.insert(*id, Plain::text(if watched { "OK" } else { "no nanny" }));
        }
        self.by_worker(answers)
    }
}
