//! Waiting a moment before sleeping.
//!
//! To wake a thread that sleeps on an idle processor takes longer than a short task. So who waits
//! for what has come soon lately looks for it a moment, letting others run meanwhile, before it
//! sleeps. Karlin et al., "Empirical studies of competitive spinning" (SOSP 1991).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What comes within this time is worth looking for; some times what waking costs.
const MOMENT: Duration = Duration::from_micros(120);
/// One long wait is no reason yet to look no more, nor is one short wait to begin.
const SMOOTHING: u64 = 4;

/// What some threads wait for: news are counted.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    news: AtomicU32,
    /// How long waits took lately, in nanoseconds.
    lately: AtomicU64,
}

/// How things stood when a wait began.
pub(crate) struct Wait {
    news: u32,
    began: Instant,
}

impl Patience {
    /// There are news.
    pub(crate) fn tell(&self) {
        self.news.fetch_add(1, Ordering::Release);
    }

    /// Begins to wait; to be called under the lock under which news are told.
    pub(crate) fn begin(&self) -> Wait {
        Wait { news: self.news.load(Ordering::Acquire), began: Instant::now() }
    }

    /// Looks for news a moment, where they came soon lately; must be called without locks. Who calls
    /// it looks at the state again before it sleeps.
    pub(crate) fn look(&self, wait: &Wait) {
        if self.pays() {
            while self.news.load(Ordering::Acquire) == wait.news && wait.began.elapsed() < MOMENT {
                std::thread::yield_now();
            }
        }
    }

    fn pays(&self) -> bool {
        several_processors() && self.lately.load(Ordering::Relaxed) < nanos(MOMENT)
    }

    /// Notes that the wait is over.
    pub(crate) fn end(&self, wait: &Wait) {
        // Races only make the average less exact.
        let lately = self.lately.load(Ordering::Relaxed);
        let took = nanos(wait.began.elapsed()).min(16 * nanos(MOMENT));
        let average = (lately * (SMOOTHING - 1) + took) / SMOOTHING;
        self.lately.store(average, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// With one processor, what is waited for comes only while this thread does not run.
fn several_processors() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| std::thread::available_parallelism().is_ok_and(|count| count.get() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for something that takes so long, without looking for it.
    fn waited(patience: &Patience, time: Duration) {
        let mut wait = patience.begin();
        wait.began -= time;
        patience.end(&wait);
    }

    #[test]
    fn looks_only_where_waits_were_short_lately() {
        let patience = Patience::default();
        assert_eq!(patience.pays(), several_processors());
        (0..3).for_each(|_| waited(&patience, 10 * MOMENT));
        assert!(!patience.pays());
        let began = Instant::now();
        (0..1000).for_each(|_| patience.look(&patience.begin()));
        assert!(began.elapsed() < 1000 * MOMENT);
        (0..40).for_each(|_| waited(&patience, MOMENT / 10));
        assert_eq!(patience.pays(), several_processors());
    }

    #[test]
    fn a_look_ends_by_itself() {
        let patience = Patience::default();
        let wait = patience.begin();
        patience.look(&wait);
        assert!(!several_processors() || wait.began.elapsed() >= MOMENT);
    }

    #[test]
    fn news_end_the_look() {
        let patience = Patience::default();
        let wait = patience.begin();
        patience.tell();
        patience.look(&wait);
        assert!(patience.news.load(Ordering::Relaxed) != wait.news);
    }
}
