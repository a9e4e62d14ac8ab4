//! Tasks that leave their place among those that run at once, to wait for others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use samite_scheduling::worker::Input;

use super::{Shared, running};

/// A running task's place.
pub(crate) struct Place {
    shared: Weak<Shared>,
    away: AtomicBool,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Place").field("away", &self.away).finish_non_exhaustive()
    }
}

impl Place {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::downgrade(shared), away: AtomicBool::new(false) }
    }

    /// Gives the place away: another thread takes it.
    pub(crate) fn leave(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else { return false };
        if self.away.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut core = shared.core.lock();
        let slots = core.machine.slots().saturating_add(1);
        core.tell(Input::Slots { slots });
        if core.surplus > 0 {
            core.surplus -= 1;
        } else {
            let another = shared.clone();
            let started = std::thread::Builder::new()
                .name("samite-worker-more".to_owned())
                .spawn(move || running::work(&another));
            if started.is_err() {
                // Without a thread there is no place to give.
                core.tell(Input::Slots { slots: slots - 1 });
                self.away.store(false, Ordering::Release);
            }
        }
        running::follow_up(&shared, core);
        self.away.load(Ordering::Acquire)
    }

    /// Takes the place back; there may be one task more than places until one has ended.
    pub(crate) fn come_back(&self) -> bool {
        let Some(shared) = self.shared.upgrade() else { return false };
        if !self.away.swap(false, Ordering::AcqRel) {
            return false;
        }
        let mut core = shared.core.lock();
        let slots = core.machine.slots().saturating_sub(1).max(1);
        core.tell(Input::Slots { slots });
        core.surplus += 1;
        running::follow_up(&shared, core);
        shared.work.notify_one();
        true
    }
}
